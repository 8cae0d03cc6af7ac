"""What the pictures have in common: colours, fonts, and how Matplotlib is loaded."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

INK = "#1f2933"
MUTED = "#7b8794"
FAINT = "#e4e7eb"
WRONG = "#c81e3a"
SERIES = ("#e4572e", "#2f6fb5", "#2a9d8f", "#8a5fbf", "#e9a72c", "#5c6670")
"""Colours of the runs, in order; told apart with every common form of colour blindness."""

_DPI = 160
_RC: dict[Any, Any] = {
    "axes.axisbelow": True,
    "axes.edgecolor": FAINT,
    "axes.grid": True,
    "axes.labelcolor": MUTED,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlecolor": INK,
    "axes.titlelocation": "left",
    "axes.titlepad": 12,
    "axes.titlesize": 12,
    "axes.titleweight": "bold",
    "font.family": "DejaVu Sans",
    "font.size": 10,
    "grid.color": FAINT,
    "grid.linewidth": 0.8,
    "lines.linewidth": 2.2,
    "lines.solid_capstyle": "round",
    "savefig.dpi": _DPI,
    "text.color": INK,
    "xtick.color": MUTED,
    "xtick.labelcolor": MUTED,
    "xtick.major.size": 0,
    "ytick.color": MUTED,
    "ytick.labelcolor": MUTED,
    "ytick.major.size": 0,
}


class MissingExtra(ImportError):
    """Matplotlib is not installed."""


def require_matplotlib() -> None:
    """Raise MissingExtra, which names the extra to install, where nothing can be drawn."""
    if importlib.util.find_spec("matplotlib") is None:
        raise MissingExtra("drawing needs Matplotlib: pip install 'duograph[plot]'")


@contextmanager
def canvas(width: float, height: float, **options: Any) -> Iterator[Figure]:
    """An empty figure of `width` by `height` inches, to be filled inside the `with`, where the style holds.

    The figure belongs to no window and no global state. Raises MissingExtra without Matplotlib.
    """
    require_matplotlib()
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    with rc_context(_RC):
        yield Figure(figsize=(width, height), dpi=_DPI, facecolor="white", **options)


def colour(index: int) -> str:
    """The colour of the series at `index`; they repeat after the last."""
    return SERIES[index % len(SERIES)]


def bare(axes: Axes) -> None:
    """Take away axes, ticks and grid, so that only what is drawn remains."""
    axes.set_axis_off()
    axes.grid(False)
