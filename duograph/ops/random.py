"""Random numbers: generators, and functions under PyTorch's names.

Numbers come from Philox4x32-10, a function of (seed, offset, position) and nothing else (Salmon et al., "Parallel
random numbers: as easy as 1, 2, 3", 2011), so one seed gives one sequence on every device and thread count. A generator
only hands out offsets; both numbers enter the graph as run-time inputs, so drawing again is the same trace.
"""

from __future__ import annotations

import math
import os
import threading
from typing import Any

import numpy as np

from ..graph import dtype as dtypes
from ..graph import language as g
from ..graph import trace as tracing
from ..graph.body import Body, bodies
from ..graph.composite import composite
from ..graph.dtype import DType, float32, float64, int64, uint64
from ..graph.errors import ArgumentError, DTypeError
from ..graph.node import Node
from ..graph.trace import Number, constant
from ..tensor.convert import from_buffer
from ..tensor.core import Tensor, apply, cast, method, wrap
from ..tensor.device import device as find_device
from .complex import view_as_complex
from .creation import _spec
from .define import function, into, sizes_of


class Generator:
    """A source of random numbers: a seed, and how many numbers were drawn."""

    def __init__(self, device: Any = "cpu") -> None:
        self.device = find_device(device)
        self._seed = int.from_bytes(os.urandom(8), "little") >> 1
        self._offset = 0
        self._lock = threading.Lock()

    def manual_seed(self, seed: int) -> Generator:
        """Begin the sequence of `seed`."""
        self._seed = int(seed) & (2**64 - 1)
        self._offset = 0
        return self

    def seed(self) -> int:
        """Begin the sequence of a fresh, unpredictable seed, and return it."""
        self.manual_seed(int.from_bytes(os.urandom(8), "little") >> 1)
        return self._seed

    def initial_seed(self) -> int:
        return self._seed

    def get_state(self) -> Tensor:
        """The state as 16 bytes."""
        return from_buffer(np.array([self._seed, self._offset], np.uint64).view(np.uint8))

    def set_state(self, state: Tensor) -> Generator:
        """Return to a state that `get_state` gave."""
        array = np.ascontiguousarray(state._array())
        if array.dtype != np.uint8 or array.size != 16:
            raise ArgumentError(
                f"set_state: expected the 16 bytes of get_state(). Received: {array.dtype} {array.shape}"
            )
        self._seed, self._offset = (int(x) for x in array.view(np.uint64))
        return self

    def __reduce__(self) -> Any:
        return _restored, (self.device, self._seed, self._offset)

    def draw(self, count: int) -> tuple[Tensor, Tensor]:
        """Seed and offset, as run-time inputs, for `count` random numbers; later draws get others."""
        wanted = -(-count // 4)
        blocks = reserved(wanted)
        with self._lock:
            offset = self._offset
            self._offset += blocks
        seed, start = tracing.scalar(self._seed, uint64), tracing.scalar(offset, uint64)
        if tracing.local.capture is not None:
            tracing.local.capture.numbers(Draw(self, blocks), (seed.buffer, start.buffer))
        return turned(wrap(seed), wrap(start), wanted)

    def advance(self, offset: int) -> None:
        """Go on at `offset`: what was drawn up to there was drawn in a replay."""
        self._offset = offset


def _restored(device: Any, seed: int, offset: int) -> Generator:
    made = Generator(device).manual_seed(seed)
    made._offset = offset
    return made


def _loops(until: Body | None) -> list[Body]:
    """The loops whose steps are being recorded, from the innermost, those inside of `until` only."""
    return [body for body in bodies(until) if not body.is_branch]


def reserved(blocks: int, until: Body | None = None) -> int:
    """The blocks of four numbers that all turns of the loops around draw, if one draws these many. Turns whose number
    nobody knows draw theirs from a sequence of their own, which takes one. `until` is a loop with other seeds in each
    turn: it and what lies around it do not count."""
    loops = _loops(until)
    if any(body.turns is None for body in loops):
        return 1
    return blocks * math.prod(body.turns or 1 for body in loops)


def turned(seed: Tensor, start: Tensor, blocks: int, until: Body | None = None) -> tuple[Tensor, Tensor]:
    """Seed and offset for what is drawn in a turn of the loops around, which need these many blocks each. `until` as
    in `reserved`."""
    loops = _loops(until)
    ends = [k for k, body in enumerate(loops) if body.turns is None]
    inner = loops[: ends[0]] if ends else loops
    before = None
    for body in inner:
        own = wrap(body.turn) * blocks
        before = own if before is None else before + own
        blocks *= body.turns or 1
    if ends:
        seed, start = _key(seed, start), wrap(constant(0, uint64))
        for body in reversed(loops[ends[0] :]):
            seed = _key(seed, wrap(body.turn))
    return seed, start if before is None else start + before


def _key(seed: Tensor, number: Tensor) -> Tensor:
    """The seed of the sequence with this number."""
    return apply(sequence_key, (seed, number))


@composite
def sequence_key(seed: Node, number: Node) -> Node:
    """64 random bits, as the seed of a sequence that no other meets."""
    low, high = (
        g.cast(g.reshape(g.narrow(g.apply("random_bits", seed, number, shape=(2,)), 0, k, 1), ()), uint64)
        for k in (0, 1)
    )
    return low + high * 2**32


class Draw:
    """A draw that was captured, as the source of the numbers of the next ones."""

    def __init__(self, generator: Generator, blocks: int) -> None:
        self.generator = generator
        self.blocks = blocks

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Draw) and (self.generator, self.blocks) == (other.generator, other.blocks)

    __hash__ = None  # type: ignore[assignment]

    def ahead(self, states: dict[Any, Any]) -> tuple[Number, Number]:
        generator = self.generator
        offset = states.get(generator, generator._offset)
        states[generator] = offset + self.blocks
        return Number(generator._seed, fixed=False), Number(offset, fixed=False)


default_generator = Generator().manual_seed(int.from_bytes(os.urandom(4), "little"))


def manual_seed(seed: int) -> Generator:
    """Begin the default generator's sequence of `seed`."""
    return default_generator.manual_seed(seed)


def initial_seed() -> int:
    return default_generator.initial_seed()


def get_rng_state() -> Tensor:
    return default_generator.get_state()


def set_rng_state(state: Tensor) -> None:
    default_generator.set_state(state)


def _unit(bits: Node) -> Node:
    """32 random bits as a float64 in [0, 1): exact multiples of 2^-32."""
    return g.cast(bits, float64) * 2.0**-32


@composite
def uniform_numbers(seed: Node, offset: Node, low: Node, high: Node, *, shape: tuple[int, ...], dtype: DType) -> Node:
    """Uniform on [low, high). float32 takes 24 of 32 bits, so that 1 is never reached by rounding."""
    if dtype is float64:
        bits = g.apply("random_bits", seed, offset, shape=(2, *shape))
        high_bits = g.cast(g.apply("shift_right", g.reshape(g.narrow(bits, 0, 0, 1), shape), 5), float64)
        low_bits = g.cast(g.apply("shift_right", g.reshape(g.narrow(bits, 0, 1, 1), shape), 6), float64)
        unit = (high_bits * 2.0**26 + low_bits) * 2.0**-53
    else:
        keep = {"float32": 8, "float16": 21, "bfloat16": 24}[dtype.name]
        bits = g.apply("random_bits", seed, offset, shape=shape)
        unit = g.cast(g.apply("shift_right", bits, keep), float32) * 2.0 ** -(32 - keep)
        low, high = g.cast(low, float32), g.cast(high, float32)
    return g.cast(unit * (high - low) + low, dtype)


@composite
def normal_numbers(
    seed: Node, offset: Node, mean: Node, deviation: Node, *, shape: tuple[int, ...], dtype: DType
) -> Node:
    """Normal numbers by Box and Muller's transform (1958): sqrt(-2 log u) cos(2 pi v)."""
    work = float64 if dtype is float64 else float32
    bits = g.apply("random_bits", seed, offset, shape=(2, *shape))
    first, second = (g.reshape(g.narrow(bits, 0, k, 1), shape) for k in (0, 1))
    if work is float64:
        u, v = 1.0 - _unit(first), _unit(second)
    else:
        u = (g.cast(g.apply("shift_right", first, 8), float32) + 1.0) * 2.0**-24
        v = g.cast(g.apply("shift_right", second, 8), float32) * 2.0**-24
    unit = g.sqrt(g.log(u) * -2.0) * g.cos(v * (2 * math.pi))
    return g.cast(unit * g.cast(deviation, work) + g.cast(mean, work), dtype)


@composite
def integer_numbers(seed: Node, offset: Node, low: Node, span: Node, *, shape: tuple[int, ...], dtype: DType) -> Node:
    """Whole numbers in [low, low + span): 64 random bits modulo the span."""
    bits = g.apply("random_bits", seed, offset, shape=(2, *shape))
    first, second = (g.cast(g.reshape(g.narrow(bits, 0, k, 1), shape), uint64) for k in (0, 1))
    wide = g.apply("bitwise_or", g.apply("shift_left", first, 32), second)
    return g.cast(g.cast(g.remainder(wide, g.cast(span, uint64)), int64) + low, dtype)


def draw(
    op: Any, shape: tuple[int, ...], dtype: DType, parameters: tuple[Any, ...], generator: Generator | None
) -> Tensor:
    """Record a random operation that takes (seed, offset, *parameters; shape, dtype). Of complex numbers both parts are
    drawn, and each has half of a normal variance."""
    if dtype.is_complex:
        if op is normal_numbers:
            parameters = (parameters[0], parameters[1] * math.sqrt(0.5))
        return view_as_complex(draw(op, (*shape, 2), dtype.to_real(), parameters, generator))
    seed, offset = (generator or default_generator).draw(2 * max(1, math.prod(shape)))
    return apply(op, (seed, offset, *parameters), (("shape", shape), ("dtype", dtype)))


def scalar(number: Any, dtype: DType = float64) -> Tensor:
    return number if isinstance(number, Tensor) else wrap(tracing.scalar(number, dtype))


def _floating(name: str, op: Any, a: float, b: float, doc: str) -> Any:
    def make(
        *size: Any,
        generator: Generator | None = None,
        dtype: Any = None,
        device: Any = None,
        requires_grad: bool = False,
        out: Tensor | None = None,
        layout: Any = None,
        pin_memory: bool = False,
    ) -> Tensor:
        found, place = _spec(dtype, device)
        if not found.differentiable:
            raise ArgumentError(f"{name}: expected a floating point or complex dtype. Received: {found.name}")
        made = draw(op, sizes_of(*size) if size else (), found, (scalar(a), scalar(b)), generator)
        made = made.to(place) if place.type != "cpu" else made
        return into(out, made.requires_grad_() if requires_grad else made)

    def sized(*arguments: Any, size: Any = None, **keywords: Any) -> Tensor:
        return make(*(arguments if size is None else (size,)), **keywords)

    sized.__name__ = name
    sized.__doc__ = doc
    function(name, is_method=False)(sized)

    def like(input: Tensor, *, dtype: Any = None, device: Any = None, requires_grad: bool = False,
             memory_format: Any = None, generator: Generator | None = None) -> Tensor:  # fmt: skip
        found, place = _spec(dtype, device, input)
        return make(tuple(input.shape), dtype=found, device=place, requires_grad=requires_grad, generator=generator)

    like.__name__ = f"{name}_like"
    like.__doc__ = f"As `{name}`, in the shape, dtype and device of `input`."
    function(f"{name}_like", is_method=False)(like)
    return sized


rand = _floating("rand", uniform_numbers, 0.0, 1.0, "Uniform numbers in [0, 1).")
randn = _floating("randn", normal_numbers, 0.0, 1.0, "Normal numbers of mean 0 and variance 1.")


@function(is_method=False)
def randint(low: int, high: Any = None, size: Any = None, *, generator: Generator | None = None, dtype: Any = None,
            device: Any = None, requires_grad: bool = False, out: Tensor | None = None) -> Tensor:  # fmt: skip
    """Whole numbers in [low, high)."""
    if size is None:
        low, high, size = 0, low, high
    if high is None:
        low, high = 0, low
    if high <= low:
        raise ArgumentError(f"randint: expected low < high. Received: {low}, {high}")
    found = dtypes.dtype(dtype) if dtype is not None else int64
    made = draw(
        integer_numbers, sizes_of(size), found, (scalar(int(low), int64), scalar(int(high - low), int64)), generator
    )
    return into(out, made if device is None else made.to(device))


@function(is_method=False)
def randint_like(input: Tensor, low: int, high: int | None = None, *, dtype: Any = None, device: Any = None) -> Tensor:
    """Whole numbers in the shape and dtype of `input`."""
    if high is None:
        low, high = 0, low
    return randint(low, high, tuple(input.shape), dtype=dtype or input.dtype, device=device)


@function(is_method=False)
def randperm(n: int, *, generator: Generator | None = None, dtype: Any = None, device: Any = None,
             requires_grad: bool = False, out: Tensor | None = None) -> Tensor:  # fmt: skip
    """0 ... n - 1 in random order: the order that sorts random keys."""
    keys = draw(uniform_numbers, (int(n),), float64, (scalar(0.0), scalar(1.0)), generator)
    return into(out, cast(keys.argsort(), dtypes.dtype(dtype) if dtype is not None else int64))


@function(is_method=False)
def normal(mean: Any = 0.0, std: Any = 1.0, size: Any = None, *, generator: Generator | None = None, dtype: Any = None,
           layout: Any = None, device: Any = None, pin_memory: bool = False, requires_grad: bool = False,
           out: Tensor | None = None) -> Tensor:  # fmt: skip
    """Normal numbers of the given means and deviations (numbers, or tensors that broadcast)."""
    if size is not None:
        found, _ = _spec(dtype, device)
        made = draw(normal_numbers, sizes_of(size), found, (scalar(mean), scalar(std)), generator)
        return into(out, made.requires_grad_() if requires_grad else made)
    like = mean if isinstance(mean, Tensor) else std
    shape = np.broadcast_shapes(*(tuple(t.shape) for t in (mean, std) if isinstance(t, Tensor)))
    unit = draw(normal_numbers, shape, like.dtype, (scalar(0.0), scalar(1.0)), generator)
    return into(out, unit * std + mean)


@function()
def bernoulli(
    input: Tensor, p: float | None = None, *, generator: Generator | None = None, out: Tensor | None = None
) -> Tensor:
    """1 with the probability that each element (or `p`) says, else 0."""
    unit = draw(uniform_numbers, tuple(input.shape), float32, (scalar(0.0), scalar(1.0)), generator)
    return into(out, cast(unit < (input if p is None else p), input.dtype))


@function()
def multinomial(
    input: Tensor, num_samples: int, replacement: bool = False, *, generator: Generator | None = None,
    out: Tensor | None = None,
) -> Tensor:  # fmt: skip
    """Indices drawn in proportion to the weights in the last axis.

    Without replacement by the largest of exponential races (Efraimidis and Spirakis, 2006); weights are observed to be
    checked: raises ArgumentError for negative ones, or for fewer nonzero ones than samples.
    """
    if not input.dtype.is_floating_point or num_samples <= 0:
        raise ArgumentError(
            "multinomial: expected floating point weights and at least 1 sample. "
            f"Received: {input.dtype.name}, {num_samples}"
        )
    weights = input._array().astype(np.float64)
    if (
        input.ndim not in (1, 2)
        or (weights < 0).any()
        or not np.isfinite(weights).all()
        or (weights.sum(-1) <= 0).any()
    ):
        raise ArgumentError(
            "multinomial: expected 1 or 2 dimensions of finite weights >= 0 with a positive sum in each row. "
            f"Received: shape {tuple(input.shape)}"
        )
    if not replacement and ((weights > 0).sum(-1) < num_samples).any():
        raise ArgumentError(f"multinomial: fewer nonzero weights than the {num_samples} samples wanted")
    if out is not None and out.dtype is not int64:
        raise DTypeError(f"multinomial: out: expected int64. Received: {out.dtype.name}")
    rows = weights.reshape(-1, weights.shape[-1])
    shape = (len(rows), num_samples if replacement else rows.shape[1])
    unit = draw(uniform_numbers, shape, float64, (scalar(0.0), scalar(1.0)), generator)._array()
    if replacement:
        edges = np.cumsum(rows, -1)
        found = np.stack([np.searchsorted(e, u * e[-1], side="right") for e, u in zip(edges, unit, strict=True)])
        found = np.minimum(found, rows.shape[1] - 1)
    else:
        with np.errstate(divide="ignore"):
            found = np.argsort(-np.log(1.0 - unit) / rows, -1, kind="stable")[:, :num_samples]
    return into(out, from_buffer(found.astype(np.int64).reshape(*input.shape[:-1], num_samples)))


def _fills(name: str, op: Any, first: str, second: str, a: float, b: float) -> None:
    def fill(self: Tensor, *arguments: Any, generator: Generator | None = None, **keywords: Any) -> Tensor:
        from ..tensor.operators import update

        given = dict(zip((first, second), arguments, strict=False)) | keywords
        low, high = given.get(first, a), given.get(second, b)
        if (high < low) if first == "from" else (not isinstance(high, Tensor) and high < 0):
            expected = f"{second} of at least {first}" if first == "from" else f"{second} of at least 0"
            raise ArgumentError(f"{name}: expected {expected}. Received: {low} and {high}")
        parameters = (scalar(low), scalar(high))
        return update(self, draw(op, tuple(self.shape), self.dtype, parameters, generator))

    fill.__name__ = name
    fill.__doc__ = f"Fill in place with {name[:-1]} random numbers."
    setattr(Tensor, name, fill)


_fills("uniform_", uniform_numbers, "from", "to", 0.0, 1.0)
_fills("normal_", normal_numbers, "mean", "std", 0.0, 1.0)


def _bernoulli_(self: Tensor, p: Any = 0.5, *, generator: Generator | None = None) -> Tensor:
    from ..tensor.operators import update

    unit = draw(uniform_numbers, tuple(self.shape), float32, (scalar(0.0), scalar(1.0)), generator)
    return update(self, cast(unit < p, self.dtype))


def _above_zero(name: str, argument: str, value: float) -> None:
    if value <= 0:
        raise ArgumentError(f"{name}: {argument}: expected a number above 0. Received: {value}")


def _exponential_(self: Tensor, lambd: float = 1.0, *, generator: Generator | None = None) -> Tensor:
    from ..tensor.operators import update

    _above_zero("exponential_", "lambd", lambd)
    unit = draw(uniform_numbers, tuple(self.shape), self.dtype, (scalar(0.0), scalar(1.0)), generator)
    return update(self, (1.0 - unit).log() * (-1.0 / lambd))


def _cauchy_(self: Tensor, median: float = 0.0, sigma: float = 1.0, *, generator: Generator | None = None) -> Tensor:
    from ..tensor.operators import update

    _above_zero("cauchy_", "sigma", sigma)
    unit = draw(uniform_numbers, tuple(self.shape), self.dtype, (scalar(0.0), scalar(1.0)), generator)
    return update(self, ((unit - 0.5) * math.pi).tan() * sigma + median)


def _geometric_(self: Tensor, p: float, *, generator: Generator | None = None) -> Tensor:
    from ..tensor.operators import update

    if not 0 < p < 1:
        raise ArgumentError(f"geometric_: p: expected between 0 and 1. Received: {p}")
    unit = draw(uniform_numbers, tuple(self.shape), float64, (scalar(0.0), scalar(1.0)), generator)
    return update(self, cast(((1.0 - unit).log() / math.log1p(-p)).ceil().clamp(min=1), self.dtype))


def _log_normal_(self: Tensor, mean: float = 1.0, std: float = 2.0, *, generator: Generator | None = None) -> Tensor:
    from ..tensor.operators import update

    _above_zero("log_normal_", "std", std)
    return update(
        self, draw(normal_numbers, tuple(self.shape), self.dtype, (scalar(mean), scalar(std)), generator).exp()
    )


def _random_(self: Tensor, low: int = 0, high: int | None = None, *, generator: Generator | None = None) -> Tensor:
    from ..tensor.operators import update

    if high is None:
        info = {"float32": 2**24, "float64": 2**53, "float16": 2**11, "bfloat16": 2**8, "bool": 2}
        low, high = (0, low) if low else (0, info.get(self.dtype.name) or int(np.iinfo(self.dtype.numpy).max))
    return update(self, randint(low, high, tuple(self.shape), generator=generator, dtype=self.dtype))


method(_bernoulli_, "bernoulli_")
method(_exponential_, "exponential_")
method(_random_, "random_")
method(_cauchy_, "cauchy_")
method(_geometric_, "geometric_")
method(_log_normal_, "log_normal_")
