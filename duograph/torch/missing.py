"""What a room of the face says of names that it does not have."""

from __future__ import annotations

import difflib
import importlib
import sys
from collections.abc import Callable, Iterable
from importlib.machinery import PathFinder
from typing import Any

from ..tensor.core import Tensor
from .alternatives import alternative


def missing(module: str, names: Iterable[str]) -> Callable[[str], Any]:
    """A module's `__getattr__`: an AttributeError that says what to use instead, or gives the nearest names.

    The modules of a package load when first used.
    """

    def get(name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(f"module {module!r} has no attribute {name!r}")
        folders = getattr(sys.modules[module], "__path__", None)
        if folders is not None and PathFinder.find_spec(f"{module}.{name}", folders) is not None:
            return importlib.import_module(f"{module}.{name}")
        if instead := alternative(f"{module}.{name}".partition(".torch.")[2]):
            raise AttributeError(f"{module} has no {name!r}: it is not built here. Instead: {instead}")
        near = difflib.get_close_matches(name, [n for n in names if not n.startswith("_")], 3)
        hint = f" The nearest names that are: {', '.join(near)}." if near else ""
        raise AttributeError(
            f"{module} has no {name!r}: PyTorch's {name!r}, if it has one, is not built here yet.{hint}"
        )

    return get


class MissingAttribute(AttributeError):
    """An attribute that tensors do not have. What there is instead is looked for when the error is shown."""

    def __str__(self) -> str:
        (name,) = self.args
        text = f"'Tensor' object has no attribute {name!r}"
        if instead := alternative(f"Tensor.{name}"):
            return f"{text}: it is not built here. Instead: {instead}"
        near = difflib.get_close_matches(name, [n for n in dir(Tensor) if not n.startswith("_")], 3)
        return f"{text}. The nearest names that are: {', '.join(near)}." if near else text


Tensor._no_attribute = staticmethod(MissingAttribute)  # type: ignore[method-assign]
