"""Backward along the tape, and the functional transforms.

The tape is the chain of origins behind a value. Going backwards records, for each operation on it, the composite that
is its vector-Jacobian product: derivatives are ordinary trace, so they are compiled with the forward part and can be
differentiated again.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Sequence
from typing import Any
from weakref import ref

from .gradient import VectorJacobianProduct, uses, vjp
from .graph import trace as tracing
from .graph.errors import ArgumentError, GradientError
from .graph.node import PRIMITIVES, make
from .graph.trace import Leaf, Origin, Value, alias, local, record
from .tensor.core import Tensor, method, wrap
from .tensor.views import overwrite

Place = tuple[Origin | Leaf, int]
"""Where cotangents meet: an output of an operation, or a leaf."""


class _GradientMode:
    """Context manager and decorator that sets whether operations are taped in this thread."""

    mode = True

    def __init__(self, mode: bool | None = None) -> None:
        if mode is not None:
            self.mode = bool(mode)
        self.before: list[bool] = []

    def __enter__(self) -> None:
        self.before.append(local.gradients)
        local.gradients = self.mode

    def __exit__(self, *_: object) -> None:
        local.gradients = self.before.pop()

    def __call__(self, function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def wrapped(*arguments: Any, **keywords: Any) -> Any:
            with type(self)(self.mode) if type(self) is set_grad_enabled else type(self)():
                return function(*arguments, **keywords)

        return wrapped


class no_grad(_GradientMode):
    """Nothing is taped inside: results do not require gradients."""

    mode = False

    def __new__(cls, function: Callable[..., Any] | None = None) -> Any:
        # @no_grad without parentheses
        return super().__new__(cls) if function is None else cls()(function)

    def __init__(self, function: Callable[..., Any] | None = None) -> None:
        super().__init__()


class enable_grad(no_grad):
    """Operations are taped inside, also within no_grad()."""

    mode = True


class set_grad_enabled(_GradientMode):
    """Tape or not from here on; as a context manager, until its end."""

    def __init__(self, mode: bool) -> None:
        super().__init__(mode)
        self.before.append(local.gradients)
        local.gradients = self.mode

    def __enter__(self) -> None:
        local.gradients = self.mode


def is_grad_enabled() -> bool:
    """Whether operations are taped in this thread."""
    return local.gradients


def operations_behind(roots: Iterable[Value]) -> list[Origin]:
    """The operations that `roots` came from, those nearest to the roots first: none before what used its results."""
    order: list[Origin] = []
    seen: set[Any] = set()
    for root in roots:
        if not isinstance(root.origin, Origin) or root.origin in seen:
            continue
        seen.add(root.origin)
        stack = [(root.origin, iter(root.origin.inputs))]
        while stack:
            origin, rest = stack[-1]
            for value in rest:
                if value is None:
                    continue
                before = value.origin
                if before is not None and before not in seen and isinstance(before, Origin):
                    seen.add(before)
                    stack.append((before, iter(before.inputs)))
                    break
            else:
                stack.pop()
                order.append(origin)
    order.reverse()
    return order


def _leading(order: list[Origin], wanted: set[Place]) -> set[Any]:
    """The places on the way to `wanted`."""
    leads: set[Any] = set(wanted)
    for origin in reversed(order):
        if any(v is not None and (v.origin, v.index) in leads for v in origin.inputs):
            leads.update((origin, index) for index in range(origin.outputs))
    return leads


def _freed(origin: Origin) -> GradientError:
    message = (
        f"backward through {origin.op.name} a second time: the values it saved were freed by the first. "
        "Use backward(retain_graph=True) the first time"
    )
    error = GradientError(message)
    error.located(origin.line)
    return error


def _overwritten(origin: Origin, what: str) -> GradientError:
    error = GradientError(
        f"a value needed for the gradient of {origin.op.name} ({what}) was modified by an in-place operation "
        "after it was used. Use an out-of-place operation, or .clone() before writing"
    )
    error.located(origin.line)
    return error


def pull(
    roots: Sequence[Value], seeds: Sequence[Value], wanted: set[Place] | None, retain: bool, create_graph: bool
) -> dict[Place, Value]:
    """Cotangents at the places `wanted` (None: at every leaf), given those of the roots.

    Records vector-Jacobian products; they are taped in turn if `create_graph`.
    Raises GradientError for a freed graph and for values overwritten since they were used.
    """
    order = operations_behind(roots)
    leads = None if wanted is None else _leading(order, wanted)
    found: dict[Any, Value] = {}  # cotangents by place, complete when their operation's turn comes
    result: dict[Place, Value] = {}
    overwritten: set[Any] = set()  # places whose value was written in place after an operation had used it
    add = PRIMITIVES["add"]

    def contribute(value: Value, cotangent: Value) -> None:
        place = (value.origin, value.index)
        if value.overwritten is not None:
            overwritten.add(place)
        before = found.get(place)
        found[place] = cotangent if before is None else record(add, (before, cotangent))

    mode, local.gradients = local.gradients, create_graph
    try:
        for root, seed in zip(roots, seeds, strict=True):
            contribute(root, seed)
        for origin in order:
            given = [found.pop((origin, index), None) for index in range(origin.outputs)]
            if origin.hooks is not None:
                given = [_after_hooks(origin.hooks.get(k), c) for k, c in enumerate(given)]
            if wanted is not None:
                places = (((origin, k), c) for k, c in enumerate(given) if c is not None)
                result.update((place, c) for place, c in places if place in wanted)
            if given.count(None) == len(given):
                continue
            if origin.freed:
                raise _freed(origin)
            targets: list[Value] = []
            needed = []
            for value in origin.inputs:
                if (
                    value is None
                    or value.origin is None
                    or (leads is not None and (value.origin, value.index) not in leads)
                ):
                    needed.append(False)
                else:
                    needed.append(True)
                    targets.append(value)
            if targets:
                cotangents = _products(origin, tuple(needed), given, overwritten)
                for target, cotangent in zip(targets, cotangents, strict=True):
                    if cotangent is not None:
                        contribute(target, cotangent)
            if not retain:
                _free(origin)
    finally:
        local.gradients = mode
    for place, cotangent in found.items():
        leaf = place[0]
        if isinstance(leaf, Leaf) and (wanted is None or place in wanted):
            owner = leaf.owner()
            hooks = None if owner is None or not owner._hooks else list(owner._hooks.values())
            result[place] = _after_hooks(hooks, cotangent)
    return result


def _products(
    origin: Origin, needed: tuple[bool, ...], given: list[Value | None], overwritten: set[Any]
) -> Sequence[Value | None]:
    """Cotangents of the inputs that need one."""
    custom = getattr(origin.op, "pull", None)
    if custom is not None:  # an operation whose gradient is the user's Python function
        return custom(origin, needed, given)
    product = vjp(origin.op, needed, tuple([c is not None for c in given]))
    operands = (*origin.inputs, *[c for c in given if c is not None])
    if overwritten or any(v is not None and v.overwritten is not None for v in origin.inputs):
        _check_overwritten(origin, product, operands, overwritten)
    cotangents = record(product, operands, origin.attributes)
    return cotangents if isinstance(cotangents, tuple) else (cotangents,)


def _check_overwritten(
    origin: Origin, product: VectorJacobianProduct, operands: tuple[Value | None, ...], overwritten: set[Any]
) -> None:
    """Raise GradientError if the gradient of an operation uses a value that was written in place since."""
    signature = tuple(None if v is None else (v.shape, v.dtype) for v in operands)
    used, used_results = uses(product, origin.attributes, signature)
    for place, value in enumerate(origin.inputs):
        if value is not None and value.overwritten not in (None, origin) and place in used:
            raise _overwritten(origin, f"its input {place}")
    if any((origin, index) in overwritten for index in used_results):
        raise _overwritten(origin, "its result")


_keeping: dict[Any, bool] = {}


def _free(origin: Origin) -> None:
    """Release the values kept for an operation's gradient. One that needs none, such as a sum, can be passed twice."""
    keeps: bool | None = True
    if getattr(origin.op, "pull", None) is None:
        key = (origin.op, origin.attributes, len(origin.inputs))
        keeps = _keeping.get(key)
        if keeps is None:
            keeps = _keeping[key] = _uses_values(origin)
    if keeps:
        origin.freed = True
        origin.inputs = ()


def _uses_values(origin: Origin) -> bool:
    needed = tuple(v is not None and v.dtype.is_floating_point for v in origin.inputs)
    inputs = tuple(None if v is None else (v.shape, v.dtype) for v in origin.inputs)
    outputs = _results(origin, inputs)
    product = vjp(origin.op, needed, tuple(d.is_floating_point for _, d in outputs))
    cotangents = tuple(o for o in outputs if o[1].is_floating_point)
    used, used_results = uses(product, origin.attributes, (*inputs, *cotangents))
    return bool(used_results) or any(place < len(inputs) for place in used)


def _results(origin: Origin, inputs: tuple[Any, ...]) -> list[Any]:
    stand_ins = [
        None if s is None else make(PRIMITIVES["input"], position=k, shape=s[0], dtype=s[1])
        for k, s in enumerate(inputs)
    ]
    return [(n.shape, n.dtype) for n in origin.op.build(stand_ins, origin.attributes)]


def _after_hooks(hooks: Sequence[Callable[[Any], Any]] | None, cotangent: Any) -> Any:
    """A cotangent as the hooks leave it."""
    if not hooks or cotangent is None:
        return cotangent
    tensor = wrap(cotangent)
    for hook in hooks:
        changed = hook(tensor)
        if changed is not None:
            tensor = changed
    return tensor._value


def _seed(output: Tensor, given: Tensor | None, name: str) -> Value:
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
        one = tracing.constant(1.0, value.dtype)
        if value.shape:
            one = record(PRIMITIVES["broadcast_to"], (one,), (("shape", value.shape),))
        return one
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
    for hook in list((getattr(owner, "_accumulated_hooks", None) or {}).values()):
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
    allow_unused: bool | None = None,
    is_grads_batched: bool = False,
    materialize_grads: bool = False,
) -> tuple[Tensor | None, ...]:
    """Gradients of `outputs` (summed, weighted by `grad_outputs`) with respect to `inputs`, as a tuple.

    Raises GradientError for an input that `outputs` do not depend on, unless `allow_unused` (None is returned for it)
    or `materialize_grads` (zeros are).
    """
    if is_grads_batched:
        from .graph.errors import NotSupported

        raise NotSupported("grad(is_grads_batched=True) is not supported: call grad once for each row")
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
