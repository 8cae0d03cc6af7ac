"""`torch.autograd.forward_ad`: derivatives in a direction, carried along from the inputs.

What is carried is on the tape: a dual tensor is a fresh end of it, and a tangent is asked for by the rule of `jvp` in
`duograph.transforms`, once for each `unpack_dual`.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from ...autograd import enable_grad, grad, zeros_like
from ...graph.errors import ArgumentError, GradientError
from ...graph.trace import local
from ...tensor.core import Tensor
from ...transforms.gradients import _fresh, _settle
from ..missing import missing

__all__ = ["UnpackedDualTensor", "dual_level", "enter_dual_level", "exit_dual_level", "make_dual", "unpack_dual"]

_levels: list[list[tuple[Tensor, Tensor]]] = []
"""The duals of the level that we are in, with their tangents; PyTorch has one level too."""


class UnpackedDualTensor(NamedTuple):
    """A tensor, and its derivative in the direction of the tangents that the level's duals have."""

    primal: Tensor
    tangent: Tensor | None


def enter_dual_level() -> int:
    """Begin a level; `exit_dual_level` ends it. Raises GradientError within another one."""
    if _levels:
        raise GradientError(
            "dual_level: expected no level within another one: use torch.func.jvp for nested derivatives"
        )
    _levels.append([])
    return 0


def exit_dual_level(*, level: int | None = None) -> None:
    """End the level. Raises GradientError without one."""
    if not _levels:
        raise GradientError("exit_dual_level: expected a level, which enter_dual_level() begins")
    _levels.pop()


class dual_level:
    """A block in which duals can be made; what they carry is gone after it."""

    def __enter__(self) -> int:
        return enter_dual_level()

    def __exit__(self, *_: object) -> None:
        exit_dual_level()


def make_dual(tensor: Tensor, tangent: Tensor, *, level: int | None = None) -> Tensor:
    """The tensor, carrying `tangent`, of its shape, along.

    Raises GradientError outside of a level, ArgumentError for a tangent of another shape.
    """
    if not _levels:
        raise GradientError("make_dual: expected to be within dual_level()")
    if not tensor.dtype.differentiable:
        raise ArgumentError(f"make_dual: expected floating point or complex numbers. Received: {tensor.dtype.name}")
    if tangent.shape != tensor.shape:
        raise ArgumentError(
            f"make_dual: expected a tangent of shape {tuple(tensor.shape)}. Received: {tuple(tangent.shape)}"
        )
    with enable_grad():
        dual = _fresh(tensor)
    _levels[-1].append((dual, tangent.to(tensor.dtype)))
    return dual


def unpack_dual(tensor: Tensor, *, level: int | None = None) -> UnpackedDualTensor:
    """The tensor off what it carries, and the derivative that it carries: None if no dual had a part in it."""
    if not _levels or not tensor.requires_grad:
        return UnpackedDualTensor(tensor, None)
    duals = [dual for dual, _ in _levels[-1]]
    own = next((tangent for dual, tangent in _levels[-1] if dual is tensor), None)
    primal = _settle([tensor], duals)[0]
    if own is not None:
        return UnpackedDualTensor(primal, own)
    with enable_grad():
        cotangent = _fresh(zeros_like(tensor))
        pulled: Any = grad(tensor, duals, cotangent, create_graph=True, retain_graph=True, allow_unused=True)
    pairs = [(p, t) for p, (_, t) in zip(pulled, _levels[-1], strict=True) if p is not None]
    if not pairs:
        return UnpackedDualTensor(primal, None)
    used = [(p, t) for p, t in pairs if p.requires_grad]
    if not used:
        return UnpackedDualTensor(primal, zeros_like(tensor))
    (tangent,) = grad(
        [p for p, _ in used], [cotangent], [t for _, t in used], create_graph=local.gradients, retain_graph=True,
        allow_unused=True, materialize_grads=True,
    )  # fmt: skip
    return UnpackedDualTensor(primal, _settle([tangent], [*duals, cotangent])[0])


__getattr__ = missing(__name__, __all__)
