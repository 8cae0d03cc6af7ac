"""Gradients by the tape: `backward()` and `grad()`, and the hooks they call."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any
from weakref import ref

from ..graph import trace as tracing
from ..graph.errors import ArgumentError, GradientError
from ..graph.node import PRIMITIVES
from ..graph.trace import Leaf, Value, alias, local, record
from ..tensor.core import Tensor, apply, method, wrap
from ..tensor.views import overwrite
from . import nodes
from .modes import enable_grad, is_grad_enabled, no_grad, set_grad_enabled
from .tape import Place, operations_behind, pull

__all__ = [
    "RemovableHandle",
    "accumulate",
    "backward",
    "enable_grad",
    "grad",
    "is_grad_enabled",
    "no_grad",
    "operations_behind",
    "register_hook",
    "retain_grad",
    "set_grad_enabled",
    "zeros_like",
]


def _seed(output: Tensor, given: Tensor | None, name: str) -> Value | None:
    value = output._value
    if value.origin is None:
        raise GradientError(
            f"{name}: the tensor does not require grad and no operation on its way did, or it was made under no_grad()"
        )
    if given is None:
        if output.numel() != 1:
            raise GradientError(
                f"{name}: a gradient can only be started without a seed from a one-element tensor. "
                f"Received: shape {output.shape}; pass gradient= or reduce it first, e.g. with .sum()"
            )
        if value.dtype.is_complex:
            raise GradientError(
                f"{name}: a gradient can only be started without a seed from a real number. "
                f"Received: {value.dtype.name}; pass gradient= or take .real or .abs() first"
            )
        return None
    if given._value.shape != value.shape:
        raise ArgumentError(f"{name}: expected a seed of shape {output.shape}. Received: {given.shape}")
    return given._value if given.dtype is value.dtype else wrap(given._value).to(value.dtype)._value


def backward(
    tensors: Tensor | Sequence[Tensor],
    grad_tensors: Tensor | Sequence[Tensor | None] | None = None,
    retain_graph: bool | None = None,
    create_graph: bool = False,
    inputs: Tensor | Sequence[Tensor] | None = None,
) -> None:
    """Accumulate the gradients of `tensors` into `.grad` of the leaves (or of `inputs` only).

    `grad_tensors` are the seeds, of the shapes of `tensors`; one-element tensors need none.
    Raises GradientError where there is no tape, it was freed, or a needed value was overwritten.
    """
    outputs = [tensors] if isinstance(tensors, Tensor) else list(tensors)
    seeds = [grad_tensors] if isinstance(grad_tensors, Tensor) or grad_tensors is None else list(grad_tensors)
    if grad_tensors is None:
        seeds = [None] * len(outputs)
    if len(seeds) != len(outputs):
        raise ArgumentError(f"backward: expected {len(outputs)} seeds. Received: {len(seeds)}")
    retain = create_graph if retain_graph is None else retain_graph
    chosen = [inputs] if isinstance(inputs, Tensor) else inputs
    wanted = None if chosen is None else {_place(t, "backward") for t in chosen}
    values = [_seed(t, s, "backward") for t, s in zip(outputs, seeds, strict=True)]
    for (place, index), cotangent in pull([t._value for t in outputs], values, wanted, retain, create_graph).items():
        if isinstance(place, Leaf):
            owner = place.owner()
        else:
            owner = next(t for t in chosen or () if t._value.origin is place and t._value.index == index)
        if owner is not None:
            accumulate(owner, cotangent, create_graph)


def accumulate(owner: Tensor, cotangent: Value, create_graph: bool) -> None:
    """Add a gradient to `owner.grad`."""
    held = owner._grad
    if held is None:
        owner._grad = wrap(cotangent if create_graph else _off_tape(cotangent))
    elif create_graph:
        owner._grad = held + wrap(cotangent)
    else:
        mode, local.gradients = local.gradients, False
        try:
            overwrite((held,), (record(PRIMITIVES["add"], (held._value, cotangent)),))
        finally:
            local.gradients = mode
    if owner._accumulated_hooks:
        for hook in list(owner._accumulated_hooks.values()):
            hook(owner)


def _off_tape(value: Value) -> Value:
    return value if value.origin is None else alias(value, None)


def _place(tensor: Tensor, name: str) -> Place:
    origin = tensor._value.origin
    if origin is None:
        raise GradientError(f"{name}: one of the inputs does not require grad")
    return origin, tensor._value.index


def grad(
    outputs: Tensor | Sequence[Tensor],
    inputs: Tensor | Sequence[Tensor],
    grad_outputs: Tensor | Sequence[Tensor | None] | None = None,
    retain_graph: bool | None = None,
    create_graph: bool = False,
    only_inputs: bool = True,
    allow_unused: bool | None = None,
    is_grads_batched: bool = False,
    materialize_grads: bool = False,
) -> tuple[Tensor | None, ...]:
    """Gradients of `outputs` (summed, weighted by `grad_outputs`) with respect to `inputs`, as a tuple.

    With `is_grads_batched` the `grad_outputs` have one more axis in front, and so have the results: a gradient for each
    of the weights along it. Raises GradientError for an input that `outputs` do not depend on, unless `allow_unused`
    (None is returned for it) or `materialize_grads` (zeros are). Gradients are never accumulated in other tensors, so
    `only_inputs=False` is refused by ArgumentError.
    """
    if not only_inputs:
        raise ArgumentError("grad: only_inputs=False: use backward(), which accumulates gradients in all leaves")
    if is_grads_batched:
        return _batched_grad(outputs, inputs, grad_outputs, retain_graph, create_graph, allow_unused, materialize_grads)
    targets = [outputs] if isinstance(outputs, Tensor) else list(outputs)
    sources = [inputs] if isinstance(inputs, Tensor) else list(inputs)
    given = [grad_outputs] if isinstance(grad_outputs, Tensor) or grad_outputs is None else list(grad_outputs)
    if grad_outputs is None:
        given = [None] * len(targets)
    places = [_place(t, "grad") for t in sources]
    seeds = [_seed(t, s, "grad") for t, s in zip(targets, given, strict=True)]
    retain = create_graph if retain_graph is None else retain_graph
    found = pull([t._value for t in targets], seeds, set(places), retain, create_graph)
    result: list[Tensor | None] = []
    for source, place in zip(sources, places, strict=True):
        cotangent = found.get(place)
        if cotangent is not None:
            result.append(wrap(cotangent if create_graph else _off_tape(cotangent)))
        elif materialize_grads:
            result.append(zeros_like(source))
        elif allow_unused:
            result.append(None)
        else:
            raise GradientError(
                "grad: one of the inputs was not used to compute the outputs. Pass allow_unused=True to get None for it"
            )
    return tuple(result)


def _batched_grad(
    outputs: Any, inputs: Any, grad_outputs: Any, retain_graph: bool | None, create_graph: bool,
    allow_unused: bool | None, materialize_grads: bool,
) -> tuple[Tensor | None, ...]:  # fmt: skip
    """One walk along the tape for each row of the weights."""
    given = [grad_outputs] if isinstance(grad_outputs, Tensor) else list(grad_outputs or [])
    sizes = {len(g) for g in given if g is not None}
    if len(sizes) != 1:
        raise ArgumentError(f"grad(is_grads_batched=True): expected weights of one batch. Received: {sorted(sizes)}")
    count = sizes.pop()
    retain = create_graph if retain_graph is None else retain_graph
    rows = [
        grad(
            outputs, inputs, [None if g is None else g[k] for g in given], retain or k < count - 1, create_graph,
            allow_unused=allow_unused, materialize_grads=materialize_grads,
        )
        for k in range(count)
    ]  # fmt: skip

    def stacked(column: tuple[Tensor | None, ...]) -> Tensor | None:
        if any(g is None for g in column):
            return None
        return apply(PRIMITIVES["concatenate"], tuple(g[None] for g in column if g is not None), (("axis", 0),))

    return tuple(map(stacked, zip(*rows, strict=True)))


def zeros_like(tensor: Tensor) -> Tensor:
    """Zeros of the same shape, dtype and device."""
    zero = tracing.constant(0, tensor.dtype)
    shape = (("shape", tuple(tensor.shape)),)
    return wrap(record(PRIMITIVES["broadcast_to"], (zero,), shape), tensor._device)


class RemovableHandle:
    """Takes back a hook: `remove()`, or leave its `with` block."""

    def __init__(self, remove: Callable[[], Any]) -> None:
        self._remove: Callable[[], Any] | None = remove

    def remove(self) -> None:
        if self._remove is not None:
            self._remove()
            self._remove = None

    def __enter__(self) -> RemovableHandle:
        return self

    def __exit__(self, *_: object) -> None:
        self.remove()


@method
def register_post_accumulate_grad_hook(tensor: Tensor, hook: Callable[[Tensor], None], /) -> RemovableHandle:
    """Call `hook` with the leaf `tensor` each time that a backward pass has added to its gradient.

    Raises GradientError for a tensor that is no leaf, or requires no gradient.
    """
    if not isinstance(tensor._value.origin, Leaf):
        raise GradientError("register_post_accumulate_grad_hook: expected a leaf tensor that requires grad")
    if tensor._accumulated_hooks is None:
        tensor._accumulated_hooks = {}
    hooks, key = tensor._accumulated_hooks, object()
    hooks[key] = hook
    return RemovableHandle(lambda: hooks.pop(key, None))


def register_hook(tensor: Tensor, hook: Callable[[Tensor], Tensor | None]) -> RemovableHandle:
    """Call `hook` with the gradient of `tensor` when it is computed; what it returns takes the gradient's place."""
    origin = tensor._value.origin
    if origin is None:
        raise GradientError("register_hook: the tensor does not require grad")
    if isinstance(origin, Leaf):
        if tensor._hooks is None:
            tensor._hooks = {}
        key = object()
        tensor._hooks[key] = hook
        return RemovableHandle(lambda: tensor._hooks.pop(key, None))
    if origin.hooks is None:
        origin.hooks = {}
    hooks = origin.hooks.setdefault(tensor._value.index, [])
    hooks.append(hook)
    return RemovableHandle(lambda: hooks.remove(hook) if hook in hooks else None)


def retain_grad(tensor: Tensor) -> None:
    """Keep the gradient of a tensor that is not a leaf in its `.grad`."""
    if tensor._value.origin is None:
        raise GradientError("retain_grad: the tensor does not require grad")
    if tensor.is_leaf or tensor._retains:
        return
    tensor._retains = True
    keeper = ref(tensor)

    def keep(gradient: Tensor) -> None:
        kept = keeper()
        if kept is not None:
            kept._grad = gradient if kept._grad is None else kept._grad + gradient

    register_hook(tensor, keep)


def _backward_method(
    self: Tensor,
    gradient: Tensor | None = None,
    retain_graph: bool | None = None,
    create_graph: bool = False,
    inputs: Any = None,
) -> None:
    """Accumulate the gradients of this tensor into the leaves it came from; see `duograph.autograd.backward`."""
    backward(self, gradient, retain_graph, create_graph, inputs)


method(_backward_method, "backward")
method(register_hook, "register_hook")
method(retain_grad, "retain_grad")
method(property(lambda self: self._retains), "retains_grad")
