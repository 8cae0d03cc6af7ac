"""TFRecord files: byte strings, each with its length and two checksums."""

from __future__ import annotations

import gzip
import io
import os
import zlib
from collections.abc import Iterator
from typing import Any

from duograph.events.records import framed
from duograph.runtime import records

from .errors import DataLossError, NotFoundError
from .text import as_bytes

__all__ = ["TFRecordOptions", "TFRecordWriter"]


class TFRecordOptions:
    """How a file is compressed: "", "GZIP" or "ZLIB"."""

    def __init__(self, compression_type: str | None = None, **_: Any) -> None:
        self.compression_type = compression_type or ""


class TFRecordWriter:
    """Writes byte strings to a file, which is complete after `close()` or the end of a `with`."""

    def __init__(self, path: Any, options: Any = None) -> None:
        kind = options.compression_type if isinstance(options, TFRecordOptions) else options or ""
        if kind not in ("", "GZIP", "ZLIB"):
            raise ValueError(f'TFRecordWriter expected compression "", "GZIP" or "ZLIB". Received: {kind!r}')
        name = os.fsdecode(as_bytes(os.fspath(path) if isinstance(path, os.PathLike) else path)[()])
        self._file: Any = gzip.open(name, "wb") if kind == "GZIP" else open(name, "wb")  # noqa: SIM115
        self._packer = zlib.compressobj() if kind == "ZLIB" else None

    def write(self, record: Any) -> None:
        """Add a record."""
        data = framed(as_bytes(record)[()])
        self._file.write(data if self._packer is None else self._packer.compress(data))

    def flush(self) -> None:
        """Write what is waiting."""
        if self._packer is not None:
            self._file.write(self._packer.flush(zlib.Z_SYNC_FLUSH))
        self._file.flush()

    def close(self) -> None:
        """Complete the file."""
        if self._packer is not None:
            self._file.write(self._packer.flush())
            self._packer = None
        self._file.close()

    def __enter__(self) -> TFRecordWriter:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def read_records(path: str | os.PathLike[str], compression_type: str | None = None) -> Iterator[bytes]:
    """The records of a file. Raises NotFoundError without one, and DataLossError for a wrong length or checksum."""
    try:
        with open(path, "rb") as raw:
            if compression_type == "ZLIB":
                stream: Any = io.BytesIO(zlib.decompress(raw.read()))
            else:
                stream = gzip.GzipFile(fileobj=raw) if compression_type == "GZIP" else raw
            yield from records.read(stream)
    except records.DamagedError as error:
        raise DataLossError(f"{path}: corrupted record at {error.place}") from None
    except FileNotFoundError as error:
        if isinstance(error, NotFoundError):
            raise
        raise NotFoundError(f"{path}: there is no such file") from error
