"""Complex numbers and their parts.

`real`, `imag`, `view_as_real` and `view_as_complex` give views: what is written to them is written to the tensor.
Conjugation is computed at once, so no tensor is ever marked as a conjugate to be resolved.
"""

from __future__ import annotations

from typing import Any

from ..graph import language as g
from ..graph.composite import composite
from ..graph.dtype import bool_
from ..graph.errors import ArgumentError, DTypeError, ShapeError
from ..graph.node import PRIMITIVES as P
from ..graph.node import Node
from ..tensor.core import Tensor, apply, cast, method, to_float
from ..tensor.operators import update
from ..tensor.views import view
from .define import function, into
from .layout import has_pairs
from .manipulation import matrix_transpose, transpose


@function("complex", is_method=False)
def complex_(real: Tensor, imag: Tensor, *, out: Tensor | None = None) -> Tensor:
    """real + i imag, of two float32 or two float64 tensors. Raises DTypeError for others."""
    if real.dtype is not imag.dtype:
        raise DTypeError(f"complex: expected parts of one dtype. Received: {real.dtype.name} and {imag.dtype.name}")
    wanted = real.dtype.to_complex()
    if out is not None and out.dtype is not wanted:
        raise DTypeError(f"complex: out: expected {wanted.name}. Received: {out.dtype.name}")
    return into(out, apply(P["complex"], (real, imag)))


@composite
def _polar(size: Node, angle: Node) -> Node:
    return g.join(size * g.cos(angle), size * g.sin(angle))


@function(is_method=False)
def polar(abs: Tensor, angle: Tensor, *, out: Tensor | None = None) -> Tensor:
    """The complex number of this absolute value and angle. Raises DTypeError for parts of two dtypes."""
    if abs.dtype is not angle.dtype:
        raise DTypeError(f"polar: expected parts of one dtype. Received: {abs.dtype.name} and {angle.dtype.name}")
    return into(out, apply(_polar, (abs, angle)))


@function(is_method=False)
def real(input: Tensor) -> Tensor:
    """A view of the real part; a real tensor itself."""
    return view(input, ("real", ())) if input.dtype.is_complex else input


@function(is_method=False)
def imag(input: Tensor) -> Tensor:
    """A view of the imaginary part. Raises DTypeError for real numbers."""
    if not input.dtype.is_complex:
        raise DTypeError(f"imag: expected a complex dtype. Received: {input.dtype.name}")
    return view(input, ("imag", ()))


def _set_real(self: Tensor, value: Any) -> None:
    update(real(self), value if isinstance(value, Tensor) else self.new_tensor(value))


def _set_imag(self: Tensor, value: Any) -> None:
    update(imag(self), value if isinstance(value, Tensor) else self.new_tensor(value))


method(property(real, _set_real), "real")
method(property(imag, _set_imag), "imag")


@function()
def view_as_real(input: Tensor) -> Tensor:
    """A view `[*shape, 2]` of real and imaginary parts. Raises DTypeError for real numbers."""
    if not input.dtype.is_complex:
        raise DTypeError(f"view_as_real: expected a complex dtype. Received: {input.dtype.name}")
    return view(input, ("as_real", ()))


@function()
def view_as_complex(input: Tensor) -> Tensor:
    """A view of `[*shape, 2]` as complex numbers.

    Raises DTypeError or ShapeError for what are no pairs of floats, ArgumentError where they are not side by side.
    """
    if not input.dtype.is_floating_point or input.dtype.is_half:
        raise DTypeError(f"view_as_complex: expected float32 or float64. Received: {input.dtype.name}")
    if not input.ndim or input.shape[-1] != 2:
        raise ShapeError(f"view_as_complex: expected a last axis of 2. Received: shape {tuple(input.shape)}")
    if not has_pairs(input):
        raise ArgumentError(
            "view_as_complex: expected pairs whose parts lie side by side in memory: take .contiguous() first. "
            f"Received: strides {input.stride()}"
        )
    return view(input, ("as_complex", ()))


@function("conj_physical")
def conj(input: Tensor) -> Tensor:
    """The complex conjugate; a real tensor itself."""
    return apply(P["conjugate"], (input,)) if input.dtype.is_complex else input


@method
def conj_physical_(self: Tensor) -> Tensor:
    """In-place form of `conj_physical`."""
    return update(self, conj(self))


@function("resolve_neg")
def resolve_conj(input: Tensor) -> Tensor:
    """The tensor itself: conjugates are computed at once."""
    return input


@function("is_neg")
def is_conj(input: Tensor) -> bool:
    """False: conjugates are computed at once."""
    return False


@function()
def adjoint(input: Tensor) -> Tensor:
    """The conjugate transpose of matrices `[..., m, n]`."""
    return conj(matrix_transpose(input))


method(property(adjoint), "mH")
method(property(lambda self: conj(transpose(self, 0, 1))), "H")


@composite
def _angle(x: Node) -> Node:
    if x.dtype.is_complex:
        return g.atan2(g.imag(x), g.real(x))
    return g.select(g.not_equal(x, x), x, g.select(x < 0, g.full(x.shape, 3.141592653589793, x.dtype), 0))


@function()
def angle(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """The angle of a complex number; of a real one 0, or pi where it is negative."""
    return into(out, apply(_angle, (cast(input, to_float(input.dtype)),)))


@composite
def _isreal(x: Node) -> Node:
    return g.equal(g.imag(x), 0) if x.dtype.is_complex else g.full(x.shape, True, bool_)


@function()
def isreal(input: Tensor) -> Tensor:
    """True where the imaginary part is 0."""
    return apply(_isreal, (input,))
