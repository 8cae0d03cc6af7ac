"""Data sets of files: lines, records, rows of comma-separated values."""

from __future__ import annotations

import csv
import gzip
import io
import itertools
import zlib
from collections.abc import Iterator
from typing import Any

import numpy as np

from .. import dtypes
from ..errors import InvalidArgumentError
from ..function import TensorSpec
from ..records import read_records
from ..tensors import Tensor
from .dataset import UNKNOWN_CARDINALITY, Dataset
from .elements import to_leaf
from .rows import NONE
from .sources import names_of, opened

_STRING = TensorSpec((), dtypes.string)


def _stream(name: str, compression: Any) -> Any:
    if not compression:
        return opened(name)
    kind = compression if isinstance(compression, str) else ""
    if kind == "GZIP":
        return gzip.open(opened(name))
    if kind == "ZLIB":
        with opened(name) as file:
            return io.BytesIO(zlib.decompress(file.read()))
    raise InvalidArgumentError(f"compression_type is '', 'GZIP' or 'ZLIB'. Received: {compression!r}")


def _string(content: bytes) -> np.ndarray:
    made = np.empty((), object)
    made[()] = content
    return made


class TextLineDataset(Dataset):
    """The lines of files, without their ends."""

    def __init__(
        self,
        filenames: Any,
        compression_type: Any = None,
        buffer_size: Any = None,
        num_parallel_reads: Any = None,
        name: str | None = None,
    ) -> None:
        def iterate() -> Iterator[Any]:
            for file_name in names_of(filenames):
                with _stream(file_name, compression_type) as file:
                    for line in file:
                        yield _string(line.removesuffix(b"\n").removesuffix(b"\r"))

        super().__init__(iterate, UNKNOWN_CARDINALITY, _STRING, peek=lambda: next(iterate(), NONE))


class FixedLengthRecordDataset(Dataset):
    """The records of `record_bytes` bytes between a header and a footer of each file."""

    def __init__(
        self,
        filenames: Any,
        record_bytes: Any,
        header_bytes: Any = 0,
        footer_bytes: Any = 0,
        buffer_size: Any = None,
        compression_type: Any = None,
        num_parallel_reads: Any = None,
        name: str | None = None,
    ) -> None:
        size, header, footer = int(record_bytes), int(header_bytes or 0), int(footer_bytes or 0)

        def iterate() -> Iterator[Any]:
            for file_name in names_of(filenames):
                with _stream(file_name, compression_type) as file:
                    content = file.read()
                body = content[header : len(content) - footer]
                if len(body) % size:
                    raise InvalidArgumentError(f"{file_name}: {len(body)} bytes are no records of {size} bytes")
                for begin in range(0, len(body), size):
                    yield _string(body[begin : begin + size])

        super().__init__(iterate, UNKNOWN_CARDINALITY, _STRING, peek=lambda: next(iterate(), NONE))


class TFRecordDataset(Dataset):
    """The records of TFRecord files, as strings; `tf.io.parse_single_example` reads what is in them.

    Raises DataLossError, when iterated, for a file that is damaged or cut off.
    """

    def __init__(
        self,
        filenames: Any,
        compression_type: Any = None,
        buffer_size: Any = None,
        num_parallel_reads: Any = None,
        name: str | None = None,
    ) -> None:
        def iterate() -> Iterator[Any]:
            for file_name in names_of(filenames):
                yield from map(_string, read_records(file_name, compression_type))

        super().__init__(iterate, UNKNOWN_CARDINALITY, _STRING, peek=lambda: next(iterate(), NONE))


class CsvDataset(Dataset):
    """Rows of CSV files as tuples of scalars.

    `record_defaults` has for each column its dtype (then the field must be there) or the value of an empty field.
    """

    def __init__(
        self,
        filenames: Any,
        record_defaults: Any,
        compression_type: Any = None,
        buffer_size: Any = None,
        header: bool = False,
        field_delim: str = ",",
        use_quote_delim: bool = True,
        na_value: str = "",
        select_cols: Any = None,
        exclude_cols: Any = None,
    ) -> None:
        columns = [_column(d) for d in record_defaults]
        quoting: Any = csv.QUOTE_MINIMAL if use_quote_delim else csv.QUOTE_NONE

        def iterate() -> Iterator[Any]:
            for file_name in names_of(filenames):
                with _stream(file_name, compression_type) as file:
                    text = io.TextIOWrapper(file, "utf-8", "surrogateescape", newline="")
                    rows = csv.reader(text, delimiter=field_delim, quoting=quoting)
                    for row in itertools.islice(rows, int(header), None):
                        places = range(len(row)) if select_cols is None else select_cols
                        chosen = [row[i] for i in places if exclude_cols is None or i not in exclude_cols]
                        if len(chosen) != len(columns):
                            raise InvalidArgumentError(f"{file_name}: expected {len(columns)} fields. Received: {row}")
                        yield tuple(_field(t, c, na_value) for t, c in zip(chosen, columns, strict=True))

        spec = tuple(TensorSpec((), dtype) for dtype, _ in columns)
        super().__init__(iterate, UNKNOWN_CARDINALITY, spec, peek=lambda: next(iterate(), NONE))


def _column(given: Any) -> tuple[Any, Any]:
    """The dtype of a column, and its default or None."""
    if isinstance(given, dtypes.DType | dtypes.StringType | type):
        return dtypes.as_dtype(given), None
    if isinstance(given, Tensor) and not given.numel():
        return given.dtype, None
    leaf = np.asarray(to_leaf(given)).reshape(-1)
    return (dtypes.string if leaf.dtype == object else dtypes.as_dtype(leaf.dtype)), leaf[0] if leaf.size else None


def _field(text: str, column: tuple[Any, Any], na_value: str) -> Any:
    dtype, default = column
    if text in ("", na_value):
        if default is None:
            raise InvalidArgumentError("a field that must be there is empty")
        return _string(default) if dtype is dtypes.string else default
    if dtype is dtypes.string:
        return _string(text.encode("utf-8", "surrogateescape"))
    try:
        return dtype.numpy.type(text)
    except ValueError as error:
        raise InvalidArgumentError(f"a field expected {dtype.name}. Received: {text!r}") from error
