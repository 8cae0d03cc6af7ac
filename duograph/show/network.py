"""A model as a row of what flows through it: a stack of maps for an image, a column for a vector."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .style import INK, MUTED, bare, canvas

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# All lengths are in inches on the paper.
_TALLEST = 1.25
_SMALLEST = 0.3
_SHEET_SHIFT = 0.04
_GAP = 0.42
"""Between two stages; an arrow fits in."""
_CAPTION_WIDTH = 1.05
_MARGIN = 0.35
_MIDDLE, _HEIGHT = 1.95, 3.55
"""The line the stages stand around, and the height of the whole."""
_COLOURS = {"Input": "#5c6670", "Conv": "#2f6fb5", "Linear": "#e4572e", "Dense": "#e4572e", "Embedding": "#8a5fbf"}
"""By a part of the layer's kind."""
_OTHER = "#9aa5b1"


@dataclass(frozen=True)
class Layer:
    """One layer: its kind ("Conv2d"), the shape of its output without the batch, and how many numbers it learns.

    An image's shape is (channels, height, width), a sequence's (length, features), a vector's (features,).
    """

    kind: str
    shape: tuple[int, ...]
    parameters: int = 0


@dataclass(frozen=True)
class _Stage:
    """What is drawn as one: a layer, and those after it that only change the values of its output."""

    layers: tuple[Layer, ...]

    @property
    def shape(self) -> tuple[int, ...]:
        return self.layers[0].shape

    @property
    def colour(self) -> str:
        return _colour(self.layers[0])

    @property
    def parameters(self) -> int:
        return sum(layer.parameters for layer in self.layers)

    def height(self, pixels: int) -> float:
        """The drawn height, where `pixels` is the height of the largest image."""
        if len(self.shape) >= 3:
            return _SMALLEST + (_TALLEST - _SMALLEST) * math.sqrt(self.shape[-2] / pixels)
        return min(_TALLEST, _SMALLEST + 0.11 * math.log2(max(1, self.shape[0])))

    def width(self, pixels: int) -> float:
        """The drawn width without the sheets behind the first."""
        if len(self.shape) >= 3:
            return self.height(pixels) * min(1.5, self.shape[-1] / self.shape[-2])
        return 0.18 if len(self.shape) == 1 else 0.5

    @property
    def depth(self) -> float:
        """How far the sheets behind the first reach beyond it."""
        return _SHEET_SHIFT * (self.sheets - 1)

    @property
    def sheets(self) -> int:
        """How many maps of the stack are drawn; ever fewer of many."""
        return 1 + round(1.6 * math.log2(max(1, self.shape[0]))) if len(self.shape) >= 3 else 1


def network(layers: Sequence[Layer], title: str = "Network") -> Figure:
    """The layers from left to right, each with its kind, the shape of its output and its number of parameters.

    A layer that leaves the shape as it is (an activation, a normalisation, dropout) is written under the layer before.
    Raises ValueError if there is no layer.
    """
    stages = _stages(layers)
    pixels = max((stage.shape[-2] for stage in stages if len(stage.shape) >= 3), default=1)
    slots = [max(_CAPTION_WIDTH, stage.width(pixels) + stage.depth) for stage in stages]
    width = max(6.0, 2 * _MARGIN + sum(slots) + _GAP * (len(slots) - 1))
    with canvas(width, _HEIGHT) as figure:
        axes = figure.add_axes((0, 0, 1, 1), xlim=(0, width), ylim=(0, _HEIGHT))
        bare(axes)
        top = _HEIGHT - 0.3
        axes.text(_MARGIN, top, title, va="top", fontsize=14, fontweight="bold")
        total = f"{sum(layer.parameters for layer in layers):,} parameters"
        axes.text(width - _MARGIN, top - 0.03, total, va="top", ha="right", fontsize=10.5, color=MUTED)
        left, before = _MARGIN, None
        for stage, slot in zip(stages, slots, strict=True):
            begin, end = _draw(axes, stage, left + slot / 2, pixels)
            if before is not None:
                _arrow(axes, before + 0.07, begin - 0.07)
            _caption(axes, stage, left + slot / 2)
            left, before = left + slot + _GAP, end
        return figure


def _colour(layer: Layer) -> str:
    return next((colour for part, colour in _COLOURS.items() if part in layer.kind), _OTHER)


def _stages(layers: Sequence[Layer]) -> list[_Stage]:
    if not layers:
        raise ValueError("network: expected at least one layer. Received: none")
    stages: list[_Stage] = []
    for layer in layers:
        if stages and layer.shape == stages[-1].shape and _colour(layer) == _OTHER:
            stages[-1] = _Stage((*stages[-1].layers, layer))
        else:
            stages.append(_Stage((layer,)))
    return stages


def _draw(axes: Axes, stage: _Stage, x: float, pixels: int) -> tuple[float, float]:
    """Draw the stage around `x`, and return where it begins and ends."""
    from matplotlib.patches import FancyBboxPatch

    width, height, sheets = stage.width(pixels), stage.height(pixels), stage.sheets
    left, bottom = x - (width + stage.depth) / 2, _MIDDLE - (height + stage.depth) / 2
    for sheet in reversed(range(sheets)):
        shift = _SHEET_SHIFT * sheet
        box = FancyBboxPatch(
            (left + shift, bottom + shift),
            width,
            height,
            boxstyle="round,pad=0,rounding_size=0.035",
            facecolor=stage.colour,
            edgecolor="white",
            linewidth=0.8,
            alpha=1.0 if sheet == 0 else 0.75,
        )
        axes.add_patch(box)
    return left, left + width + stage.depth


def _arrow(axes: Axes, start: float, end: float) -> None:
    style = {"arrowstyle": "-|>,head_width=0.15,head_length=0.3", "color": MUTED, "shrinkA": 0, "shrinkB": 0}
    axes.annotate("", (end, _MIDDLE), (start, _MIDDLE), arrowprops=style)


def _caption(axes: Axes, stage: _Stage, x: float) -> None:
    kind, *others = [layer.kind for layer in stage.layers]
    axes.text(x, 1.08, kind, ha="center", va="top", fontsize=10, fontweight="bold", color=INK)
    lines = [" × ".join(str(size) for size in stage.shape)]
    if stage.parameters:
        lines.append(f"{stage.parameters:,} learnt")
    lines += others
    axes.text(x, 0.85, "\n".join(lines), ha="center", va="top", fontsize=8, color=MUTED, linespacing=1.3)
