"""`tf.strings`: functions of string tensors, on the host. Patterns are Python's, which has RE2's syntax and more."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from typing import Any

import numpy as np

import duograph.torch as torch

from . import dtypes
from .errors import InvalidArgumentError
from .farmhash import fingerprint64
from .hosted import hosted
from .missing import missing
from .tensors import Tensor, _sizes, convert_to_tensor
from .text import StringTensor, as_bytes

__all__ = [
    "as_string", "bytes_split", "fingerprint", "format", "join", "length", "lower", "ngrams", "reduce_join",
    "regex_full_match", "regex_replace", "split", "strip", "substr", "to_hash_bucket", "to_hash_bucket_fast",
    "to_hash_bucket_strong", "to_number", "unicode_decode", "unicode_encode", "unicode_split", "unicode_transcode",
    "unsorted_segment_join", "upper",
]  # fmt: skip


def _each(function: Callable[[bytes], bytes], input: Any) -> Any:
    """`function` of each string; of a ragged tensor, of its values."""
    if hasattr(input, "with_flat_values"):
        return input.with_flat_values(_each(function, input.flat_values))
    content = as_bytes(input)
    made = np.empty(content.shape, object)
    for place, item in np.ndenumerate(content):
        made[place] = function(item)
    return StringTensor(made)


def _numbers(function: Callable[[bytes], Any], input: Any, dtype: Any) -> Any:
    if hasattr(input, "with_flat_values"):
        return input.with_flat_values(_numbers(function, input.flat_values, dtype))
    content = as_bytes(input)
    return torch.tensor(np.array([function(item) for item in content.ravel()], dtype.numpy).reshape(content.shape))


def _in(encoding: str, function: Callable[[str], str]) -> Callable[[bytes], bytes]:
    """`function` of strings for bytes: in UTF-8, or of each byte by itself where no encoding is named."""
    if encoding == "utf-8":
        return lambda item: function(item.decode(errors="replace")).encode()
    if encoding:
        raise InvalidArgumentError(f'tf.strings expected encoding "" or "utf-8". Received: {encoding!r}')
    return lambda item: bytes(b if b > 127 else ord(function(chr(b))) for b in item)


@hosted(elementwise=True)
def lower(input: Any, encoding: str = "", name: str | None = None) -> StringTensor:
    """Lower case: of ASCII letters, or of all with encoding "utf-8"."""
    return _each(_in(encoding, str.lower), input)


@hosted(elementwise=True)
def upper(input: Any, encoding: str = "", name: str | None = None) -> StringTensor:
    """Upper case: of ASCII letters, or of all with encoding "utf-8"."""
    return _each(_in(encoding, str.upper), input)


@hosted(elementwise=True)
def strip(input: Any, name: str | None = None) -> StringTensor:
    """Without the white space at both ends."""
    return _each(bytes.strip, input)


@hosted(elementwise=True)
def length(input: Any, unit: str = "BYTE", name: str | None = None) -> Tensor:
    """The int32 lengths, in bytes or, with unit "UTF8_CHAR", in characters."""
    return _numbers(lambda item: len(item if unit == "BYTE" else item.decode(errors="replace")), input, dtypes.int32)


def _pattern(pattern: Any) -> re.Pattern[str]:
    """Of characters, as RE2's are; its classes such as \\w have ASCII's alone."""
    source = _characters(as_bytes(pattern)[()])
    source = source.replace(r"\pL", "[A-Za-z]").replace(r"\z", r"\Z")
    for name, ranges in _CLASSES.items():
        source = source.replace(name, ranges)
    try:
        return re.compile(source, re.ASCII)
    except re.error as error:
        raise InvalidArgumentError(f"the pattern {source!r} is not one: {error}") from error


def _characters(item: bytes) -> str:
    """UTF-8 decoded; bytes that are none are kept as they are by `_encoded`."""
    return item.decode(errors="surrogateescape")


def _encoded(text: str) -> bytes:
    return text.encode(errors="surrogateescape")


_CLASSES = {
    "[:punct:]": r"!-/:-@\[-`{-~", "[:alpha:]": "A-Za-z", "[:digit:]": "0-9", "[:alnum:]": "0-9A-Za-z",
    "[:space:]": r"\t\n\v\f\r ", "[:upper:]": "A-Z", "[:lower:]": "a-z", "[:word:]": r"\w",
    "[:xdigit:]": "0-9A-Fa-f", "[:blank:]": r"\t ",
}  # fmt: skip
"""POSIX's classes, which stand inside brackets."""


@hosted(elementwise=True)
def regex_replace(
    input: Any, pattern: Any, rewrite: Any, replace_global: bool = True, name: str | None = None
) -> StringTensor:
    r"""Each match of `pattern` (or the first) replaced; \1 ... \9 in `rewrite` are groups, \0 the whole match."""
    compiled = _pattern(pattern)
    new, count = _characters(as_bytes(rewrite)[()]).replace(r"\0", r"\g<0>"), 0 if replace_global else 1
    return _each(lambda item: _encoded(compiled.sub(new, _characters(item), count=count)), input)


@hosted(elementwise=True)
def regex_full_match(input: Any, pattern: Any, name: str | None = None) -> Tensor:
    """Whether the whole string matches."""
    compiled = _pattern(pattern)
    return _numbers(lambda item: compiled.fullmatch(_characters(item)) is not None, input, dtypes.bool)


def join(inputs: Any, separator: str = "", name: str | None = None) -> StringTensor:
    """Strings of tensors of one shape (or none: a single string) joined elementwise."""
    given = [as_bytes(x) for x in inputs]
    if len({x.shape for x in given if x.ndim}) > 1:
        raise InvalidArgumentError(f"tf.strings.join expected one shape. Received: {[x.shape for x in given]}")
    parts: Any = np.broadcast_arrays(*given)
    made = np.empty(parts[0].shape, object)
    glue = separator.encode()
    for place in np.ndindex(made.shape):
        made[place] = glue.join(part[place] for part in parts)
    return StringTensor(made)


def reduce_join(
    inputs: Any, axis: Any = None, keepdims: bool = False, separator: str = "", name: str | None = None
) -> StringTensor:
    """The strings along `axis` (all axes) joined to one."""
    if hasattr(inputs, "with_flat_values"):
        rows = [reduce_join(row, keepdims=keepdims, separator=separator) for row in inputs]
        return StringTensor([row.numpy() for row in rows])
    content, glue = as_bytes(inputs), separator.encode()
    axes = list(range(content.ndim)) if axis is None else [a % content.ndim for a in np.atleast_1d(axis).tolist()]
    kept = [a for a in range(content.ndim) if a not in axes]
    rows = content.transpose(*kept, *axes).reshape(*(content.shape[a] for a in kept), -1)
    made = np.empty(rows.shape[:-1], object)
    for place in np.ndindex(made.shape):
        made[place] = glue.join(rows[place])
    shape = [1 if a in axes else n for a, n in enumerate(content.shape)]
    return StringTensor(made.reshape(shape) if keepdims else made)


def unsorted_segment_join(
    inputs: Any, segment_ids: Any, num_segments: Any, separator: str = "", name: str | None = None
) -> StringTensor:
    """The strings of each segment joined, in order."""
    ids = convert_to_tensor(segment_ids).numpy().ravel()
    content = as_bytes(inputs).ravel()
    return StringTensor([separator.encode().join(content[ids == s]) for s in range(int(num_segments))])


def substr(input: Any, pos: Any, len: Any, unit: str = "BYTE", name: str | None = None) -> StringTensor:
    """`len` bytes (or characters, with unit "UTF8_CHAR") from position `pos`, negative from the end.

    Raises InvalidArgumentError where the position lies outside the string.
    """
    content: Any
    content, begins, counts = np.broadcast_arrays(as_bytes(input), *(convert_to_tensor(x).numpy() for x in (pos, len)))
    made = np.empty(content.shape, object)
    for place in np.ndindex(made.shape):
        item = content[place] if unit == "BYTE" else content[place].decode(errors="replace")
        size = item.__len__()
        begin = int(begins[place])
        if not -size <= begin <= size:
            raise InvalidArgumentError(f"tf.strings.substr: position {begin} is outside the string {content[place]!r}")
        begin = begin + size if begin < 0 else begin
        part = item[begin : begin + int(counts[place])]
        made[place] = part if isinstance(part, bytes) else part.encode()
    return StringTensor(made)


@hosted(elementwise=True)
def to_number(input: Any, out_type: Any = dtypes.float32, name: str | None = None) -> Tensor:
    """Decimal numbers as float32, float64, int32 or int64. Raises InvalidArgumentError for what is no number."""
    dtype = dtypes.as_dtype(out_type)
    kind: Callable[[bytes], Any] = float if dtype.is_floating_point else int

    def number(item: bytes) -> Any:
        try:
            return kind(item)
        except ValueError as error:
            raise InvalidArgumentError(f"tf.strings.to_number: {item!r} is no number of {dtype.name}") from error

    return _numbers(number, input, dtype)


def as_string(
    input: Any,
    precision: int = -1,
    scientific: bool = False,
    shortest: bool = False,
    width: int = -1,
    fill: str = "",
    name: str | None = None,
) -> StringTensor:
    """Numbers as decimal strings; floats with six places, or as `precision`, `scientific` and `shortest` say."""
    x = convert_to_tensor(input)
    if isinstance(x, StringTensor):
        return x
    if x.dtype.is_floating_point:
        kind = "e" if scientific else "g" if shortest else "f"
        form = (
            f"%{fill}{width if width > 0 else ''}.{precision}{kind}"
            if precision >= 0
            else (f"%{fill}{width if width > 0 else ''}{kind}")
        )
    elif x.dtype is dtypes.bool:
        form = f"%{width if width > 0 else ''}s"
    else:
        form = f"%{fill}{width if width > 0 else ''}d"
    array = x.numpy()
    made = np.empty(array.shape, object)
    for place, item in np.ndenumerate(array):
        made[place] = form % (str(bool(item)).lower() if x.dtype is dtypes.bool else item.item())
    return StringTensor(made)


def format(
    template: str, inputs: Any, placeholder: str = "{}", summarize: int = 3, name: str | None = None
) -> StringTensor:
    """`template` with tensors in place of its placeholders. Raises ValueError where their numbers differ."""
    values = list(inputs) if isinstance(inputs, list | tuple) else [inputs]
    parts = template.split(placeholder)
    if len(parts) != len(values) + 1:
        raise ValueError(f"tf.strings.format expected {len(parts) - 1} tensors. Received: {len(values)}")
    shown = [shortened(convert_to_tensor(v), summarize) for v in values]
    return StringTensor(parts[0] + "".join(s + p for s, p in zip(shown, parts[1:], strict=True)))


def shortened(tensor: Any, summarize: int = 3) -> str:
    """A tensor as text: the first and last `summarize` elements of each axis (-1: all)."""
    array = as_bytes(tensor) if isinstance(tensor, StringTensor) else np.asarray(tensor.numpy())

    def show(part: Any) -> str:
        if not part.ndim:
            item = part[()]
            return f'"{item.decode(errors="replace")}"' if isinstance(item, bytes) else str(item)
        gap = "\n" * (part.ndim - 1) if part.ndim > 1 else " "
        if summarize < 0 or len(part) <= 2 * summarize:
            inner = [show(part[i, ...]) for i in range(part.__len__())]
        else:
            ends = (range(summarize), range(-summarize, 0))
            first, last = ([show(part[i, ...]) for i in places] for places in ends)
            inner = [*first, "...", *last]
        return "[" + (gap + " " * (array.ndim - part.ndim + 1) if part.ndim > 1 else gap).join(inner) + "]"

    return show(array)


def _hashed(input: Any, num_buckets: int, key: bytes) -> Tensor:
    def place(item: bytes) -> int:
        return int.from_bytes(hashlib.blake2b(item, digest_size=8, key=key).digest(), "little") % int(num_buckets)

    return _numbers(place, input, dtypes.int64)


def to_hash_bucket(input: Any, num_buckets: int, name: str | None = None) -> Tensor:
    """Each string's bucket 0 ... num_buckets - 1, by a hash (BLAKE2) that is the same on every machine; the buckets
    are other ones than TensorFlow's."""
    return _hashed(input, num_buckets, b"")


@hosted(elementwise=True)
def to_hash_bucket_fast(input: Any, num_buckets: int, name: str | None = None) -> Tensor:
    """The bucket of each string by FarmHash's fingerprint: TensorFlow's buckets, on every machine."""
    return _numbers(lambda item: fingerprint64(item) % int(num_buckets), input, dtypes.int64)


def fingerprint(data: Any, method: str = "farmhash64", name: str | None = None) -> Tensor:
    """The fingerprint of each row of `data` (of each string of a vector) as its eight bytes, the lowest first."""
    if method != "farmhash64":
        raise NotImplementedError(f"tf.fingerprint knows the method 'farmhash64'. Received: {method!r}")
    tensor = convert_to_tensor(data)
    if not tensor.ndim:
        raise InvalidArgumentError("tf.fingerprint expected at least one axis. Received: a scalar")
    if isinstance(tensor, StringTensor):
        contents = tensor._content
        if tensor.ndim > 1:  # rows of strings: the fingerprint of their strings' fingerprints
            each = fingerprint(StringTensor.of(contents.ravel())).numpy()
            return fingerprint(torch.from_numpy(each.reshape(len(contents), -1)))
        rows = contents.tolist()
    else:
        rows = [row.tobytes() for row in tensor.numpy()]
    made = np.array([fingerprint64(row) for row in rows], "<u8")
    return torch.from_numpy(made.view(np.uint8).reshape(len(rows), 8))


@hosted(elementwise=True)
def to_hash_bucket_strong(input: Any, num_buckets: int, key: Any, name: str | None = None) -> Tensor:
    """The bucket of each string by SipHash-2-4 with the key, two integers of 64 bits: TensorFlow's buckets."""
    first, second = (k % 2**64 for k in _sizes(key))
    content = as_bytes(input)
    buckets = [_siphash(s, first, second) % num_buckets for s in content.reshape(-1)]
    return torch.tensor(np.array(buckets, np.int64).reshape(content.shape))


def _siphash(content: bytes, first: int, second: int) -> int:
    """Aumasson and Bernstein, "SipHash: a fast short-input PRF" (2012), with 2 and 4 rounds."""
    mask = 2**64 - 1
    a, b = first ^ 0x736F6D6570736575, second ^ 0x646F72616E646F6D
    c, d = first ^ 0x6C7967656E657261, second ^ 0x7465646279746573

    def turned(x: int, by: int) -> int:
        return (x << by | x >> 64 - by) & mask

    def rounds(count: int) -> None:
        nonlocal a, b, c, d
        for _ in range(count):
            a, c = (a + b) & mask, (c + d) & mask
            b, d = turned(b, 13) ^ a, turned(d, 16) ^ c
            a = turned(a, 32)
            a, c = (a + d) & mask, (c + b) & mask
            d, b = turned(d, 21) ^ a, turned(b, 17) ^ c
            c = turned(c, 32)

    padded = content + bytes(7 - len(content) % 8) + bytes([len(content) % 256])
    for start in range(0, len(padded), 8):
        word = int.from_bytes(padded[start : start + 8], "little")
        d ^= word
        rounds(2)
        a ^= word
    c ^= 0xFF
    rounds(4)
    return a ^ b ^ c ^ d


# -- strings to rows of strings ----------------------------------------------------------------------------------------
def _rows(function: Callable[[bytes], list[Any]], input: Any, dtype: Any = None) -> Any:
    """A list for each string: a tensor for a single one, else a ragged tensor with one more axis."""
    from . import ragged

    if hasattr(input, "with_flat_values"):
        return input.with_flat_values(_rows(function, input.flat_values, dtype))
    content = as_bytes(input)
    if not content.ndim:
        found = function(content[()])
        return StringTensor(np.array(found, object)) if dtype is None else torch.tensor(found, dtype=dtype)

    def nested(part: np.ndarray) -> list[Any]:
        return [function(item) if part.ndim == 1 else nested(item) for item in part]

    return ragged.constant(nested(content), dtype=dtypes.string if dtype is None else dtype, ragged_rank=content.ndim)


def split(input: Any, sep: str | None = None, maxsplit: int = -1, name: str | None = None) -> Any:
    """The parts between separators (white space where None is given): a ragged tensor, of one string a vector."""
    mark = as_bytes(sep)[()] if sep is not None else b""
    return _rows(lambda item: item.split(mark or None, maxsplit), input)


def bytes_split(input: Any, name: str | None = None) -> Any:
    """The single bytes of each string."""
    return _rows(lambda item: [item[i : i + 1] for i in range(len(item))], input)


def _text(item: bytes, encoding: str, errors: str, replacement: int = 65533) -> str:
    try:
        return item.decode(
            encoding, errors="strict" if errors == "strict" else "replace" if errors == "replace" else "ignore"
        )
    except UnicodeDecodeError as error:
        raise InvalidArgumentError(f"{item!r} is not {encoding}: {error}") from error


def unicode_split(
    input: Any, input_encoding: str, errors: str = "replace", replacement_char: int = 65533, name: str | None = None
) -> Any:
    """The characters of each string."""
    return _rows(lambda item: [c.encode() for c in _text(item, input_encoding, errors)], input)


def unicode_decode(
    input: Any, input_encoding: str, errors: str = "replace", replacement_char: int = 65533, name: str | None = None
) -> Any:
    """The int32 code points of each string."""
    return _rows(lambda item: [ord(c) for c in _text(item, input_encoding, errors)], input, dtypes.int32)


def unicode_encode(
    input: Any, output_encoding: str, errors: str = "replace", replacement_char: int = 65533, name: str | None = None
) -> StringTensor:
    """Code points along the last axis as strings."""
    rows = input.to_list() if hasattr(input, "to_list") else convert_to_tensor(input).tolist()

    def encoded(part: list[Any]) -> Any:
        if part and isinstance(part[0], list):
            return [encoded(p) for p in part]
        return "".join(map(chr, part)).encode(output_encoding.replace("-BE", "-be"))

    return StringTensor(encoded(rows))


def unicode_transcode(
    input: Any,
    input_encoding: str,
    output_encoding: str,
    errors: str = "replace",
    replacement_char: int = 65533,
    replace_control_characters: bool = False,
    name: str | None = None,
) -> StringTensor:
    """Strings of one encoding in another."""
    return _each(lambda item: _text(item, input_encoding, errors).encode(output_encoding), input)


def ngrams(
    data: Any,
    ngram_width: Any,
    separator: str = " ",
    pad_values: Any = None,
    padding_width: int | None = None,
    preserve_short_sequences: bool = False,
    name: str | None = None,
) -> Any:
    """Runs of `ngram_width` strings (one width, or several) along the last axis, joined."""
    widths = (ngram_width,) if isinstance(ngram_width, int) else tuple(ngram_width)
    left, right = (pad_values, pad_values) if isinstance(pad_values, str) else pad_values or ("", "")
    is_ragged = hasattr(data, "to_list")
    rows = data.to_list() if is_ragged else as_bytes(data).tolist()

    def runs(row: list[bytes]) -> list[bytes]:
        made: list[bytes] = []
        for width in widths:
            edge = 0 if pad_values is None else width - 1 if padding_width is None else min(width - 1, padding_width)
            padded = [left.encode()] * edge + row + [right.encode()] * edge
            made += [separator.encode().join(padded[i : i + width]) for i in range(len(padded) - width + 1)]
        if preserve_short_sequences and not made and row:
            made.append(separator.encode().join(row))
        return made

    def each(part: list[Any]) -> Any:
        return [each(p) for p in part] if part and isinstance(part[0], list) else runs(part)

    if is_ragged:
        from . import ragged

        return ragged.constant(each(rows), dtype=dtypes.string)
    return StringTensor(each(rows))


__getattr__ = missing(
    __name__,
    globals(),
    {
        "unicode_script": "use Python's unicodedata",
    },
)
