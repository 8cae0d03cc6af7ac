"""`tf.io.gfile`: local files under the names TensorFlow has for them."""

from __future__ import annotations

import glob as _glob
import os
import shutil
from collections.abc import Callable, Iterator
from typing import Any

from .errors import AlreadyExistsError, NotFoundError
from .missing import missing
from .text import as_bytes, is_text

__all__ = [
    "GFile", "copy", "exists", "glob", "isdir", "join", "listdir", "makedirs", "mkdir", "remove", "rename", "rmtree",
    "stat", "walk",
]  # fmt: skip


def local(path: Any) -> str:
    """A path given as a string, bytes, a string tensor or a path object. Raises UnimplementedError for a URL."""
    from .errors import UnimplementedError

    name = os.fsdecode(as_bytes(path)[()]) if is_text(path) else os.fspath(path)
    if "://" in name and not name.startswith("file://"):
        raise UnimplementedError(f"{name}: only local files are read. Copy it to this machine first")
    return name.removeprefix("file://")


def _found(function: Callable[..., Any], *paths: str) -> Any:
    try:
        return function(*paths)
    except FileNotFoundError as error:
        raise NotFoundError(f"{paths[0]}: there is no such file or directory") from error


def GFile(name: Any, mode: str = "r") -> Any:
    """A file object, as `open` gives. Raises NotFoundError where there is no such file."""
    return _found(lambda path: open(path, mode, encoding=None if "b" in mode else "utf-8"), local(name))


def exists(path: Any) -> bool:
    return os.path.exists(local(path))


def isdir(path: Any) -> bool:
    return os.path.isdir(local(path))


def glob(pattern: Any) -> list[str]:
    """The files that match one pattern or several, in order."""
    patterns = [pattern] if isinstance(pattern, str | bytes | os.PathLike) else list(pattern)
    return sorted(name for one in patterns for name in _glob.glob(local(one)))


def listdir(path: Any) -> list[str]:
    """The names in a directory. Raises NotFoundError where there is none."""
    return _found(os.listdir, local(path))


def join(path: Any, *paths: Any) -> str:
    return os.path.join(local(path), *map(local, paths))


def mkdir(path: Any) -> None:
    _found(os.mkdir, local(path))


def makedirs(path: Any) -> None:
    os.makedirs(local(path), exist_ok=True)


def remove(path: Any) -> None:
    """Delete a file. Raises NotFoundError where there is none."""
    _found(os.remove, local(path))


def rmtree(path: Any) -> None:
    """Delete a directory and all in it. Raises NotFoundError where there is none."""
    _found(shutil.rmtree, local(path))


def copy(src: Any, dst: Any, overwrite: bool = False) -> None:
    """Copy a file. Raises AlreadyExistsError for an existing target unless `overwrite`."""
    _place(dst, overwrite)
    _found(shutil.copyfile, local(src), local(dst))


def rename(src: Any, dst: Any, overwrite: bool = False) -> None:
    """Move a file. Raises AlreadyExistsError for an existing target unless `overwrite`."""
    _place(dst, overwrite)
    _found(os.replace, local(src), local(dst))


def _place(path: Any, overwrite: bool) -> None:
    if not overwrite and exists(path):
        raise AlreadyExistsError(f"{local(path)}: there is such a file already")


def stat(path: Any) -> os.stat_result:
    return _found(os.stat, local(path))


def walk(top: Any, topdown: bool = True, onerror: Any = None) -> Iterator[tuple[str, list[str], list[str]]]:
    """Directories below `top`, each with the names of those and of the files in it."""
    return os.walk(local(top), topdown, onerror)


__getattr__ = missing(__name__, globals())
