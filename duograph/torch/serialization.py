"""`torch.save` and `torch.load`."""

from __future__ import annotations

import os
from typing import Any

from .. import tree
from ..graph.errors import NotSupported
from ..tensor.core import Tensor


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


def load(f: Any, map_location: Any = None, *, weights_only: bool = True, mmap: bool | None = None, **_: Any) -> Any:
    """Read what `save` or PyTorch wrote, from a path or file; no code in the file is ever run.

    Raises NotSupported for content other than tensors and plain containers, ArgumentError for damaged files.
    """
    from ..checkpoint import load_file, torch_format

    if not weights_only:
        raise NotSupported(
            "load(weights_only=False) would run code from the file: save a state_dict and load that instead"
        )
    if isinstance(f, str | os.PathLike) and os.fspath(f).endswith(".safetensors"):
        return load_file(f)
    loaded = torch_format.load(f)
    if map_location is None or callable(map_location) or isinstance(map_location, dict):
        return loaded
    return tree.map(lambda x: x.to(map_location) if isinstance(x, Tensor) else x, loaded)
