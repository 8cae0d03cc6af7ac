"""How tensors look."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..graph import dtype as dtypes
from ..graph.dialect import text
from ..graph.trace import Failure, Leaf
from .core import META, Tensor, get_default_dtype, method
from .tape_names import backward_name

options: dict[str, Any] = {"precision": 4, "threshold": 1000, "edgeitems": 3, "linewidth": 80, "sci_mode": None}


def set_printoptions(**changes: Any) -> None:
    """Change `precision`, `threshold` (elements above which a summary is shown), `edgeitems`, `linewidth`, `sci_mode`.

    Raises TypeError for an option that is not there.
    """
    unknown = changes.keys() - options.keys() - {"profile"}
    if unknown:
        raise TypeError(f"set_printoptions: expected {', '.join(options)}. Received: {', '.join(sorted(unknown))}")
    options.update({k: v for k, v in changes.items() if v is not None and k != "profile"})


def _shown(array: np.ndarray) -> np.ndarray:
    """The elements that will be printed: the edges of a large array."""
    if array.size <= options["threshold"]:
        return array
    edge = options["edgeitems"]
    for axis, size in enumerate(array.shape):
        if size > 2 * edge:
            array = np.take(array, [*range(edge), *range(size - edge, size)], axis)
    return array


def _formatter(array: np.ndarray) -> dict[str, Any]:
    """One format for all numbers, chosen as PyTorch does: integers with a point, fixed, or scientific."""
    shown = _shown(array).astype(np.float64)
    counted = shown[np.isfinite(shown) & (shown != 0)]
    finite = np.abs(counted)
    precision = options["precision"]
    if finite.size == 0:
        form = "{:.0f}."
    else:
        large, small = finite.max(), finite.min()
        scientific = options["sci_mode"]
        if scientific is None:
            scientific = bool(large / small > 1000.0 or large > 1e8 or small < 1e-4)
        if scientific:
            form = "{:." + str(precision) + "e}"
        elif np.all(finite == np.floor(finite)):
            form = "{:.0f}."
        else:
            form = "{:." + str(precision) + "f}"

    def text(x: float) -> str:
        return form.format(x) if np.isfinite(x) else str(x)

    width = max((len(text(x)) for x in counted), default=1)
    return {"float_kind": lambda x: text(x).rjust(width)}


def content(array: np.ndarray) -> str:
    """The numbers of an array, nested in brackets."""
    formatter: dict[str, Any] | None = None
    if array.dtype.kind == "c":
        re, im = (_formatter(part)["float_kind"] for part in (array.real, array.imag))

        def whole(z: complex) -> str:
            return f"{re(z.real)}{'-' if np.signbit(z.imag) else '+'}{im(abs(z.imag)).strip()}j"

        formatter = {"complex_kind": whole}
    elif array.dtype.kind == "b":
        wide = 5 if not _shown(array).all() else 4
        formatter = {"bool": lambda x: str(x).rjust(wide)}
    elif array.dtype.kind == "f" or array.dtype == dtypes.bfloat16.numpy:
        array = array.astype(np.float64)
        formatter = _formatter(array)
    text = np.array2string(
        array,
        separator=", ",
        prefix="tensor(",
        threshold=options["threshold"],
        edgeitems=options["edgeitems"],
        max_line_width=options["linewidth"],
        formatter=formatter,  # type: ignore[arg-type]
    )
    return text.replace(", ..., ", ",  ..., ")


def to_text(tensor: Tensor) -> str:
    """`tensor(...)` with dtype, device and tape where they are not the usual ones."""
    notes = []
    value = tensor._value
    if tensor._device is META:
        notes += ["...", "device='meta'", f"size={tuple(value.shape)}"]
    elif isinstance(value.buffer, Failure):
        notes += [f"<failed: {value.buffer.error}>"]
    else:
        notes.append(content(tensor._array()))
        if tensor.numel() == 0 and tensor.ndim > 1:
            notes.append(f"size={tuple(value.shape)}")
    default = get_default_dtype()
    if value.dtype not in (default, default.to_complex(), dtypes.int64, dtypes.bool_):
        notes.append(f"dtype={value.dtype!r}")
    if isinstance(value.origin, Leaf):
        notes.append("requires_grad=True")
    elif value.origin is not None:
        notes.append(f"grad_fn=<{backward_name(value.origin.op, len(value.shape))}>")
    return f"tensor({', '.join(notes)})"


@method
def __repr__(self: Tensor) -> str:
    return text("tensor", self, False) or to_text(self)


@method
def __str__(self: Tensor) -> str:
    return text("tensor", self, True) or to_text(self)
