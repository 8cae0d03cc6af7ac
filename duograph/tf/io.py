"""`tf.io`: files, records, serialised examples and raw bytes."""

from __future__ import annotations

import base64
import csv
import gzip
import os
import zlib
from typing import Any

import numpy as np

import duograph.torch as torch

from . import dtypes, gfile
from .errors import InvalidArgumentError, NotFoundError
from .hosted import hosted
from .image.codec import *
from .missing import missing
from .parsing import *
from .records import *
from .tensors import Tensor, convert_to_tensor
from .text import StringTensor, as_bytes
from .wire import field, fields, read_varint


@hosted(slow=lambda names: True)  # a disk, or a network, may take its time
def read_file(filename: Any, name: str | None = None) -> StringTensor:
    """The whole content of a file. Raises NotFoundError where there is none."""
    path = gfile.local(filename)
    try:
        with open(path, "rb") as file:
            return StringTensor(file.read())
    except FileNotFoundError as error:
        raise NotFoundError(f"{path}: there is no such file") from error


def write_file(filename: Any, contents: Any, name: str | None = None) -> None:
    """Write a string to a file; directories are made."""
    path = gfile.local(filename)
    os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
    with open(path, "wb") as file:
        file.write(as_bytes(contents)[()])


def matching_files(pattern: Any, name: str | None = None) -> StringTensor:
    """The names of the files that match, in order."""
    patterns = as_bytes(pattern)
    found = gfile.glob([os.fsdecode(p) for p in np.atleast_1d(patterns)])
    return StringTensor(np.array(found, object))


@hosted(elementwise=True)
def decode_raw(
    input_bytes: Any, out_type: Any, little_endian: bool = True, fixed_length: Any = None, name: Any = None
) -> Tensor:
    """The bytes of each string as numbers, along a new last axis. Raises InvalidArgumentError for other lengths."""
    content, dtype = as_bytes(input_bytes), dtypes.as_dtype(out_type)
    order = dtype.numpy.newbyteorder("<" if little_endian else ">") if dtype.numpy.kind in "iufc" else dtype.numpy
    items = content.ravel().tolist()
    lengths = set(map(len, items))
    if len(lengths) != 1 or lengths.pop() % dtype.itemsize:
        raise InvalidArgumentError(f"decode_raw expected strings of one length, a multiple of {dtype.itemsize}")
    decoded = np.frombuffer(b"".join(items), order).astype(dtype.numpy)
    return torch.from_numpy(decoded.reshape(*content.shape, len(items[0]) // dtype.itemsize))


@hosted(elementwise=True)
def decode_base64(input: Any, name: str | None = None) -> StringTensor:
    """The bytes that each string stands for in web-safe base 64."""

    def decoded(item: bytes) -> bytes:
        return base64.urlsafe_b64decode(item + b"=" * (-len(item) % 4))

    return _each(decoded, input)


@hosted(elementwise=True)
def encode_base64(input: Any, pad: bool = False, name: str | None = None) -> StringTensor:
    """Each string in web-safe base 64."""
    return _each(
        lambda item: base64.urlsafe_b64encode(item) if pad else base64.urlsafe_b64encode(item).rstrip(b"="), input
    )


def _each(function: Any, input: Any) -> StringTensor:
    content = as_bytes(input)
    made = np.empty(content.shape, object)
    for place, item in np.ndenumerate(content):
        made[place] = function(item)
    return StringTensor(made)


@hosted(elementwise=True)
def decode_compressed(bytes: Any, compression_type: str = "", name: str | None = None) -> StringTensor:
    """Each string unpacked: "", "ZLIB" or "GZIP"."""
    unpack = {"": lambda item: item, "ZLIB": zlib.decompress, "GZIP": gzip.decompress}
    if compression_type not in unpack:
        raise InvalidArgumentError(f'decode_compressed expected "", "ZLIB" or "GZIP". Received: {compression_type!r}')
    return _each(unpack[compression_type], bytes)


def decode_csv(
    records: Any,
    record_defaults: Any,
    field_delim: str = ",",
    use_quote_delim: bool = True,
    na_value: str = "",
    select_cols: Any = None,
    name: str | None = None,
) -> list[Any]:
    """The columns of lines of CSV; a default says a column's dtype and stands for an empty field.

    Raises InvalidArgumentError for a wrong number of fields, for what is no number, and for an empty field without a
    default.
    """
    content = as_bytes(records)
    quoting: Any = csv.QUOTE_MINIMAL if use_quote_delim else csv.QUOTE_NONE
    rows = [next(csv.reader([line.decode()], delimiter=field_delim, quoting=quoting)) for line in content.ravel()]
    places = range(len(record_defaults)) if select_cols is None else list(select_cols)
    columns: list[Any] = []
    for place, default in zip(places, record_defaults, strict=True):
        if isinstance(default, dtypes.DType | type(dtypes.string)):
            dtype, filler = default, None
        else:
            tensor = convert_to_tensor(default)
            dtype, filler = tensor.dtype, next(iter(np.ravel(tensor.numpy()).tolist()), None)
        column = []
        for row in rows:
            if select_cols is None and len(row) != len(record_defaults):
                raise InvalidArgumentError(f"expected {len(record_defaults)} fields. Received: {len(row)} in {row}")
            column.append(_parsed(row[place], dtype, filler, na_value, place))
        if dtype is dtypes.string:
            made = np.empty(len(column), object)
            made[:] = column
            columns.append(StringTensor(made.reshape(content.shape)))
        else:
            columns.append(convert_to_tensor(np.array(column, dtype.numpy).reshape(content.shape)))
    return columns


def _parsed(text: str, dtype: Any, default: Any, missing_value: str, place: int) -> Any:
    if text in ("", missing_value):
        if default is None:
            raise InvalidArgumentError(f"field {place} is required but missing")
        return default
    if dtype is dtypes.string:
        return text
    try:
        return float(text) if dtype.is_floating_point else int(text)
    except ValueError as error:
        raise InvalidArgumentError(f"field {place}: {text!r} is no {dtype.name}") from error


_NUMBERS = {
    "float32": 1, "float64": 2, "int32": 3, "uint8": 4, "int16": 5, "int8": 6, "complex64": 8, "int64": 9, "bool": 10,
    "bfloat16": 14, "uint16": 17, "complex128": 18, "float16": 19, "uint32": 22, "uint64": 23,
}  # fmt: skip
"""The numbers of dtypes in TensorFlow's messages; that of strings is 7."""


def serialize_tensor(tensor: Any, name: str | None = None) -> StringTensor:
    """A tensor as the bytes of a TensorProto."""
    x = convert_to_tensor(tensor)
    sizes = b"".join(field(2, field(1, int(n)) if n else b"") for n in x.shape)
    if isinstance(x, StringTensor):
        content = b"".join(field(8, item) for item in x._content.ravel())
        return StringTensor(field(1, 7) + field(2, sizes) + content)
    return StringTensor(
        field(1, _NUMBERS[x.dtype.name]) + field(2, sizes) + field(4, np.ascontiguousarray(x.numpy()).tobytes())
    )


def parse_tensor(serialized: Any, out_type: Any, name: str | None = None) -> Any:
    """The tensor of a TensorProto whose content is raw bytes or strings, as `serialize_tensor` writes them.

    Raises InvalidArgumentError where it has another dtype than `out_type`.
    """
    dtype = dtypes.as_dtype(out_type)
    kind, shape, raw, strings = 0, [], b"", []
    for number, _, value in fields(as_bytes(serialized)[()]):
        if number == 1:
            kind, _ = read_varint(value, 0)
        elif number == 2:
            for axis, _, size in fields(value):
                if axis == 2:
                    shape.append(next((read_varint(n, 0)[0] for place, _, n in fields(size) if place == 1), 0))
        elif number == 4:
            raw = value
        elif number == 8:
            strings.append(value)
        else:
            raise InvalidArgumentError(
                "parse_tensor reads tensors written as raw bytes, as serialize_tensor writes them"
            )
    if kind != (7 if dtype is dtypes.string else _NUMBERS[dtype.name]):
        raise InvalidArgumentError(f"parse_tensor expected a tensor of {dtype.name}. Received: one of another dtype")
    if dtype is dtypes.string:
        made = np.empty(len(strings), object)
        made[:] = strings
        return StringTensor(made.reshape(shape))
    return torch.tensor(np.frombuffer(raw, dtype.numpy).reshape(shape).copy())


__getattr__ = missing(
    __name__,
    globals(),
    {
        "SparseFeature": "use two tf.io.VarLenFeature and tf.SparseTensor",
        "decode_proto": "use the message's own Python class",
        "encode_proto": "use the message's own Python class",
        "parse_sequence_example": "use tf.io.parse_single_sequence_example on each of them",
        "write_graph": "a graph is written with duograph's GraphDL text",
    },
)
