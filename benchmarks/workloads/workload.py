"""What a workload is: numbers only, so that every framework gets the same weights, the same data, the same task."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from math import prod

import numpy as np

Array = np.ndarray
Shapes = Mapping[str, tuple[int, ...]]


@dataclass(frozen=True)
class Goal:
    """How many times as fast as the best peer's best mode: as a plain eager loop, and with `compile`."""

    eager: float
    compiled: float


@dataclass(frozen=True)
class Workload:
    """A model, its data and what is asked of it: mostly a classification with cross-entropy loss.

    Weights bear the names and have the layouts of PyTorch (linear: outputs × inputs; convolution: OIHW), images are
    NCHW; `layouts.py` turns both into what the other frameworks use. A workload without `shapes` is written in
    PyTorch's dialect alone, and its model says which weights there are.
    """

    name: str
    title: str
    model: str  # which model of a framework's file, and which file of `benchmarks/models`
    batch: Callable[[np.random.Generator], tuple[Array, ...]]  # inputs first, then targets or noise
    shapes: Shapes | None = None  # of the parameters and of the buffers
    goal: Goal | None = None
    learning_rate: float = 1e-3
    trained: bool = True
    inference: Mapping[int, float | None] = field(default_factory=dict)  # batches, and how many times the best peer
    flattened: Mapping[str, tuple[int, int, int]] = field(default_factory=dict)  # linear weights that read C×H×W

    def weights(self, shapes: Shapes | None = None) -> dict[str, Array]:
        """The starting weights, the same in every process: of its own shapes, or of these where it has none."""
        random = np.random.default_rng(0)
        named = self.shapes or shapes or {}
        return {name: _initial(random, name, shape, named) for name, shape in named.items()}

    def batches(self, count: int) -> list[tuple[Array, ...]]:
        """`count` batches of data, the same in every process."""
        random = np.random.default_rng(1)
        return [self.batch(random) for _ in range(count)]

    @property
    def parameters(self) -> int:
        """The number of trained numbers, of a workload with shapes."""
        return sum(prod(shape) for name, shape in (self.shapes or {}).items() if not is_buffer(name))


def is_buffer(name: str) -> bool:
    """Whether the name is that of a running statistic and not of a trained parameter."""
    return ".running_" in name


def _initial(random: np.random.Generator, name: str, shape: tuple[int, ...], shapes: Shapes) -> Array:
    """Uniform in ±1/√fan-in, as PyTorch does; normalisation scales near one, embeddings small."""
    if name.endswith("running_mean"):
        return random.uniform(-0.1, 0.1, shape).astype(np.float32)
    if name.endswith("running_var"):
        return random.uniform(0.5, 1.5, shape).astype(np.float32)
    if "embedding" in name:
        return random.normal(0, 0.02, shape).astype(np.float32)
    weight = shapes.get(name.removesuffix("bias") + "weight", shape)
    if len(weight) == 1:  # scale and shift of a normalisation
        return random.uniform(-0.1, 0.1, shape).astype(np.float32) + np.float32(name.endswith("weight"))
    bound = 1 / np.sqrt(prod(weight[1:]))
    return random.uniform(-bound, bound, shape).astype(np.float32)


def classified(
    batch: int, shape: tuple[int, ...], classes: int
) -> Callable[[np.random.Generator], tuple[Array, Array]]:
    """Batches of noisy prototypes, one prototype a class: something that can be learnt, so that losses fall."""
    prototypes = np.random.default_rng(2).normal(size=(classes, *shape)).astype(np.float32)

    def draw(random: np.random.Generator) -> tuple[Array, Array]:
        targets = random.integers(0, classes, batch)
        noise = random.normal(size=(batch, *shape)).astype(np.float32)
        return 0.5 * prototypes[targets] + noise, targets

    return draw


def linear(name: str, inputs: int, outputs: int, bias: bool = True) -> Iterator[tuple[str, tuple[int, ...]]]:
    """The shapes of a linear layer."""
    yield f"{name}.weight", (outputs, inputs)
    if bias:
        yield f"{name}.bias", (outputs,)


def convolution(
    name: str, inputs: int, outputs: int, window: int, bias: bool = True
) -> Iterator[tuple[str, tuple[int, ...]]]:
    """The shapes of a square convolution."""
    yield f"{name}.weight", (outputs, inputs, window, window)
    if bias:
        yield f"{name}.bias", (outputs,)


def batch_norm(name: str, channels: int) -> Iterator[tuple[str, tuple[int, ...]]]:
    """The shapes of a batch normalisation with its running statistics."""
    for part in ("weight", "bias", "running_mean", "running_var"):
        yield f"{name}.{part}", (channels,)


def layer_norm(name: str, width: int) -> Iterator[tuple[str, tuple[int, ...]]]:
    """The shapes of a layer normalisation."""
    yield f"{name}.weight", (width,)
    yield f"{name}.bias", (width,)
