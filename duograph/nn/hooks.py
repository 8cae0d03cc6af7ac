"""What runs beside a module's forward and backward pass."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any, NamedTuple

from ..autograd import RemovableHandle
from ..graph.errors import ArgumentError
from ..graph.lines import user_line
from ..graph.trace import Origin, Value, alias, local
from ..tensor.core import Tensor, wrap


class Hook(NamedTuple):
    """A registered function and how it wants to be called."""

    function: Callable[..., Any]
    with_kwargs: bool = False
    always_call: bool = False


Registry = dict[int, Hook]
_keys = itertools.count()

every_module_pre: Registry = {}
every_module: Registry = {}
every_module_backward_pre: Registry = {}
every_module_backward: Registry = {}


def has_hooks(module: Hooks) -> bool:
    """Whether anything runs beside the passes of a module."""
    return bool(
        module._forward_hooks
        or module._forward_pre_hooks
        or module._backward_hooks
        or module._backward_pre_hooks
        or every_module
        or every_module_pre
        or every_module_backward
        or every_module_backward_pre
    )


def add(registry: dict[int, Any], hook: Any, prepend: bool = False) -> RemovableHandle:
    """Enter a hook into a registry, last or first."""
    key = next(_keys)
    if prepend:
        later = dict(registry)
        registry.clear()
        registry[key] = hook
        registry.update(later)
    else:
        registry[key] = hook
    return RemovableHandle(lambda: registry.pop(key, None))


def register_module_forward_pre_hook(hook: Callable[..., Any]) -> RemovableHandle:
    """Call `hook(module, args)` before the forward pass of every module."""
    return add(every_module_pre, Hook(hook))


def register_module_forward_hook(
    hook: Callable[..., Any], *, with_kwargs: bool = False, always_call: bool = False
) -> RemovableHandle:
    """Call `hook(module, args, output)` after the forward pass of every module."""
    return add(every_module, Hook(hook, with_kwargs, always_call))


def register_module_full_backward_pre_hook(hook: Callable[..., Any]) -> RemovableHandle:
    """Call `hook(module, grad_output)` before the backward pass of every module."""
    return add(every_module_backward_pre, Hook(hook))


def register_module_full_backward_hook(hook: Callable[..., Any]) -> RemovableHandle:
    """Call `hook(module, grad_input, grad_output)` after the backward pass of every module."""
    return add(every_module_backward, Hook(hook))


class Hooks:
    """The hooks of one module."""

    _forward_pre_hooks: Registry
    _forward_hooks: Registry
    _backward_pre_hooks: Registry
    _backward_hooks: Registry
    forward: Callable[..., Any]

    def _init_hooks(self) -> None:
        vars(self).update(_forward_pre_hooks={}, _forward_hooks={}, _backward_pre_hooks={}, _backward_hooks={})

    def register_forward_pre_hook(
        self, hook: Callable[..., Any], *, prepend: bool = False, with_kwargs: bool = False
    ) -> RemovableHandle:
        """Call `hook(module, args)` before `forward`; what it returns replaces the arguments.

        With `with_kwargs` it is `hook(module, args, kwargs)`, and returns a pair of both.
        """
        return add(self._forward_pre_hooks, Hook(hook, with_kwargs), prepend)

    def register_forward_hook(
        self,
        hook: Callable[..., Any],
        *,
        prepend: bool = False,
        with_kwargs: bool = False,
        always_call: bool = False,
    ) -> RemovableHandle:
        """Call `hook(module, args, output)` after `forward`; what it returns replaces the output.

        With `with_kwargs` it is `hook(module, args, kwargs, output)`. With `always_call` it also runs, with output
        None, when `forward` raises.
        """
        return add(self._forward_hooks, Hook(hook, with_kwargs, always_call), prepend)

    def register_full_backward_pre_hook(self, hook: Callable[..., Any], prepend: bool = False) -> RemovableHandle:
        """Call `hook(module, grad_output)` when the gradients of the outputs are known; it may return others."""
        return add(self._backward_pre_hooks, Hook(hook), prepend)

    def register_full_backward_hook(self, hook: Callable[..., Any], prepend: bool = False) -> RemovableHandle:
        """Call `hook(module, grad_input, grad_output)` when the gradients of the inputs are known.

        It may return other gradients for the inputs. Both are tuples, with None for what needs no gradient.
        """
        return add(self._backward_hooks, Hook(hook), prepend)

    def _call_with_hooks(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """`forward` with the hooks around it."""
        for hook in (*every_module_pre.values(), *self._forward_pre_hooks.values()):
            args, kwargs = _changed_arguments(self, hook, args, kwargs)
        before = [h.function for h in (*every_module_backward_pre.values(), *self._backward_pre_hooks.values())]
        after = [h.function for h in (*every_module_backward.values(), *self._backward_hooks.values())]
        border = _Border(self, before, after) if local.gradients and (before or after) else None
        if border is not None:
            args = border.enter(args)
        done = 0
        hooks = (*every_module.values(), *self._forward_hooks.values())
        try:
            output = self.forward(*args, **kwargs)
            for hook in hooks:
                done += 1
                changed = _after(self, hook, args, kwargs, output)
                if changed is not None:
                    output = changed
        except BaseException:
            for hook in hooks[done:]:
                if hook.always_call:
                    _after(self, hook, args, kwargs, None)
            raise
        return output if border is None else border.leave(output)


def _changed_arguments(
    module: Any, hook: Hook, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    if not hook.with_kwargs:
        changed = hook.function(module, args)
        return (args if changed is None else changed if isinstance(changed, tuple) else (changed,)), kwargs
    changed = hook.function(module, args, kwargs)
    if changed is None:
        return args, kwargs
    if not (isinstance(changed, tuple) and len(changed) == 2):
        raise ArgumentError(
            f"forward pre-hook with kwargs: expected it to return None or a pair (args, kwargs). Received: {changed!r}"
        )
    return changed


def _after(module: Any, hook: Hook, args: tuple[Any, ...], kwargs: dict[str, Any], output: Any) -> Any:
    return hook.function(module, args, kwargs, output) if hook.with_kwargs else hook.function(module, args, output)


class _Border:
    """Where the backward pass enters and leaves a module: two identities on the tape, which call the hooks."""

    def __init__(self, module: Any, before: list[Callable[..., Any]], after: list[Callable[..., Any]]) -> None:
        self.module = module
        self.before = before
        self.after = after
        self.arguments = 0
        self.grad_output: tuple[Tensor | None, ...] = ()
        self.input_needs_gradient = False

    def enter(self, args: tuple[Any, ...]) -> tuple[Any, ...]:
        """The arguments, put on the tape behind the border."""
        self.arguments = len(args)
        places = [k for k, a in enumerate(args) if isinstance(a, Tensor)]
        taped, self.input_needs_gradient = _identity([args[k] for k in places], _Entry(self, places))
        changed = list(args)
        for k, tensor in zip(places, taped, strict=True):
            changed[k] = tensor
        return tuple(changed)

    def leave(self, output: Any) -> Any:
        """The output, put on the tape behind the border. What is not a tensor or a tuple or list of them passes."""
        if isinstance(output, Tensor):
            return _identity([output], _Exit(self, [0], 1))[0][0]
        if not isinstance(output, tuple | list):
            return output
        places = [k for k, a in enumerate(output) if isinstance(a, Tensor)]
        taped = _identity([output[k] for k in places], _Exit(self, places, len(output)))[0]
        changed = list(output)
        for k, tensor in zip(places, taped, strict=True):
            changed[k] = tensor
        if isinstance(output, list):
            return changed
        return type(output)(*changed) if hasattr(output, "_fields") else tuple(changed)

    def outputs_known(self, gradients: tuple[Tensor | None, ...]) -> tuple[Tensor | None, ...]:
        for hook in self.before:
            changed = hook(self.module, gradients)
            if changed is not None:
                gradients = changed if isinstance(changed, tuple) else (changed,)
        self.grad_output = gradients
        if not self.input_needs_gradient:
            for hook in self.after:
                hook(self.module, (None,) * self.arguments, gradients)
        return gradients

    def inputs_known(self, gradients: tuple[Tensor | None, ...]) -> tuple[Tensor | None, ...]:
        for hook in self.after:
            changed = hook(self.module, gradients, self.grad_output)
            if changed is not None:
                gradients = changed if isinstance(changed, tuple) else (changed,)
        return gradients


class _Entry:
    name = "module_inputs"

    def __init__(self, border: _Border, places: list[int]) -> None:
        self.border = border
        self.places = places

    def pull(self, origin: Origin, needed: tuple[bool, ...], given: list[Value | None]) -> list[Value | None]:
        gradients: list[Tensor | None] = [None] * self.border.arguments
        for place, value in zip(self.places, given, strict=True):
            gradients[place] = None if value is None else wrap(value)
        changed = self.border.inputs_known(tuple(gradients))
        return _needed(changed, self.places, needed)


class _Exit:
    name = "module_outputs"

    def __init__(self, border: _Border, places: list[int], count: int) -> None:
        self.border = border
        self.places = places
        self.count = count

    def pull(self, origin: Origin, needed: tuple[bool, ...], given: list[Value | None]) -> list[Value | None]:
        gradients: list[Tensor | None] = [None] * self.count
        for place, value in zip(self.places, given, strict=True):
            gradients[place] = None if value is None else wrap(value)
        changed = self.border.outputs_known(tuple(gradients))
        return _needed(changed, self.places, needed)


def _needed(gradients: tuple[Tensor | None, ...], places: list[int], needed: tuple[bool, ...]) -> list[Value | None]:
    chosen = [gradients[place] for place, wants in zip(places, needed, strict=True) if wants]
    return [None if g is None else g._value for g in chosen]


def _identity(tensors: list[Tensor], op: Any) -> tuple[list[Tensor], bool]:
    """The tensors behind one operation on the tape that has no effect, and whether any of them is taped."""
    values = tuple(t._value for t in tensors)
    if not any(v.origin is not None for v in values):
        return tensors, False
    origin = Origin(op, values, (), len(values), user_line())
    return [
        wrap(alias(v, origin, k), t._device) if v.origin is not None else t
        for k, (v, t) in enumerate(zip(values, tensors, strict=True))
    ], True
