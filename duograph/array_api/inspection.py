"""Questions about dtypes, and about the namespace itself."""

from __future__ import annotations

from typing import Any

from ..graph import dtype as dtypes
from ..graph.dtype import DType
from ..graph.errors import ArgumentError, DTypeError
from ..ops import FUNCTIONS as F
from ..ops import casting
from ..tensor import convert, core
from ..tensor.core import Tensor, cast
from ..tensor.device import Device
from ..tensor.device import device as find_device

API_VERSION = "2024.12"
API_VERSIONS = ("2021.12", "2022.12", "2023.12", API_VERSION)

KINDS: dict[str, tuple[DType, ...]] = {
    "bool": (dtypes.bool_,),
    "signed integer": tuple(d for d in dtypes.INTEGRAL if d.signed),
    "unsigned integer": tuple(d for d in dtypes.INTEGRAL if not d.signed),
    "integral": dtypes.INTEGRAL,
    "real floating": dtypes.FLOATING,
    "complex floating": dtypes.COMPLEX,
    "numeric": (*dtypes.INTEGRAL, *dtypes.FLOATING, *dtypes.COMPLEX),
}


def isdtype(dtype: Any, kind: Any) -> bool:
    """Whether a dtype is one, or is of a kind such as "integral" (or of one of several)."""
    if isinstance(kind, tuple):
        return any(isdtype(dtype, k) for k in kind)
    if isinstance(kind, str):
        if kind not in KINDS:
            raise ArgumentError(f"isdtype: kind: expected one of {', '.join(KINDS)}. Received: {kind!r}")
        return dtype in KINDS[kind]
    return dtype is dtypes.dtype(kind)


def astype(x: Tensor, dtype: Any, /, *, copy: bool = True, device: Any = None) -> Tensor:
    """`x` in another dtype; a copy even if it has it already, unless `copy=False`."""
    made = cast(x, dtypes.dtype(dtype))
    if device is not None:
        made = convert.to_device(made, find_device(device))
    return F["clone"](made) if copy and made is x else made


def can_cast(from_: Any, to: Any, /) -> bool:
    """Whether promotion leads from one dtype to the other."""
    source = from_.dtype if isinstance(from_, Tensor) else dtypes.dtype(from_)
    try:
        return dtypes.promote(source, dtypes.dtype(to)) is dtypes.dtype(to)
    except DTypeError:
        return False


def result_type(*arrays_and_dtypes: Any) -> DType:
    """The dtype of an operation between tensors, dtypes and numbers; among tensors all count alike."""
    return core.result_type(*(a.dtype if isinstance(a, Tensor) else a for a in arrays_and_dtypes))


def finfo(type: Any, /) -> casting.finfo:
    """Limits of a floating point dtype, or of a tensor's: bits, eps, max, min, smallest_normal, dtype."""
    return _with_dtype(casting.finfo, type)


def iinfo(type: Any, /) -> casting.iinfo:
    """Limits of an integer dtype, or of a tensor's: bits, max, min, dtype."""
    return _with_dtype(casting.iinfo, type)


def _with_dtype(limits: Any, spec: Any) -> Any:
    """PyTorch's limits name their dtype; the standard's have it."""
    found = spec.dtype if isinstance(spec, Tensor) else dtypes.dtype(spec)
    info = limits(found)
    info.dtype = found
    return info


class Info:
    """What the namespace can do: see the standard's inspection API."""

    def capabilities(self) -> dict[str, Any]:
        """Boolean indexing and shapes that depend on content are there; at most 64 dimensions, NumPy's limit."""
        return {"boolean indexing": True, "data-dependent shapes": True, "max dimensions": 64}

    def default_device(self) -> Device:
        """Where tensors are made when no device is named."""
        return find_device(None)

    def default_dtypes(self, *, device: Any = None) -> dict[str, DType]:
        """The dtypes that Python's numbers and indices get."""
        return {
            "real floating": core.get_default_dtype(),
            "complex floating": core.get_default_dtype().to_complex(),
            "integral": dtypes.int64,
            "indexing": dtypes.int64,
        }

    def devices(self) -> list[Device]:
        """Devices whose tensors have content."""
        return [find_device(None)]

    def dtypes(self, *, device: Any = None, kind: Any = None) -> dict[str, DType]:
        """The standard's dtypes that there are, by name."""
        named = {d.name: d for d in dtypes.ALL if not d.is_half}
        return {name: d for name, d in named.items() if kind is None or isdtype(d, kind)}


def __array_namespace_info__() -> Info:
    """The inspection object of the standard."""
    return Info()


def check_version(api_version: str | None) -> None:
    """Raise ValueError for a version of the standard that the namespace does not follow; None is the newest."""
    if api_version not in (None, *API_VERSIONS):
        expected = ", ".join(API_VERSIONS)
        raise ValueError(f"__array_namespace__: api_version: expected one of {expected}. Received: {api_version!r}")
