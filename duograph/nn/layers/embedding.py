"""Look-up tables as layers."""

from __future__ import annotations

from typing import Any, Self

from ...autograd import no_grad
from ...graph.errors import ArgumentError, NotSupported, ShapeError
from ...ops.creation import empty
from ...tensor.core import Tensor
from .. import functional as F
from .. import init
from ..module import Module
from ..parameter import Parameter


class _Table(Module):
    num_embeddings: int
    embedding_dim: int
    padding_idx: int | None

    def _init_table(
        self, weight: Tensor | None, padding_idx: int | None, freeze: bool, device: Any, dtype: Any
    ) -> None:
        name, rows, columns = type(self).__name__, self.num_embeddings, self.embedding_dim
        if padding_idx is not None and not -rows <= padding_idx < rows:
            raise ArgumentError(f"{name}: padding_idx: expected an index of {rows} rows. Received: {padding_idx}")
        self.padding_idx = padding_idx % rows if padding_idx is not None else None
        if weight is None:
            self.weight = Parameter(empty(rows, columns, device=device, dtype=dtype), not freeze)
            self.reset_parameters()
        else:
            if tuple(weight.shape) != (rows, columns):
                raise ShapeError(f"{name}: weight: expected shape {(rows, columns)}. Received: {tuple(weight.shape)}")
            self.weight = Parameter(weight, not freeze)

    def reset_parameters(self) -> None:
        """Draw a new table: normal, with zeros in the row of padding."""
        init.normal_(self.weight)
        if self.padding_idx is not None:
            with no_grad():
                self.weight[self.padding_idx].fill_(0)


class Embedding(_Table):
    """A table of `num_embeddings` rows of `embedding_dim` numbers, looked up by integers of any shape."""

    def __init__(
        self, num_embeddings: int, embedding_dim: int, padding_idx: int | None = None, max_norm: float | None = None,
        norm_type: float = 2.0, scale_grad_by_freq: bool = False, sparse: bool = False, _weight: Tensor | None = None,
        _freeze: bool = False, device: Any = None, dtype: Any = None,
    ) -> None:  # fmt: skip
        super().__init__()
        self.num_embeddings = num_embeddings
        self.embedding_dim = embedding_dim
        self.max_norm = max_norm
        self.norm_type = norm_type
        self.scale_grad_by_freq = scale_grad_by_freq
        self.sparse = sparse
        self._init_table(_weight, padding_idx, _freeze, device, dtype)

    def forward(self, input: Tensor) -> Tensor:
        return F.embedding(
            input, self.weight, self.padding_idx, self.max_norm, self.norm_type, self.scale_grad_by_freq, self.sparse
        )

    @classmethod
    def from_pretrained(
        cls, embeddings: Tensor, freeze: bool = True, padding_idx: int | None = None, max_norm: float | None = None,
        norm_type: float = 2.0, scale_grad_by_freq: bool = False, sparse: bool = False,
    ) -> Self:  # fmt: skip
        """A layer over a given table; if `freeze`, it is not trained."""
        if embeddings.ndim != 2:
            raise ShapeError(f"from_pretrained: expected a table of 2 axes. Received: shape {tuple(embeddings.shape)}")
        rows, columns = embeddings.shape
        return cls(rows, columns, padding_idx, max_norm, norm_type, scale_grad_by_freq, sparse, embeddings, freeze)

    def extra_repr(self) -> str:
        return _described(self)


class EmbeddingBag(_Table):
    """Sums, means or maxima of rows of a table: of the rows of a 2-d input, or of bags that start at `offsets`."""

    def __init__(
        self, num_embeddings: int, embedding_dim: int, max_norm: float | None = None, norm_type: float = 2.0,
        scale_grad_by_freq: bool = False, mode: str = "mean", sparse: bool = False, _weight: Tensor | None = None,
        include_last_offset: bool = False, padding_idx: int | None = None, device: Any = None, dtype: Any = None,
    ) -> None:  # fmt: skip
        super().__init__()
        self.num_embeddings = num_embeddings
        self.embedding_dim = embedding_dim
        self.max_norm = max_norm
        self.norm_type = norm_type
        self.scale_grad_by_freq = scale_grad_by_freq
        self.mode = mode
        self.sparse = sparse
        self.include_last_offset = include_last_offset
        self._init_table(_weight, padding_idx, False, device, dtype)

    def forward(self, input: Tensor, offsets: Tensor | None = None, per_sample_weights: Tensor | None = None) -> Tensor:
        return F.embedding_bag(
            input, self.weight, offsets, self.max_norm, self.norm_type, self.scale_grad_by_freq, self.mode, self.sparse,
            per_sample_weights, self.include_last_offset, self.padding_idx,
        )  # fmt: skip

    @classmethod
    def from_pretrained(cls, embeddings: Tensor, freeze: bool = True, **arguments: Any) -> Self:
        """A layer over a given table; if `freeze`, it is not trained."""
        if "num_embeddings" in arguments or "embedding_dim" in arguments:
            raise NotSupported("from_pretrained: the table says its sizes itself")
        rows, columns = embeddings.shape
        made = cls(rows, columns, _weight=embeddings, **arguments)
        made.weight.requires_grad_(not freeze)
        return made

    def extra_repr(self) -> str:
        padding = "" if self.padding_idx is None else f", padding_idx={self.padding_idx}"
        return _described(self).replace(padding, "") + f", mode={self.mode!r}" + padding


def _described(table: Any) -> str:
    text = f"{table.num_embeddings}, {table.embedding_dim}"
    if table.padding_idx is not None:
        text += f", padding_idx={table.padding_idx}"
    if table.max_norm is not None:
        text += f", max_norm={table.max_norm}"
    if table.norm_type != 2:
        text += f", norm_type={table.norm_type}"
    if table.scale_grad_by_freq:
        text += ", scale_grad_by_freq=True"
    if table.sparse:
        text += ", sparse=True"
    return text
