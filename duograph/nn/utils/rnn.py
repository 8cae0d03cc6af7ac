"""Sequences of different lengths: padded, or packed step by step."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from ...graph.errors import ArgumentError
from ...ops import FUNCTIONS
from ...tensor.convert import as_tensor, from_buffer
from ...tensor.core import Tensor

cat, stack = FUNCTIONS["cat"], FUNCTIONS["stack"]


class PackedSequence(NamedTuple):
    """Sequences step by step: `data` has all first elements, then all second ones, ...

    `batch_sizes` says how many sequences have each step; they are sorted by decreasing length, and `unsorted_indices`
    leads back to the order they came in.
    """

    data: Any
    batch_sizes: Tensor
    sorted_indices: Tensor | None = None
    unsorted_indices: Tensor | None = None

    @property
    def is_cuda(self) -> bool:
        return False

    def is_pinned(self) -> bool:
        """Always False."""
        return False

    def pin_memory(self) -> PackedSequence:
        """The sequence itself."""
        return self

    def to(self, *args: Any, **kwargs: Any) -> PackedSequence:
        """The sequence with its data in another dtype or on another device."""
        return self._replace(data=self.data.to(*args, **kwargs))

    def cpu(self) -> PackedSequence:
        """The sequence on the CPU."""
        return self.to("cpu")

    def float(self) -> PackedSequence:
        """The sequence as float32."""
        return self._replace(data=self.data.float())

    def double(self) -> PackedSequence:
        """The sequence as float64."""
        return self._replace(data=self.data.double())


def invert_permutation(permutation: Tensor | None) -> Tensor | None:
    """The permutation that undoes another."""
    return None if permutation is None else permutation.argsort()


def _lengths(batch_sizes: Tensor) -> np.ndarray:
    """The length of each sequence, in sorted order."""
    sizes = np.asarray(batch_sizes.tolist())
    return (sizes[:, None] > np.arange(sizes[0])).sum(0)


def pack_padded_sequence(
    input: Any, lengths: Any, batch_first: bool = False, enforce_sorted: bool = True
) -> PackedSequence:
    """Pack [T, N, ...] (or [N, T, ...] with `batch_first`), of which `lengths` say how much counts.

    Raises ArgumentError for a length that is not positive or too long, and with `enforce_sorted` for lengths that
    increase.
    """
    given = np.asarray(as_tensor(lengths).tolist(), np.int64)
    padded = input.transpose(0, 1) if batch_first else input
    if given.shape != (padded.shape[1],) or (given <= 0).any() or (given > padded.shape[0]).any():
        raise ArgumentError(
            f"pack_padded_sequence: lengths: expected {padded.shape[1]} numbers from 1 to {padded.shape[0]}. "
            f"Received: {given.tolist()}"
        )
    order = None
    if enforce_sorted:
        if (np.diff(given) > 0).any():
            raise ArgumentError(
                "pack_padded_sequence: lengths: expected decreasing order; pass enforce_sorted=False. "
                f"Received: {given.tolist()}"
            )
    else:
        order = np.argsort(-given, kind="stable")
        given = given[order]
    sorted_indices = None if order is None else from_buffer(order)
    ordered = padded if sorted_indices is None else padded.index_select(1, sorted_indices)
    sizes = (given[None, :] > np.arange(given[0])[:, None]).sum(1)
    rows = _rows(sizes, ordered.shape[1])
    data = ordered.reshape(-1, *ordered.shape[2:]).index_select(0, from_buffer(rows))
    return PackedSequence(data, from_buffer(sizes.astype(np.int64)), sorted_indices, invert_permutation(sorted_indices))


def pad_packed_sequence(
    sequence: PackedSequence, batch_first: bool = False, padding_value: float = 0.0, total_length: int | None = None
) -> tuple[Tensor, Tensor]:
    """The padded sequences and their lengths: the inverse of `pack_padded_sequence`."""
    lengths = _lengths(sequence.batch_sizes)
    steps = len(sequence.batch_sizes.tolist())
    if total_length is not None and total_length < steps:
        raise ArgumentError(f"pad_packed_sequence: total_length: expected at least {steps}. Received: {total_length}")
    total = total_length or steps
    sizes = sequence.batch_sizes.tolist()
    starts = np.concatenate([[0], np.cumsum(sizes)])
    # each place of the padded batch reads one row of the data, and the padding the row put behind it
    rows = np.full((total, sizes[0]), starts[-1])
    for t, size in enumerate(sizes):
        rows[t, :size] = starts[t] + np.arange(size)
    data = sequence.data
    filled = cat([data, data.new_full((1, *data.shape[1:]), padding_value)])
    padded = filled.index_select(0, from_buffer(rows.reshape(-1))).reshape(total, sizes[0], *data.shape[1:])
    found = from_buffer(lengths.astype(np.int64))
    if sequence.unsorted_indices is not None:
        padded = padded.index_select(1, sequence.unsorted_indices)
        found = found.index_select(0, sequence.unsorted_indices)
    return (padded.transpose(0, 1) if batch_first else padded), found


def pad_sequence(
    sequences: Any, batch_first: bool = False, padding_value: float = 0.0, padding_side: str = "right"
) -> Tensor:
    """Tensors of different first sizes in one: [longest, N, ...], or [N, longest, ...] with `batch_first`."""
    if padding_side not in ("left", "right"):
        raise ArgumentError(f"pad_sequence: padding_side: expected 'left' or 'right'. Received: {padding_side!r}")
    rows = list(sequences)
    if not rows:
        raise ArgumentError("pad_sequence: expected at least one sequence. Received: none")
    most = max(row.shape[0] for row in rows)
    filled = []
    for row in rows:
        missing = most - row.shape[0]
        if missing:
            padding = row.new_full((missing, *row.shape[1:]), padding_value)
            row = cat([row, padding] if padding_side == "right" else [padding, row])
        filled.append(row)
    return stack(filled, 0 if batch_first else 1)


def unpad_sequence(padded_sequences: Any, lengths: Tensor, batch_first: bool = False) -> list[Tensor]:
    """The inverse of `pad_sequence`."""
    rows = padded_sequences if batch_first else padded_sequences.transpose(0, 1)
    return [row[:length] for row, length in zip(rows, lengths.tolist(), strict=True)]


def pack_sequence(sequences: Sequence[Tensor], enforce_sorted: bool = True) -> PackedSequence:
    """Pack tensors of different first sizes."""
    lengths = [row.shape[0] for row in sequences]
    return pack_padded_sequence(pad_sequence(sequences), lengths, enforce_sorted=enforce_sorted)


def unpack_sequence(packed_sequences: PackedSequence) -> list[Tensor]:
    """The inverse of `pack_sequence`."""
    padded, lengths = pad_packed_sequence(packed_sequences, batch_first=True)
    return unpad_sequence(padded, lengths, batch_first=True)


def unpacked(packed: PackedSequence) -> tuple[Any, Tensor]:
    """The sequences as [T, n, ...], with anything behind their ends, and their lengths."""
    sizes = np.asarray(packed.batch_sizes.tolist())
    starts = np.cumsum(sizes) - sizes
    places = np.arange(sizes[0])
    rows = np.where(places < sizes[:, None], starts[:, None] + places, 0)
    x = packed.data.index_select(0, from_buffer(rows.reshape(-1)))
    return x.reshape(*rows.shape, *packed.data.shape[1:]), from_buffer(_lengths(packed.batch_sizes).astype(np.int64))


def packed_like(packed: PackedSequence, x: Any) -> PackedSequence:
    """[T, n, ...] packed as `packed` is."""
    rows = _rows(np.asarray(packed.batch_sizes.tolist()), x.shape[1])
    return packed._replace(data=x.reshape(-1, *x.shape[2:]).index_select(0, from_buffer(rows)))


def _rows(sizes: np.ndarray, batch: int) -> np.ndarray:
    """Where in the rows of [T * n, ...] the elements of a packed sequence are."""
    return np.concatenate([t * batch + np.arange(size) for t, size in enumerate(sizes)])
