"""`tf.sparse`: tensors as coordinates and values. Products and sums work on the dense form."""

from __future__ import annotations

from typing import Any

import numpy as np

import duograph.torch as torch

from . import dtypes
from .array import scatter_nd
from .crossing import cross, cross_hashed
from .errors import InvalidArgumentError
from .linalg import matmul
from .missing import missing
from .tensors import Tensor, convert_to_tensor
from .text import StringTensor, described

__all__ = [
    "IndexedSlices", "SparseTensor", "add", "concat", "cross", "cross_hashed", "edit_distance", "expand_dims", "eye",
    "from_dense", "mask", "reduce_max", "reduce_sum", "reorder", "reshape", "retain", "slice", "softmax",
    "sparse_dense_matmul", "to_dense", "transpose",
]  # fmt: skip


class SparseTensor:
    """Values at index vectors: `indices` int64 (n, axes), `values` (n,), `dense_shape` int64 (axes,)."""

    def __init__(self, indices: Any, values: Any, dense_shape: Any) -> None:
        self.indices = _int64(indices)
        self.values = convert_to_tensor(values)
        self.dense_shape = _int64(dense_shape)
        if self.indices.ndim != 2 or self.indices.shape[0] != self.values.shape[0]:
            raise ValueError(
                "SparseTensor expected indices of shape (n, axes) and n values. "
                f"Received: {tuple(self.indices.shape)} and {tuple(self.values.shape)}"
            )
        if self.indices.shape[1] != self.dense_shape.shape[0]:
            raise ValueError(
                f"SparseTensor expected index vectors of {self.dense_shape.shape[0]} elements, as dense_shape has. "
                f"Received: {self.indices.shape[1]}"
            )

    @property
    def dtype(self) -> Any:
        return self.values.dtype

    @property
    def shape(self) -> Any:
        return torch.Size(self.dense_shape.tolist())

    def get_shape(self) -> Any:
        """The shape of the dense tensor."""
        return self.shape

    def with_values(self, new_values: Any) -> SparseTensor:
        """Other values at the same places."""
        return SparseTensor(self.indices, new_values, self.dense_shape)

    def __mul__(self, other: Any) -> SparseTensor:
        dense = torch.broadcast_to(
            convert_to_tensor(other, None if isinstance(other, Tensor) else self.dtype), self.shape
        )
        return self.with_values(self.values * dense[tuple(torch.unbind(self.indices, 1))])

    __rmul__ = __mul__

    def __neg__(self) -> SparseTensor:
        return self.with_values(-self.values)

    def __truediv__(self, other: Any) -> SparseTensor:
        dense = torch.broadcast_to(
            convert_to_tensor(other, None if isinstance(other, Tensor) else self.dtype), self.shape
        )
        return self.with_values(self.values / dense[tuple(torch.unbind(self.indices, 1))])

    def __repr__(self) -> str:
        return (
            f"SparseTensor(indices={_described(self.indices)}, values={_described(self.values)}, "
            f"dense_shape={_described(self.dense_shape)})"
        )


class IndexedSlices:
    """Rows of a tensor and which ones they are, as gradients of look-ups can be written."""

    def __init__(self, values: Any, indices: Any, dense_shape: Any = None) -> None:
        self.values, self.indices = convert_to_tensor(values), convert_to_tensor(indices)
        self.dense_shape = None if dense_shape is None else convert_to_tensor(dense_shape)

    @property
    def dtype(self) -> Any:
        return self.values.dtype


def _int64(value: Any) -> Tensor:
    if isinstance(value, Tensor):
        return value.to(dtypes.int64)
    array = np.asarray(value, np.int64)
    return torch.tensor(array)


def from_dense(tensor: Any, name: str | None = None) -> SparseTensor:
    """The elements that are not 0 (or "")."""
    x = convert_to_tensor(tensor)
    if isinstance(x, StringTensor):
        places = np.argwhere(x._content != b"")
        return SparseTensor(places, x[tuple(places.T)], list(x.shape))
    places = torch.nonzero(x)
    return SparseTensor(places, x[tuple(torch.unbind(places, 1))], list(x.shape))


def to_dense(sp_input: Any, default_value: Any = None, validate_indices: bool = True, name: str | None = None) -> Any:
    """The dense tensor, `default_value` (0 or "") where there is none. Raises InvalidArgumentError for index vectors
    that do not rise or lie outside, if `validate_indices`."""
    if hasattr(sp_input, "to_sparse") and not isinstance(sp_input, Tensor):
        sp_input = sp_input.to_sparse()
    places, shape = sp_input.indices.numpy(), tuple(sp_input.shape)
    if validate_indices and len(places):
        if np.any(places < 0) or np.any(places >= np.array(shape)):
            raise InvalidArgumentError(f"tf.sparse.to_dense expected indices inside the shape {shape}")
        if np.any(np.diff(np.ravel_multi_index(tuple(places.T), shape)) <= 0):
            raise InvalidArgumentError("tf.sparse.to_dense expected rising indices: use tf.sparse.reorder first")
    if isinstance(sp_input.values, StringTensor):
        made = np.full(shape, b"" if default_value is None else default_value, object)
        made[tuple(places.T)] = sp_input.values.numpy()
        return StringTensor(made)
    values = sp_input.values
    if default_value is None:
        return scatter_nd(sp_input.indices, values, shape)
    start = torch.full(shape, default_value, dtype=values.dtype)
    return torch.index_put(start, tuple(torch.unbind(sp_input.indices, 1)), values)


def reorder(sp_input: SparseTensor, name: str | None = None) -> SparseTensor:
    """The same tensor, its index vectors in rising order."""
    order = np.lexsort(sp_input.indices.numpy().T[::-1])
    return SparseTensor(sp_input.indices[order], sp_input.values[order], sp_input.dense_shape)


def sparse_dense_matmul(
    sp_a: Any, b: Any, adjoint_a: bool = False, adjoint_b: bool = False, name: str | None = None
) -> Tensor:
    """The product of a sparse and a dense matrix, in either order; computed from the dense forms."""
    first, second = (to_dense(x, validate_indices=False) if isinstance(x, SparseTensor) else x for x in (sp_a, b))
    return matmul(first, second, adjoint_a=adjoint_a, adjoint_b=adjoint_b)


def add(a: Any, b: Any, threshold: Any = 0) -> Any:
    """The sum: sparse of two sparse tensors (without elements up to `threshold`), else dense."""
    if not (isinstance(a, SparseTensor) and isinstance(b, SparseTensor)):
        return to_dense(a) + b if isinstance(a, SparseTensor) else to_dense(b) + a
    places = np.unique(np.concatenate([a.indices.numpy(), b.indices.numpy()]), axis=0)
    values = (to_dense(a) + to_dense(b))[tuple(places.T)]
    kept = (torch.abs(values) > threshold).numpy() if threshold else np.ones(len(places), bool)
    return SparseTensor(places[kept], values[kept.nonzero()[0]], a.dense_shape)


def reduce_sum(
    sp_input: SparseTensor, axis: Any = None, keepdims: bool = False, output_is_sparse: bool = False, name: Any = None
) -> Any:
    """The sums over `axis`, dense or sparse."""
    from .math import reduce_sum as total

    made = total(to_dense(sp_input), axis, keepdims)
    return from_dense(made) if output_is_sparse else made


def reduce_max(
    sp_input: SparseTensor, axis: Any = None, keepdims: bool = False, output_is_sparse: bool = False, name: Any = None
) -> Any:
    """The largest of the values that are there over `axis`; 0 where there is none."""
    from .math import reduce_max as largest

    x = to_dense(sp_input)
    there = scatter_nd(sp_input.indices, torch.ones_like(sp_input.values), sp_input.shape) > 0
    least = (torch.finfo if x.dtype.is_floating_point else torch.iinfo)(x.dtype).min
    made = largest(torch.where(there, x, torch.tensor(least, dtype=x.dtype)), axis, keepdims)
    made = torch.where(made == least, torch.zeros_like(made), made)
    return from_dense(made) if output_is_sparse else made


def softmax(sp_input: SparseTensor, name: str | None = None) -> SparseTensor:
    """The softmax along the last axis of the values that are there."""
    x = torch.full(tuple(sp_input.shape), float("-inf"), dtype=sp_input.dtype)
    places = tuple(torch.unbind(sp_input.indices, 1))
    return sp_input.with_values(torch.softmax(torch.index_put(x, places, sp_input.values), dim=-1)[places])


def transpose(sp_input: SparseTensor, perm: Any = None, name: str | None = None) -> SparseTensor:
    """Axes in the order `perm` (by default reversed)."""
    order = list(range(len(sp_input.shape)))[::-1] if perm is None else list(perm)
    shape = [sp_input.shape[a] for a in order]
    return reorder(SparseTensor(sp_input.indices.numpy()[:, order], sp_input.values, shape))


def reshape(sp_input: SparseTensor, shape: Any, name: str | None = None) -> SparseTensor:
    """The same content in another shape; one size may be -1."""
    old, total = tuple(sp_input.shape), int(np.prod(sp_input.shape))
    sizes = [int(n) for n in shape]
    if -1 in sizes:
        sizes[sizes.index(-1)] = total // int(np.prod([n for n in sizes if n != -1]))
    if int(np.prod(sizes)) != total:
        raise InvalidArgumentError(f"tf.sparse.reshape expected a shape of {total} elements. Received: {sizes}")
    flat = np.ravel_multi_index(tuple(sp_input.indices.numpy().T), old)
    return SparseTensor(np.stack(np.unravel_index(flat, sizes), 1), sp_input.values, sizes)


def expand_dims(sp_input: SparseTensor, axis: int | None = None, name: str | None = None) -> SparseTensor:
    """A new axis of size 1 at `axis` (by default the last)."""
    place = -1 if axis is None else axis
    place = place + len(sp_input.shape) + 1 if place < 0 else place
    shape = list(sp_input.shape)
    shape.insert(place, 1)
    return SparseTensor(np.insert(sp_input.indices.numpy(), place, 0, axis=1), sp_input.values, shape)


def concat(axis: int, sp_inputs: Any, expand_nonconcat_dims: bool = False, name: str | None = None) -> SparseTensor:
    """Sparse tensors joined along an axis."""
    from .array import concat as joined

    axis = axis % len(sp_inputs[0].shape)
    offset, places = 0, []
    for part in sp_inputs:
        moved = part.indices.numpy().copy()
        moved[:, axis] += offset
        offset += part.shape[axis]
        places.append(moved)
    shape = np.max([list(p.shape) for p in sp_inputs], axis=0)
    shape[axis] = offset
    return reorder(SparseTensor(np.concatenate(places), joined([p.values for p in sp_inputs], 0), shape))


def slice(sp_input: SparseTensor, start: Any, size: Any, name: str | None = None) -> SparseTensor:
    """The box that begins at `start` and has sizes `size`."""
    begin, sizes = np.asarray(start, np.int64), np.asarray(size, np.int64)
    sizes = np.minimum(sizes, np.array(sp_input.shape) - begin)
    places = sp_input.indices.numpy() - begin
    kept = np.all((places >= 0) & (places < sizes), axis=1).nonzero()[0]
    return SparseTensor(places[kept], sp_input.values[kept], sizes)


def retain(sp_input: SparseTensor, to_retain: Any) -> SparseTensor:
    """The values where `to_retain`, of shape (n,), is true."""
    kept = convert_to_tensor(to_retain).numpy().astype(bool).nonzero()[0]
    return SparseTensor(sp_input.indices[kept], sp_input.values[kept], sp_input.dense_shape)


def mask(a: IndexedSlices, mask_indices: Any, name: str | None = None) -> IndexedSlices:
    """Slices without those whose index is in `mask_indices`."""
    kept = (~np.isin(a.indices.numpy(), convert_to_tensor(mask_indices).numpy())).nonzero()[0]
    return IndexedSlices(a.values[kept], a.indices[kept], a.dense_shape)


def eye(
    num_rows: int, num_columns: int | None = None, dtype: Any = dtypes.float32, name: str | None = None
) -> SparseTensor:
    """Ones on the diagonal."""
    columns = num_rows if num_columns is None else num_columns
    place = np.arange(min(num_rows, columns))
    ones = torch.ones(len(place), dtype=dtypes.as_dtype(dtype))
    return SparseTensor(np.stack([place, place], 1), ones, [num_rows, columns])


def edit_distance(
    hypothesis: SparseTensor, truth: SparseTensor, normalize: bool = True, name: str | None = None
) -> Tensor:
    """Levenshtein's distance of the sequences along the last axes, over the length of the truth if `normalize`."""
    shape = tuple(int(n) for n in np.maximum(hypothesis.shape, truth.shape)[:-1])

    def sequences(x: SparseTensor) -> dict[tuple[int, ...], list[Any]]:
        found: dict[tuple[int, ...], list[Any]] = {}
        for place, value in zip(x.indices.tolist(), x.values.tolist(), strict=True):
            found.setdefault(tuple(place[:-1]), []).append(value)
        return found

    ours, theirs = sequences(hypothesis), sequences(truth)
    made = np.zeros(shape, np.float32)
    for place in np.ndindex(shape):
        mine, yours = ours.get(place, []), theirs.get(place, [])
        steps = _levenshtein(mine, yours)
        made[place] = steps if not normalize else steps / len(yours) if yours else (np.inf if mine else 0)
    return torch.tensor(made)


def _levenshtein(a: list[Any], b: list[Any]) -> int:
    row = list(range(len(b) + 1))
    for i, x in enumerate(a, 1):
        before, row[0] = row[0], i
        for j, y in enumerate(b, 1):
            before, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, before + (x != y))
    return row[-1]


__getattr__ = missing(__name__, globals(), {"map_values": "use x.with_values(f(x.values))"})


def _described(tensor: Any) -> str:
    if isinstance(tensor, StringTensor):
        return str(tensor)
    return f"tf.Tensor({described(tensor.numpy(), plain=True)}, shape={tuple(tensor.shape)}, dtype={tensor.dtype.name})"
