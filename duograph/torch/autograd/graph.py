"""`torch.autograd.graph`: the tape as an object, and hooks on several gradients at once."""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

from ...autograd import RemovableHandle, register_hook
from ...autograd.nodes import AccumulateGrad, BackwardNode
from ...graph.errors import ArgumentError, GradientError, NotSupported
from ...tensor.core import Tensor
from ...tensor.views import base_of
from ..missing import missing

__all__ = [
    "GradientEdge", "Node", "disable_saved_tensors_hooks", "get_gradient_edge", "increment_version",
    "register_multi_grad_hook", "save_on_cpu", "saved_tensors_hooks",
]  # fmt: skip

Node = BackwardNode


class GradientEdge(NamedTuple):
    """Where the gradient of a tensor goes: an operation on the tape, and which of its results the tensor is."""

    node: Any
    output_nr: int
    ownership_token: Any = None


def get_gradient_edge(tensor: Tensor) -> GradientEdge:
    """Where the gradient of a tensor goes. Raises GradientError for one that requires no gradient."""
    if not tensor.requires_grad:
        raise GradientError("get_gradient_edge: expected a tensor that requires grad")
    if tensor.grad_fn is None:
        return GradientEdge(AccumulateGrad(tensor), 0)
    return GradientEdge(tensor.grad_fn, tensor._value.index)


def increment_version(tensor: Tensor | Sequence[Tensor]) -> None:
    """Count a write in place that happened outside of PyTorch's functions."""
    for written in [tensor] if isinstance(tensor, Tensor) else tensor:
        base_of(written)._version += 1


class saved_tensors_hooks:
    """PyTorch calls two functions for each tensor that an operation keeps for its gradient. Here operations keep none:
    what a backward pass needs is planned with the whole graph. Raises NotSupported."""

    def __init__(self, pack_hook: Callable[..., Any], unpack_hook: Callable[..., Any]) -> None:
        raise NotSupported(
            "saved_tensors_hooks: operations keep no tensors of their own here: what a backward pass needs is "
            "planned. To compute values anew, use torch.utils.checkpoint; to see gradients, Tensor.register_hook"
        )


class save_on_cpu:
    """A block whose operations keep what they need for gradients in the memory of the CPU: they do anyway."""

    def __init__(self, pin_memory: bool = False, device_type: str = "cuda") -> None:
        self.pin_memory = pin_memory

    def __enter__(self) -> save_on_cpu:
        return self

    def __exit__(self, *_: object) -> None:
        return None


@contextmanager
def disable_saved_tensors_hooks(error_message: str) -> Iterator[None]:
    """A block in which `saved_tensors_hooks` cannot be used: it never can."""
    yield


def register_multi_grad_hook(
    tensors: Sequence[Tensor], fn: Callable[..., Any], *, mode: str = "all"
) -> RemovableHandle:
    """Call `fn` in a backward pass with the gradients of several tensors, when the last of them is there.

    `fn` takes them as a list. With mode "any" it takes the gradient alone that is there first. A pass is over when all
    the tensors have their gradients, so each must have a part in the loss. Raises ArgumentError for another mode.
    """
    if mode not in ("all", "any"):
        raise ArgumentError(f"register_multi_grad_hook: mode: expected 'all' or 'any'. Received: {mode!r}")
    given = list(tensors)
    lock = threading.Lock()
    found: list[Tensor | None] = [None] * len(given)
    count = 0

    def arrived(place: int, gradient: Tensor) -> None:
        nonlocal count
        with lock:
            count += 1
            found[place] = gradient
            if mode == "any":
                call = count == 1
                argument: Any = gradient
            else:
                call = count == len(given)
                argument = list(found)
            if count == len(given):
                count = 0
                found[:] = [None] * len(given)
        if call:
            fn(argument)

    handles = [register_hook(t, functools.partial(arrived, k)) for k, t in enumerate(given)]

    def remove() -> None:
        for handle in handles:
            handle.remove()

    return RemovableHandle(remove)


__getattr__ = missing(__name__, __all__)
