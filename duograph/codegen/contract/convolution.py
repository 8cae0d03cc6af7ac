"""Plans of convolutions and of their input gradients. Activations are [N, *size, C], contiguous."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product as combinations
from math import gcd, prod

from .. import types
from .epilogue import Epilogue
from .machine import Machine
from .matmul import Matrix, plan_matmul, right_operand, split
from .pack import Source
from .plan import Plan, Pointer, compute_type
from .product import AXES, Product, WindowRows
from .tile import choose


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


def plan_convolution(
    machine: Machine, geometry: Geometry, x: str, w: Weight, y: str, epilogue: Epilogue | None = None
) -> Plan:
    """The convolution of role `"a"` [N, *size, C] of element type `x` with role `"b"`, to role `"c"` [N, *places, O] of
    type `y`."""
    g = geometry
    inputs, outputs = g.channels // g.groups, g.filters // g.groups
    source = Source(w.element, tap=w.tap, k=w.input, n=w.output, inner=outputs * w.output)
    return _plan(machine, g, [_forward_walk(g)], x, source, y, inputs, outputs, g.size, g.places, epilogue)


def plan_input_gradient(
    machine: Machine, geometry: Geometry, dy: str, w: Weight, dx: str, epilogue: Epilogue | None = None
) -> Plan:
    """The gradient of the input, role `"c"` [N, *size, C], from that of the output, role `"a"` [N, *places, O], and the
    weight, role `"b"`: the transposed convolution."""
    g = geometry
    inputs, outputs = g.channels // g.groups, g.filters // g.groups
    source = Source(
        w.element, tap=-w.tap, k=w.output, n=w.input, inner=outputs * w.output, start=(g.taps - 1) * w.tap
    )  # from its last tap to its first, so that pixels are read forwards
    return _plan(machine, g, _backward_walks(g), dy, source, dx, outputs, inputs, g.places, g.size, epilogue)


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


def _forward_walk(g: Geometry) -> list[Axis]:
    return [
        Axis(places, stride, -low, dilation, kernel, 0, 1, 0, 1)
        for places, stride, (low, _), dilation, kernel in zip(
            g.places, g.stride, g.padding, g.dilation, g.kernel, strict=True
        )
    ]


def _backward_walks(g: Geometry) -> list[list[Axis]]:
    """One walk for each residue of the input's pixels by the strides, over the taps from the last to the first."""
    axes = []
    for size, stride, (low, _), dilation, kernel in zip(g.size, g.stride, g.padding, g.dilation, g.kernel, strict=True):
        every = stride // gcd(stride, dilation)  # taps whose distance is a multiple of the stride
        residues = []
        for residue in range(min(stride, size)):
            seen = [r for r in reversed(range(kernel)) if (residue + low - r * dilation) % stride == 0]
            start = seen[0] if seen else 0
            residues.append(
                Axis(
                    places=len(range(residue, size, stride)),
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


def _plan(
    machine: Machine,
    g: Geometry,
    walks: Sequence[Sequence[Axis]],
    a: str,
    b: Source,
    c: str,
    k: int,
    n: int,
    size: tuple[int, ...],
    result: tuple[int, ...],
    epilogue: Epilogue | None,
) -> Plan:
    """Sums over `k` channels of images of `size`, for `n` channels of images of size `result`, in each group."""
    if not (g.images and n and prod(result)):
        return Plan()
    pixels, batch = g.images * prod(result), (1, g.groups)
    if g.is_matmul:
        return plan_matmul(
            machine,
            Matrix(a, k * g.groups, 1, inner=k),
            Matrix(b.element, b.k, b.n, inner=b.inner),
            Matrix(c, n * g.groups, 1, inner=n),
            m=pixels,
            n=n,
            k=k,
            batch=batch,
            epilogue=epilogue,
        )
    together = _images_together(g, walks, size)
    tile = choose(machine, compute_type(a), together if together > 1 else pixels, n)
    right = right_operand(tile, b, m=pixels, n=n, k=k, taps=g.taps, batch=batch)
    runs = [_joined(walk[-1], k, g.groups, right.follow) for walk in walks]
    zeros = max(4096, 1 << (max(runs) * k * types.size(a) - 1).bit_length())
    kernel = Product(
        a, right.element, c, tile, WindowRows(g.axes, together > 1, zeros), right.packed > 0, True, epilogue
    )
    channels = k * g.groups
    images, outer = (together, g.images // together) if together > 1 else (g.images, 1)
    steps = []
    for walk, joined in zip(walks, runs, strict=True):
        m = images * prod(axis.places for axis in walk)
        if not m:
            continue
        values: dict[str, Pointer | int] = {
            "a": Pointer("a"),
            "a_outer": images * prod(size) * channels,
            "a_inner": k,
            "c": Pointer("c"),
            "c_row": n * g.groups,
            "c_outer": 0,
            "c_inner": 0,
            "row_outer": images * prod(result),
            "column_inner": n,
            "images": images,
            "joined": joined,
            "b_tap": right.tap,
        }
        values |= _window_slots(g, walk, size, result, channels)
        terms = k * prod(axis.taps for axis in walk)
        blocks = split(machine, tile, m, n, terms, outer * g.groups)
        steps.append(kernel.step(m=m, n=n, k=k, inner=g.groups, **blocks, **right.slots, **values))
    return Plan(tuple(steps), right.packing, right.packed)


def _joined(axis: Axis, k: int, groups: int, follow: bool) -> int:
    """How many taps on the last axis can be one run: all, or 1."""
    together = follow and groups == 1 and axis.tap == 1 and axis.b == 1 and axis.taps * k <= LONGEST_JOINED
    return max(1, axis.taps) if together else 1


LONGEST_JOINED = 1024
"""Terms in a run from which there is nothing to gain by joining it to the next."""

BORDER = 0.04
"""The share of border in what the window shows from which tiles span images, so that it can be skipped."""


def _images_together(g: Geometry, walks: Sequence[Sequence[Axis]], size: tuple[int, ...]) -> int:
    """How many images' pixels of one place are neighbouring rows; 1 where an image's pixels are."""
    seen = shown = 0
    for walk in walks:
        seen += prod(
            sum(
                0 <= q * axis.place + axis.first + t * axis.tap < limit
                for q in range(axis.places)
                for t in range(axis.taps)
            )
            for axis, limit in zip(walk, size, strict=True)
        )
        shown += prod(axis.places * axis.taps for axis in walk)
    if seen >= (1 - BORDER) * shown:
        return 1
    return max(count for count in range(1, TOGETHER + 1) if g.images % count == 0)


TOGETHER = int(__import__("os").environ.get("TOG", "8"))


def _window_slots(
    g: Geometry, walk: Sequence[Axis], size: tuple[int, ...], result: tuple[int, ...], channels: int
) -> dict[str, int]:
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
