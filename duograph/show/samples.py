"""A sheet of images with what one or more models make of them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from .style import INK, MUTED, WRONG, canvas, colour

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def samples(
    images: ArrayLike,
    labels: ArrayLike,
    probabilities: Mapping[str, ArrayLike],
    classes: Sequence[str] | None = None,
    title: str = "Samples and predictions",
    columns: int = 5,
) -> Figure:
    """Each image beside the probabilities that each model gives to each class.

    `images` is (n, height, width), from 0 (paper) to 1 (ink); `labels` is (n,), the true classes; `probabilities` maps
    the name of a model to (n, classes). `classes` names the classes; without it they are numbered. A wrong prediction
    is marked in red.

    Raises ValueError if the shapes do not fit each other.
    """
    pictures, truth = np.asarray(images), np.asarray(labels)
    tables = {name: np.asarray(table) for name, table in probabilities.items()}
    number = _number_of_classes(pictures, truth, tables)
    names = [str(index) for index in range(number)] if classes is None else list(classes)
    if len(names) != number:
        raise ValueError(f"samples: expected a name for each of {number} classes. Received: {len(names)} names")
    columns = min(columns, len(pictures))
    rows = math.ceil(len(pictures) / columns)
    widths = (1.2, 0.1 + 0.058 * max(map(len, names)), 1.05)  # of the image, the names and the bars, in inches
    with canvas((sum(widths) + 0.4) * columns, 1.85 * rows + 0.75) as figure:
        height = figure.get_figheight()
        figure.text(0.02, 1 - 0.25 / height, title, va="top", fontsize=14, fontweight="bold")
        grid = figure.add_gridspec(
            rows, columns, left=0.02, right=0.985, top=1 - 1.0 / height, bottom=0.3 / height, hspace=0.34, wspace=0.18
        )
        for index, picture in enumerate(pictures):
            cell = grid[index // columns, index % columns].subgridspec(1, 3, width_ratios=widths, wspace=0)
            rows_of_table = {name: table[index] for name, table in tables.items()}
            _image(figure.add_subplot(cell[0]), picture, rows_of_table, int(truth[index]), names)
            _bars(figure.add_subplot(cell[2]), list(rows_of_table.values()), names)
        _legend(figure, list(tables))
        return figure


def _number_of_classes(images: np.ndarray, labels: np.ndarray, tables: Mapping[str, np.ndarray]) -> int:
    if images.ndim != 3 or not len(images):
        raise ValueError(f"samples: expected images of shape (n, height, width). Received: {images.shape}")
    if labels.shape != images.shape[:1]:
        raise ValueError(f"samples: expected {len(images)} labels, one an image. Received: shape {labels.shape}")
    shapes = {table.shape for table in tables.values()}
    if len(shapes) != 1 or any(len(shape) != 2 or shape[0] != len(images) for shape in shapes):
        raise ValueError(f"samples: expected probabilities of shape ({len(images)}, classes). Received: {shapes}")
    return next(iter(shapes))[1]


def _image(axes: Axes, image: np.ndarray, rows: Mapping[str, np.ndarray], label: int, names: Sequence[str]) -> None:
    axes.set_anchor("NW")
    axes.set(xticks=[], yticks=[])
    axes.spines[["top", "right"]].set_visible(True)
    axes.imshow(image, cmap="Greys", vmin=0, vmax=1, interpolation="nearest")
    predicted = {int(row.argmax()) for row in rows.values()}
    if predicted == {label}:
        caption, ink = names[label], INK
    else:
        said = " / ".join(names[index] for index in sorted(predicted))
        caption, ink = f"{said}, is {names[label]}", WRONG
    axes.set_title(caption, color=ink, fontsize=12, pad=5)


def _bars(axes: Axes, rows: Sequence[np.ndarray], names: Sequence[str]) -> None:
    places = np.arange(len(names))
    thickness = 0.8 / len(rows)
    for index, row in enumerate(rows):
        axes.barh(places + (index - (len(rows) - 1) / 2) * thickness, row, height=thickness, color=colour(index))
    axes.set_xlim(0, 1)
    axes.set_ylim(len(names) - 0.4, -0.6)
    axes.set_yticks(places, names, fontsize=6.5 if len(names) <= 12 else 4)
    axes.set_xticks([0, 0.5, 1], ["0", "", "1"], fontsize=6.5, color=MUTED)
    axes.tick_params(pad=2)
    axes.grid(axis="y", visible=False)


def _legend(figure: Figure, names: Sequence[str]) -> None:
    from matplotlib.patches import Patch

    figure.legend(
        handles=[Patch(color=colour(index), label=name) for index, name in enumerate(names)],
        loc="upper right",
        bbox_to_anchor=(0.99, 1 - 0.08 / figure.get_figheight()),
        ncols=len(names),
        frameon=False,
        title="probability of each class",
        title_fontsize=8,
        fontsize=9,
    )
