"""`tf.app`: a program's main function, and its flags, which are those of absl."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

from absl import app, flags

__all__ = ["flags", "run"]


def run(main: Callable[..., Any] | None = None, argv: list[str] | None = None) -> None:
    """Parse the flags and call `main`, or the program's function of that name, with the other arguments."""
    app.run(main or sys.modules["__main__"].main, argv)
