"""`torch.save` and `torch.load`."""

from __future__ import annotations

import os
from typing import Any

from .. import tree
from ..tensor.core import Tensor

_safe: list[Any] = []


def add_safe_globals(safe_globals: list[Any]) -> None:
    """Remember classes that PyTorch may build of files. `load` builds tensors and plain containers alone all the same:
    a file with others raises NotSupported."""
    _safe.extend(x for x in safe_globals if x not in _safe)


def get_safe_globals() -> list[Any]:
    """What was given to `add_safe_globals`."""
    return list(_safe)


def clear_safe_globals() -> None:
    """Forget what was given to `add_safe_globals`."""
    _safe.clear()


class safe_globals:
    """Within it, `add_safe_globals` of these has been called."""

    def __init__(self, safe_globals: list[Any]) -> None:
        self._given = safe_globals

    def __enter__(self) -> None:
        self._before = get_safe_globals()
        add_safe_globals(self._given)

    def __exit__(self, *_: object) -> None:
        _safe[:] = self._before


def save(obj: Any, f: Any, **_: Any) -> None:
    """Write tensors in plain containers, such as a state_dict, to a path or file.

    In PyTorch's format, which PyTorch itself loads; a path that ends in `.safetensors` takes a flat dictionary of
    tensors in that format. Raises NotSupported for objects that would need code to be loaded.
    """
    from ..checkpoint import save_file, torch_format  # zip archives and all: only programs with files pay for them

    if isinstance(f, str | os.PathLike) and os.fspath(f).endswith(".safetensors"):
        save_file(obj, f)
    else:
        torch_format.save(obj, f)


def load(
    f: Any, map_location: Any = None, pickle_module: Any = None, *, weights_only: bool | None = None,
    mmap: bool | None = None, **_: Any,
) -> Any:  # fmt: skip
    """Read what `save` or PyTorch wrote, from a path or file; no code in the file is ever run.

    Tensors come to the CPU, whatever device they were saved from, or to `map_location`, if that is a device (a function
    or a dictionary could only choose among devices that are not here). `weights_only=False` is accepted, and loads what
    is plain data all the same.

    Raises NotSupported for content other than tensors and plain containers, ArgumentError for damaged files.
    """
    from ..checkpoint import load_file, torch_reader

    device = None if callable(map_location) or isinstance(map_location, dict) else map_location
    if isinstance(f, str | os.PathLike) and os.fspath(f).endswith(".safetensors"):
        loaded = load_file(f)
        return loaded if device is None else tree.map(lambda x: x.to(device) if isinstance(x, Tensor) else x, loaded)
    return torch_reader.load(f, device)
