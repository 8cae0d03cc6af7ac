"""Sparse tensors as coordinates and values, for products with dense tensors such as those of graph networks."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from ...graph.dtype import DType, float32, float64, int64
from ...graph.dtype import dtype as as_dtype
from ...graph.errors import ArgumentError, NotSupported, ShapeError
from ...graph.primitives.rules import normalize_axis
from ...ops import FUNCTIONS
from ...tensor.convert import as_tensor, from_buffer
from ...tensor.core import Size, Tensor, cast, method
from ...tensor.device import Device

COO = "torch.sparse_coo"
Scalar = int | float | complex | bool | np.generic


class SparseTensor:
    """Numbers at some places of a tensor, which is zero elsewhere; several at one place add up.

    Unlike PyTorch's it is no instance of `torch.Tensor`: it has products with dense tensors, sums, and what takes it
    apart. Gradients flow through the values. Whatever it has not raises an error: take `to_dense()`.
    """

    layout = COO
    is_sparse = True
    is_cuda = is_quantized = is_sparse_csr = False
    __array_priority__ = 1000

    def __init__(self, indices: Tensor, values: Tensor, size: Sequence[int], is_coalesced: bool = False) -> None:
        self._i = indices
        self._v = values
        self._size = Size(size)
        self._is_coalesced = is_coalesced

    # -- what it is ----------------------------------------------------------------------------------------------------
    @property
    def shape(self) -> Size:
        """The shape of the dense tensor."""
        return self._size

    @property
    def dtype(self) -> DType:
        """That of the values."""
        return self._v.dtype

    @property
    def device(self) -> Device:
        """Where the values are."""
        return self._v.device

    @property
    def ndim(self) -> int:
        """The number of axes."""
        return len(self._size)

    @property
    def requires_grad(self) -> bool:
        """Whether gradients flow through the values."""
        return self._v.requires_grad

    def requires_grad_(self, requires_grad: bool = True) -> SparseTensor:
        """Let gradients flow through the values."""
        self._v.requires_grad_(requires_grad)
        return self

    def dim(self) -> int:
        """The number of axes."""
        return len(self._size)

    def size(self, dim: int | None = None) -> Any:
        """The shape of the dense tensor, or one size."""
        return self._size if dim is None else self._size[dim]

    def numel(self) -> int:
        """The number of elements of the dense tensor."""
        return math.prod(self._size)

    def sparse_dim(self) -> int:
        """The number of axes that have coordinates."""
        return self._i.shape[0]

    def dense_dim(self) -> int:
        """The number of axes that each value has."""
        return self._v.ndim - 1

    def _nnz(self) -> int:
        return self._i.shape[1]

    def is_coalesced(self) -> bool:
        """Whether coordinates are in order, and each there once."""
        return self._is_coalesced

    def _indices(self) -> Tensor:
        return self._i

    def _values(self) -> Tensor:
        return self._v

    def indices(self) -> Tensor:
        """The coordinates `[sparse axes, n]`. Raises ArgumentError (a RuntimeError) before `coalesce()`."""
        self._check_coalesced("indices")
        return self._i

    def values(self) -> Tensor:
        """The values `[n, *dense axes]`. Raises ArgumentError (a RuntimeError) before `coalesce()`."""
        self._check_coalesced("values")
        return self._v

    def _check_coalesced(self, what: str) -> None:
        if not self._is_coalesced:
            raise ArgumentError(f"{what}: expected a coalesced tensor: call coalesce() first")

    # -- other forms ---------------------------------------------------------------------------------------------------
    def _with(self, values: Tensor) -> SparseTensor:
        return SparseTensor(self._i, values, self._size, self._is_coalesced)

    def _places(self) -> Tensor:
        """The coordinates as one number each."""
        place: Any = 0
        for axis in range(self.sparse_dim()):
            place = place * self._size[axis] + self._i[axis]
        return place

    def coalesce(self) -> SparseTensor:
        """The same with coordinates in order, and each once."""
        if self._is_coalesced:
            return self
        places, inverse = FUNCTIONS["unique"](self._places(), return_inverse=True)
        values = self._v.new_zeros((places.shape[0], *self._v.shape[1:])).index_add(0, inverse, self._v)
        indices = FUNCTIONS["stack"](FUNCTIONS["unravel_index"](places, self._size[: self.sparse_dim()]))
        return SparseTensor(indices, values, self._size, True)

    def to_dense(self, dtype: Any = None, *, masked_grad: bool | None = None) -> Tensor:
        """The dense tensor."""
        count = math.prod(self._size[: self.sparse_dim()])
        dense = self._v.new_zeros((count, *self._v.shape[1:])).index_add(0, self._places(), self._v)
        dense = dense.reshape(self._size)
        return dense if dtype is None else dense.to(dtype)

    def to(self, *arguments: Any, **keywords: Any) -> SparseTensor:
        """With values of another dtype, or on another device."""
        return self._with(self._v.to(*arguments, **keywords))

    def cpu(self) -> SparseTensor:
        """Itself."""
        return self

    def cuda(self, device: Any = None) -> SparseTensor:
        """Raises DeviceError: there is one device."""
        return self._with(self._v.cuda(device))

    def float(self) -> SparseTensor:
        """With values of float32."""
        return self._with(cast(self._v, float32))

    def double(self) -> SparseTensor:
        """With values of float64."""
        return self._with(cast(self._v, float64))

    def detach(self) -> SparseTensor:
        """With values off the tape."""
        return self._with(self._v.detach())

    def clone(self) -> SparseTensor:
        """A copy."""
        return SparseTensor(self._i.clone(), self._v.clone(), self._size, self._is_coalesced)

    def t(self) -> SparseTensor:
        """The transposed matrix."""
        return self.transpose(0, 1)

    def transpose(self, dim0: int, dim1: int) -> SparseTensor:
        """With two of the axes that have coordinates exchanged."""
        a, b = (normalize_axis(d, self.ndim) for d in (dim0, dim1))
        if max(a, b) >= self.sparse_dim():
            raise NotSupported("transpose: expected axes that have coordinates. Take to_dense() first")
        order, size = list(range(self.sparse_dim())), list(self._size)
        order[a], order[b] = order[b], order[a]
        size[a], size[b] = size[b], size[a]
        return SparseTensor(self._i[order], self._v, size, self._is_coalesced and a == b)

    T = property(t)

    # -- operations ----------------------------------------------------------------------------------------------------
    def matmul(self, other: Any) -> Tensor:
        """The product of the matrix with a dense matrix or vector: `[m, n]` and `[n, k]` to `[m, k]`."""
        if not isinstance(other, Tensor):
            raise NotSupported("matmul: expected a dense tensor beside the sparse one. Take to_dense() of one")
        if self.ndim != 2 or self.sparse_dim() != 2 or other.ndim not in (1, 2):
            raise ShapeError(f"matmul: expected matrices. Received: {tuple(self._size)} and {tuple(other.shape)}")
        if self._size[1] != other.shape[0]:
            raise ShapeError(
                f"matmul: expected {self._size[1]} rows of the dense tensor. Received: shape {tuple(other.shape)}"
            )
        values = self._v if other.ndim == 1 else self._v.unsqueeze(1)
        terms = values * other.index_select(0, self._i[1])
        return terms.new_zeros((self._size[0], *other.shape[1:])).index_add(0, self._i[0], terms)

    mm = mv = __matmul__ = matmul

    def __rmatmul__(self, other: Any) -> Tensor:
        """The product of a dense matrix with this one."""
        return self.t().matmul(other.mT).mT if other.ndim == 2 else self.t().matmul(other)

    def _beside(self, other: Any, operation: str) -> SparseTensor:
        """An operation with a number, or with the elements of a dense tensor at these places."""
        if isinstance(other, Tensor) and other.ndim:
            if tuple(other.shape) != tuple(self._size):
                raise ShapeError(f"expected a tensor of shape {tuple(self._size)}. Received: {tuple(other.shape)}")
            flat = other.reshape(-1, *self._v.shape[1:])
            other = flat.index_select(0, self.coalesce()._places())
            return self.coalesce()._with(FUNCTIONS[operation](self.coalesce()._v, other).clone())
        if not isinstance(other, Scalar | Tensor):
            return NotImplemented
        return self._with(FUNCTIONS[operation](self._v, other))

    def __mul__(self, other: Any) -> SparseTensor:
        return self._beside(other, "mul")

    __rmul__ = mul = __mul__

    def __truediv__(self, other: Any) -> SparseTensor:
        return self._beside(other, "div")

    div = __truediv__

    def __neg__(self) -> SparseTensor:
        return self._with(-self._v)

    def __add__(self, other: Any) -> Any:
        """The sum with another sparse tensor, which is sparse, or with a dense one."""
        if isinstance(other, Tensor):
            return self.to_dense() + other
        if not isinstance(other, SparseTensor):
            return NotImplemented
        if other._size != self._size or other.sparse_dim() != self.sparse_dim():
            raise ShapeError(f"add: expected shape {tuple(self._size)}. Received: {tuple(other._size)}")
        joined = FUNCTIONS["cat"]
        return SparseTensor(joined([self._i, other._i], 1), joined([self._v, other._v]), self._size).coalesce()

    __radd__ = add = __add__

    def __sub__(self, other: Any) -> Any:
        return self + (-other)

    def __rsub__(self, other: Any) -> Any:
        return (-self) + other

    def sum(self, dim: Any = None) -> Any:
        """The sum of all elements, or over some axes: what has coordinates left is sparse, else it is dense."""
        if dim is None:
            return self._v.sum()
        axes = {normalize_axis(d, self.ndim) for d in ([dim] if isinstance(dim, int) else dim)}
        count = self.sparse_dim()
        kept = [k for k in range(count) if k not in axes]
        inner = [k - count + 1 for k in axes if k >= count]
        values = self._v.sum(inner) if inner else self._v
        if not kept:
            return values.sum(0)
        size = [n for k, n in enumerate(self._size) if k not in axes]
        return SparseTensor(self._i[kept], values, size).coalesce()

    def __repr__(self) -> str:
        parts = [
            f"{name}=" + repr(x).replace("\n", "\n" + " " * (8 + len(name)))
            for name, x in (("indices", self._i), ("values", self._v))
        ]
        facts = f"size={tuple(self._size)}, nnz={self._nnz()}, layout={COO}"
        return f"tensor({parts[0]},\n       {parts[1]},\n       {facts})"


def sparse_coo_tensor(
    indices: Any, values: Any, size: Sequence[int] | None = None, *, dtype: Any = None, device: Any = None,
    pin_memory: bool = False, requires_grad: bool = False, check_invariants: bool | None = None,
    is_coalesced: bool | None = None,
) -> SparseTensor:  # fmt: skip
    """A sparse tensor of coordinates `[axes, n]` and values `[n, ...]`, of a size that holds them all by default.

    Raises ArgumentError (a RuntimeError) for coordinates outside the size, ShapeError for numbers that do not fit.
    """
    places = cast(as_tensor(indices), int64)
    numbers = as_tensor(values)
    if dtype is not None:
        numbers = numbers.to(as_dtype(dtype))
    if device is not None:
        numbers = numbers.to(device)
    if places.ndim == 1 and not places.numel():
        places = places.reshape(len(size or ()) or 1, 0)
    if places.ndim != 2:
        raise ShapeError(f"sparse_coo_tensor: indices: expected [axes, n]. Received: shape {tuple(places.shape)}")
    if numbers.ndim == 0:
        numbers = numbers.expand(places.shape[1])
    if numbers.shape[0] != places.shape[1]:
        raise ShapeError(
            f"sparse_coo_tensor: expected as many values as coordinates. Received: {numbers.shape[0]} and "
            f"{places.shape[1]}"
        )
    most = places._array().max(1, initial=-1).tolist()
    if size is None:
        size = (*(n + 1 for n in most), *numbers.shape[1:])
    count = places.shape[0]
    if len(size) != count + numbers.ndim - 1 or tuple(size[count:]) != tuple(numbers.shape[1:]):
        raise ShapeError(
            f"sparse_coo_tensor: size: expected {count} sizes, then {tuple(numbers.shape[1:])}. Received: {tuple(size)}"
        )
    least = places._array().min(initial=0)
    if least < 0 or any(n >= s for n, s in zip(most, size, strict=False)):
        raise ArgumentError(f"sparse_coo_tensor: expected coordinates within {tuple(size)}. Received: {most}, {least}")
    return SparseTensor(places, numbers.requires_grad_() if requires_grad else numbers, size, bool(is_coalesced))


@method
def to_sparse(self: Tensor, sparse_dim: Any = None, *, layout: Any = None, **_: Any) -> SparseTensor:
    """The elements that are not zero, with their coordinates along the first `sparse_dim` axes, by default all.

    Raises NotSupported for another layout than `torch.sparse_coo`.
    """
    if layout not in (None, COO):
        raise NotSupported(f"to_sparse: layout: expected torch.sparse_coo. Received: {layout}")
    count = self.ndim if sparse_dim is None else int(sparse_dim)
    array = self.detach()._array()
    found = np.nonzero(array.reshape(*array.shape[:count], -1).any(-1) if count < self.ndim else array)
    indices = from_buffer(np.stack(found).astype(np.int64))
    return SparseTensor(indices, self[tuple(indices)], self.shape, True)


@method
def sparse_mask(self: Tensor, mask: SparseTensor) -> SparseTensor:
    """The elements of a dense tensor at the places of a sparse one."""
    return mask._with(self.reshape(-1, *mask._v.shape[1:]).index_select(0, mask._places()))


method(to_sparse, "to_sparse_coo")


def spmm(input: Any, mat2: Any) -> Any:
    """The product of matrices, of which the first may be sparse."""
    return input @ mat2


def mm(input: Any, mat2: Any, *, out: Tensor | None = None) -> Tensor:
    """The product of matrices, of which the first may be sparse."""
    return input @ mat2 if type(input) is SparseTensor else FUNCTIONS["mm"](input, mat2, out=out)


def matmul(input: Any, other: Any, *, out: Tensor | None = None) -> Tensor:
    """The product of vectors, matrices and batches of matrices; the first may be a sparse matrix."""
    return input @ other if type(input) is SparseTensor else FUNCTIONS["matmul"](input, other, out=out)
