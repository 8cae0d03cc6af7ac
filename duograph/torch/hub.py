"""`torch.hub`: models that a folder's hubconf.py makes, and weights from files on the net."""

from __future__ import annotations

import contextlib
import hashlib
import importlib.util
import os
import re
import shutil
import sys
import tempfile
import urllib.request
from pathlib import Path
from typing import Any
from urllib.parse import urlparse

from ..graph.errors import ArgumentError, NotSupported
from .missing import missing
from .serialization import load as load_file

__all__ = ["download_url_to_file", "get_dir", "help", "list", "load", "load_state_dict_from_url", "set_dir"]

_directory: str | None = None
_HASH = re.compile(r"-([a-f0-9]*)\.")


def get_dir() -> str:
    """Where weights are kept: what `set_dir` said, or `hub` in TORCH_HOME, or in `torch` of the user's cache."""
    if _directory is not None:
        return _directory
    cache = os.environ.get("XDG_CACHE_HOME", os.path.join("~", ".cache"))
    return os.path.join(os.path.expanduser(os.environ.get("TORCH_HOME", os.path.join(cache, "torch"))), "hub")


def set_dir(d: str | os.PathLike[str]) -> None:
    """Keep weights elsewhere."""
    global _directory
    _directory = os.path.expanduser(os.fspath(d))


def download_url_to_file(url: str, dst: Any, hash_prefix: str | None = None, progress: bool = True) -> None:
    """Write what a URL gives to a file, in one piece. Raises RuntimeError where its SHA-256 does not begin so."""
    target = os.path.expanduser(os.fspath(dst))
    digest = hashlib.sha256()
    with tempfile.NamedTemporaryFile(dir=os.path.dirname(target) or ".", delete=False) as file:
        try:
            with urllib.request.urlopen(url) as source:  # the user's own URL
                while part := source.read(1 << 17):
                    file.write(part)
                    digest.update(part)
            if hash_prefix is not None and not digest.hexdigest().startswith(hash_prefix):
                raise RuntimeError(f"invalid hash value (expected {hash_prefix!r}, got {digest.hexdigest()!r})")
            file.close()
            shutil.move(file.name, target)
        finally:
            with contextlib.suppress(FileNotFoundError):
                os.remove(file.name)


def load_state_dict_from_url(
    url: str, model_dir: str | None = None, map_location: Any = None, progress: bool = True, check_hash: bool = False,
    file_name: str | None = None, weights_only: bool = False,
) -> Any:  # fmt: skip
    """The weights of a file on the net, which is kept in `model_dir`, and read by `torch.load`.

    With `check_hash` the file's name has the beginning of its SHA-256, as in `resnet18-f37072fd.pth`.
    """
    folder = Path(model_dir or os.path.join(get_dir(), "checkpoints"))
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / (file_name or os.path.basename(urlparse(url).path))
    if not path.exists():
        found = _HASH.search(path.name) if check_hash else None
        if progress:
            print(f'Downloading: "{url}" to {path}', file=sys.stderr)
        download_url_to_file(url, path, found[1] if found else None, progress)
    return load_file(path, map_location=map_location)


def _hubconf(repo_or_dir: str, source: str) -> Any:
    if source != "local":
        if source != "github":
            raise ArgumentError(f"hub: source: expected 'local' or 'github'. Received: {source!r}")
        raise NotSupported(
            f"hub: programs are not fetched from the net: get {repo_or_dir} yourself, and pass its folder with "
            "source='local'"
        )
    folder = os.path.abspath(os.path.expanduser(repo_or_dir))
    spec = importlib.util.spec_from_file_location("hubconf", os.path.join(folder, "hubconf.py"))
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.path.insert(0, folder)
    try:
        spec.loader.exec_module(module)
    finally:
        sys.path.remove(folder)
    lacking = [name for name in getattr(module, "dependencies", ()) if importlib.util.find_spec(name) is None]
    if lacking:
        raise RuntimeError(f"Missing dependencies: {', '.join(lacking)}")
    return module


def _entry(module: Any, name: str) -> Any:
    found = getattr(module, name, None)
    if not callable(found):
        raise RuntimeError(f"hub: hubconf.py has no {name!r} that can be called")
    return found


def load(repo_or_dir: str, model: str, *args: Any, source: str = "github", **kwargs: Any) -> Any:
    """What the function `model` of the hubconf.py in a folder gives, with `source="local"`.

    Raises NotSupported for a repository on the net, RuntimeError for a name that is not there.
    """
    for option in ("trust_repo", "force_reload", "verbose", "skip_validation"):
        kwargs.pop(option, None)
    return _entry(_hubconf(repo_or_dir, source), model)(*args, **kwargs)


def list(repo_or_dir: str, force_reload: bool = False, *, source: str = "github", **_: Any) -> Any:
    """The names that hubconf.py in a folder has."""
    module = _hubconf(repo_or_dir, source)
    return [name for name in dir(module) if callable(getattr(module, name)) and not name.startswith("_")]


def help(repo_or_dir: str, model: str, force_reload: bool = False, *, source: str = "github", **_: Any) -> Any:
    """The docstring of a function of hubconf.py in a folder."""
    return _entry(_hubconf(repo_or_dir, source), model).__doc__


_download_url_to_file = download_url_to_file
__getattr__ = missing(__name__, __all__)
