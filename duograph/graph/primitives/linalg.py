"""Linear algebra: solving, determinants and decompositions of matrices `[..., m, n]`, evaluated by LAPACK via NumPy.

A decomposition with several results is several primitives, each with its own share of the gradient: shares are linear
in the cotangents, so they add up to the gradient of the whole. Symmetric (Hermitian) matrices are taken to be the mean
of what is given and its (conjugate) transpose. Rules with the conjugate transpose hold for complex numbers as they
stand (`wirtinger`); those with the plain one are of analytic functions.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import wraps
from typing import Any

import numpy as np

from .. import language as lang
from ..dtype import DType, int32, int64
from ..errors import DTypeError, GradientError, LinearAlgebraError, ShapeError
from ..node import Node, Primitive, Sample, Shape, register
from . import matrices
from .rules import gives, same_dtype, zero_gradient
from .samples import uniform

FLOAT = same_dtype("float complex")
Evaluate = Callable[..., np.ndarray]
Gradient = Callable[[Node, Node], Sequence[Node | None]]
Samples = Callable[[], Iterable[Sample]]


def _record(
    name: str, shape: Callable[..., Shape], evaluate: Evaluate, gradient: Gradient | None, torch: Any,
    samples: Samples, *, arity: int = 1, dtype: Callable[..., DType] = FLOAT, attributes: tuple[str, ...] = (),
    wirtinger: bool = False,
) -> None:  # fmt: skip
    """Enter one record whose `evaluate` may raise NumPy's LinAlgError."""

    @wraps(evaluate)
    def checked(*arrays: np.ndarray, **given: Any) -> np.ndarray:
        try:
            return evaluate(*arrays, **given)
        except np.linalg.LinAlgError as error:
            text = str(error)
            raise LinearAlgebraError(f"{name}: {text[0].lower()}{text[1:]}. Received: {arrays[0].shape}") from None

    register(
        Primitive(
            name=name, kind="linalg", arity=arity, attributes=attributes, shape=shape, dtype=dtype, evaluate=checked,
            gradient=gradient, torch=torch, samples=samples, wirtinger=wirtinger,
        )
    )  # fmt: skip


def _matrix(x: Shape, **_: Any) -> Shape:
    if len(x) < 2:
        raise ShapeError(f"expected matrices [..., m, n]. Received: shape {x}")
    return x


def _square(x: Shape, **_: Any) -> Shape:
    if len(x) < 2 or x[-1] != x[-2]:
        raise ShapeError(f"expected square matrices [..., n, n]. Received: shape {x}")
    return x


def _batch(x: Shape, **_: Any) -> Shape:
    return _square(x)[:-2]


def _vector(x: Shape, **_: Any) -> Shape:
    """One number for each of the smaller of the two sizes of a matrix."""
    return (*_matrix(x)[:-2], min(x[-2:]))


def _t(x: Node) -> Node:
    return lang.transpose(x)


def _h(x: Node) -> Node:
    return lang.adjoint(x)


def _hermitian(a: np.ndarray) -> np.ndarray:
    return (a + a.swapaxes(-1, -2).conj()) / 2


def _parts(x: DType, **_: Any) -> DType:
    """Real numbers of a real or complex matrix."""
    return FLOAT(x).to_real()


def _like(x: Node, node: Node) -> Node:
    """Real numbers as those that `node` has."""
    return lang.cast(x, node.dtype)


def _on_columns(x: Node) -> Node:
    """A vector `[..., n]` as a row, to be multiplied into the columns of a matrix."""
    return lang.expand_dims(x, -2)


def _as_batch(x: Node) -> Node:
    """Numbers `[...]` as matrices `[..., 1, 1]`."""
    return lang.reshape(x, (*x.shape, 1, 1))


def _inverse(a: Node) -> Node:
    return lang.solve(a, lang.eye(a.shape[-1], a.dtype, a.shape[:-2]))


def _definite(*shape: int) -> np.ndarray:
    x = uniform(-1, 1, *shape)
    return x @ x.swapaxes(-1, -2) + np.eye(shape[-1]) * shape[-1]


def _regular(*shape: int) -> np.ndarray:
    """Well conditioned, the diagonal leading."""
    return uniform(-1, 1, *shape) + np.eye(shape[-2], shape[-1]) * 3


def _of(arrays: Callable[[], Sequence[np.ndarray]], **attributes: Any) -> Samples:
    return lambda: [Sample((a,), attributes) for a in arrays()]


def _squares() -> Sequence[np.ndarray]:
    return _regular(3, 3), _regular(2, 4, 4), _regular(1, 1), _regular(0, 2, 2)


def _solve_shape(a: Shape, b: Shape) -> Shape:
    if _square(a)[:-1] != b[:-1] or len(b) < 2:
        raise ShapeError(f"expected matrices [..., n, n] and [..., n, k] of one batch. Received: {a} and {b}")
    return b


def _solve_gradient(node: Node, dy: Node) -> Sequence[Node | None]:
    db = lang.solve(_t(node.inputs[0]), dy)
    return -lang.matmul(db, _t(node)), db


_record(
    "solve", _solve_shape, np.linalg.solve, _solve_gradient, lambda torch, a, b: torch.linalg.solve(a, b),
    lambda: [Sample((_regular(*a, n, n), uniform(-2, 3, *a, n, k)))
             for a, n, k in [((), 3, 2), ((2,), 4, 1), ((2, 3), 2, 2), ((), 1, 3), ((0,), 2, 2)]],
    arity=2,
)  # fmt: skip

_record(
    "determinant", _batch, np.linalg.det,
    lambda node, dy: (_as_batch(dy) * lang.apply("cofactors", node.inputs[0]),),
    lambda torch, a: torch.linalg.det(a), _of(_squares),
)  # fmt: skip


def _cofactors_gradient(node: Node, dy: Node) -> Sequence[Node | None]:
    """Of det(A) A⁻ᵀ, for regular A."""
    (a,) = node.inputs
    inverse = _t(_inverse(a))
    along = lang.sum(dy * inverse, (-2, -1), keepdims=True)
    turned = lang.matmul(lang.matmul(inverse, _t(dy)), inverse)
    return (node * along - _as_batch(lang.apply("determinant", a)) * turned,)


_record(
    "cofactors", _square, matrices.cofactors, _cofactors_gradient,
    lambda torch, a: torch.linalg.det(a)[..., None, None] * torch.linalg.inv(a).mT, _of(_squares),
)  # fmt: skip
_record(
    "log_determinant", _batch, lambda a: np.linalg.slogdet(a)[1],
    lambda node, dy: (_like(_as_batch(dy), node.inputs[0]) * _h(_inverse(node.inputs[0])),),
    lambda torch, a: torch.linalg.slogdet(a)[1], _of(_squares), dtype=_parts, wirtinger=True,
)  # fmt: skip


def _sign_gradient(node: Node, dy: Node) -> Sequence[Node | None]:
    """Of exp(i Im log det A); a real sign is constant."""
    if not node.dtype.is_complex:
        return (None,)
    around = lang.imag(dy * lang.conjugate(node))
    return (_as_batch(lang.join(lang.zeros_like(around), around)) * _h(_inverse(node.inputs[0])),)


_record(
    "determinant_sign", _batch, lambda a: np.linalg.slogdet(a)[0], _sign_gradient,
    lambda torch, a: torch.linalg.slogdet(a)[0], _of(_squares), wirtinger=True,
)  # fmt: skip


def _cholesky_gradient(node: Node, dy: Node) -> Sequence[Node | None]:
    """I. Murray, "Differentiation of the Cholesky decomposition", 2016."""
    inner = lang.band(lang.matmul(_h(node), lang.band(dy, None, 0)), None, 0)
    inner = inner - lang.band(inner, 0, 0) * 0.5
    right = _h(lang.solve(_h(node), _h(lang.solve(_h(node), inner))))
    return ((right + _h(right)) * 0.5,)


_record(
    "cholesky", _square, lambda a: np.linalg.cholesky(_hermitian(a)), _cholesky_gradient,
    lambda torch, a: torch.linalg.cholesky(a), _of(lambda: (_definite(3, 3), _definite(2, 4, 4), _definite(1, 1))),
    wirtinger=True,
)  # fmt: skip


# LU: rows are put in order first, so that what is differentiated needs no pivots.


def _lu_gradient(node: Node, dy: Node) -> Sequence[Node | None]:
    lower = lang.band(node, None, -1) + lang.eye(node.shape[-1], node.dtype)
    upper = lang.band(node, 0, None)
    inner = lang.band(lang.matmul(_t(lower), lang.band(dy, None, -1)), None, -1)
    inner = inner + lang.band(lang.matmul(lang.band(dy, 0, None), _t(upper)), 0, None)
    return (lang.solve(_t(lower), _t(lang.solve(upper, _t(inner)))),)


_record(
    "lu_packed", _square, matrices.lu_in_order, _lu_gradient, lambda torch, a: torch.linalg.lu_factor(a)[0],
    _of(lambda: [a + np.eye(a.shape[-1]) * 3 for a in _squares()[:3]]),
)  # fmt: skip
_record(
    "lu_pivots", _vector, matrices.lu_pivots, zero_gradient, lambda torch, a: torch.linalg.lu_factor(a)[1],
    _of(lambda: (uniform(-1, 1, 4, 4), uniform(-1, 1, 2, 5, 3), uniform(-1, 1, 3, 5))),
    dtype=gives(int32, "float complex"),
)  # fmt: skip


def _order_dtype(pivots: DType, **_: Any) -> DType:
    if pivots.category != "int":
        raise DTypeError(f"expected pivots of an integer dtype. Received: {pivots.name}")
    return int64


def _order_in_torch(torch: Any, pivots: Any, *, size: int) -> Any:
    factors = torch.zeros(*pivots.shape[:-1], size, pivots.shape[-1])
    return torch.lu_unpack(factors, pivots.int(), unpack_data=False)[0].argmax(-2)


_record(
    "pivot_order", lambda pivots, *, size: (*pivots[:-1], size), matrices.pivot_order, None, _order_in_torch,
    lambda: [Sample((np.array([3, 3, 3, 4]),), {"size": 4}), Sample((np.array([[1, 3], [4, 4]]),), {"size": 5})],
    dtype=_order_dtype, attributes=("size",),
)  # fmt: skip


# QR of tall matrices; a wide one is [X Y] with X = Q U, and then R = [U QᵀY]. S. F. Walter, L. Lehmann, "Algorithmic
# differentiation of linear algebra functions", 2010.


def _qr_shapes(first: bool) -> Callable[..., Shape]:
    def shape(x: Shape, *, complete: bool) -> Shape:
        if len(x) < 2 or x[-2] < x[-1]:
            raise ShapeError(f"expected matrices [..., m, n] with m >= n. Received: shape {x}")
        k = x[-2] if complete else x[-1]
        return (*x[:-1], k) if first else (*x[:-2], k, x[-1])

    return shape


def _qr(first: bool) -> Evaluate:
    def evaluate(x: np.ndarray, *, complete: bool) -> np.ndarray:
        return np.linalg.qr(x, "complete" if complete else "reduced")[0 if first else 1]

    return evaluate


def _qr_gradient(node: Node, dy: Node) -> Sequence[Node | None]:
    (a,), first = node.inputs, node.op.name == "qr_q"
    if node["complete"] and a.shape[-2] != a.shape[-1]:
        raise GradientError("qr: the complete Q of a tall matrix has no gradient: take the reduced one")
    q, r = (
        node if own else lang.apply(other, a, complete=False) for own, other in ((first, "qr_q"), (not first, "qr_r"))
    )
    m = -lang.matmul(_h(dy), q) if first else lang.matmul(r, _h(dy))
    below = lang.band(m, None, -1)
    inner = lang.matmul(q, below + _h(below) + _like(lang.real(lang.band(m, 0, 0)), m))
    inner = inner + dy if first else inner
    return (_h(lang.solve(r, _h(inner))),)


for _first, _name in ((True, "qr_q"), (False, "qr_r")):
    _record(
        _name, _qr_shapes(_first), _qr(_first), _qr_gradient,
        lambda torch, a, *, complete, _place=0 if _first else 1: (
            torch.linalg.qr(a, "complete" if complete else "reduced")[_place]
        ),
        lambda: [Sample((a,), {"complete": complete}) for a, complete in [
            (_regular(3, 3), True), (_regular(5, 3), False), (_regular(2, 4, 2), False)]],
        attributes=("complete",), wirtinger=True,
    )  # fmt: skip


def _distances(values: Node) -> Node:
    """`values[j] - values[i]`, 1 on the diagonal."""
    distance = _on_columns(values) - lang.expand_dims(values, -1)
    return lang.select(lang.equal(lang.eye(values.shape[-1], values.dtype), 1.0), 1.0, distance)


def _eigh_vectors_gradient(node: Node, dy: Node) -> Sequence[Node | None]:
    (a,) = node.inputs
    inner = lang.matmul(_h(node), dy) / _like(_distances(lang.apply("eigh_values", a)), node)
    inner = inner - lang.band(inner, 0, 0)
    result = lang.matmul(lang.matmul(node, inner), _h(node))
    return ((result + _h(result)) * 0.5,)


def _eigh_values_gradient(node: Node, dy: Node) -> Sequence[Node | None]:
    vectors = lang.apply("eigh_vectors", *node.inputs)
    return (lang.matmul(vectors * _like(_on_columns(dy), vectors), _h(vectors)),)


def _symmetric() -> Sequence[np.ndarray]:
    return [(a + a.swapaxes(-1, -2)) / 2 for a in (uniform(-2, 3, 4, 4), uniform(-2, 3, 2, 3, 3))]


_record(
    "eigh_values", _vector, lambda a: np.linalg.eigvalsh(_hermitian(a)), _eigh_values_gradient,
    lambda torch, a: torch.linalg.eigvalsh(a), _of(_symmetric), dtype=_parts, wirtinger=True,
)  # fmt: skip
_record(
    "eigh_vectors", _square, lambda a: np.linalg.eigh(_hermitian(a))[1], _eigh_vectors_gradient,
    None, _of(_symmetric), wirtinger=True,
)  # fmt: skip


# Singular values. J. Townsend, "Differentiating the singular value decomposition", 2016.


def _factors(a: Node) -> tuple[Node, Node, Node]:
    """U, S and V, reduced."""
    made = [lang.apply("svd_values", a), *(lang.apply(f"svd_{side}", a, full=False) for side in ("left", "right"))]
    return made[1], made[0], made[2]


def _svd_values_gradient(node: Node, dy: Node) -> Sequence[Node | None]:
    u, _, v = _factors(node.inputs[0])
    return (lang.matmul(u * _like(_on_columns(dy), u), _h(v)),)


def _svd_vectors_gradient(node: Node, dy: Node) -> Sequence[Node | None]:
    """Of the full vectors only the first have one: the others are any that complete the basis.

    Complex vectors are given up to a common phase of each pair, so a loss must not depend on it: what it says of the
    phases of U and of V has opposite signs then, and each gives half of their share.
    """
    (a,), left = node.inputs, node.op.name == "svd_left"
    u, s, v = _factors(a)
    dy = lang.narrow(dy, -1, 0, s.shape[-1])
    mine = u if left else v
    turned = lang.matmul(_h(mine), dy)
    skew = turned - _h(turned)
    across = skew / _like(_distances(s * s), a)
    s = _like(s, a)
    inner = across * (_on_columns(s) if left else lang.expand_dims(s, -1))
    if a.dtype.is_complex:
        phase = lang.band(skew, 0, 0) / (_on_columns(s) * (4.0 if left else -4.0))
        inner = inner + phase
    result = lang.matmul(lang.matmul(u, inner), _h(v))
    if mine.shape[-2] > mine.shape[-1]:
        away = (dy - lang.matmul(mine, turned)) / _on_columns(s)
        result = result + (lang.matmul(away, _h(v)) if left else lang.matmul(u, _h(away)))
    return (result,)


def _svd_shapes(left: bool) -> Callable[..., Shape]:
    def shape(x: Shape, *, full: bool) -> Shape:
        size = _matrix(x)[-2 if left else -1]
        return (*x[:-2], size, size if full else min(x[-2:]))

    return shape


def _svd(left: bool) -> Evaluate:
    def evaluate(x: np.ndarray, *, full: bool) -> np.ndarray:
        u, _, vh = np.linalg.svd(x, full_matrices=full)
        return u if left else vh.swapaxes(-1, -2).conj()

    return evaluate


_record(
    "svd_values", _vector, lambda a: np.linalg.svd(a, compute_uv=False), _svd_values_gradient,
    lambda torch, a: torch.linalg.svdvals(a),
    _of(lambda: (uniform(-2, 3, 4, 4), uniform(-2, 3, 2, 5, 3), uniform(-2, 3, 2, 4))),
    dtype=_parts, wirtinger=True,
)  # fmt: skip
for _left, _name in ((True, "svd_left"), (False, "svd_right")):
    _record(
        _name, _svd_shapes(_left), _svd(_left), _svd_vectors_gradient, None,
        lambda: [Sample((uniform(-2, 3, *shape),), {"full": False}) for shape in [(3, 3), (2, 5, 3), (2, 4)]],
        attributes=("full",), wirtinger=True,
    )  # fmt: skip


# The pseudoinverse. G. H. Golub, V. Pereyra, "The differentiation of pseudo-inverses and nonlinear least squares
# problems whose variables separate", SIAM J. Numer. Anal. 10 (1973).


def _pinv_shape(a: Shape, cutoff: Shape) -> Shape:
    if cutoff != _matrix(a)[:-2]:
        raise ShapeError(f"expected one cutoff for each matrix of shape {a}. Received: {cutoff}")
    return (*a[:-2], a[-1], a[-2])


def _pinv_gradient(node: Node, dy: Node) -> Sequence[Node | None]:
    a, p, back = node.inputs[0], node, _h(dy)
    k = lang.matmul(back, p)
    turned = lang.matmul(k, _h(p))
    outside = back - lang.matmul(k, a)
    result = turned - lang.matmul(lang.matmul(a, p), turned) - _h(lang.matmul(p, k))
    return result + lang.matmul(lang.matmul(_h(p), p), outside), None


def _pinv_dtype(a: DType, cutoff: DType) -> DType:
    same_dtype("float")(a.to_real(), cutoff)
    return FLOAT(a)


_record(
    "pseudoinverse", _pinv_shape, matrices.pseudoinverse, _pinv_gradient,
    lambda torch, a, cutoff: torch.linalg.pinv(a, atol=cutoff.detach(), rtol=cutoff.detach() * 0),
    lambda: [Sample((uniform(-2, 3, *shape), np.full(shape[:-2], 1e-6))) for shape in [(3, 3), (2, 5, 3), (2, 4)]],
    arity=2, dtype=_pinv_dtype, wirtinger=True,
)  # fmt: skip


def _exp_gradient(node: Node, dy: Node) -> Sequence[Node | None]:
    """The upper right block of exp([[Aᵀ, dy], [0, Aᵀ]]). R. Mathias, SIAM J. Matrix Anal. Appl. 17 (1996)."""
    a, n = _t(node.inputs[0]), node.shape[-1]
    above, below = lang.concatenate((a, dy), -1), lang.concatenate((lang.zeros_like(a), a), -1)
    both = lang.apply("matrix_exponential", lang.concatenate((above, below), -2))
    return (lang.narrow(lang.narrow(both, -2, 0, n), -1, n, n),)


_record(
    "matrix_exponential", _square, matrices.exponential, _exp_gradient, lambda torch, a: torch.linalg.matrix_exp(a),
    _of(lambda: (uniform(-1, 1, 3, 3), uniform(-2, 3, 2, 2, 2), uniform(-1, 1, 0, 2, 2))),
)  # fmt: skip


_record(
    "householder_packed", _matrix, lambda a: np.ascontiguousarray(np.linalg.qr(a, "raw")[0].swapaxes(-1, -2)),
    None, lambda torch, a: torch.geqrf(a)[0], _of(lambda: (uniform(-1, 1, 4, 3), uniform(-1, 1, 2, 3, 3))),
)  # fmt: skip
_record(
    "householder_scales", _vector, lambda a: np.linalg.qr(a, "raw")[1], None, lambda torch, a: torch.geqrf(a)[1],
    _of(lambda: (uniform(-1, 1, 4, 3), uniform(-1, 1, 2, 3, 3))),
)  # fmt: skip


# Eigenvalues and eigenvectors of length 1 of any matrix, which are complex.


def _complex(x: DType) -> DType:
    return FLOAT(x).to_complex()


def _eig_gradient(node: Node, dy: Node) -> Sequence[Node | None]:
    """C. Boeddeker et al., "On the computation of complex-valued gradients with application to statistically optimum
    beamforming", 2017. Vectors are given up to a phase, so a loss must not depend on it."""
    (a,), of_values = node.inputs, node.op.name == "eig_values"
    vectors = lang.apply("eig_vectors", a) if of_values else node
    back = _h(vectors)
    if of_values:
        inner = lang.eye(dy.shape[-1], dy.dtype) * _on_columns(dy)
    else:
        inner = lang.matmul(back, dy)
        length = lang.sum(lang.real(lang.band(inner, 0, 0)), -1)
        inner = inner - lang.matmul(back, vectors * _like(_on_columns(length), vectors))
        inner = inner / _distances(lang.conjugate(lang.apply("eig_values", a)))
        inner = inner - lang.band(inner, 0, 0)
    return (lang.solve(back, lang.matmul(inner, back)),)


_record(
    "eig_values", lambda a: _square(a)[:-1], lambda a: np.linalg.eigvals(a), _eig_gradient, None,
    _of(lambda: (_regular(3, 3), uniform(-2, 3, 2, 3, 3))), dtype=_complex, wirtinger=True,
)  # fmt: skip
_record(
    "eig_vectors", _square, lambda a: np.linalg.eig(a)[1], _eig_gradient, None,
    _of(lambda: (_regular(3, 3), uniform(-2, 3, 2, 3, 3))), dtype=_complex, wirtinger=True,
)  # fmt: skip
