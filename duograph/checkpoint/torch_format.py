"""Writing PyTorch's own files: the zip format of `torch.save`, without running anything when they are read.

A file is a zip archive with `data.pkl`, a pickle whose tensors name their storages, and `data/<key>`, the bytes of each
storage. (Format: torch/serialization.py and caffe2/serialize of PyTorch; pickle protocol 2.)
"""

from __future__ import annotations

import io
import os
import pickle
import zipfile
from collections import Counter, OrderedDict
from typing import Any, ClassVar

import numpy as np

from ..graph.dtype import DType
from ..graph.errors import NotSupported
from ..tensor.core import Size, Tensor
from ..tensor.device import Device
from .atomic import replace_file
from .torch_unpickler import STORAGES

_STORAGE_OF = {dtype: name for name, dtype in STORAGES.items()}


class _Global:
    """A name to be written into a pickle as it stands, importable or not."""

    def __init__(self, module: str, name: str) -> None:
        self.module = module
        self.name = name

    def __call__(self) -> None:
        """pickle asks that what it calls be callable."""


class _StorageKey:
    """A storage to be written as a persistent id."""

    def __init__(self, key: str, array: np.ndarray, dtype: DType) -> None:
        self.key, self.array, self.dtype = key, array, dtype


class _Call:
    """What a name makes of arguments, such as a tensor, on its way into a pickle."""

    def __init__(self, module: str, name: str, *arguments: Any) -> None:
        self.function, self.arguments = _Global(module, name), arguments


PythonPickler: Any = pickle._Pickler
"""The pickler that is written in Python: only in it can names be written as they stand."""


class _Writer(PythonPickler):
    dispatch: ClassVar[dict[Any, Any]] = dict(PythonPickler.dispatch)

    def persistent_id(self, obj: Any) -> Any:
        if isinstance(obj, _StorageKey):
            if obj.dtype not in _STORAGE_OF:
                return ("storage", _Global("torch.storage", "UntypedStorage"), obj.key, "cpu", obj.array.nbytes)
            return ("storage", _Global("torch", _STORAGE_OF[obj.dtype]), obj.key, "cpu", obj.array.size)
        return None

    def save_name(self, obj: _Global) -> None:
        self.write(pickle.GLOBAL + f"{obj.module}\n{obj.name}\n".encode())
        self.memoize(obj)

    def save_call(self, obj: _Call) -> None:
        self.save(obj.function)
        self.save(obj.arguments)
        self.write(pickle.REDUCE)
        self.memoize(obj)

    dispatch[_Global] = save_name
    dispatch[_Call] = save_call


def save(obj: Any, path: Any) -> None:
    """Write tensors in plain containers as PyTorch does: `torch.load(path, weights_only=True)` reads it.

    Raises NotSupported for objects that are not tensors, numbers, strings or plain containers.
    """
    storages: list[_StorageKey] = []
    prepared = _prepare(obj, storages, {})
    pickled = io.BytesIO()
    _Writer(pickled, protocol=2).dump(prepared)

    def write(file: Any) -> None:
        with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
            # Records bear no time, so that the same content is the same file.
            archive.writestr(zipfile.ZipInfo("archive/data.pkl"), pickled.getvalue())
            archive.writestr(zipfile.ZipInfo("archive/byteorder"), b"little")
            for storage in storages:
                content = storage.array.reshape(-1).view(np.uint8).data
                archive.writestr(zipfile.ZipInfo(f"archive/data/{storage.key}"), content)
            archive.writestr(zipfile.ZipInfo("archive/version"), b"3\n")

    if hasattr(path, "write"):
        write(path)
    else:
        with replace_file(os.fspath(path)) as file:
            write(file)


def _prepare(obj: Any, storages: list[_StorageKey], seen: dict[int, Any]) -> Any:
    if isinstance(obj, Tensor):
        if id(obj) not in seen:
            seen[id(obj)] = _prepare_tensor(obj, storages)
        return seen[id(obj)]
    if isinstance(obj, OrderedDict):
        ordered = OrderedDict((_prepare(k, storages, seen), _prepare(v, storages, seen)) for k, v in obj.items())
        if hasattr(obj, "_metadata"):  # the versions of the modules that a state_dict of PyTorch's came from
            ordered._metadata = _prepare(obj._metadata, storages, seen)  # type: ignore[attr-defined]
        return ordered
    if isinstance(obj, Counter):
        return _Call("collections", "Counter", _prepare(dict(obj), storages, seen))
    if isinstance(obj, dict):
        return {_prepare(k, storages, seen): _prepare(v, storages, seen) for k, v in obj.items()}
    if isinstance(obj, list):
        return [_prepare(v, storages, seen) for v in obj]
    if isinstance(obj, set):
        return {_prepare(v, storages, seen) for v in obj}
    if isinstance(obj, Size):
        return _Call("torch", "Size", tuple(obj))
    if isinstance(obj, Device):
        return _Call("torch", "device", *((obj.type,) if obj.index is None else (obj.type, obj.index)))
    if isinstance(obj, tuple):
        return tuple(_prepare(v, storages, seen) for v in obj)
    if isinstance(obj, DType):
        return _Global("torch", obj.name)
    if isinstance(obj, np.generic):
        return obj.item()
    if obj is None or isinstance(obj, bool | int | float | complex | str | bytes):
        return obj
    raise NotSupported(
        f"save: expected tensors, numbers, strings and plain containers. Received: {type(obj).__name__}. "
        "Save model.state_dict() instead of the model: files that need code to load are not written"
    )


def _prepare_tensor(tensor: Tensor, storages: list[_StorageKey]) -> _Call:
    array = np.asarray(tensor._array(), order="C")
    key = _storage_of(array, tensor.dtype, storages)
    stride = tuple(s // array.itemsize for s in array.strides) if array.size else (1,) * array.ndim
    plain: tuple[Any, ...] = (key, 0, tuple(array.shape), stride)
    from ..nn.parameter import Parameter

    if isinstance(tensor, Parameter):
        data = _rebuilt(tensor.dtype, plain, False)
        return _Call("torch._utils", "_rebuild_parameter", data, tensor.requires_grad, OrderedDict())
    return _rebuilt(tensor.dtype, plain, tensor.requires_grad)


def _rebuilt(dtype: DType, plain: tuple[Any, ...], requires_grad: bool) -> _Call:
    if dtype in _STORAGE_OF:
        return _Call("torch._utils", "_rebuild_tensor_v2", *plain, requires_grad, OrderedDict())
    # The younger dtypes have no storages of their own.
    name = _Global("torch", dtype.name)
    return _Call("torch._utils", "_rebuild_tensor_v3", *plain, requires_grad, OrderedDict(), name)


def _storage_of(array: np.ndarray, dtype: DType, storages: list[_StorageKey]) -> _StorageKey:
    """The storage of an array: that of an earlier tensor if it shows the same memory, as tied weights do."""
    for storage in storages:
        same = storage.array.__array_interface__["data"][0] == array.__array_interface__["data"][0]
        if same and array.size and storage.dtype is dtype and storage.array.size == array.size:
            return storage
    storages.append(_StorageKey(str(len(storages)), array, dtype))
    return storages[-1]
