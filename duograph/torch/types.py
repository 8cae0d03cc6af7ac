"""`torch.types`: names for annotations."""

from __future__ import annotations

import os
from typing import IO, Any, TypeAlias

from ..tensor.core import Size, Tensor
from ..tensor.device import Device as _Device
from .storage import TypedStorage, UntypedStorage
from .symbolic import SymBool, SymFloat, SymInt

__all__ = ["Device", "FileLike", "Number", "Size", "Storage", "SymBool", "SymFloat", "SymInt", "Tensor"]

Device: TypeAlias = _Device | str | int | None
Number: TypeAlias = int | float | bool
FileLike: TypeAlias = str | os.PathLike[str] | IO[bytes]
Storage: TypeAlias = TypedStorage | UntypedStorage
_int, _float, _bool, _dtype, _device, _size = int, float, bool, Any, _Device, list[int] | tuple[int, ...] | Size
_TensorOrTensors: TypeAlias = Tensor | tuple[Tensor, ...] | list[Tensor]
