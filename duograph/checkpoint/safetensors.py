"""safetensors files: a JSON header and raw tensors (https://github.com/huggingface/safetensors)."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from ..graph import dtype as dtypes
from ..graph.errors import ArgumentError
from ..tensor.convert import from_buffer
from ..tensor.core import Tensor
from .atomic import replace_file

_DTYPES = {
    "BOOL": dtypes.bool_, "U8": dtypes.uint8, "U16": dtypes.uint16, "U32": dtypes.uint32, "U64": dtypes.uint64,
    "I8": dtypes.int8, "I16": dtypes.int16, "I32": dtypes.int32, "I64": dtypes.int64,
    "F16": dtypes.float16, "BF16": dtypes.bfloat16, "F32": dtypes.float32, "F64": dtypes.float64,
    "C64": dtypes.complex64,
}  # fmt: skip


def save_file(
    tensors: Mapping[str, Tensor], path: str | os.PathLike[str], metadata: dict[str, str] | None = None
) -> None:
    """Write named tensors. The file appears whole or not at all.

    Raises ArgumentError for names that are not strings and values that are not tensors, and for complex128, which the
    format does not have.
    """
    from safetensors.numpy import save

    arrays: dict[str, np.ndarray] = {}
    for name, tensor in tensors.items():
        if not isinstance(name, str) or not isinstance(tensor, Tensor):
            raise ArgumentError(
                f"save_file: expected names with tensors. Received: {name!r} with {type(tensor).__name__}"
            )
        if tensor.dtype is dtypes.complex128:
            raise ArgumentError(f"save_file: {name}: safetensors has no complex128: save x.cfloat() or view_as_real(x)")
        arrays[name] = np.asarray(tensor._array(), order="C")
    whole = save(arrays, metadata)
    with replace_file(path) as file:
        file.write(whole)


def load_file(path: str | os.PathLike[str]) -> dict[str, Tensor]:
    """The named tensors of a file.

    Raises FileNotFoundError, and ArgumentError for a file that is truncated, altered or of another format.
    """
    from safetensors import SafetensorError, deserialize

    content = Path(path).read_bytes()
    try:
        entries = {name: (_DTYPES[entry["dtype"]], entry) for name, entry in deserialize(content)}
        arrays = {
            name: np.frombuffer(entry["data"], dtype.numpy).reshape(entry["shape"])
            for name, (dtype, entry) in entries.items()
        }
    except (SafetensorError, ValueError, KeyError) as error:
        raise ArgumentError(
            f"{path}: expected a whole safetensors file. "
            f"Received: {len(content)} bytes, in which {_reason(content, error)}"
        ) from error
    return {name: from_buffer(np.array(array)) for name, array in arrays.items()}


def _reason(content: bytes, error: Exception) -> str:
    if len(content) < 8:
        return "not even the header's length fits"
    length = int.from_bytes(content[:8], "little")
    if length + 8 > len(content):
        return f"the header alone should take {length} (is it truncated, or of another format?)"
    return f"the reader found: {error}"
