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


class Buffer:
    """One block of memory: a NumPy array (any strides), shared with the outside or not.

    While the outside can see the memory, `snapshot` gives recorded operations a copy, so that a later write from
    outside does not change what was computed from it.
    """

    __slots__ = ("__weakref__", "_exports", "array", "foreign")

    def __init__(self, array: np.ndarray, foreign: bool = False) -> None:
        self.array = array
        self.foreign = foreign
        self._exports: list[ref[np.ndarray]] = []

    @property
    def shared(self) -> bool:
        """True while someone outside can read or write this memory."""
        if self.foreign:
            # our attribute and the argument of getrefcount; more means the caller still has the array
            return not self.array.flags.owndata or sys.getrefcount(self.array) > 2
        if self._exports:
            self._exports = [e for e in self._exports if e() is not None]
        return bool(self._exports)

    def snapshot(self) -> Buffer:
        """This buffer, or a private copy of it if the outside could change it."""
        return Buffer(self.array.copy()) if self.shared else self

    def view(self, array: np.ndarray) -> Buffer:
        """A buffer over part of this memory, `array` being a view of it."""
        part = Buffer(array, self.foreign)
        part._exports = self._exports
        return part

    def export(self) -> np.ndarray:
        """An array over this memory for the outside: writes through it are seen by the tensor."""
        if self.foreign:
            return self.array
        array = self.array
        if array.dtype.kind == "V" or array.dtype.name == "bfloat16" or array.size == 0:
            exported = array.view()
            self._exports.append(ref(exported))
            return exported
        exported = np.asarray(_Exporter(array))
        self._exports.append(ref(exported))
        return exported


def wrap(array: Any, foreign: bool = False) -> Buffer:
    """A buffer over `array`, which becomes an aligned, native-order array if it is not one."""
    array = np.asarray(array)
    if not array.dtype.isnative:
        array = array.astype(array.dtype.newbyteorder("="))
        foreign = False
    return Buffer(array, foreign)
