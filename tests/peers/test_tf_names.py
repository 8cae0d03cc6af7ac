"""Every TensorFlow name of `duograph.tf`, against TensorFlow: values, shapes, dtypes and gradients, from one table."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from .tf_tools import Case, agree, gradients_agree

RNG = np.random.default_rng(0)
A = RNG.normal(size=(3, 4)).astype(np.float32)
B = RNG.normal(size=(3, 4)).astype(np.float32)
U = RNG.uniform(0.1, 0.9, (3, 4)).astype(np.float32)
T = RNG.normal(size=(2, 3, 4)).astype(np.float32)
INDICES = RNG.integers(0, 5, (3, 4)).astype(np.int32)
SQUARE = RNG.normal(size=(3, 3)).astype(np.float32) + 3 * np.eye(3, dtype=np.float32)
IMAGE = RNG.normal(size=(2, 7, 8, 4)).astype(np.float32)
VOLUME = RNG.normal(size=(2, 5, 6, 5, 2)).astype(np.float32)
SEQUENCE = RNG.normal(size=(2, 9, 3)).astype(np.float32)
MASK = np.array([[True, False, True, False], [False, False, True, True], [True, True, True, True]])


def kernel(*shape: int) -> np.ndarray:
    return np.random.default_rng(1).normal(size=shape).astype(np.float32)


def named(name: str, *arguments: Any, **keywords: Any) -> tuple[str, Case]:
    """The call of one name with these arguments, arrays becoming tensors first."""

    def call(tf: Any) -> Any:
        function = tf
        for part in name.split("."):
            function = getattr(function, part)
        tensors = [tf.constant(a) if isinstance(a, np.ndarray) else a for a in arguments]
        return function(
            *tensors, **{k: tf.constant(v) if isinstance(v, np.ndarray) else v for k, v in keywords.items()}
        )

    shown = [str(list(a.shape)) if isinstance(a, np.ndarray) else repr(a) for a in arguments]
    shown += [f"{k}={'...' if isinstance(v, np.ndarray) else v!r}" for k, v in keywords.items()]
    return f"{name}({', '.join(shown)})", call


UNARY = "abs asin acos atan atanh ceil cos cosh erf erfc exp expm1 floor log log1p negative"
UNARY += " round reciprocal rsqrt sigmoid sign sin sinh softplus sqrt square tan tanh lgamma digamma is_finite is_nan"
UNARY += " is_inf log_sigmoid asinh"
BINARY = (
    "add subtract multiply divide maximum minimum pow floordiv floormod squared_difference atan2 divide_no_nan equal"
)
BINARY += " not_equal less less_equal greater greater_equal truediv xlogy"
REDUCTIONS = "reduce_sum reduce_mean reduce_max reduce_min reduce_prod reduce_std reduce_variance reduce_logsumexp"

CASES: list[tuple[str, Case]] = [
    *(named(f"math.{name}", U) for name in UNARY.split()),
    *(named(f"math.{name}", U, U[::-1].copy()) for name in BINARY.split()),
    *(named(f"math.{name}", U, U[:1]) for name in ("add", "maximum", "less")),
    *(
        named(f"math.{name}", A, **k)
        for name in REDUCTIONS.split()
        for k in ({}, {"axis": 1}, {"axis": [0, 1], "keepdims": True}, {"axis": -1})
    ),
    *(
        named(f"math.{name}", MASK, **k)
        for name in ("reduce_any", "reduce_all")
        for k in ({}, {"axis": 0}, {"axis": 1, "keepdims": True})
    ),
    *(named(f"math.{name}", MASK, MASK[::-1].copy()) for name in ("logical_and", "logical_or", "logical_xor")),
    named("math.logical_not", MASK),
    named("reduce_sum", INDICES),
    named("reduce_mean", INDICES),
    named("reduce_mean", -INDICES, axis=0),
    named("reduce_prod", INDICES, axis=1),
    named("reduce_max", INDICES, axis=0),
    named("math.acosh", 1 + U),
    named("math.count_nonzero", INDICES, axis=1),
    named("argmax", A),
    named("argmax", A, axis=1, output_type="int32"),
    named("argmin", A, axis=-1),
    named("math.argmax", T, axis=2),
    named("cumsum", A),
    named("cumsum", A, axis=1, exclusive=True),
    named("cumsum", INDICES, axis=1, reverse=True),
    named("cumsum", A, 0, True, True),
    named("math.cumprod", A, axis=1),
    named("math.cumprod", A, 1, True),
    named("math.cumprod", A, 0, True, True),
    named("math.top_k", A, 2),
    named("math.l2_normalize", A),
    named("math.l2_normalize", A, axis=1),
    named("math.add_n", [A, B, A]),
    named("math.in_top_k", np.array([1, 0, 3]), A, 2),
    named("clip_by_value", A, -0.5, 0.5),
    named("clip_by_value", A, -B * B, B * B),
    named("math.unsorted_segment_sum", A, np.array([0, 2, 0]), 4),
    named("math.unsorted_segment_mean", A, np.array([0, 2, 0]), 4),
    named("math.unsorted_segment_max", A, np.array([0, 2, 0]), 3),
    named("math.unsorted_segment_sum", A, INDICES, 5),
    named("math.confusion_matrix", np.array([0, 1, 2, 1]), np.array([0, 2, 2, 1])),
    named("math.bincount", INDICES),
    named("math.bincount", INDICES, minlength=8),
    named("cast", A, "int32"),
    named("cast", A, "float64"),
    named("cast", INDICES, "bool"),
    named("cast", MASK, "float32"),
    named("shape", T),
    named("size", T),
    named("rank", T),
    named("identity", A),
    named("stop_gradient", A),
    named("zeros", [2, 3]),
    named("ones", (2,), "int32"),
    named("zeros_like", INDICES),
    named("ones_like", A, dtype="int64"),
    named("fill", [2, 2], 3.5),
    named("eye", 3),
    named("eye", 2, 4, batch_shape=[2]),
    named("range", 5),
    named("range", 2, 11, 3),
    named("range", 0.0, 1.0, 0.25),
    named("linspace", 0.0, 1.0, 5),
    named("one_hot", INDICES, 4),
    named("one_hot", INDICES, 5, axis=0),
    named("one_hot", np.array([0, -1, 2]), 3, 5.0, -1.0),
    named("meshgrid", np.arange(3), np.arange(2)),
    named("meshgrid", np.arange(3), np.arange(2), indexing="ij"),
    named("constant", [1, 2, 3]),
    named("constant", 2.0, shape=[2, 2]),
    named("constant", [[1.0, 2.0]], "float64"),
    named("constant", [1, 2, 3, 4], shape=[2, 2]),
    named("convert_to_tensor", [1.5, 2]),
    named("convert_to_tensor", True),
    named("reshape", T, [4, -1]),
    named("transpose", T),
    named("transpose", T, [1, 0, 2]),
    named("expand_dims", A, 1),
    named("expand_dims", A, -1),
    named("squeeze", A[:1]),
    named("squeeze", A[None, :1], axis=[0]),
    named("concat", [A, B], 0),
    named("concat", [A, B], axis=-1),
    named("stack", [A, B], 1),
    named("unstack", T, axis=1),
    named("split", A, 2, axis=1),
    named("split", A, [1, 3], 1),
    named("split", A, [1, -1], axis=-1),
    named("tile", A, [2, 1]),
    named("repeat", A, 2, axis=0),
    named("repeat", np.array([1, 2, 3]), [1, 0, 2]),
    named("repeat", A, 2),
    named("reverse", T, [0, 2]),
    named("roll", A, 1, 1),
    named("roll", A, [1, -1], [0, 1]),
    named("pad", A, [[1, 2], [0, 1]]),
    named("pad", A, [[1, 1], [2, 2]], "REFLECT"),
    named("pad", A, [[1, 2], [2, 0]], "SYMMETRIC"),
    named("pad", A, np.array([[0, 1], [1, 0]]), constant_values=7.0),
    named("broadcast_to", A[:1], [3, 4]),
    named("slice", T, [0, 1, 1], [2, -1, 2]),
    named("where", MASK, A, B),
    named("where", MASK),
    named("where", MASK, A, 0.0),
    named("gather", A, [2, 0]),
    named("gather", A, INDICES[:2] % 3),
    named("gather", T, [1, 2], axis=1),
    named("gather", T, np.array([[0, 1], [2, 2]]), axis=1, batch_dims=1),
    named("gather", T, np.array([[0, 1], [2, 2]]), axis=2, batch_dims=1),
    named("gather", T, [[0, 3], [1, 1]], axis=-1),
    named("gather_nd", T, [[0, 1], [1, 2]]),
    named("gather_nd", T, [[0, 1, 2]]),
    named("gather_nd", T, [[[1], [0]], [[2], [2]]], batch_dims=1),
    named("scatter_nd", [[1], [3], [1]], np.array([1.0, 2.0, 3.0], np.float32), [5]),
    named("tensor_scatter_nd_update", A, [[0, 1], [2, 2]], np.array([9.0, 8.0], np.float32)),
    named("tensor_scatter_nd_add", A, [[0], [0]], B[:2]),
    named("boolean_mask", A, MASK),
    named("boolean_mask", A, np.array([True, False, True])),
    named("boolean_mask", A, np.array([True, False, True, True]), axis=1),
    named("sequence_mask", [1, 3, 2]),
    named("sequence_mask", [1, 3], 5, "float32"),
    named("sort", A),
    named("sort", A, 0, "DESCENDING"),
    named("argsort", A, axis=1),
    named("argsort", A, direction="DESCENDING"),
    named("searchsorted", np.sort(A, -1), B),
    named("searchsorted", np.sort(A, -1), B, "right"),
    named("unique", np.array([4, 2, 4, 1, 2])),
    named("matmul", A, B, transpose_b=True),
    named("matmul", A, B, transpose_a=True),
    named("linalg.matmul", T, np.swapaxes(T, 1, 2).copy()),
    named("linalg.matvec", A, B[0]),
    named("tensordot", A, T, [[1], [2]]),
    named("tensordot", A, B, 0),
    named("einsum", "ij,kj->ik", A, B),
    named("norm", A),
    named("norm", A, axis=1),
    named("norm", A, 1, axis=0),
    named("linalg.diag", A),
    named("linalg.diag_part", SQUARE),
    named("linalg.diag_part", T),
    named("linalg.set_diag", SQUARE, A[0, :3].copy()),
    named("linalg.set_diag", T, T[:, :, 0].copy()),
    named("linalg.trace", SQUARE),
    named("linalg.cross", A[:, :3].copy(), B[:, :3].copy()),
    named("linalg.global_norm", [A, B]),
    named("linalg.matrix_transpose", T),
    named("clip_by_norm", A, 0.5),
    named("clip_by_norm", A, 0.5, axes=[1]),
    named("clip_by_global_norm", [A, B], 0.5),
    *(
        named(f"nn.{name}", A)
        for name in (
            "relu",
            "relu6",
            "elu",
            "selu",
            "silu",
            "swish",
            "softsign",
            "leaky_relu",
            "gelu",
            "softmax",
            "log_softmax",
            "softplus",
            "tanh",
            "sigmoid",
            "l2_loss",
        )
    ),
    named("nn.leaky_relu", A, 0.3),
    named("nn.gelu", A, approximate=True),
    named("nn.softmax", A, axis=0),
    named("nn.moments", T, [0, 1]),
    named("nn.moments", T, [1], keepdims=True),
    named("nn.batch_normalization", A, A[0], B[0] ** 2, B[1], A[1], 1e-3),
    named("nn.batch_normalization", A, A[0], B[0] ** 2, None, None, 1e-3),
    named("nn.sparse_softmax_cross_entropy_with_logits", np.array([0, 3, 1]), A),
    named("nn.softmax_cross_entropy_with_logits", U / U.sum(1, keepdims=True), A),
    named("nn.sigmoid_cross_entropy_with_logits", U, A),
    named("nn.embedding_lookup", A, [[2, 0], [1, 1]]),
    named("nn.bias_add", IMAGE, B[0]),
    *(named("nn.conv2d", IMAGE, kernel(3, 3, 4, 5), s, p) for s in (1, 2, [1, 2, 1, 1]) for p in ("SAME", "VALID")),
    named("nn.conv2d", IMAGE, kernel(2, 3, 4, 5), [1, 2], [[0, 0], [1, 0], [2, 1], [0, 0]]),
    named("nn.conv2d", IMAGE, kernel(3, 3, 4, 5), 1, "SAME", dilations=2),
    named("nn.conv1d", SEQUENCE, kernel(4, 3, 2), 2, "SAME"),
    named("nn.conv1d", SEQUENCE, kernel(4, 3, 2), 1, "VALID"),
    named("nn.conv3d", VOLUME, kernel(2, 3, 2, 2, 3), [1, 1, 2, 2, 1], "SAME"),
    named("nn.depthwise_conv2d", IMAGE, kernel(3, 3, 4, 2), [1, 1, 1, 1], "SAME"),
    named("nn.depthwise_conv2d", IMAGE, kernel(3, 3, 4, 1), [1, 2, 2, 1], "VALID"),
    *(
        named(f"nn.{kind}_pool2d", IMAGE, k, s, p)
        for kind in ("max", "avg")
        for k, s in ((2, 2), (3, 2), ([3, 2], [1, 2]))
        for p in ("SAME", "VALID")
    ),
    named("nn.max_pool3d", VOLUME, 2, 2, "VALID"),
    named("nn.avg_pool", SEQUENCE, 3, 2, "SAME"),
    named("nn.depth_to_space", IMAGE, 2),
    named("nn.space_to_depth", IMAGE[:, :6].copy(), 2),
]


@pytest.mark.parametrize("case", [pytest.param(call, id=label) for label, call in CASES])
def test_agrees_with_tensorflow(case: Case) -> None:
    agree(case)


@pytest.mark.parametrize("case", [pytest.param(call, id=label) for label, call in CASES])
def test_gradients_agree_with_tensorflow(case: Case) -> None:
    gradients_agree(case)
