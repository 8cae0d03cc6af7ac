"""`torch._foreach_*`: one operation over lists of tensors."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ..ops import FUNCTIONS
from ..tensor.core import Tensor


def _each(name: str, in_place: bool) -> Callable[..., Any]:
    function = FUNCTIONS[name]

    def apply(tensors: Sequence[Tensor], *arguments: Any, **keywords: Any) -> Any:
        columns = [a if isinstance(a, list | tuple) else [a] * len(tensors) for a in arguments]
        if in_place:
            for t, *row in zip(tensors, *columns, strict=True):
                getattr(t, f"{name}_")(*row, **keywords)
            return None
        return [function(t, *row, **keywords) for t, *row in zip(tensors, *columns, strict=True)]

    apply.__doc__ = f"`{name}` of each tensor{' in place' if in_place else ''}; other arguments one for all, or a list."
    return apply


NAMES = {
    f"_foreach_{name}{'_' if in_place else ''}": _each(name, in_place)
    for name in (
        "add", "sub", "mul", "div", "sqrt", "abs", "neg", "exp", "log", "reciprocal", "pow", "lerp", "addcmul",
        "addcdiv", "maximum", "minimum", "clamp_max", "clamp_min",
    )
    for in_place in (False, True)
}  # fmt: skip
