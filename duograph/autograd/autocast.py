"""Autocast: within a block, each operation is given its operands in the precision that suits it.

Products run in a half precision, losses and what adds up long sums in float32, and what needs one dtype for all its
operands in the widest of theirs; all other operations take what comes. The lists are those of PyTorch for the CPU. A
cast is an operation like any other: gradients flow through it, so that those of float32 parameters are float32, and a
weight that is used twice is cast once.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

from ..graph.dtype import DType, float32, float64
from ..graph.trace import local
from ..tensor.core import Tensor, apply, cast, result_type

LOWER = frozenset(
    (
        "matmul", "linear", "conv", "conv_transpose", "einsum", "tensordot", "vecdot", "scaled_dot_product_attention",
        "attention", "projected_heads", "attention_weights", "lstm", "gru", "rnn",
    )
)  # fmt: skip
"""Operations that run in the half precision."""

FULL = frozenset(
    (
        "binary_cross_entropy", "binary_cross_entropy_with_logits", "cross_entropy", "nll", "mse", "l1", "smooth_l1",
        "huber", "kl_div", "ctc", "poisson_nll", "gaussian_nll", "cosine_embedding", "hinge_embedding",
        "margin_ranking", "soft_margin", "multi_margin", "multilabel_margin", "multilabel_soft_margin",
        "triplet_margin", "cdist", "grid_sample", "max_unpool", "quantiles", "stft", "istft", "trace", "prod",
        "as_complex", "_polar", "fft", "rfft", "irfft", "cholesky", "determinant", "log_determinant", "solve",
        "pseudoinverse", "svd_values", "svd_left", "svd_right", "eigh_values", "eigh_vectors", "eig_values",
        "eig_vectors", "qr_q", "qr_r", "lu_packed", "lu_pivots", "matrix_exponential", "vector_norm",
    )
)  # fmt: skip
"""Operations that run in float32."""

WIDEST = frozenset(
    (
        "bilinear", "prelu", "cross", "lstm_cell", "gru_cell", "rnn_cell", "cosine_similarity", "pairwise_distance",
        "select", "write_along", "write_at", "scatter", "kron", "outer",
    )
)  # fmt: skip
"""Operations whose operands are brought to the widest of their dtypes."""

NORMS = frozenset(
    ("layer_norm", "group_norm", "instance_norm", "batch_norm_train", "batch_norm_eval", "rms_norm")
)  # fmt: skip
"""Normalisations: computed in the widest dtype, with a result of the input's."""


class Casts:
    """What operations are given in a block, by the half precision of the block. One object for each: see `casts`."""

    def __init__(self, dtype: DType) -> None:
        self.dtype = dtype

    def lowered(self, tensor: Tensor) -> Tensor:
        """What is added to a product, in the product's precision."""
        return cast(tensor, self.dtype) if _is_cast(tensor) else tensor

    def apply(self, op: Any, arguments: tuple[Any, ...], attributes: tuple[tuple[str, Any], ...]) -> Any:
        """Record an operation on operands in the precision that suits it."""
        local.autocast = None
        try:
            name = op.name
            if name in LOWER:
                return apply(op, _in(self.dtype, arguments), attributes)
            if name in FULL:
                return apply(op, _in(float32, arguments), attributes)
            if name not in WIDEST and name not in NORMS:
                return apply(op, arguments, attributes)
            result = apply(op, _in(_widest(arguments), arguments), attributes)
            if name in WIDEST or not _is_cast(arguments[0]):
                return result
            first, *rest = result if isinstance(result, tuple) else (result,)
            first = cast(first, arguments[0].dtype)
            return (first, *rest) if rest else first
        finally:
            local.autocast = self


@functools.cache
def casts(dtype: DType) -> Casts:
    """The casts of blocks of this half precision."""
    return Casts(dtype)


class switched:
    """Within the block, operations are cast so (or not at all, with None)."""

    def __init__(self, to: Casts | None) -> None:
        self.to = to
        self._before: list[Casts | None] = []

    def __enter__(self) -> switched:
        self._before.append(local.autocast)
        local.autocast = self.to
        return self

    def __exit__(self, *_: object) -> None:
        local.autocast = self._before.pop()

    def __call__(self, function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def decorated(*arguments: Any, **keywords: Any) -> Any:
            with self:
                return function(*arguments, **keywords)

        return decorated


def _is_cast(argument: Any) -> bool:
    return isinstance(argument, Tensor) and argument.dtype.is_floating_point and argument.dtype is not float64


def _in(dtype: DType, arguments: Sequence[Any]) -> tuple[Any, ...]:
    return tuple([cast(a, dtype) if _is_cast(a) else a for a in arguments])


def _widest(arguments: Sequence[Any]) -> DType:
    dtypes = [a.dtype for a in arguments if _is_cast(a)]
    return functools.reduce(result_type, dtypes) if dtypes else float32
