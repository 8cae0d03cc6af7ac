"""`torch.jit`: what programs call of PyTorch's script compiler. Their Python always runs; see `torch.compile`."""

from __future__ import annotations

from typing import Any

from .missing import missing

__all__ = [
    "Final", "export", "ignore", "interface", "is_scripting", "is_tracing", "script", "script_if_tracing", "unused",
]  # fmt: skip

from typing import Final


def is_scripting() -> bool:
    """False: Python runs."""
    return False


def is_tracing() -> bool:
    """False: Python runs."""
    return False


def _as_it_is(name: str, doc: str) -> Any:
    def keep(obj: Any = None, *_: Any, **__: Any) -> Any:
        return (lambda function: function) if obj is None or isinstance(obj, bool) else obj

    keep.__name__ = name
    keep.__doc__ = doc
    return keep


script = _as_it_is("script", "The function or module itself, whose Python runs; `torch.compile` makes it faster.")
unused = _as_it_is("unused", "The function itself.")
ignore = _as_it_is("ignore", "The function itself.")
export = _as_it_is("export", "The function itself.")
interface = _as_it_is("interface", "The class itself.")
script_if_tracing = _script_if_tracing = _as_it_is("script_if_tracing", "The function itself: nothing is traced.")
_overload_method = _as_it_is("_overload_method", "The method itself.")
__getattr__ = missing(__name__, __all__)
