"""`torch.storage`: the memory that tensors lie in, and tensors that change their place in it.

The memory of a tensor is that of the tensor which it is a view of, or its own. `data_ptr()` says where it lies now: a
write in place may put it elsewhere.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..graph.dtype import DType, bfloat16
from ..graph.errors import ArgumentError, DTypeError, GradientError, NotSupported
from ..ops.define import sizes_of
from ..ops.layout import contiguous_strides
from ..tensor.convert import from_buffer
from ..tensor.core import Tensor, method
from ..tensor.device import Device
from ..tensor.views import base_of, set_data, set_memory
from .missing import missing

__all__ = ["TypedStorage", "UntypedStorage", "is_storage", "resize_as_"]


class UntypedStorage:
    """The memory of a tensor as bytes, which can be read and written."""

    is_cuda = is_sparse = is_sparse_csr = False

    def __init__(self, *arguments: Any, **keywords: Any) -> None:
        if keywords or len(arguments) > 1 or not all(isinstance(n, int) for n in arguments):
            raise NotSupported("UntypedStorage: expected a number of bytes. Take x.untyped_storage() of a tensor")
        size = arguments[0] if arguments else 0
        self._base: Tensor = from_buffer(np.zeros(size, np.uint8))

    @classmethod
    def of(cls, tensor: Tensor) -> UntypedStorage:
        """The memory of a tensor."""
        made = cls.__new__(cls)
        made._base = base_of(tensor)
        return made

    def _memory(self) -> np.ndarray:
        self._base.data_ptr()
        return self._base.detach().numpy().reshape(-1).view(np.uint8)

    def __len__(self) -> int:
        return self._base.nbytes

    size = nbytes = __len__

    def __getitem__(self, place: Any) -> Any:
        found = self._memory()[place]
        return found.tolist() if isinstance(found, np.ndarray) else int(found)

    def __setitem__(self, place: Any, value: Any) -> None:
        self._memory()[place] = value

    def __eq__(self, other: object) -> bool:
        return isinstance(other, UntypedStorage) and other._base is self._base

    def __hash__(self) -> int:
        return id(self._base)

    @property
    def _cdata(self) -> int:
        return id(self._base)

    @property
    def device(self) -> Device:
        """Where it is."""
        return self._base.device

    def data_ptr(self) -> int:
        """The address of the first byte."""
        return self._base.data_ptr()

    def element_size(self) -> int:
        """1."""
        return 1

    def tolist(self) -> list[int]:
        """The bytes."""
        return self._memory().tolist()

    def untyped(self) -> UntypedStorage:
        """Itself."""
        return self

    def cpu(self) -> UntypedStorage:
        """Itself."""
        return self

    def clone(self) -> UntypedStorage:
        """A copy."""
        return UntypedStorage.of(self._base.detach().clone())

    def copy_(self, source: UntypedStorage, non_blocking: bool = False) -> UntypedStorage:
        """Take over the bytes of another one of the same size."""
        self._memory()[...] = source._memory()
        return self

    def fill_(self, value: int) -> UntypedStorage:
        """Make every byte `value`."""
        self._memory()[...] = value
        return self

    def is_pinned(self, device: Any = None) -> bool:
        """False: there is one device."""
        return False

    def is_shared(self) -> bool:
        """Whether other processes can see it."""
        return self._base.is_shared()

    def share_memory_(self) -> UntypedStorage:
        """Let other processes see it: see `Tensor.share_memory_`."""
        self._base.share_memory_()
        return self

    def __repr__(self) -> str:
        return f"[torch.storage.UntypedStorage(device={self.device}) of size {len(self)}]"


class TypedStorage:
    """The memory of a tensor as numbers of its dtype, which can be read and written."""

    is_cuda = is_sparse = False

    def __init__(self, *_: Any, **__: Any) -> None:
        raise NotSupported("TypedStorage: expected x.storage() of a tensor, which has its memory")

    @classmethod
    def of(cls, tensor: Tensor) -> TypedStorage:
        """The memory of a tensor."""
        made = cls.__new__(cls)
        made._untyped, made.dtype = UntypedStorage.of(tensor), tensor.dtype
        return made

    _untyped: UntypedStorage
    dtype: DType

    def _memory(self) -> np.ndarray:
        return self._untyped._memory().view(self.dtype.numpy)

    def __len__(self) -> int:
        return len(self._untyped) // self.dtype.itemsize

    size = __len__

    def __getitem__(self, place: Any) -> Any:
        found = self._memory()[place]
        if isinstance(found, np.ndarray):
            return (found.astype(np.float32) if self.dtype is bfloat16 else found).tolist()
        return float(found) if self.dtype is bfloat16 else found.item()

    def __setitem__(self, place: Any, value: Any) -> None:
        self._memory()[place] = value

    def __eq__(self, other: object) -> bool:
        return isinstance(other, TypedStorage) and other._untyped == self._untyped and other.dtype is self.dtype

    def __hash__(self) -> int:
        return hash(self._untyped)

    @property
    def _cdata(self) -> int:
        return self._untyped._cdata

    @property
    def device(self) -> Device:
        """Where it is."""
        return self._untyped.device

    def untyped(self) -> UntypedStorage:
        """As bytes."""
        return self._untyped

    def data_ptr(self) -> int:
        """The address of the first number."""
        return self._untyped.data_ptr()

    def nbytes(self) -> int:
        """Its size in bytes."""
        return len(self._untyped)

    def element_size(self) -> int:
        """Bytes of a number."""
        return self.dtype.itemsize

    def tolist(self) -> list[Any]:
        """The numbers."""
        return self[:]

    def fill_(self, value: Any) -> TypedStorage:
        """Make every number `value`."""
        self._memory()[...] = value
        return self

    def is_shared(self) -> bool:
        """Whether other processes can see it."""
        return self._untyped.is_shared()

    def share_memory_(self) -> TypedStorage:
        """Let other processes see it: see `Tensor.share_memory_`."""
        self._untyped.share_memory_()
        return self

    def __repr__(self) -> str:
        numbers = "".join(f" {number}\n" for number in self.tolist())
        kind = f"dtype={self.dtype}, device={self.device}"
        return f"{numbers}[torch.storage.TypedStorage({kind}) of size {len(self)}]"


def is_storage(obj: Any, /) -> bool:
    """Whether this is the memory of a tensor, as `untyped_storage()` and `storage()` give it."""
    return isinstance(obj, UntypedStorage | TypedStorage)


@method
def untyped_storage(self: Tensor) -> UntypedStorage:
    """The memory of the tensor, as bytes."""
    return UntypedStorage.of(self)


@method
def storage(self: Tensor) -> TypedStorage:
    """The memory of the tensor, as numbers of its dtype."""
    return TypedStorage.of(self)


@method
def set_(
    self: Tensor, source: Any = None, storage_offset: int = 0, size: Sequence[int] | None = None,
    stride: Sequence[int] | None = None,
) -> Tensor:  # fmt: skip
    """Let the tensor lie in the memory of another tensor, or in a storage; without any it becomes empty.

    Raises DTypeError for memory of another dtype, GradientError for a tensor that requires gradients, ArgumentError
    for one of which there are views.
    """
    if source is None:
        source, size = self.new_empty(0), (0,)
    tensor = source if isinstance(source, Tensor) else getattr(source, "_untyped", source)._base
    if tensor.dtype is not self.dtype:
        if isinstance(source, Tensor) or (tensor.nbytes - tensor.nbytes % self.itemsize) != tensor.nbytes:
            raise DTypeError(f"set_: expected memory of {self.dtype.name}. Received: {tensor.dtype.name}")
        tensor = tensor.reshape(-1).view(self.dtype)
    if size is None and not isinstance(source, Tensor):
        size = (tensor.numel() - storage_offset,)
    if size is not None:
        size = sizes_of(size)
        tensor = tensor.as_strided(size, contiguous_strides(size) if stride is None else stride, storage_offset)
    set_memory(self, tensor)
    return self


@method
def resize_(self: Tensor, *sizes: Any, memory_format: Any = None) -> Tensor:
    """Give the tensor another shape, in place: its first elements stay, and what is new is still to be written.

    Raises GradientError for a tensor that requires gradients. The memory is new where the number of elements changes,
    so that a view, or a tensor of which there are views, can only be given another shape of as many elements:
    anything else raises NotSupported.
    """
    if self.requires_grad:
        raise GradientError("resize_: a tensor that requires grad cannot be resized")
    shape = sizes_of(*sizes)
    if min(shape, default=0) < 0:
        raise ArgumentError(f"resize_: expected sizes of 0 or more. Received: {shape}")
    if shape == self._value.shape:
        return self
    if self._base is not None or any(view() is not None for view in self._views or ()):
        raise NotSupported("resize_: the tensor shares its memory with views: resize a .clone() of it")
    count = math.prod(shape)
    flat = self.detach().reshape(-1)
    if count > flat.numel():
        enlarged = self.new_zeros(count)
        enlarged[: flat.numel()] = flat
        flat = enlarged
    set_data(self, flat[:count].reshape(shape))
    return self


@method
def resize_as_(self: Tensor, the_template: Tensor, *, memory_format: Any = None) -> Tensor:
    """`resize_` to the shape of another tensor."""
    return resize_(self, the_template.shape)


__getattr__ = missing(__name__, __all__)
