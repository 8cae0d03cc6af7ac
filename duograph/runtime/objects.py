"""The disk cache of compiled code.

One file an entry, named by its key. A key is a hash of everything that the content depends on, so an entry is never
wrong, only absent or damaged: it carries a checksum, and one that does not match is thrown away, never used. Files
appear by being renamed into place, so that any number of processes can share the folder.

The folder is `DUOGRAPH_CACHE`, or `duograph` in the user's cache folder; `DUOGRAPH_CACHE=off` keeps nothing.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import os
import sys
import threading
import time
import warnings

_MAGIC = b"duograph cache 1\n"
_SUFFIX = ".bin"
_TEMPORARY = ".tmp"
_TOUCH_SECONDS = 3600  # an entry's last use is noted at most this often
_ABANDONED_SECONDS = 3600  # a temporary file this old was left by a process that died


class ObjectCache:
    """Bytes on disk by key, bounded in total size; what was used longest ago goes first.

    Args:
        folder: Where the entries lie, or None to keep nothing. Created when first written.
        limit: Total size in bytes above which the oldest entries are removed, down to three quarters of it.
    """

    def __init__(self, folder: str | None, limit: int = 256 << 20) -> None:
        self.folder = folder
        self.limit = limit
        self._written = limit  # since the folder was last measured: the first write measures it

    def get(self, key: str) -> bytes | None:
        """The entry's content, or None if it is absent or damaged."""
        if self.folder is None:
            return None
        path = self._path(key)
        try:
            with open(path, "rb") as file:
                content = file.read()
                used = os.fstat(file.fileno()).st_mtime
        except OSError:
            return None
        payload = content[len(_MAGIC) + 32 :]
        if content[: len(_MAGIC) + 32] != _MAGIC + hashlib.sha256(payload).digest():
            _remove(path)
            return None
        if time.time() - used > _TOUCH_SECONDS:
            with contextlib.suppress(OSError):  # a folder that may only be read serves as well
                os.utime(path)
        return payload

    def put(self, key: str, payload: bytes) -> None:
        """Keep the content. A folder that cannot be written only warns, once in a process."""
        if self.folder is None:
            return
        content = _MAGIC + hashlib.sha256(payload).digest() + payload
        temporary = f"{self._path(key)}.{os.getpid()}.{threading.get_ident()}{_TEMPORARY}"
        try:
            os.makedirs(self.folder, exist_ok=True)
            with open(temporary, "xb") as file:  # and not synced: the checksum tells what a crash has damaged
                file.write(content)
            os.replace(temporary, self._path(key))
            self._written += len(content)
            if self._written > self.limit // 8:
                self._trim()
        except OSError as error:
            _remove(temporary)
            _warn_once(self.folder, error.strerror or str(error))

    def _path(self, key: str) -> str:
        assert self.folder is not None
        return os.path.join(self.folder, key + _SUFFIX)

    def _trim(self) -> None:
        """Measure the folder, and bring it under the limit."""
        assert self.folder is not None
        self._written = 0
        entries = []
        with os.scandir(self.folder) as found:
            for entry in found:
                try:
                    status = entry.stat()
                except FileNotFoundError:  # another process was quicker
                    continue
                if entry.name.endswith(_SUFFIX):
                    entries.append((status.st_mtime, status.st_size, entry.path))
                elif entry.name.endswith(_TEMPORARY) and time.time() - status.st_mtime > _ABANDONED_SECONDS:
                    _remove(entry.path)
        total = sum(size for _, size, _ in entries)
        if total <= self.limit:
            return
        for _, size, path in sorted(entries):
            if total <= self.limit * 3 // 4:
                break
            _remove(path)
            total -= size


@functools.cache
def cache() -> ObjectCache:
    """The cache of this process."""
    chosen = os.environ.get("DUOGRAPH_CACHE")
    if chosen is not None and chosen.strip().lower() in ("off", "0", ""):
        return ObjectCache(None)
    folder = os.path.expanduser(chosen or os.path.join(_user_cache(), "duograph"))
    if folder.startswith("~"):  # a user without a home; a folder shared with other users is no place for code
        return ObjectCache(None)
    return ObjectCache(folder)


@functools.cache
def compiler_version() -> str:
    """What turned IR into objects: part of every key. It does not load LLVM."""
    import llvmlite

    return f"llvmlite {llvmlite.__version__}"


def _user_cache() -> str:
    if sys.platform == "darwin":
        return "~/Library/Caches"
    if sys.platform == "win32":
        return os.environ.get("LOCALAPPDATA") or "~/AppData/Local"
    return os.environ.get("XDG_CACHE_HOME") or "~/.cache"


def _remove(path: str) -> None:
    with contextlib.suppress(OSError):  # gone already, or not ours to remove
        os.unlink(path)


@functools.cache
def _warn_once(folder: str, reason: str) -> None:
    warnings.warn(
        f"compiled code cannot be kept in {folder} ({reason}); set DUOGRAPH_CACHE to a folder that can be written, "
        "or to 'off'",
        stacklevel=2,
    )
