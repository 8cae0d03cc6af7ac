"""Memory that processes share: tensors that several of them read and write.

A shared tensor lies over a mapping of memory without a name, which goes where a handle of it goes. For the rest of
Duograph its memory is foreign: an operation takes a copy when it is recorded, and a write is computed at once.
"""

from __future__ import annotations

import mmap
import os
from typing import Any

import numpy as np

from ..graph.dtype import DType
from ..graph.errors import DeviceError, GradientError
from ..graph.trace import Value
from ..runtime.buffer import Buffer
from . import convert, views
from .core import META, Tensor, method, wrap


class Block(mmap.mmap):
    """A mapping of shared memory, with the handle by which another process can map it too."""

    handle: int

    def __new__(cls, handle: int, size: int) -> Block:
        made = super().__new__(cls, handle, size)
        made.handle = handle
        return made

    def __del__(self) -> None:
        os.close(self.handle)

    def __reduce__(self) -> Any:
        from multiprocessing import reduction

        return _attach, (reduction.DupFd(self.handle), len(self))


def _attach(handle: Any, size: int) -> Block:
    return Block(handle.detach(), size)


def _allocate(size: int) -> Block:
    if hasattr(os, "memfd_create"):
        handle = os.memfd_create("duograph-tensor")
    else:
        import tempfile

        with tempfile.TemporaryFile() as file:
            handle = os.dup(file.fileno())
    os.ftruncate(handle, max(size, 1))
    return Block(handle, max(size, 1))


def _block_of(array: Any) -> Block | None:
    """The shared memory that an array lies in; None if in memory of this process."""
    while isinstance(array, np.ndarray):
        array = array.base
    if isinstance(array, memoryview):
        array = array.obj
    return array if isinstance(array, Block) else None


@method
def is_shared(tensor: Tensor, /) -> bool:
    """Whether other processes can see the memory of the tensor: after `share_memory_()`, or if it came from one."""
    buffer = tensor._value.buffer
    return type(buffer) is Buffer and _block_of(buffer.array) is not None


@method
def share_memory_(tensor: Tensor, /) -> Tensor:
    """Move the content of the tensor, and with it of its base and views, into memory that processes share.

    A write to it is then seen by every process that has it, after a fork or through a queue. Nothing happens to a
    tensor that is shared already. Raises DeviceError for a tensor of the meta device, which has no content.
    """
    if tensor._device is META:
        raise DeviceError("share_memory_: a tensor on the meta device has no content to share")
    base = views.base_of(tensor)
    if not is_shared(base):
        content = base._array()
        shared = np.ndarray(content.shape, content.dtype, _allocate(content.nbytes))
        np.copyto(shared, content)
        views.move(base, Buffer(shared, foreign=True))
    return tensor


def _received(
    kind: type[Tensor], block: Block, offset: int, shape: tuple[int, ...], strides: tuple[int, ...], dtype: DType,
    requires_grad: bool, extra: dict[str, Any],
) -> Tensor:  # fmt: skip
    array = np.ndarray(shape, dtype.numpy, block, offset, strides)
    made = wrap(Value(shape, dtype, Buffer(array, foreign=True)))
    return convert.completed(kind, made, requires_grad, extra)


def reduce_shared(tensor: Tensor) -> tuple[Any, ...]:
    """How a tensor is pickled on its way to another process, which then shares its memory.

    Raises GradientError for the result of an operation that requires gradients.
    """
    if not tensor.is_leaf:
        raise GradientError(
            "a tensor that requires grad goes to another process only if it is a leaf, since the tape does not go with "
            "it: send x.detach()"
        )
    if tensor._device is META:
        return tensor.__reduce_ex__(2)  # type: ignore[return-value]
    share_memory_(tensor)
    tensor._array()
    array = tensor._value.buffer.array
    block = _block_of(array)
    assert block is not None
    start = np.ndarray((1,), np.uint8, block).__array_interface__["data"][0]
    offset = array.__array_interface__["data"][0] - start if array.size else 0
    facts = tuple(array.shape), tuple(array.strides), tensor.dtype, tensor.requires_grad
    return _received, (type(tensor), block, offset, *facts, convert.own_attributes(tensor))
