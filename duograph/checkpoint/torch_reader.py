"""Reading the files that `torch.save` writes, in its zip format and in that from before PyTorch 1.6.

The pickle in a file is read twice. The first reading only notes which storages there are and how many tensors lie on
each, and all of that is checked against the file's true size before any memory is taken. The second one makes the
tensors: one that has a storage to itself takes over its memory, and those that share one share it here too.
(Formats: torch/serialization.py and caffe2/serialize of PyTorch.)
"""

from __future__ import annotations

import io
import math
import os
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, BinaryIO

import numpy as np

from ..graph import dtype as dtypes
from ..graph.dtype import DType
from ..graph.errors import ArgumentError, NotSupported
from ..graph.lines import user_line
from ..tensor.convert import from_buffer, to_device
from ..tensor.core import Tensor
from .torch_unpickler import Unpickler, natural

LEGACY_MAGIC = 0x1950A86A20F9469CFC6C
"""The number whose pickle a file from before PyTorch 1.6 begins with."""
LEGACY_PROTOCOL = 1001
ROOM = 256 << 20
"""How many bytes beyond sixteen times the file's size its tensors may take: one that was saved expanded needs more
memory than it has in the file."""


@dataclass
class _Storage:
    """What is known of a storage: `count` elements of `dtype`, or bytes where there is none."""

    key: str
    dtype: DType | None
    count: int
    tensors: int = 0
    content: np.ndarray | None = None

    @property
    def bytes(self) -> int:
        return self.count * (self.dtype or dtypes.uint8).itemsize


@dataclass(frozen=True)
class _Part:
    """`size` elements of a storage from `offset` on: a view, in files of the older format."""

    storage: _Storage
    offset: int = 0
    size: int | None = None


class _Unbuilt:
    """What stands for a tensor in the first reading."""


@dataclass
class _Census:
    """The first reading: which storages there are, and how many tensors lie on each."""

    storages: dict[str, _Storage] = field(default_factory=dict)

    def storage(self, dtype: DType | None, key: str, count: int, view: tuple[int, int] | None) -> Any:
        known = self.storages.setdefault(key, _Storage(key, dtype, count))
        if (known.dtype, known.count) != (dtype, count):
            raise ArgumentError(f"load: storage {key!r} has two sizes or dtypes in one file")
        return _Part(known, *(view or ()))

    def tensor(self, storage: Any, *_: Any) -> Any:
        if not isinstance(storage, _Part):
            raise ArgumentError(f"load: a tensor of the file lies on a {type(storage).__name__}")
        storage.storage.tensors += 1
        return _Unbuilt()

    def parameter(self, data: Any, requires_grad: bool, state: Any) -> Any:
        return data

    def check(self) -> None:
        for storage in self.storages.values():
            if not storage.tensors:
                raise NotSupported(
                    f"load: storage {storage.key!r} is in the file by itself: save tensors, not storages"
                )


@dataclass
class _Maker:
    """The second reading: tensors on the storages, whose content is there now."""

    storages: dict[str, _Storage]
    budget: int
    device: Any

    def storage(self, dtype: DType | None, key: str, count: int, view: tuple[int, int] | None) -> Any:
        return _Part(self.storages[key], *(view or ()))

    def tensor(
        self, part: Any, dtype: DType | None, offset: Any, size: Any, stride: Any, requires_grad: bool
    ) -> Tensor:
        dtype = dtype or part.storage.dtype
        if dtype is None:
            raise ArgumentError("load: a tensor of the file has no dtype")
        content = part.storage.content
        elements = content[: content.size // dtype.itemsize * dtype.itemsize].view(dtype.numpy)
        if part.size is not None:
            elements = elements[part.offset : part.offset + part.size]
        array = self._strided(elements, natural(offset), size, stride)
        shared = part.storage.tensors > 1
        if not shared and not (array.flags.c_contiguous and array.size == elements.size):
            array = array.copy()  # a storage that nobody needs whole is let go
        made = from_buffer(array, foreign=shared)
        if self.device is not None:
            made = to_device(made, self.device)
        return made.requires_grad_() if requires_grad else made

    def _strided(self, elements: np.ndarray, offset: int, size: Any, stride: Any) -> np.ndarray:
        """The elements that a tensor names in its storage, in place."""
        if not isinstance(size, tuple) or not isinstance(stride, tuple) or len(size) != len(stride):
            raise ArgumentError(f"load: a tensor of the file has size {size!r:.60} and stride {stride!r:.60}")
        size, stride = tuple(map(natural, size)), tuple(map(natural, stride))
        count = math.prod(size)
        if not count:
            return np.zeros(size, elements.dtype)
        last = offset + sum((n - 1) * s for n, s in zip(size, stride, strict=True))
        if last >= elements.size:
            raise ArgumentError(f"load: a tensor of the file reaches element {last} of a storage of {elements.size}")
        self.budget -= count * elements.itemsize
        if self.budget < 0:
            raise ArgumentError(
                f"load: the tensors of the file would take far more memory than it has bytes: one has size {size} on a "
                f"storage of {elements.size} elements. Save x.clone() of tensors that were expanded"
            )
        steps = tuple(s * elements.itemsize for s in stride)
        return np.lib.stride_tricks.as_strided(elements[offset:], size, steps)

    def parameter(self, data: Any, requires_grad: bool, state: Any) -> Tensor:
        from ..nn.parameter import Parameter

        if not isinstance(data, Tensor):
            raise ArgumentError(f"load: a parameter of the file has a {type(data).__name__} for its content")
        made = Parameter(data, requires_grad=requires_grad)
        for name, value in (state or {}).items() if isinstance(state, dict) else ():
            if type(name) is not str or hasattr(Parameter, name):
                raise NotSupported(f"load: a parameter of the file sets its attribute {str(name)[:40]!r}")
            vars(made)[name] = value
        return made


def load(path: Any, device: Any = None) -> Any:
    """What `torch.save` wrote: tensors in plain containers, on `device`.

    Args:
        path: A path, or a binary file to be read to its end.
        device: Where the tensors go; None leaves them on the CPU, whatever device they were saved from.

    Raises NotSupported for content that would need code to be run, ArgumentError for a damaged or other file.
    """
    if not hasattr(path, "read"):
        with open(path, "rb") as file:
            return _load(file, os.fstat(file.fileno()).st_size, device)
    content = path.read()
    return _load(io.BytesIO(content), len(content), device)


def _load(file: BinaryIO, length: int, device: Any) -> Any:
    beginning = file.read(512)
    file.seek(0)
    try:
        if any(magic in beginning[:40] for magic in (b"L%d" % LEGACY_MAGIC, LEGACY_MAGIC.to_bytes(10, "little"))):
            return _load_legacy(file, length, device)
        if beginning[257:262] == b"ustar":
            raise NotSupported("load: the file is from before PyTorch 0.1.10: load it in PyTorch and save it again")
        try:
            archive = zipfile.ZipFile(file)
        except Exception as error:
            raise ArgumentError(
                "load: expected a file in one of the formats that torch.save writes, or safetensors. "
                f"Received: {length} bytes beginning {beginning[:8]!r}"
            ) from error
        return _load_zip(archive, file, length, device)
    except (ArgumentError, NotSupported) as error:
        error.located(user_line())  # not at a line of pickle's, which is in between
        raise
    except Exception as error:  # damage can make the readers raise nearly anything; nothing has been run or kept
        raise ArgumentError(f"load: the file of {length} bytes is damaged or not PyTorch's: {error!r}") from error


def _load_zip(archive: zipfile.ZipFile, file: BinaryIO, length: int, device: Any) -> Any:
    infos = {info.filename: info for info in archive.infolist()}
    pickled = next((name for name in infos if name == "data.pkl" or name.endswith("/data.pkl")), None)
    if pickled is None:
        raise ArgumentError(f"load: expected an archive with a data.pkl. Received: {length} bytes without one")
    prefix = pickled[: -len("data.pkl")]
    if prefix + "constants.pkl" in infos:
        raise NotSupported("load: the file is a TorchScript program: in PyTorch, save its state_dict() instead")
    if sum(info.file_size for info in infos.values()) > length:
        raise ArgumentError(f"load: the records of the archive claim more than the file's {length} bytes")

    def record(name: str) -> np.ndarray:
        return _record(file, infos[name], length)

    if prefix + "byteorder" in infos and record(prefix + "byteorder").tobytes() != b"little":
        raise NotSupported("load: the file was written on a big-endian machine: save it again on a little-endian one")
    content = record(pickled).tobytes()

    def fill(census: _Census) -> None:
        for key, storage in census.storages.items():
            info = infos.get(f"{prefix}data/{key}")
            if info is None:
                raise ArgumentError(f"load: the file has no storage {key!r}: is it truncated?")
            if info.file_size < storage.bytes:
                raise ArgumentError(
                    f"load: storage {key!r} has {info.file_size} bytes for {storage.count} elements of "
                    f"{(storage.dtype or dtypes.uint8).name}"
                )
        for key, storage in census.storages.items():
            storage.content = record(f"{prefix}data/{key}")[: storage.bytes]

    return _twice(lambda: io.BytesIO(content), fill, length, device)


def _record(file: BinaryIO, info: zipfile.ZipInfo, length: int) -> np.ndarray:
    """The bytes of a record, read once, into memory of their own."""
    if info.compress_type != zipfile.ZIP_STORED or info.file_size != info.compress_size:
        raise NotSupported(f"load: record {info.filename[:80]!r} is compressed, as torch.save never writes it")
    file.seek(info.header_offset)
    header = file.read(30)
    if header[:4] != b"PK\x03\x04" or len(header) < 30:
        raise ArgumentError(f"load: the file has no record where {info.filename[:80]!r} should be")
    name, extra = (int.from_bytes(header[k : k + 2], "little") for k in (26, 28))
    begin = info.header_offset + 30 + name + extra
    if begin + info.file_size > length:
        raise ArgumentError(
            f"load: record {info.filename[:80]!r} goes beyond the file's {length} bytes: is it truncated?"
        )
    made = np.empty(info.file_size, np.uint8)
    _read_into(file, begin, made)
    if zlib.crc32(made.data) != info.CRC:
        raise ArgumentError(
            f"load: record {info.filename[:80]!r} of the file of {length} bytes is damaged: its CRC differs"
        )
    return made


def _read_into(file: BinaryIO, begin: int, array: np.ndarray) -> None:
    file.seek(begin)
    done = 0
    while done < array.size:
        count = file.readinto(array.data[done:])  # type: ignore[attr-defined]
        if not count:
            raise ArgumentError(f"load: the file ends {array.size - done} bytes early: is it truncated?")
        done += count


class _NoTensors:
    """For the small pickles around the content, in which there are none."""

    def storage(self, *_: Any) -> Any:
        raise ArgumentError("load: the file has a tensor where its format has none")

    tensor = parameter = storage


def _load_legacy(file: BinaryIO, length: int, device: Any) -> Any:
    rest = io.BytesIO(file.read())
    if Unpickler(rest, _NoTensors()).load() != LEGACY_MAGIC:
        raise ArgumentError("load: the file begins as no file of PyTorch's does")
    protocol = Unpickler(rest, _NoTensors()).load()
    system = Unpickler(rest, _NoTensors()).load()
    if protocol != LEGACY_PROTOCOL or not isinstance(system, dict) or system.get("little_endian") is not True:
        raise NotSupported(f"load: the file is of protocol {protocol!r:.40} or of a big-endian machine: save it again")
    begin = rest.tell()

    def again() -> io.BytesIO:
        rest.seek(begin)
        return rest

    def fill(census: _Census) -> None:
        keys = Unpickler(rest, _NoTensors()).load()  # what follows the content
        if not isinstance(keys, list) or {str(k) for k in keys} != census.storages.keys():
            raise ArgumentError("load: the file's list of storages is not that of its tensors")
        for key in keys:
            storage = census.storages[str(key)]
            count = int.from_bytes(rest.read(8), "little")
            if count != storage.count or storage.bytes > length - rest.tell():
                raise ArgumentError(
                    f"load: storage {key!r} has {count} elements for {storage.count}, or the file ends early"
                )
            storage.content = np.empty(storage.bytes, np.uint8)
            _read_into(rest, rest.tell(), storage.content)

    return _twice(again, fill, length, device)


def _twice(pickled: Callable[[], io.BytesIO], fill: Callable[[_Census], None], length: int, device: Any) -> Any:
    """The content of the pickle, once `fill` has given the storages that it names their content."""
    census = _Census()
    Unpickler(pickled(), census).load()
    census.check()
    if sum(storage.bytes for storage in census.storages.values()) > length:
        raise ArgumentError(f"load: the storages claim more than the file's {length} bytes")
    fill(census)
    return Unpickler(pickled(), _Maker(census.storages, 16 * length + ROOM, device)).load()
