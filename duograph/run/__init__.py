"""Programs written for PyTorch, TensorFlow or Keras, run as they stand: `duograph run program.py`."""

from __future__ import annotations

import builtins
import io
import os
import sys
import types
from collections.abc import Sequence
from importlib.machinery import ModuleSpec, SourceFileLoader
from pathlib import Path
from typing import Any, NoReturn

from .. import substitute

PROGRAM = "DUOGRAPH_PROGRAM"
"""The environment variable that tells processes which multiprocessing starts anew what their parent runs."""


def install() -> None:
    """Let `torch`, `tensorflow` and `keras` mean Duograph. Each loads when it is first imported."""
    substitute.install(substitute.PYTORCH)
    substitute.install(substitute.TENSORFLOW)


def run(program: str, arguments: Sequence[str] = ()) -> NoReturn:
    """Execute a Python file as `python program arguments` does, with Duograph in place of the frameworks.

    `sys.argv`, `sys.path[0]`, `__main__` and tracebacks are what they would be. Ends with SystemExit, whose code is
    that of the program: 1 after an uncaught exception, 130 after Ctrl-C, 2 if there is no such file.
    """
    try:
        code = _compiled(program)
    except OSError as error:
        print(f"duograph: can't open file {os.path.abspath(program)!r}: {error}", file=sys.stderr)
        raise SystemExit(2) from None
    except SyntaxError as error:
        sys.excepthook(type(error), error.with_traceback(None), None)
        raise SystemExit(1) from None
    install()
    main = _Main("__main__")
    main.__dict__.update(
        __builtins__=builtins, __file__=program, __loader__=SourceFileLoader("__main__", program), __cached__=None
    )
    os.environ[PROGRAM] = os.path.abspath(program)
    sys.modules["__main__"] = main
    sys.argv[:] = [program, *arguments]
    if not sys.flags.safe_path:
        sys.path[0] = os.path.dirname(os.path.realpath(program))
    try:
        exec(code, main.__dict__)
    except SystemExit:
        raise
    except BaseException as error:
        own = error.__traceback__.tb_next if error.__traceback__ is not None else None  # without this function's frame
        sys.excepthook(type(error), error.with_traceback(own), own)
        raise SystemExit(130 if isinstance(error, KeyboardInterrupt) else 1) from None
    raise SystemExit(0)


class _Main(types.ModuleType):
    """The program's module. Its globals say `__spec__ = None`, as those of a script do; multiprocessing asks the module
    itself, and learns that a process started anew must go through `duograph.run.child`."""

    @property
    def __spec__(self) -> ModuleSpec | None:  # type: ignore[override]
        return ModuleSpec(f"{__name__}.child", None)


def _compiled(program: str) -> types.CodeType:
    path = Path(program)
    with io.open_code(str(path / "__main__.py" if path.is_dir() else path)) as file:
        return compile(file.read(), program, "exec", dont_inherit=True)


def execute_again(names: dict[str, Any]) -> None:
    """In a process that multiprocessing started anew: execute the program of the parent, which is not `__main__` here.

    Args:
        names: The globals to execute it in.
    """
    program = os.environ[PROGRAM]
    install()
    names.update(__file__=program, __spec__=None)
    exec(_compiled(program), names)
