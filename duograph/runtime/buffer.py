"""Memory of realised values."""

from __future__ import annotations

import sys
from typing import Any
from weakref import ref

import numpy as np


class _Exporter:
    """Stands between a buffer and the arrays handed out, so that a live export can be told from none.

    NumPy keeps `base` chains down to the first object that is not an array: all views derived from an exported array
    keep that array alive, and with it this exporter's weak reference.
    """

    __slots__ = ("__array_interface__", "owner")

    def __init__(self, array: np.ndarray) -> None:
        self.owner = array
        self.__array_interface__ = array.__array_interface__


STRIDED: tuple[int, ...] = ()
"""The order of an array that has gaps, or repeats elements, or runs backwards: no leaf of a trace has it."""


SHARED = -1
"""The version of memory that several buffers show."""


def order_of(array: np.ndarray) -> tuple[int, ...] | None:
    """In which order the axes of an array lie in memory.

    None if it is C-contiguous. If it is a C-contiguous array whose axes were permuted, the axes from the outermost to
    the innermost; those of size 1, whose strides mean nothing, come first. Anything else is `STRIDED`.
    """
    if array.flags.c_contiguous:
        return None
    shape, strides = array.shape, array.strides
    order = sorted(range(array.ndim), key=lambda axis: (shape[axis] != 1, -strides[axis]))
    packed = array.transpose(order).flags.c_contiguous
    return tuple(order) if packed else STRIDED


class Buffer:
    """One block of memory: a NumPy array (any strides), shared with the outside or not.

    While the outside can see the memory, `snapshot` gives recorded operations a copy, so that a later write from
    outside does not change what was computed from it. `order` says how the array lies in memory: see `order_of`.
    `address` is where it begins: arrays never move. `version` tells one content from the next, unless it is `SHARED`:
    then other buffers show the same memory. A `simple` buffer is its own snapshot: nobody else ever saw its
    memory, and it lies in row-major order. The snapshot of another may be a copy `of` it.
    """

    __slots__ = ("__weakref__", "address", "array", "exports", "foreign", "of", "order", "simple", "version")

    address: int

    def __init__(self, array: np.ndarray, foreign: bool = False) -> None:
        self.array = array
        self.foreign = foreign
        self.order = None if array.flags.c_contiguous else order_of(array)
        self.simple = not foreign and self.order is None
        self.of: Buffer | None = None
        self.exports: list[ref[np.ndarray]] | tuple[()] = ()  # a list from the first on, shared with views
        self.version = 0

    def __getattr__(self, name: str) -> int:
        """The address is found when first asked for, and kept: asking NumPy takes a microsecond."""
        if name != "address":
            raise AttributeError(name, name=name, obj=self)
        self.address = address = self.array.__array_interface__["data"][0]
        return address

    @property
    def shared(self) -> bool:
        """True while someone outside can read or write this memory."""
        if self.foreign:
            # our attribute and the argument of getrefcount; more means the caller still has the array
            return not self.array.flags.owndata or sys.getrefcount(self.array) > 2
        if type(self.exports) is list:
            self.exports[:] = [e for e in self.exports if e() is not None]  # views of this memory share the list
        return bool(self.exports)

    def snapshot(self) -> Buffer:
        """This buffer, or a private copy of it if the outside could change it or it is `STRIDED`."""
        if self.order is not STRIDED and not self.shared:
            return self
        copied = Buffer(self.array.copy())
        copied.of = self
        return copied

    def touched(self) -> None:
        """Note that the content may have become another."""
        if self.version != SHARED:
            self.version += 1

    def reclaim(self) -> bool:
        """Take memory back that nobody but the caller holds and no array shows any more. Returns whether there is no
        other buffer over it."""
        if self.version == SHARED:
            return False
        self.version += 1
        self.exports, self.simple = (), self.order is None and not self.foreign
        return True

    def view(self, array: np.ndarray) -> Buffer:
        """A buffer over part of this memory, `array` being a view of it."""
        part = Buffer(array, self.foreign)
        if type(self.exports) is tuple:
            self.exports = []
        part.exports = self.exports
        self.simple = part.simple = False
        self.version = part.version = SHARED
        return part

    def export(self) -> np.ndarray:
        """An array over this memory for the outside: writes through it are seen by the tensor."""
        self.touched()
        self.simple = False
        if self.foreign:
            return self.array
        array = self.array
        is_plain = array.dtype.kind != "V" and array.size  # bfloat16 is of this kind
        exported = np.asarray(_Exporter(array)) if is_plain else array.view()
        exports = self.exports if type(self.exports) is list else []
        exports.append(ref(exported))
        self.exports = exports
        return exported


def wrap(array: Any, foreign: bool = False) -> Buffer:
    """A buffer over `array`, which becomes an aligned, native-order array if it is not one."""
    array = np.asarray(array)
    if not array.dtype.isnative:
        array = array.astype(array.dtype.newbyteorder("="))
        foreign = False
    return Buffer(array, foreign)
