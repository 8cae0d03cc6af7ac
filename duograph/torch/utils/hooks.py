"""`torch.utils.hooks`: what takes hooks back."""

from __future__ import annotations

import warnings
from typing import Any

from ...autograd import RemovableHandle
from ..missing import missing

__all__ = ["RemovableHandle", "unserializable_hook", "warn_if_has_hooks"]


def unserializable_hook(f: Any) -> Any:
    """Decorator: tell of a hook that it is not written with its tensor; `warn_if_has_hooks` warns of others."""
    f.__torch_unserializable__ = True
    return f


def warn_if_has_hooks(tensor: Any) -> None:
    """Warn of hooks that are not written with a tensor."""
    for hook in (tensor._hooks or {}).values():
        if not hasattr(hook, "__torch_unserializable__"):
            warnings.warn(f"backward hook {hook!r} on tensor will not be serialized", stacklevel=2)


__getattr__ = missing(__name__, __all__)
