"""What a module of this face says of a name it does not have."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping
from typing import Any


def missing(
    module: str, names: Mapping[str, Any], alternatives: Mapping[str, str] | None = None
) -> Callable[[str], Any]:
    """A module's `__getattr__`: AttributeError that says the name is not built and what to use instead."""

    def report(name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(f"module {module!r} has no attribute {name!r}")
        near = difflib.get_close_matches(name, [n for n in names if not n.startswith("_")], 3)
        instead = (alternatives or {}).get(name) or (
            f"the nearest names are {', '.join(near)}" if near else "tf.keras.ops has more operations"
        )
        label = module.removeprefix("duograph.")
        raise AttributeError(
            f"{label} has no {name!r}: if it is a name of TensorFlow's, it is not built here. Instead: {instead}"
        )

    return report
