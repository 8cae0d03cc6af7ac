"""Calls that TensorFlow refuses are refused here, by an error of that class (or one that is also of that class)."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import duograph.tf as dt

from .tf_tools import Case, tensorflow

F, G = np.ones((2, 3), np.float32), np.ones((4, 5), np.float32)
N, S = np.array([1, 2], np.int32), np.array(["a", "b"])
IMAGE, KERNEL = np.ones((1, 4, 4, 3), np.float32), np.ones((3, 3, 3, 2), np.float32)


def called(name: str, *arguments: Any, **keywords: Any) -> tuple[str, Case]:
    """The call of a name, arrays becoming tensors first."""

    def call(tf: Any) -> Any:
        function = tf
        for part in name.split("."):
            function = getattr(function, part)
        tensors = [tf.constant(a) if isinstance(a, np.ndarray) else a for a in arguments]
        result = function(*tensors, **keywords)
        return [r.numpy() for r in result] if isinstance(result, list | tuple) else result.numpy()

    shown = [
        f"{a.dtype}{list(a.shape)}" if isinstance(a, np.ndarray) else getattr(a, "__name__", repr(a)) for a in arguments
    ]
    return f"{name}({', '.join([*shown, *(f'{k}={v!r}' for k, v in keywords.items())])})", call


BINARY = ["add", "subtract", "multiply", "divide", "maximum", "minimum", "pow", "math.squared_difference", "math.atan2",
          "equal", "less", "math.floordiv", "math.floormod", "math.xlogy", "math.divide_no_nan"]  # fmt: skip

CASES: list[tuple[str, Case]] = [
    *(called(name, F, N) for name in BINARY),
    *(called(name, F, G) for name in BINARY if name != "equal"),
    called("add", F, "a"),
    called("sqrt", N),
    called("exp", N),
    called("sin", S),
    called("sigmoid", N),
    called("logical_and", F, F),
    called("logical_not", N),
    called("reduce_sum", F, axis=2),
    called("reduce_sum", F, axis=[0, 5]),
    called("reduce_mean", S),
    called("reduce_any", F),
    called("argmax", F, axis=3),
    called("cumsum", F, axis=2),
    called("reshape", F, [4, 2]),
    called("reshape", F, [-1, -1]),
    called("reshape", F, [-1, 4]),
    called("transpose", F, [0, 0]),
    called("transpose", F, [0, 1, 2]),
    called("expand_dims", F, 4),
    called("squeeze", F, axis=[0]),
    called("concat", [F, G], 0),
    called("concat", [F, F], 2),
    called("stack", [F, G]),
    called("split", F, 2, axis=1),
    called("split", F, [1, 1], axis=1),
    called("tile", F, [2]),
    called("pad", F, [[1, 1]]),
    called("pad", F, [[3, 3], [0, 0]], "REFLECT"),
    called("pad", F, [[1, 1], [0, 0]], "WRAP"),
    called("gather", F, [0, 5]),
    called("gather", F, [0], axis=2),
    called("gather_nd", F, [[0, 7]]),
    called("gather_nd", F, [[0, 0, 0]]),
    called("scatter_nd", [[5]], [1.0], [3]),
    called("scatter_nd", [[0], [1]], [1.0], [3]),
    called("tensor_scatter_nd_update", F, [[5, 0]], [1.0]),
    called("slice", F, [0, 0], [3, 3]),
    called("slice", F, [0], [1]),
    called("strided_slice", F, [0, 0], [1, 1], [0, 1]),
    called("broadcast_to", F, [3, 3]),
    called("where", F, F, F),
    called("where", np.array([True, False]), F, F),
    called("boolean_mask", F, [True, False, True]),
    called("one_hot", F, 3),
    called("range", 0, 10, 0),
    called("fill", [-1], 1.0),
    called("zeros", [-2]),
    called("eye", -1),
    called("constant", [[1, 2], [3]]),
    called("constant", [1.0, "a"]),
    called("constant", [1, 2], shape=[3]),
    called("constant", None),
    called("cast", S, "float32"),
    called("cast", F, "float31"),
    called("convert_to_tensor", F, "int32"),
    called("unstack", F, num=3),
    called("reverse", F, [2]),
    called("roll", F, 1, 3),
    called("repeat", F, [1, 2, 3], axis=0),
    called("sort", F, axis=2),
    called("sort", F, direction="UP"),
    called("math.top_k", F, 4),
    called("math.unsorted_segment_sum", F, N[:1], 2),
    called("math.bincount", -N),
    called("math.confusion_matrix", [0, 1], [0, 1, 2]),
    called("matmul", F, F),
    called("matmul", F, N),
    called("matmul", F, F[0]),
    called("linalg.matvec", F, F[:, 0]),
    called("einsum", "ij,jk->ik", F, F),
    called("einsum", "ij,jk->iz", F, F[0]),
    called("tensordot", F, F, [[1], [0]]),
    called("linalg.inv", F),
    called("linalg.inv", np.zeros((2, 2), np.float32)),
    called("linalg.det", F),
    called("linalg.solve", np.zeros((2, 2), np.float32), np.ones((2, 1), np.float32)),
    called("norm", F, ord="x"),
    called("nn.relu", S),
    called("nn.softmax", N),
    called("nn.softmax", F, axis=2),
    called("nn.conv2d", IMAGE, KERNEL[:, :, :2].copy(), 1, "SAME"),
    called("nn.conv2d", IMAGE, KERNEL, 1, "FULL"),
    called("nn.bias_add", F, F[0, :2].copy()),
    called("nn.max_pool2d", F, 2, 2, "SAME"),
    called("nn.depth_to_space", IMAGE, 2),
    called("nn.space_to_depth", IMAGE, 3),
    called("nn.embedding_lookup", F, [3]),
    called("nn.sparse_softmax_cross_entropy_with_logits", [0, 7], F),
    called("nn.sparse_softmax_cross_entropy_with_logits", [0, 1, 2], F),
    called("nn.softmax_cross_entropy_with_logits", F, G),
    called("nn.sigmoid_cross_entropy_with_logits", F, G),
    called("nn.dropout", F, 1.5),
    called("nn.dropout", N, 0.5),
    called("nn.moments", S, [0]),
    called("random.normal", [-1]),
    called("random.uniform", [2], 0, None, "int32"),
    called("random.uniform", [2], 5, 5, "int32"),
    called("random.categorical", F[0], 2),
    called("image.resize", F, [2, 2]),
    called("image.resize", IMAGE, [2]),
    called("image.resize", IMAGE, [2, 2], "cubic"),
    called("image.random_crop", IMAGE, [1, 9, 9, 3]),
    called("image.central_crop", IMAGE, 1.5),
    called("io.decode_raw", b"abc", "int32"),
    called("io.decode_png", b"nothing"),
    called("io.read_file", "/no/such/file"),
    called("strings.to_number", ["x"]),
    called("strings.substr", ["abc"], 5, 1),
    called("strings.join", [["a", "b"], ["c", "d", "e"]]),
    called("debugging.assert_equal", F, 2 * F),
    called("debugging.check_numerics", np.full((2, 3), np.inf, np.float32), "message"),
    called("debugging.assert_rank", F, 3),
    called("debugging.assert_positive", -F),
    called("ensure_shape", F, [3, 3]),
    called("clip_by_value", F, 2 * F, G),
    called("signal.rfft", N),
    called("bitwise.bitwise_and", F, F),
    called("searchsorted", F, G),
    called("map_fn", lambda x: x, 3.0),
    called("no_such_name"),
]


@pytest.mark.parametrize("case", [pytest.param(call, id=label) for label, call in CASES])
def test_is_refused_alike(case: Case) -> None:
    try:
        case(tensorflow)
    except Exception as error:
        theirs = type(error)
    else:
        pytest.fail("TensorFlow takes it: this is no case")
    with pytest.raises(getattr(dt.errors, theirs.__name__, theirs)):
        case(dt)
