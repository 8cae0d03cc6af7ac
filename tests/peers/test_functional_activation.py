"""Activations, contractions and Einstein sums agree with PyTorch."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")
F = torch.nn.functional

from duograph.functional import activation, einsum, linear
from tests.peers.functional_torch import compare, normal

POINTS = np.linspace(-30, 30, 241)  # with 0, ±0.5, ±1, ±3, ±6 among them: where formulas change

SIMPLE = {
    "relu": F.relu,
    "relu6": F.relu6,
    "leaky_relu": F.leaky_relu,
    "elu": F.elu,
    "celu": F.celu,
    "selu": F.selu,
    "gelu": F.gelu,
    "sigmoid": torch.sigmoid,
    "silu": F.silu,
    "mish": F.mish,
    "softplus": F.softplus,
    "softsign": F.softsign,
    "log_sigmoid": F.logsigmoid,
    "tanhshrink": F.tanhshrink,
    "hardtanh": F.hardtanh,
    "hardswish": F.hardswish,
    "hardshrink": F.hardshrink,
    "softshrink": F.softshrink,
}


@pytest.mark.parametrize("name", SIMPLE)
def test_activation(name: str) -> None:
    compare(getattr(activation, name), SIMPLE[name], POINTS)


def test_hardsigmoid() -> None:
    # PyTorch's slope is 1/6 rounded to float32, also in float64
    compare(activation.hardsigmoid, F.hardsigmoid, POINTS, dtypes=[np.float32])


@pytest.mark.parametrize(
    ("name", "reference", "attributes"),
    [
        ("leaky_relu", F.leaky_relu, {"negative_slope": 0.3}),
        ("elu", F.elu, {"alpha": 0.7}),
        ("celu", F.celu, {"alpha": 0.5}),
        ("gelu", F.gelu, {"approximate": "tanh"}),
        ("softplus", F.softplus, {"beta": 2.0, "threshold": 3.0}),
        ("hardtanh", F.hardtanh, {"min_val": -0.5, "max_val": 3.0}),
        ("hardshrink", F.hardshrink, {"lambd": 3.0}),
        ("softshrink", F.softshrink, {"lambd": 3.0}),
        ("threshold", F.threshold, {"threshold": 1.0, "value": -7.0}),
    ],
)
def test_activation_with_attributes(name: str, reference, attributes: dict) -> None:
    compare(getattr(activation, name), lambda x: reference(x, **attributes), POINTS, **attributes)


@pytest.mark.parametrize("axis", [0, 1, -1])
@pytest.mark.parametrize("name", ["softmax", "log_softmax", "softmin"])
def test_softmax(name: str, axis: int) -> None:
    compare(getattr(activation, name), lambda x: getattr(F, name)(x, axis), normal(2, 3, 4) * 30, axis=axis)


@pytest.mark.parametrize("keepdims", [False, True])
@pytest.mark.parametrize("axis", [1, (0, 2), (0, 1, 2)])
def test_logsumexp(axis, keepdims: bool) -> None:
    x = normal(2, 3, 4) * 30
    compare(activation.logsumexp, lambda x: torch.logsumexp(x, axis, keepdims), x, axis=axis, keepdims=keepdims)


def test_gates() -> None:
    compare(activation.glu, lambda x: F.glu(x, 1), normal(2, 4, 3), axis=1)
    for x, weight in [((2, 4, 3), 4), ((2, 4, 3), 1), ((2, 4), 4), ((5,), 1)]:
        compare(activation.prelu, F.prelu, normal(*x), normal(weight))


def test_linear() -> None:
    compare(linear.linear, F.linear, normal(2, 3, 4), normal(5, 4), normal(5))
    compare(linear.linear, F.linear, normal(4), normal(5, 4), normal(5))
    compare(linear.linear, F.linear, normal(3, 4), normal(4))
    compare(linear.linear, F.linear, normal(0, 4), normal(5, 4), normal(5))
    compare(linear.bilinear, F.bilinear, normal(2, 3, 4), normal(2, 3, 5), normal(6, 4, 5), normal(6))


MATMULS = [
    ((3,), (3,)),
    ((3,), (3, 4)),
    ((2, 3), (3,)),
    ((2, 3, 4), (4,)),
    ((2, 3, 4), (4, 5)),
    ((2, 1, 3, 4), (5, 4, 2)),
    ((4,), (2, 4, 3)),
    ((0, 3), (3, 2)),
    ((2, 0, 3), (3, 2)),
    ((2, 0), (0, 3)),
]


@pytest.mark.parametrize(("a", "b"), MATMULS)
def test_matmul(a: tuple[int, ...], b: tuple[int, ...]) -> None:
    compare(linear.matmul, torch.matmul, normal(*a), normal(*b))


def test_products() -> None:
    compare(linear.outer, torch.outer, normal(3), normal(4))
    compare(linear.vecdot, torch.linalg.vecdot, normal(2, 3), normal(3))
    compare(linear.tensordot, torch.tensordot, normal(2, 3, 4), normal(3, 4, 5))
    axes = ((0, 2), (2, 0))
    compare(linear.tensordot, lambda a, b: torch.tensordot(a, b, axes), normal(2, 3, 4), normal(4, 5, 2), axes=axes)
    compare(linear.kron, torch.kron, normal(2, 3), normal(4, 5, 2))
    compare(linear.cross, torch.linalg.cross, normal(1, 2, 3), normal(4, 1, 3))
    compare(linear.trace, torch.trace, normal(3, 4))


@pytest.mark.parametrize("offset", [-5, -2, -1, 0, 1, 2, 3])
def test_diagonals(offset: int) -> None:
    compare(
        linear.diagonal, lambda x: torch.diagonal(x, offset, 0, 2), normal(4, 2, 3), offset=offset, axis1=0, axis2=2
    )
    compare(
        linear.diag_embed, lambda x: torch.diag_embed(x, offset, 0, 2), normal(4, 3), offset=offset, axis1=0, axis2=2
    )
    compare(linear.diag_embed, lambda x: torch.diag_embed(x, offset), normal(4, 1), offset=offset)
    compare(linear.tril, lambda x: torch.tril(x, offset), normal(2, 4, 3), offset=offset)
    compare(linear.triu, lambda x: torch.triu(x, offset), normal(4, 3), offset=offset)


EQUATIONS = [
    ("ij,jk->ik", (2, 3), (3, 4)),
    ("ij,jk", (2, 3), (3, 4)),
    ("ba", (2, 3)),
    ("ii", (3, 3)),
    ("ii->i", (3, 3)),
    ("iij->j", (3, 3, 4)),
    ("iiji->ij", (3, 3, 2, 3)),
    ("iij,jk->ik", (3, 3, 2), (2, 4)),
    ("aa,a->", (3, 3), (3,)),
    ("bij,bjk->bik", (2, 3, 4), (2, 4, 5)),
    ("bhqd,bhkd->bhqk", (2, 3, 4, 5), (2, 3, 6, 5)),
    ("...ij,...jk->...ik", (2, 1, 3, 4), (5, 4, 2)),
    ("i...,i->...", (3, 4, 5), (3,)),
    ("...->...", (2, 3)),
    ("i,j->ij", (2,), (3,)),
    ("a,b,c->", (2,), (3,), (4,)),
    ("ij->", (2, 3)),
    ("ij->ji", (2, 3)),
    ("ij,ij->", (2, 3), (2, 3)),
    ("ij,->i", (2, 3), ()),
    ("ij,j->i", (2, 1), (3,)),
    ("ij,kj,lj->ikl", (2, 3), (4, 3), (5, 3)),
    ("abc,cd,de,ea->b", (2, 3, 4), (4, 5), (5, 6), (6, 2)),
]


@pytest.mark.parametrize(("equation", "shapes"), [(e, s) for e, *s in EQUATIONS])
def test_einsum(equation: str, shapes: list[tuple[int, ...]]) -> None:
    arrays = [normal(*s, seed=k) for k, s in enumerate(shapes)]
    compare(einsum.einsum, lambda *t: torch.einsum(equation, *t), *arrays, equation=equation)
