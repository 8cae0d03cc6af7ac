"""Names of functions, as code calls them and as it can be read again."""

from __future__ import annotations

import builtins
import importlib
import keyword
import math
import re
from functools import cache
from typing import Any

ROOMS = ("torch", "torch.nn.functional", "torch.linalg", "torch.special", "torch.fft", "torch.nn.init")
"""Where functions of tensors stand."""


def room(name: str) -> Any:
    """One of `ROOMS`."""
    return importlib.import_module(f"duograph.{name}")


@cache
def functions() -> dict[int, str]:
    """By what names functions of the face are called."""
    found: dict[int, str] = {}
    for name in ROOMS:
        for own, value in vars(room(name)).items():
            if callable(value) and not isinstance(value, type) and not own.startswith("__"):
                found.setdefault(id(value), f"{name}.{own}")
    return found


def qualified(function: Any) -> str:
    """A function's name with its module's: `torch.relu`, `operator.add`."""
    if (known := functions().get(id(function))) is not None:
        return known
    module, name = getattr(function, "__module__", None), getattr(function, "__name__", repr(function))
    if getattr(builtins, name, None) is function:
        return f"builtins.{name}" if name == "getattr" else name
    return f"{'operator' if module == '_operator' else 'math' if vars(math).get(name) is function else module}.{name}"


class Namespace:
    """Names that are taken."""

    def __init__(self) -> None:
        self._used: set[str] = set()
        self._numbers: dict[str, int] = {}

    def name(self, wanted: str) -> str:
        """A name like the wanted one that is free, and taken from now on."""
        wanted = re.sub("[^0-9a-zA-Z_]+", "_", wanted) or "_unnamed"
        wanted = f"_{wanted}" if wanted[0].isdigit() else wanted
        base, number = wanted, None
        if (found := re.fullmatch(r"(.*)_(\d+)", wanted)) is not None:
            base, number = found[1], int(found[2])
        name = base if number is None else wanted
        count = self._numbers.get(base, 0) if number is None else number
        while name in self._used or keyword.iskeyword(name) or hasattr(builtins, name):
            count += 1
            name = f"{base}_{count}"
        self._numbers[base] = max(count, self._numbers.get(base, 0))
        self._used.add(name)
        return name


def snake_case(name: str) -> str:
    """`MaxPool` as `max_pool`."""
    return re.sub(r"(?<=[a-z0-9])([A-Z])", r"_\1", name).lower()
