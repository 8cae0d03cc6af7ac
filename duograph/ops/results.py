"""Named results: tuples that print and type as PyTorch's `torch.return_types` do."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar

from ..tensor.core import Tensor

Kind = TypeVar("Kind", bound=type)

RESULTS: dict[str, type] = {}
"""The classes of `torch.return_types` by name."""


def result(*names: str) -> Callable[[Kind], Kind]:
    """Decorator: a NamedTuple class is a result under these names, and prints under the first."""

    def text(self: Any) -> str:
        fields = ",\n".join(f"{name}={value!r}" for name, value in zip(self._fields, self, strict=True))
        return f"torch.return_types.{names[0]}(\n{fields})"

    def register(kind: Kind) -> Kind:
        kind.__repr__ = text  # type: ignore[assignment]
        RESULTS.update(dict.fromkeys(names, kind))
        return kind

    return register


class Ranked(NamedTuple):
    """Elements that were chosen by their size, and where they stood."""

    values: Tensor
    indices: Tensor


RANKED: dict[str, type[Ranked]] = {
    name: result(name)(type(name, (Ranked,), {"__slots__": (), "__module__": __name__}))
    for name in ("cummax", "cummin", "kthvalue", "max", "median", "min", "mode", "nanmedian", "sort", "topk")
}


def __getattr__(name: str) -> Any:
    """The classes above by name, for pickle; as globals they would hide Python's own `max`."""
    if name in RANKED:
        return RANKED[name]
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
