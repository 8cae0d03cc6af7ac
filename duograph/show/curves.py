"""Learning curves of several runs on one sheet."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from .style import canvas, colour

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


@dataclass
class Run:
    """What one training run said after each epoch: the mean loss in training, and the test accuracy from 0 to 1."""

    name: str
    losses: list[float] = field(default_factory=list)
    accuracies: list[float] = field(default_factory=list)


def learning_curves(runs: Sequence[Run], title: str = "Learning curves") -> Figure:
    """Training loss (left, logarithmic) and test accuracy (right) of each run over its epochs.

    Raises ValueError if no run has an epoch.
    """
    if not any(run.losses or run.accuracies for run in runs):
        raise ValueError(f"learning_curves: expected at least one run with an epoch. Received: {list(runs)}")
    epochs = max(len(values) for run in runs for values in (run.losses, run.accuracies))
    with canvas(10, 4.5) as figure:
        from matplotlib.ticker import LogLocator, MaxNLocator, NullLocator

        figure.text(0.03, 0.94, title, va="top", fontsize=14, fontweight="bold")
        loss, accuracy = figure.subplots(1, 2)
        figure.subplots_adjust(left=0.075, right=0.97, bottom=0.125, top=0.77, wspace=0.22)
        loss.set_title("Training loss")
        loss.set_yscale("log")
        loss.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        loss.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
        loss.yaxis.set_minor_locator(NullLocator())
        accuracy.set_title("Test accuracy")
        accuracy.yaxis.set_major_formatter(lambda value, _: f"{100 * value:.4g} %")
        for index, run in enumerate(runs):
            _curve(loss, run.losses, run.name, index)
            _curve(accuracy, run.accuracies, run.name, index)
        _look_at_the_top(accuracy, [value for run in runs for value in run.accuracies])
        for axes in (loss, accuracy):
            axes.set_xlabel("epoch")
            axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
            axes.set_xlim(1 - 0.03 * epochs, epochs + 0.03 * epochs)
        figure.legend(
            *loss.get_legend_handles_labels(),
            loc="upper right",
            bbox_to_anchor=(0.98, 0.96),
            ncols=len(runs),
            frameon=False,
        )
        return figure


def _curve(axes: Axes, values: Sequence[float], name: str, index: int) -> None:
    epochs = range(1, len(values) + 1)
    axes.plot(epochs, values, color=colour(index), label=name)
    axes.plot(epochs[-1:], values[-1:], "o", color=colour(index), markersize=6, markeredgecolor="white")


def _look_at_the_top(axes: Axes, accuracies: Sequence[float]) -> None:
    """Start the axis below the median epoch, not at the first one: what matters happens near the top."""
    middle = sorted(accuracies)[len(accuracies) // 2] if accuracies else 0.0
    bottom = max(0.0, 1 - 4 * (1 - middle))
    axes.set_ylim(bottom, 1 + 0.03 * (1 - bottom))
