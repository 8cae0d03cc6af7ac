"""Memory for results, from the beginning of a cache line.

NumPy's larger arrays begin 16 bytes behind a cache line, so that every vector of 64 bytes lies in two lines. That costs
kernels which mostly read and write a quarter to a third of their time: a depthwise convolution at 14 x 14 pixels took
250 us so, and takes 177. NumPy's interface in C lets an array have an allocator of its own (NEP 49), so results are
ordinary arrays that own their memory.
"""

from __future__ import annotations

import ctypes
import functools
import sys
from collections.abc import Callable
from math import prod
from typing import Any

import numpy as np

from . import jit, targets
from .linker import LinkError

LINE = 64

SMALLEST = 4096
"""Bytes of an array that is worth it."""

_SET_HANDLER = 304  # PyDataMem_SetHandler in NumPy's table, since 1.22

# From 4 MiB on the system is asked for large pages, as NumPy does.
_CODE = """\
declare noalias ptr @aligned_alloc(i64, i64)
declare ptr @realloc(ptr, i64)
declare void @free(ptr)
declare i32 @madvise(ptr, i64, i32)
declare void @llvm.memset.p0.i64(ptr, i8, i64, i1)

define ptr @duograph_memory_new(ptr %context, i64 %size) nounwind {
entry:
  %padded = add i64 %size, 63
  %whole = and i64 %padded, -64
  %made = call ptr @aligned_alloc(i64 64, i64 %whole)
  %large = icmp uge i64 %size, 4194304
  %there = icmp ne ptr %made, null
  %asks = and i1 %large, %there
  br i1 %asks, label %advise, label %end
advise:
  %address = ptrtoint ptr %made to i64
  %past = add i64 %address, 4095
  %first = and i64 %past, -4096
  %skipped = sub i64 %first, %address
  %left = sub i64 %size, %skipped
  %page = inttoptr i64 %first to ptr
  %told = call i32 @madvise(ptr %page, i64 %left, i32 14)
  br label %end
end:
  ret ptr %made
}

define ptr @duograph_memory_zeros(ptr %context, i64 %count, i64 %each) nounwind {
entry:
  %size = mul i64 %count, %each
  %made = call ptr @duograph_memory_new(ptr %context, i64 %size)
  %there = icmp ne ptr %made, null
  br i1 %there, label %clear, label %end
clear:
  call void @llvm.memset.p0.i64(ptr %made, i8 0, i64 %size, i1 false)
  br label %end
end:
  ret ptr %made
}

define ptr @duograph_memory_resized(ptr %context, ptr %old, i64 %size) nounwind {
  %made = call ptr @realloc(ptr %old, i64 %size)
  ret ptr %made
}

define void @duograph_memory_free(ptr %context, ptr %old, i64 %size) nounwind {
  call void @free(ptr %old)
  ret void
}
"""

_PARTS = ("new", "zeros", "resized", "free")


class _Handler(ctypes.Structure):
    """NumPy's `PyDataMem_Handler`."""

    _fields_ = (
        ("name", ctypes.c_char * 127),
        ("version", ctypes.c_uint8),
        ("context", ctypes.c_void_p),
        *((name, ctypes.c_void_p) for name in _PARTS),
    )


def empty(shape: tuple[int, ...], dtype: np.dtype[Any]) -> np.ndarray:
    """As `numpy.empty`, at a cache line if the array is not small."""
    if prod(shape) * dtype.itemsize < SMALLEST or (handler := _handler()) is None:
        return np.empty(shape, dtype)
    use, ours = handler
    before = use(ours)
    try:
        return np.empty(shape, dtype)
    finally:
        use(before)


def copied(array: np.ndarray) -> np.ndarray:
    """A copy in row-major order, at a cache line if it is not small."""
    made = empty(array.shape, array.dtype)
    np.copyto(made, array)
    return made


def is_placed(array: np.ndarray) -> bool:
    """Whether a copy would lie no better."""
    return array.nbytes < SMALLEST or array.ctypes.data % LINE == 0 or _handler() is None


@functools.cache
def _handler() -> tuple[Callable[[Any], Any], Any] | None:
    """NumPy's function that sets this context's allocator and returns the one before, and our allocator; None where
    vectors are short or there is none of either."""
    table: Any = getattr(getattr(np, "_core", None), "_multiarray_umath", None)
    if sys.platform != "linux" or targets.target().vector_bytes < 32 or not hasattr(table, "_ARRAY_API"):
        return None
    try:
        image = jit.load(_CODE)
    except LinkError:  # a C library without `aligned_alloc`
        return None
    handler = _Handler(b"duograph", 1, None, *(image[f"duograph_memory_{name}"] for name in _PARTS))
    pointer = ctypes.pythonapi.PyCapsule_GetPointer
    pointer.restype, pointer.argtypes = ctypes.c_void_p, [ctypes.py_object, ctypes.c_char_p]
    capsule = ctypes.pythonapi.PyCapsule_New
    capsule.restype, capsule.argtypes = ctypes.py_object, [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p]
    functions = ctypes.cast(pointer(table._ARRAY_API, None), ctypes.POINTER(ctypes.c_void_p))
    use = ctypes.PYFUNCTYPE(ctypes.py_object, ctypes.py_object)(functions[_SET_HANDLER])
    # for ever: arrays that outlive this module, until the interpreter's end, are freed by this code
    for kept in (image, handler):
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(kept))
    return use, capsule(ctypes.addressof(handler), b"mem_handler", None)
