"""Composites: gradients by finite differences, extremes, 16-bit floats, tensors, errors."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import duograph
from duograph.functional import (
    activation,
    attention,
    convolution,
    ctc,
    distance,
    einsum,
    embedding,
    linear,
    loss,
    normalization,
    pooling,
    recurrent,
    resize,
    sampling,
)
from duograph.gradient import gradient
from duograph.graph import language as g
from duograph.graph.composite import Composite, composite
from duograph.graph.dtype import float32
from duograph.graph.errors import ArgumentError, DTypeError, IndexOutOfRange, ShapeError
from duograph.graph.node import PRIMITIVES, Node, make, topological
from duograph.tensor.convert import tensor
from tests.functional_tools import check_gradient, gradients, outputs, value


def normal(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng([seed, *shape]).standard_normal(shape)


def uniform(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng([seed, *shape]).random(shape)


CLASSES = np.array([0, 3, 1])
CURVES = [
    activation.relu,
    activation.relu6,
    activation.leaky_relu,
    activation.elu,
    activation.celu,
    activation.selu,
    activation.gelu,
    activation.sigmoid,
    activation.silu,
    activation.mish,
    activation.softplus,
    activation.softsign,
    activation.log_sigmoid,
    activation.tanhshrink,
    activation.hardtanh,
    activation.hardsigmoid,
    activation.hardswish,
    activation.hardshrink,
    activation.softshrink,
    activation.glu,
    activation.softmax,
    activation.softmin,
    activation.log_softmax,
    activation.logsumexp,
]
DIFFERENTIABLE: list[tuple[Composite, tuple[Any, ...], dict[str, Any]]] = [
    *((op, (normal(3, 4) * 2,), {}) for op in CURVES),
    (activation.gelu, (normal(5),), {"approximate": "tanh"}),
    (activation.prelu, (normal(2, 3, 4), normal(3)), {}),
    (linear.matmul, (normal(2, 3, 4), normal(4, 5)), {}),
    (linear.linear, (normal(2, 3, 4), normal(5, 4), normal(5)), {}),
    (linear.bilinear, (normal(3, 4), normal(3, 5), normal(6, 4, 5), normal(6)), {}),
    (linear.diagonal, (normal(3, 4),), {"offset": 1}),
    (linear.diag_embed, (normal(2, 3),), {"offset": -1}),
    (einsum.einsum, (normal(2, 3), normal(4, 3), normal(5, 3)), {"equation": "ij,kj,lj->ikl"}),
    (einsum.einsum, (normal(3, 3), normal(3)), {"equation": "ii,i->i"}),
    (convolution.conv, (normal(2, 4, 6, 5), normal(6, 2, 3, 2), normal(6)), {"stride": 2, "padding": 1, "groups": 2}),
    (convolution.conv, (normal(2, 3, 5), normal(2, 3, 2)), {"padding": ((2, 0),), "dilation": 2}),
    (convolution.conv_transpose, (normal(2, 4, 3, 2), normal(4, 3, 3, 2)), {"stride": 2, "output_padding": 1}),
    (pooling.max_pool, (normal(2, 3, 7, 6),), {"kernel_size": (3, 2), "padding": 1, "ceil_mode": True}),
    (pooling.avg_pool, (normal(2, 3, 7),), {"kernel_size": (3,), "padding": 1, "count_include_pad": False}),
    (pooling.adaptive_avg_pool, (normal(2, 7, 5),), {"output_size": (3, 5)}),
    (pooling.adaptive_max_pool, (normal(2, 7, 5),), {"output_size": (3, 2)}),
    (pooling.unfold, (normal(2, 3, 5, 4),), {"kernel_size": (2, 3), "padding": 1}),
    (pooling.fold, (normal(2, 12, 12),), {"output_size": (4, 5), "kernel_size": (2, 2)}),
    (normalization.batch_norm_train, (normal(4, 3, 2), normal(3), normal(3, seed=1)), {}),
    (normalization.batch_norm_train, (normal(4, 3),), {"axis": -1}),
    (normalization.layer_norm, (normal(4, 3, 2), normal(3, 2), normal(3, 2, seed=1)), {"normalized_shape": (3, 2)}),
    (normalization.rms_norm, (normal(4, 3), normal(3)), {"normalized_shape": (3,)}),
    (normalization.group_norm, (normal(2, 6, 3), normal(6), normal(6, seed=1)), {"groups": 3}),
    (normalization.instance_norm, (normal(2, 3, 4),), {}),
    (normalization.local_response_norm, (normal(2, 5, 3),), {"size": 3, "alpha": 0.3}),
    (normalization.normalize, (normal(3, 4),), {"p": 3.0}),
    (distance.cdist, (normal(3, 2), normal(4, 2)), {}),
    (distance.cosine_similarity, (normal(3, 4), normal(3, 4, seed=1)), {}),
    (attention.scaled_dot_product_attention, (normal(2, 3, 4), normal(2, 5, 4), normal(2, 5, 6), normal(3, 5)), {}),
    (attention.scaled_dot_product_attention, (normal(3, 4), normal(3, 4), normal(3, 2)), {"is_causal": True}),
    (recurrent.lstm_cell, (normal(2, 3), normal(2, 4), normal(2, 4), normal(16, 3), normal(16, 4)), {}),
    (recurrent.gru_cell, (normal(2, 3), normal(2, 4), normal(12, 3), normal(12, 4)), {}),
    (resize.pad, (normal(2, 5),), {"pads": ((2, 3),), "mode": "reflect"}),
    (resize.interpolate, (normal(1, 2, 4, 3),), {"size": (7, 2), "mode": "cubic"}),
    (resize.interpolate, (normal(1, 2, 4),), {"size": (7,), "mode": "linear"}),
    (sampling.grid_sample, (normal(1, 2, 4, 3), normal(1, 2, 2, 2) * 0.5), {}),
    (loss.mse, (normal(3, 4), normal(3, 4, seed=1)), {}),
    (loss.huber, (normal(3, 4) * 2, normal(3, 4, seed=1)), {}),
    (loss.cross_entropy, (normal(3, 4), CLASSES), {"label_smoothing": 0.1}),
    (loss.cross_entropy, (normal(3, 4), CLASSES, uniform(4)), {"ignore_index": 3}),
    (loss.cross_entropy, (normal(3, 4), uniform(3, 4)), {"reduction": "sum"}),
    (loss.binary_cross_entropy, (uniform(3, 4) * 0.9 + 0.05, uniform(3, 4, seed=1)), {}),
    (loss.binary_cross_entropy_with_logits, (normal(3, 4), uniform(3, 4)), {}),
    (loss.kl_div, (normal(3, 4), uniform(3, 4) + 0.1), {}),
    (loss.triplet_margin, (normal(3, 4), normal(3, 4, seed=1), normal(3, 4, seed=2)), {"swap": True}),
    (ctc.ctc, (normal(6, 2, 4), np.array([[1, 2], [3, 3]]), np.array([6, 5]), np.array([2, 2])), {}),
]


@pytest.mark.parametrize(
    ("op", "arrays", "attributes"), DIFFERENTIABLE, ids=[f"{k}-{op.name}" for k, (op, *_) in enumerate(DIFFERENTIABLE)]
)
def test_gradient_by_finite_differences(op: Composite, arrays: tuple[Any, ...], attributes: dict[str, Any]) -> None:
    check_gradient(op, *arrays, **attributes)


class Slope:
    """The gradient of the sum of an operation's first result, weighted, as an operation itself."""

    def __init__(self, op: Composite) -> None:
        self.op = op
        self.name = f"slope of {op.name}"

    def build(self, inputs: Any, attributes: Any) -> tuple[Node, ...]:
        y = self.op.build(inputs, attributes)[0]
        weights = g.reshape(g.cos(g.iota(y.size, y.dtype)), y.shape)
        wrt = [x for x in inputs if x.dtype.is_floating_point]
        found = gradient([y], [weights], wrt)
        return tuple(g.zeros_like(x) if d is None else d for x, d in zip(wrt, found, strict=True))


SMOOTH = {
    *(activation.gelu, activation.sigmoid, activation.silu, activation.mish, activation.softplus, activation.softmax),
    *(activation.log_softmax, linear.matmul, linear.linear, einsum.einsum, convolution.conv, pooling.avg_pool),
    *(normalization.batch_norm_train, normalization.layer_norm, distance.cdist, recurrent.lstm_cell),
    *(attention.scaled_dot_product_attention, loss.mse, loss.cross_entropy, loss.binary_cross_entropy_with_logits),
}


@pytest.mark.parametrize(
    ("op", "arrays", "attributes"), [pytest.param(*row, id=row[0].name) for row in DIFFERENTIABLE if row[0] in SMOOTH]
)
def test_second_derivative(op: Composite, arrays: tuple[Any, ...], attributes: dict[str, Any]) -> None:
    check_gradient(Slope(op), *arrays, **attributes)  # type: ignore[arg-type]


def test_gradient_of_slices_is_their_concatenation() -> None:
    @composite
    def cut(x: Node) -> Node:
        pieces = [g.narrow(x, 1, start, length) for start, length in ((5, 2), (0, 3), (4, 1), (2, 3))]
        return g.concatenate([g.exp(piece) for piece in pieces], 1)

    @composite
    def steps(x: Node) -> Node:
        return g.sum(g.concatenate([g.exp(g.narrow(x, 0, k, 1)) for k in range(x.shape[0])], 1), 0)

    check_gradient(cut, normal(2, 8))
    check_gradient(steps, normal(5, 2))
    x = make(PRIMITIVES["input"], position=0, shape=(5, 2), dtype=float32)
    (slope,) = Slope(steps).build([x], ())
    assert "pad" not in {node.op.name for node in topological([slope])}


EXTREMES = np.array([-1e4, -200.0, -100.0, 0.0, 100.0, 200.0, 1e4], np.float32)


@pytest.mark.parametrize(
    "op",
    [
        activation.elu,
        activation.celu,
        activation.selu,
        activation.gelu,
        activation.sigmoid,
        activation.silu,
        activation.mish,
        activation.softplus,
        activation.log_sigmoid,
        activation.softmax,
        activation.log_softmax,
        activation.logsumexp,
    ],
)
def test_extremes_are_finite(op: Composite) -> None:
    result = value(op, EXTREMES)
    (derivative,) = gradients(op, [EXTREMES], [np.ones_like(result)])
    assert np.isfinite(result).all()
    assert np.isfinite(derivative).all()


@pytest.mark.parametrize("target", [0.0, 1.0])
def test_losses_are_finite_at_extremes(target: float) -> None:
    wanted = np.full_like(EXTREMES, target)
    for op in (loss.binary_cross_entropy_with_logits, loss.soft_margin, loss.multilabel_soft_margin):
        assert np.isfinite(value(op, EXTREMES, wanted))
        assert np.isfinite(gradients(op, [EXTREMES, wanted], [np.ones((), np.float32)])[0]).all()
    sides = np.array([0.0, 1.0], np.float32)
    assert value(loss.binary_cross_entropy, sides, sides) == 0
    assert value(loss.binary_cross_entropy, sides, 1 - sides) == 100


def test_sigmoid_keeps_its_relative_precision() -> None:
    x = np.linspace(-80, 80, 401).astype(np.float32)
    exact = 1 / (1 + np.exp(-x.astype(np.float64)))
    np.testing.assert_allclose(value(activation.sigmoid, x), exact, 3e-7)


def test_relu_passes_nan_on_and_has_no_slope_at_zero() -> None:
    x = np.array([np.nan, -1.0, 0.0, 2.0])
    np.testing.assert_array_equal(value(activation.relu, x), [np.nan, 0, 0, 2])
    np.testing.assert_array_equal(gradients(activation.relu, [x], [np.ones(4)])[0], [1, 0, 0, 1])


def test_logsumexp_of_infinities() -> None:
    x = np.array([[-math.inf, -math.inf], [0, math.inf]])
    np.testing.assert_array_equal(value(activation.logsumexp, x, axis=1), [-math.inf, math.inf])


def test_softmax_of_nothing_and_of_a_number() -> None:
    assert value(activation.softmax, np.zeros((2, 0))).shape == (2, 0)
    assert value(activation.softmax, np.array(3.0)) == 1


HALVES: list[tuple[Composite, tuple[Any, ...], dict[str, Any]]] = [
    (activation.gelu, (normal(50) * 3,), {}),
    (activation.softmax, (normal(4, 50) * 3,), {}),
    (activation.log_softmax, (normal(4, 50) * 3,), {}),
    (normalization.layer_norm, (normal(4, 50), normal(50), normal(50, seed=1)), {"normalized_shape": (50,)}),
    (normalization.batch_norm_train, (normal(20, 5) * 30,), {}),
    (normalization.group_norm, (normal(2, 4, 30),), {"groups": 2}),
    (loss.cross_entropy, (normal(3, 4) * 5, CLASSES), {}),
    (loss.mse, (normal(300) * 3, normal(300, seed=1)), {"reduction": "sum"}),
    (pooling.avg_pool, (normal(1, 2, 300) * 30,), {"kernel_size": (300,)}),
]


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
@pytest.mark.parametrize(("op", "arrays", "attributes"), HALVES, ids=[op.name for op, *_ in HALVES])
def test_16_bit_floats_round_once(
    op: Composite, arrays: tuple[Any, ...], attributes: dict[str, Any], dtype: str
) -> None:
    half = getattr(duograph, dtype)
    narrow = [a.astype(half.numpy) if a.dtype.kind == "f" else a for a in arrays]
    wide = [a.astype(np.float32) if n is not a else a for a, n in zip(narrow, arrays, strict=True)]
    expected = value(op, *wide, **attributes).astype(half.numpy)
    actual = value(op, *narrow, **attributes)
    assert actual.dtype == half.numpy
    np.testing.assert_array_equal(actual, expected)


def test_batch_norm_of_16_bits_keeps_wide_statistics() -> None:
    x = (normal(8, 3) + 300).astype(np.float16)
    y, mean, var = outputs(
        normalization.batch_norm_train,
        [x, None, None, np.zeros(3, np.float32), np.ones(3, np.float32)],
        momentum=1.0,
    )
    assert (y.dtype, mean.dtype, var.dtype) == (np.float16, np.float32, np.float32)
    np.testing.assert_allclose(mean, x.astype(np.float64).mean(0), 1e-6)
    np.testing.assert_allclose(var, x.astype(np.float64).var(0, ddof=1), 1e-5)


def test_running_statistics_have_no_gradient() -> None:
    found = gradients(
        normalization.batch_norm_train,
        [normal(4, 3), None, None, np.zeros(3), np.ones(3)],
        [None, np.ones(3), np.ones(3)],
    )
    np.testing.assert_array_equal(found[0], np.zeros((4, 3)))


def test_conv_by_its_definition() -> None:
    x, w, bias = normal(2, 3, 6), normal(4, 3, 2), normal(4)
    expected = np.zeros((2, 4, 3))
    for n in range(2):
        for o in range(4):
            for t in range(3):
                expected[n, o, t] = (x[n, :, 2 * t : 2 * t + 2] * w[o]).sum() + bias[o]
    np.testing.assert_allclose(value(convolution.conv, x, w, bias, stride=2), expected, 1e-12)


@pytest.mark.parametrize(("stride", "output_padding"), [(1, 0), (1, 1), (2, 0), (2, 1), (3, 0), (3, 1), (3, 2)])
def test_conv_transpose_is_the_adjoint(stride: int, output_padding: int) -> None:
    given: dict[str, Any] = {"stride": stride, "padding": 1, "dilation": 2}
    y, w = normal(2, 4, 5), normal(4, 3, 3)
    x = normal(2, 3, (5 - 1) * stride - 2 + 2 * 2 + output_padding + 1)
    upwards = value(convolution.conv_transpose, y, w, output_padding=output_padding, **given)
    assert upwards.shape == x.shape
    downwards = value(convolution.conv, x, w, **given)[..., :5]
    np.testing.assert_allclose((upwards * x).sum(), (downwards * y).sum(), 1e-10)


def test_fold_is_the_adjoint_of_unfold() -> None:
    given: dict[str, Any] = {"kernel_size": (2, 3), "padding": 1, "stride": 2}
    x = normal(2, 3, 5, 6)
    columns = value(pooling.unfold, x, **given)
    other = normal(*columns.shape)
    back = value(pooling.fold, other, output_size=(5, 6), **given)
    np.testing.assert_allclose((columns * other).sum(), (back * x).sum(), 1e-10)


def test_max_pool_indices_find_the_maxima() -> None:
    x = normal(2, 3, 7, 6)
    given: dict[str, Any] = {"kernel_size": (3, 2), "padding": 1, "return_indices": True}
    y, places = outputs(pooling.max_pool, [x], **given)
    np.testing.assert_array_equal(np.take_along_axis(x.reshape(6, 42), places.reshape(6, -1), 1).reshape(y.shape), y)


def test_causal_attention_is_a_mask() -> None:
    q, k, v = normal(2, 5, 4), normal(2, 5, 4, seed=1), normal(2, 5, 3)
    causal = value(attention.scaled_dot_product_attention, q, k, v, is_causal=True)
    masked = value(attention.scaled_dot_product_attention, q, k, v, np.tril(np.ones((5, 5), bool)))
    np.testing.assert_array_equal(causal, masked)
    np.testing.assert_allclose(causal[:, 0], v[:, 0], 1e-12)


def test_attention_dropout_keeps_the_mean() -> None:
    q, k, v = np.zeros((200, 4)), np.zeros((500, 4)), np.ones((500, 1))
    seed, offset = np.array(3, np.uint64), np.array(0, np.uint64)
    y = value(attention.scaled_dot_product_attention, q, k, v, None, seed, offset, dropout_p=0.25)
    assert abs(y.mean() - 1) < 0.01
    assert y.std() > 0.01


def test_heads_split_and_join() -> None:
    x = normal(2, 5, 12)
    heads = value(attention.split_heads, x, heads=3)
    assert heads.shape == (2, 3, 5, 4)
    np.testing.assert_array_equal(heads[1, 2, 3], x[1, 3, 8:])
    np.testing.assert_array_equal(value(attention.join_heads, heads), x)


def test_a_sequence_is_its_steps() -> None:
    x, h, c = normal(4, 2, 3), normal(1, 2, 5), normal(1, 2, 5, seed=1)
    weights = normal(20, 3), normal(20, 5), normal(20), normal(20, seed=1)
    sequence, last_h, last_c = outputs(recurrent.lstm, [x, h, c, *weights])
    step_h, step_c = h[0], c[0]
    for t in range(4):
        step_h, step_c = outputs(recurrent.lstm_cell, [x[t], step_h, step_c, *weights])
        np.testing.assert_allclose(sequence[t], step_h, 1e-12)
    np.testing.assert_allclose(last_h[0], step_h, 1e-12)
    np.testing.assert_allclose(last_c[0], step_c, 1e-12)


def test_cross_entropy_by_hand() -> None:
    x, target, weight = normal(3, 4), CLASSES, np.array([1.0, 2, 3, 4])
    logs = x - np.log(np.exp(x).sum(1, keepdims=True))
    picked = -logs[np.arange(3), target]
    np.testing.assert_allclose(value(loss.cross_entropy, x, target), picked.mean(), 1e-12)
    weighted = (picked * weight[target]).sum() / weight[target].sum()
    np.testing.assert_allclose(value(loss.cross_entropy, x, target, weight), weighted, 1e-12)
    one_hot = value(embedding.one_hot, target, classes=4).astype(np.float64)
    np.testing.assert_allclose(value(loss.cross_entropy, x, one_hot), picked.mean(), 1e-12)


def test_cross_entropy_of_ignored_classes() -> None:
    x = normal(3, 4)
    some = np.array([1, -100, 2])
    kept = x[[0, 2]]
    np.testing.assert_allclose(value(loss.cross_entropy, x, some), value(loss.cross_entropy, kept, some[[0, 2]]), 1e-12)
    assert np.isnan(value(loss.cross_entropy, x, np.full(3, -100)))


@pytest.mark.parametrize("wrong", [-1, 4])
def test_classes_and_rows_out_of_range(wrong: int) -> None:
    target = np.array([0, wrong, 2])
    for call in (
        lambda: value(loss.cross_entropy, normal(3, 4), target),
        lambda: value(loss.nll, normal(3, 4), target, normal(4)),
        lambda: value(loss.multi_margin, normal(3, 4), target),
        lambda: value(embedding.embedding, target, normal(4, 2)),
    ):
        with pytest.raises(IndexOutOfRange, match="out of range"):
            call()


def test_ctc_by_enumeration() -> None:
    """The likelihood of "1 2" in four steps: the sum over all paths that collapse to it."""
    logs = value(activation.log_softmax, normal(4, 1, 3), axis=-1)
    total = 0.0
    for path in np.ndindex(3, 3, 3, 3):
        merged = [c for k, c in enumerate(path) if k == 0 or c != path[k - 1]]
        if [c for c in merged if c] == [1, 2]:
            total += math.exp(sum(logs[t, 0, c] for t, c in enumerate(path)))
    found = value(ctc.ctc, logs, np.array([[1, 2]]), np.array([4]), np.array([2]), reduction="sum")
    np.testing.assert_allclose(found, -math.log(total), 1e-12)


def test_padding_row_of_an_embedding_gets_no_gradient() -> None:
    indices, table = np.array([0, 2, 2, 1]), normal(4, 3)
    found = gradients(embedding.embedding, [indices, table], [np.ones((4, 3))], padding_idx=2)[1]
    np.testing.assert_array_equal(found, np.array([[1.0], [1], [0], [0]]) * np.ones(3))


def test_composites_are_recorded_on_tensors() -> None:
    x, w = tensor(normal(2, 3), requires_grad=True), tensor(normal(4, 3))
    y = activation.gelu(linear.linear(x, w))
    np.testing.assert_allclose(y.detach().numpy(), value(activation.gelu, x.detach().numpy() @ w.numpy().T), 1e-12)
    y.sum().backward()
    assert x.grad.shape == (2, 3)


def integer_x() -> np.ndarray:
    return np.arange(4)


WRONG: list[tuple[Callable[[], Any], type[Exception], str]] = [
    (lambda: value(activation.gelu, integer_x()), DTypeError, r"x: expected a floating-point tensor.*int64\[4\]"),
    (lambda: value(activation.gelu, normal(3), approximate="fast"), ArgumentError, "approximate.*'tanh'.*'fast'"),
    (lambda: value(activation.glu, normal(3)), ShapeError, "x: expected an even size"),
    (lambda: value(linear.linear, normal(2, 3), normal(4, 5)), ShapeError, r"x: expected a last axis of 5.*\[2, 3\]"),
    (lambda: value(linear.linear, normal(2, 5), normal(4, 5), normal(3)), ShapeError, r"bias: expected shape \[4\]"),
    (
        lambda: value(linear.linear, normal(2, 5), normal(4, 5).astype(np.float32)),
        DTypeError,
        "expected one dtype.*float64.*float32",
    ),
    (lambda: value(linear.matmul, normal(2, 3), normal(4, 5)), ShapeError, "b: expected 3 rows"),
    (lambda: value(einsum.einsum, normal(2, 3), equation="ij,jk->ik"), ArgumentError, "expected 1 operands"),
    (lambda: value(einsum.einsum, normal(2, 3), equation="ii->i"), ShapeError, "equal sizes along the axes 'i'"),
    (lambda: value(einsum.einsum, normal(2, 3), equation="ij->ik"), ArgumentError, "each letter of the result"),
    (lambda: value(convolution.conv, normal(1, 3, 5), normal(4, 2, 3)), ShapeError, "x: expected 2 channels"),
    (lambda: value(convolution.conv, normal(1, 3, 2), normal(4, 3, 3)), ShapeError, "x: expected at least 3 elements"),
    (
        lambda: value(convolution.conv, normal(1, 3, 5), normal(4, 3, 3), padding="same", stride=2),
        ArgumentError,
        "padding.*stride",
    ),
    (lambda: value(pooling.max_pool, normal(1, 3, 5), kernel_size=(2,), padding=2), ArgumentError, "padding.*half"),
    (lambda: value(normalization.batch_norm_train, normal(1, 3)), ShapeError, "more than 1 value for each channel"),
    (lambda: value(normalization.layer_norm, normal(2, 3), normalized_shape=(4,)), ShapeError, r"last axes.*\[4\]"),
    (lambda: value(normalization.group_norm, normal(2, 4), groups=3), ArgumentError, "groups: expected a divisor of 4"),
    (
        lambda: value(loss.cross_entropy, normal(3, 4), normal(3)),
        DTypeError,
        r"target: expected class indices.*target\.long\(\).*probabilities.*\[3, 4\].*float64\[3\]",
    ),
    (lambda: value(loss.cross_entropy, normal(3, 4), np.arange(4)), ShapeError, r"target: expected shape \[3\]"),
    (lambda: value(loss.cross_entropy, normal(3, 4), CLASSES, normal(3)), ShapeError, "weight: expected.*4 classes"),
    (lambda: value(loss.mse, normal(3), normal(3), reduction="median"), ArgumentError, "reduction.*'median'"),
    (lambda: value(embedding.embedding, normal(3), normal(4, 2)), DTypeError, r"integer tensor.*\.long\(\)"),
    (
        lambda: value(attention.scaled_dot_product_attention, normal(3, 4), normal(5, 6), normal(5, 2)),
        ShapeError,
        "key: expected 4 features",
    ),
    (
        lambda: value(recurrent.gru, normal(4, 2, 3), normal(1, 2, 5), normal(15, 3)),
        ArgumentError,
        "weights: expected 4",
    ),
    (
        lambda: value(resize.pad, normal(2, 3), pads=((3, 0),), mode="reflect"),
        ArgumentError,
        "pads: expected at most 2",
    ),
    (lambda: value(resize.interpolate, normal(2, 3), size=(4, 4)), ShapeError, "x: expected 4 dimensions"),
]


@pytest.mark.parametrize(("call", "error", "message"), WRONG)
def test_errors_name_argument_expectation_and_what_came(
    call: Callable[[], Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        call()
