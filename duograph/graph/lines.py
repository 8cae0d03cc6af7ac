"""Where in the user's program we are."""

from __future__ import annotations

import linecache
import os
import sys
from types import CodeType, FrameType

_OURS = [os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep, "<frozen importlib"]
_internal: dict[CodeType, bool] = {}


def hide(directory: str) -> None:
    """Treat the files below `directory` as part of the framework: errors then name the line that called into it."""
    _OURS.append(os.path.abspath(directory) + os.sep)
    _internal.clear()


def _is_internal(code: CodeType) -> bool:
    known = _internal[code] = code.co_filename.startswith(tuple(_OURS))
    return known


def user_frame() -> FrameType | None:
    """The innermost frame that is not the framework's own."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        code = frame.f_code
        known = _internal.get(code)
        if not (_is_internal(code) if known is None else known):
            return frame
        frame = frame.f_back
    return None


def user_site() -> tuple[str, int, int] | None:
    """An exact, hashable position in the user's program: file, first line of the function, instruction. Two operations
    on one line have different sites."""
    frame = user_frame()
    return None if frame is None else (frame.f_code.co_filename, frame.f_code.co_firstlineno, frame.f_lasti)


def user_line() -> str | None:
    """`file:line: source` of the user's statement that is running."""
    frame = user_frame()
    if frame is None:
        return None
    name, number = frame.f_code.co_filename, frame.f_lineno
    source = linecache.getline(name, number).strip()
    return f"{name}:{number}: {source}" if source else f"{name}:{number}"
