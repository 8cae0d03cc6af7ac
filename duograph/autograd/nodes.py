"""The tape as programs look at it: `tensor.grad_fn` and what lies behind it."""

from __future__ import annotations

from typing import Any

from ..graph.trace import Leaf
from ..graph.value import Origin
from ..tensor.core import Tensor, method
from ..tensor.tape_names import backward_name


class BackwardNode:
    """An operation on the tape. Two of one operation are equal."""

    __slots__ = ("_ndim", "_origin")

    def __init__(self, origin: Origin, ndim: int) -> None:
        self._origin = origin
        self._ndim = ndim

    def name(self) -> str:
        """The operation's name in PyTorch's manner, such as "MulBackward0"."""
        return backward_name(self._origin.op, self._ndim)

    @property
    def next_functions(self) -> tuple[tuple[BackwardNode | AccumulateGrad | None, int], ...]:
        """Where gradients go on, one for each input: to an operation, to a leaf, or nowhere; and to which result."""
        found: list[tuple[BackwardNode | AccumulateGrad | None, int]] = []
        for value in self._origin.inputs:
            origin = None if value is None else value.origin
            if isinstance(origin, Origin):
                assert value is not None
                found.append((BackwardNode(origin, len(value.shape)), value.index))
            else:
                owner = origin.owner() if isinstance(origin, Leaf) else None
                found.append((None if owner is None else AccumulateGrad(owner), 0))
        return tuple(found)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, BackwardNode) and other._origin is self._origin

    def __hash__(self) -> int:
        return hash(id(self._origin))

    def __repr__(self) -> str:
        return f"<{self.name()} object at {id(self._origin):#x}>"


class AccumulateGrad:
    """The end of the tape: `variable`, whose gradient is added to."""

    __slots__ = ("variable",)

    def __init__(self, variable: Tensor) -> None:
        self.variable = variable

    @property
    def next_functions(self) -> tuple[Any, ...]:
        """None."""
        return ()

    def name(self) -> str:
        """PyTorch's name for it."""
        return "struct torch::autograd::AccumulateGrad"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, AccumulateGrad) and other.variable is self.variable

    def __hash__(self) -> int:
        return hash(id(self.variable))

    def __repr__(self) -> str:
        return f"<AccumulateGrad object at {id(self.variable):#x}>"


def grad_fn(tensor: Tensor) -> BackwardNode | None:
    """The operation that the tensor came from, if gradients flow through it; None for leaves."""
    origin = tensor._value.origin
    return BackwardNode(origin, tensor.ndim) if isinstance(origin, Origin) else None


method(property(grad_fn), "grad_fn")
