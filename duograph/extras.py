"""Libraries that only some names need: extras of the package, loaded when they are first used."""

from __future__ import annotations

import importlib
from typing import Any


def needed(module: str, extra: str, purpose: str) -> Any:
    """The module. Raises ImportError, which names the extra to install, where it is not there."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise ImportError(
            f"{purpose} needs {module.partition('.')[0]}: install it with `pip install duograph[{extra}]`"
        ) from error
