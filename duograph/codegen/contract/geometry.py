"""What a convolution sees of an image, and in which order its directions walk over it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import product as combinations
from math import gcd, prod

from ...graph.sizes import hint, hinted
from ..plan import ceil_div
from .product import AXES


@dataclass(frozen=True)
class Geometry:
    """A convolution of `images` images of `size`, which gives images of `places`, each axis by itself.

    Attributes:
        channels, filters: Of the input and of the output, all groups together.
    """

    images: int
    channels: int
    filters: int
    size: tuple[int, ...]
    kernel: tuple[int, ...]
    stride: tuple[int, ...]
    padding: tuple[tuple[int, int], ...]
    dilation: tuple[int, ...]
    groups: int = 1

    @property
    def axes(self) -> int:
        """Spatial axes."""
        return len(self.size)

    @property
    def places(self) -> tuple[int, ...]:
        """The output's size."""
        return tuple(
            max(0, (size + low + high - dilation * (kernel - 1) - 1) // stride + 1)
            for size, kernel, stride, (low, high), dilation in zip(
                self.size, self.kernel, self.stride, self.padding, self.dilation, strict=True
            )
        )

    @property
    def taps(self) -> int:
        """Elements of the window."""
        return prod(self.kernel)

    @property
    def is_matmul(self) -> bool:
        """Whether each output pixel sees the input pixel of its own place and nothing else."""
        return self.taps == 1 and set(self.stride) == {1} and not any(map(any, self.padding))

    @property
    def is_depthwise(self) -> bool:
        """Whether each channel is by itself."""
        return self.groups == self.channels == self.filters > 1


@dataclass(frozen=True)
class Weight:
    """A weight as it lies in memory: element type and strides, counted in elements, over the window's taps (the last
    axis fastest), a group's input channels and all output channels.

    PyTorch's [O, I, *kernel] has strides `tap=1, input=taps, output=I * taps`; Keras's [*kernel, I, O] has
    `tap=I * O, input=O, output=1`.
    """

    element: str
    tap: int
    input: int
    output: int


@dataclass(frozen=True)
class Axis:
    """How one axis is walked: the slots of `WindowRows`, but for strides."""

    places: int
    place: int
    first: int
    tap: int
    taps: int
    row_first: int
    row: int
    b_first: int
    b: int


def forward_walk(g: Geometry) -> list[Axis]:
    return [
        Axis(places, stride, -low, dilation, kernel, 0, 1, 0, 1)
        for places, stride, (low, _), dilation, kernel in zip(
            g.places, g.stride, g.padding, g.dilation, g.kernel, strict=True
        )
    ]


def backward_walks(g: Geometry) -> list[list[Axis]]:
    """One walk for each residue of the input's pixels by the strides, over the taps from the last to the first."""
    axes = []
    for size, stride, (low, _), dilation, kernel in zip(g.size, g.stride, g.padding, g.dilation, g.kernel, strict=True):
        every = stride // gcd(stride, dilation)  # taps whose distance is a multiple of the stride
        residues = []
        for residue in range(hint(stride) if size >= stride else size):
            seen = [r for r in reversed(range(kernel)) if (residue + low - r * dilation) % stride == 0]
            start = seen[0] if seen else 0
            residues.append(
                Axis(
                    places=ceil_div(size - residue, stride),
                    place=1,
                    first=(residue + low - start * dilation) // stride,
                    tap=every * dilation // stride,
                    taps=len(seen),
                    row_first=residue,
                    row=stride,
                    b_first=kernel - 1 - start,
                    b=every,
                )
            )
        axes.append(residues)
    return [list(walk) for walk in combinations(*axes)]


def views(walks: Sequence[Sequence[Axis]], size: tuple[int, ...]) -> tuple[int, int]:
    """Pixels that the taps show in one image of this size, at all places together; without and with the border. For
    choices only: of sizes that are expressions the hints count."""
    seen = shown = 0
    size = tuple(map(hint, size))
    for walk in ([hinted(axis) for axis in walk] for walk in walks):
        seen += prod(
            sum(
                0 <= q * axis.place + axis.first + t * axis.tap < limit
                for q in range(axis.places)
                for t in range(axis.taps)
            )
            for axis, limit in zip(walk, size, strict=True)
        )
        shown += prod(axis.places * axis.taps for axis in walk)
    return seen, shown


def seen_slots(g: Geometry, axes: Iterable[str]) -> dict[str, int]:
    """The slots of the first axes of a forward walk: what each place of the window sees of the input."""
    slots: dict[str, int] = {}
    for at, x in enumerate(axes):
        slots |= {
            f"places_{x}": g.places[at],
            f"place_{x}": g.stride[at],
            f"first_{x}": -g.padding[at][0],
            f"tap_{x}": g.dilation[at],
            f"taps_{x}": g.kernel[at],
            f"size_{x}": g.size[at],
            f"a_{x}": prod(g.size[at + 1 :]) * g.channels,
        }
    return slots


def window_slots(
    g: Geometry, walk: Sequence[Axis], size: tuple[int, ...], result: tuple[int, ...], channels: int
) -> dict[str, int]:
    """The slots that describe a walk over images of `size` with so many channels, for a result of images of size
    `result`: strides count elements in the first and pixels in the second."""
    slots = {
        "a_image": prod(size) * channels,
        "row_image": prod(result),
        "row_first": 0,
        "b_first": 0,
    }
    for at, (x, axis) in enumerate(zip(AXES[-g.axes :], walk, strict=True)):
        row, b = prod(result[at + 1 :]), prod(g.kernel[at + 1 :])
        slots["row_first"] += axis.row_first * row
        slots["b_first"] += axis.b_first * b
        slots |= {
            f"places_{x}": axis.places,
            f"place_{x}": axis.place,
            f"first_{x}": axis.first,
            f"tap_{x}": axis.tap,
            f"taps_{x}": axis.taps,
            f"size_{x}": size[at],
            f"a_{x}": prod(size[at + 1 :]) * channels,
            f"row_{x}": axis.row * row,
            f"b_{x}": axis.b * b,
        }
    return slots
