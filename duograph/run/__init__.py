"""Programs written for PyTorch, TensorFlow or Keras, run as they stand: `duograph run program.py`, or `-m module`."""

from __future__ import annotations

import builtins
import importlib.util
import io
import os
import sys
import types
from collections.abc import Sequence
from importlib.abc import InspectLoader
from importlib.machinery import ModuleSpec, SourceFileLoader
from pathlib import Path
from typing import Any, NoReturn

from .. import substitute

PROGRAM = "DUOGRAPH_PROGRAM"
"""The environment variable that tells processes which multiprocessing starts anew what their parent runs."""

IS_MODULE = "DUOGRAPH_PROGRAM_IS_MODULE"
"""The environment variable that tells them whether that is a module's name; empty for a file."""


def install() -> None:
    """Let `torch`, `tensorflow` and `keras` mean Duograph. Each loads when it is first imported."""
    substitute.install(substitute.PYTORCH)
    substitute.install(substitute.TENSORFLOW)


def run(program: str, arguments: Sequence[str] = (), module: bool = False) -> NoReturn:
    """Execute a Python file as `python program arguments` does, with Duograph in place of the frameworks.

    With `module` the program is a module's dotted name, found and executed as `python -m program arguments` does.
    `sys.argv`, `sys.path[0]`, `__main__` and tracebacks are what they would be. Ends with SystemExit, whose code is
    that of the program: 1 after an uncaught exception or if there is no such module, 130 after Ctrl-C, 2 if there is no
    such file.
    """
    install()
    if module and not sys.flags.safe_path:
        sys.path[0] = os.getcwd()
    try:
        code, names = _module(program) if module else _file(program)
    except (OSError, ImportError) as error:
        what = f"can't open file {os.path.abspath(program)!r}: {error}" if isinstance(error, OSError) else error
        print(f"duograph: {what}", file=sys.stderr)
        raise SystemExit(2 if isinstance(error, OSError) else 1) from None
    except SyntaxError as error:
        sys.excepthook(type(error), error.with_traceback(None), None)
        raise SystemExit(1) from None
    main = _Main("__main__")
    main.__dict__.update(names, __builtins__=builtins, __cached__=None)
    os.environ[PROGRAM] = program if module else os.path.abspath(program)
    os.environ[IS_MODULE] = "1" if module else ""
    sys.modules["__main__"] = main
    sys.argv[:] = [names["__file__"], *arguments]
    if not module and not sys.flags.safe_path:
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


def _file(program: str) -> tuple[types.CodeType, dict[str, Any]]:
    """The code of a file, or of a folder's `__main__.py`, and its globals."""
    path = Path(program)
    with io.open_code(str(path / "__main__.py" if path.is_dir() else path)) as file:
        code = compile(file.read(), program, "exec", dont_inherit=True)
    return code, {"__file__": program, "__loader__": SourceFileLoader("__main__", program)}


def _module(program: str) -> tuple[types.CodeType, dict[str, Any]]:
    """The code of a module, or of a package's `__main__`, and its globals. Raises ImportError where there is none."""
    spec = importlib.util.find_spec(program)
    if spec is not None and spec.submodule_search_locations is not None:
        spec = importlib.util.find_spec(f"{program}.__main__")
    code = spec.loader.get_code(spec.name) if spec is not None and isinstance(spec.loader, InspectLoader) else None
    if spec is None or code is None:
        raise ImportError(f"No module named {program}, or none that can be executed")
    return code, {"__file__": spec.origin, "__loader__": spec.loader, "__spec__": spec, "__package__": spec.parent}


def execute_again(names: dict[str, Any]) -> None:
    """In a process that multiprocessing started anew: execute the program of the parent, which is not `__main__` here.

    Args:
        names: The globals to execute it in.
    """
    install()
    program = os.environ[PROGRAM]
    code, own = _module(program) if os.environ.get(IS_MODULE) else _file(program)
    names.update({"__spec__": None, **own})
    exec(code, names)
