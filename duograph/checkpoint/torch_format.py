"""PyTorch's own files: the zip format that `torch.save` writes, written and read without running anything.

A file is a zip archive with `data.pkl`, a pickle whose tensors name their storages, and `data/<key>`, the bytes of each
storage. The reader knows the few constructors that tensors and plain containers need and refuses every other name, so a
hostile pickle gets an error. (Format: torch/serialization.py and caffe2/serialize of PyTorch; pickle protocol 2.)
"""

from __future__ import annotations

import io
import os
import pickle
import zipfile
from collections import OrderedDict
from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np

from ..graph import dtype as dtypes
from ..graph.dtype import DType
from ..graph.errors import ArgumentError, NotSupported
from ..tensor.convert import from_buffer
from ..tensor.core import Size, Tensor
from ..tensor.device import Device
from .atomic import replace_file

_STORAGES = {
    "FloatStorage": dtypes.float32, "DoubleStorage": dtypes.float64, "HalfStorage": dtypes.float16,
    "BFloat16Storage": dtypes.bfloat16, "LongStorage": dtypes.int64, "IntStorage": dtypes.int32,
    "ShortStorage": dtypes.int16, "CharStorage": dtypes.int8, "ByteStorage": dtypes.uint8, "BoolStorage": dtypes.bool_,
}  # fmt: skip
_STORAGE_OF = {dtype: name for name, dtype in _STORAGES.items()}


class _StorageType:
    """Stands for `torch.FloatStorage` and its kin in a pickle."""

    def __init__(self, dtype: DType | None) -> None:
        self.dtype = dtype


def _strided(storage: np.ndarray, offset: int, size: Any, stride: Any) -> np.ndarray:
    """A fresh array of the elements that a tensor names in its storage; raises where they lie outside."""
    size, stride = tuple(int(s) for s in size), tuple(int(s) for s in stride)
    offset = int(offset)
    if len(size) != len(stride) or offset < 0 or any(s < 0 for s in (*size, *stride)):
        raise ArgumentError(f"a tensor of the file has size {size}, stride {stride}, offset {offset}")
    last = offset + sum((n - 1) * s for n, s in zip(size, stride, strict=True)) if all(size) else offset
    if all(size) and last >= storage.size:
        raise ArgumentError(f"a tensor of the file reaches element {last} of a storage of {storage.size}")
    if not all(size):
        return np.zeros(size, storage.dtype)
    window = np.lib.stride_tricks.as_strided(
        storage[offset:], size, tuple(s * storage.itemsize for s in stride), writeable=False
    )
    return np.array(window, order="C")


def _rebuild_tensor(storage: Any, offset: int, size: Any, stride: Any, requires_grad: bool = False, *_: Any) -> Tensor:
    if isinstance(storage, tuple):
        storage, dtype = storage
        array = _strided(storage, offset, size, stride).view(dtype.numpy)
    else:
        array = _strided(storage, offset, size, stride)
    made = from_buffer(array)
    return made.requires_grad_() if requires_grad else made


def _rebuild_parameter(data: Tensor, requires_grad: bool, *_: Any) -> Tensor:
    from ..nn.parameter import Parameter

    return Parameter(data, requires_grad=bool(requires_grad))


def _allowed() -> dict[tuple[str, str], Any]:
    """The only names a file may use."""
    names: dict[tuple[str, str], Any] = {
        ("collections", "OrderedDict"): OrderedDict,
        ("torch._utils", "_rebuild_tensor_v2"): _rebuild_tensor,
        ("torch._utils", "_rebuild_tensor"): _rebuild_tensor,
        ("torch._utils", "_rebuild_parameter"): _rebuild_parameter,
        ("torch", "Size"): Size,
        ("torch", "device"): Device,
        ("torch.storage", "UntypedStorage"): _StorageType(dtypes.uint8),
        ("torch", "UntypedStorage"): _StorageType(dtypes.uint8),
        ("builtins", "set"): set,
        ("__builtin__", "set"): set,
        ("builtins", "complex"): complex,
    }
    names.update({("torch", name): _StorageType(dtype) for name, dtype in _STORAGES.items()})
    names.update({("torch", d.name.rstrip("_")): d for d in dtypes.ALL})
    return names


class _Reader(pickle.Unpickler):
    """An unpickler that can build tensors and plain containers and nothing else."""

    def __init__(self, file: io.BytesIO, storage: Callable[[str, DType, int], np.ndarray]) -> None:
        super().__init__(file, encoding="utf-8")
        self._names = _allowed()
        self._storage = storage

    def find_class(self, module: str, name: str) -> Any:
        try:
            return self._names[module, name]
        except KeyError:
            raise NotSupported(
                f"the file asks for {module}.{name}: only tensors and plain containers (dict, list, tuple, str, "
                "numbers) are loaded, since anything else could run code. Save the model's state_dict() instead of the "
                "model"
            ) from None

    def persistent_load(self, pid: Any) -> np.ndarray:
        if not isinstance(pid, tuple) or len(pid) != 5 or pid[0] != "storage" or not isinstance(pid[1], _StorageType):
            raise ArgumentError(f"the file names a storage in a way that is not known: {str(pid)[:80]}")
        _, kind, key, _location, count = pid
        return self._storage(str(key), kind.dtype or dtypes.uint8, int(count))


def load(path: Any) -> Any:
    """What `torch.save` wrote: tensors in plain containers.

    Raises NotSupported for content that would need code to be run, ArgumentError for a truncated or other file.
    """
    content = path.read() if hasattr(path, "read") else _bytes(path)
    try:
        archive = zipfile.ZipFile(io.BytesIO(content))
        pickled = next(n for n in archive.namelist() if n.endswith("/data.pkl") or n == "data.pkl")
    except (zipfile.BadZipFile, StopIteration, NotImplementedError, UnicodeDecodeError, ValueError, OSError) as error:
        raise ArgumentError(
            "load: expected a file in the zip format that torch.save writes, or safetensors. "
            f"Received: {len(content)} bytes beginning {content[:8]!r}"
        ) from error
    prefix = pickled[: -len("data.pkl")]
    known: dict[str, np.ndarray] = {}

    def storage(key: str, dtype: DType, count: int) -> np.ndarray:
        if key not in known:
            try:
                info = archive.getinfo(f"{prefix}data/{key}")
            except KeyError as error:
                raise ArgumentError(f"load: the file has no storage {key!r}: is it truncated?") from error
            if info.file_size < count * dtype.itemsize or info.compress_size > len(content):
                raise ArgumentError(
                    f"load: storage {key!r} has {info.file_size} bytes for {count} elements of {dtype.name}"
                )
            known[key] = np.frombuffer(archive.read(info), dtype.numpy, count)
        return known[key]

    try:
        if prefix + "byteorder" in archive.namelist() and archive.read(prefix + "byteorder") != b"little":
            raise NotSupported(
                "load: the file was written on a big-endian machine: save it again on a little-endian one"
            )
        return _Reader(io.BytesIO(archive.read(pickled)), storage).load()
    except (ArgumentError, NotSupported):
        raise
    except Exception as error:  # damage can make the unpickler raise nearly anything; nothing has been run or kept
        raise ArgumentError(f"load: the file of {len(content)} bytes is damaged or not PyTorch's: {error!r}") from error


def _bytes(path: Any) -> bytes:
    with open(path, "rb") as file:
        return file.read()


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


class _Rebuilt:
    """A tensor on its way into a pickle."""

    def __init__(self, function: str, arguments: tuple[Any, ...]) -> None:
        self.function, self.arguments = function, arguments


PythonPickler: Any = pickle._Pickler
"""The pickler that is written in Python: only in it can names be written as they stand."""


class _Writer(PythonPickler):
    dispatch: ClassVar[dict[Any, Any]] = dict(PythonPickler.dispatch)

    def persistent_id(self, obj: Any) -> Any:
        if isinstance(obj, _StorageKey):
            return ("storage", _Global("torch", _STORAGE_OF[obj.dtype]), obj.key, "cpu", obj.array.size)
        return None

    def save_name(self, obj: _Global) -> None:
        self.write(pickle.GLOBAL + f"{obj.module}\n{obj.name}\n".encode())
        self.memoize(obj)

    def save_rebuilt(self, obj: _Rebuilt) -> None:
        self.save(_Global("torch._utils", obj.function))
        self.save(obj.arguments)
        self.write(pickle.REDUCE)
        self.memoize(obj)

    dispatch[_Global] = save_name
    dispatch[_Rebuilt] = save_rebuilt


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
            archive.writestr("archive/data.pkl", pickled.getvalue())
            archive.writestr("archive/byteorder", "little")
            for storage in storages:
                archive.writestr(f"archive/data/{storage.key}", storage.array.tobytes())
            archive.writestr("archive/version", "3\n")

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
        return OrderedDict((_prepare(k, storages, seen), _prepare(v, storages, seen)) for k, v in obj.items())
    if isinstance(obj, dict):
        return {_prepare(k, storages, seen): _prepare(v, storages, seen) for k, v in obj.items()}
    if isinstance(obj, list):
        return [_prepare(v, storages, seen) for v in obj]
    if isinstance(obj, set):
        return {_prepare(v, storages, seen) for v in obj}
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


def _prepare_tensor(tensor: Tensor, storages: list[_StorageKey]) -> _Rebuilt:
    if tensor.dtype not in _STORAGE_OF:
        raise NotSupported(f"save: PyTorch's files have no storage of {tensor.dtype.name}: cast it, or use safetensors")
    array = np.asarray(tensor._array(), order="C")
    key = _StorageKey(str(len(storages)), array, tensor.dtype)
    storages.append(key)
    stride = tuple(s // array.itemsize for s in array.strides) if array.size else (1,) * array.ndim
    arguments: tuple[Any, ...] = (key, 0, tuple(array.shape), stride, tensor.requires_grad, OrderedDict())
    rebuilt = _Rebuilt("_rebuild_tensor_v2", arguments)
    from ..nn.parameter import Parameter

    if isinstance(tensor, Parameter):
        plain = _Rebuilt("_rebuild_tensor_v2", (*arguments[:4], False, OrderedDict()))
        return _Rebuilt("_rebuild_parameter", (plain, tensor.requires_grad, OrderedDict()))
    return rebuilt
