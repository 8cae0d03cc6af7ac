"""The elementwise primitives on registers beside what they mean in NumPy, in every dtype that their rules admit.

Moves, comparisons, integers and arithmetic must agree in every bit. Functions are compared with their values in double,
within the ulp that `LIMITS` states. Set `DUOGRAPH_CPU` to see other processors.
"""

from __future__ import annotations

import ctypes
import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest

from duograph.codegen import math as generated
from duograph.codegen import scalar, storage
from duograph.codegen.emitter import Arg, Module
from duograph.codegen.operands import Reg
from duograph.codegen.plan import Failure
from duograph.graph.dtype import (
    REAL,
    DType,
    bfloat16,
    bool_,
    float16,
    float32,
    float64,
    int8,
    int16,
    int32,
    int64,
    uint8,
)
from duograph.graph.errors import DTypeError
from duograph.graph.node import PRIMITIVES, Node, Primitive, make
from duograph.runtime import interpreter, jit, targets
from tests.primitive_tools import in_dtype

WIDE = 16


@dataclass(frozen=True)
class Case:
    """One primitive with its dtypes and attributes."""

    op: Primitive
    dtypes: tuple[DType, ...]
    result: DType
    attributes: tuple[tuple[str, Any], ...] = ()
    constant: float | None = None  # in the place of the last operand
    then: Case | None = None  # what is done to the result before it is written

    def __str__(self) -> str:
        return f"{self.op.name}({', '.join(d.name for d in self.dtypes)}) -> {self.result.name} {dict(self.attributes)}"

    @property
    def written(self) -> DType:
        """The dtype in memory."""
        return self.then.result if self.then else self.result

    def node(self, shape: tuple[int, ...], wide: bool = False) -> Node:
        """The call on inputs of the shape; `wide` puts double in the place of other floats."""
        dtypes = [float64 if wide and d.is_floating_point else d for d in self.dtypes]
        inputs = [make(PRIMITIVES["input"], position=k, shape=shape, dtype=d) for k, d in enumerate(dtypes)]
        return make(self.op, *inputs, **dict(self.attributes))


def cases(op: Primitive) -> Iterator[Case]:
    """Every call on real numbers that the primitive's rule admits: complex ones are compiled as pairs of them."""
    attributes: list[dict[str, Any]] = [{"dtype": d} for d in REAL] if "dtype" in op.attributes else [{}]
    if "order" in op.attributes:
        attributes = [{"order": n} for n in (1, 2, 5)]
    for d, named in itertools.product(REAL, attributes):
        dtypes = (bool_, d, d) if op.name == "select" else (d,) * (op.arity or 0)
        try:
            result = op.dtype(*dtypes, **named)
        except DTypeError:
            continue
        if not result.is_complex:
            yield Case(op, dtypes, result, tuple(named.items()))


ELEMENTWISE = [p for p in PRIMITIVES.values() if p.kind == "elementwise" and any(cases(p))]


def define(module: Module, name: str, case: Case, lanes: int) -> None:
    """`void name(ptr error, i64 n, ptr result, ptr ...)`, for an `n` that is a multiple of the lanes."""
    native = targets.target().has("f16c")
    inputs = [Arg(f"x{k}", "ptr") for k in range(len(case.dtypes))]
    with module.function(name, [Arg("error", "ptr"), Arg("n", "i64"), Arg("result", "ptr"), *inputs]) as f:
        error, n, result, *pointers = f.args

        def fail(condition: Reg, refused: Reg) -> None:
            some = condition
            if lanes > 1:
                some = f.intrinsic("vector.reduce.or", condition, returns="i1", overload=(condition.type,))
            with f.if_(some):
                Failure.report(f, error, refused)

        with f.loop(0, n, lanes) as loop:
            args = [
                storage.read(f, f.gep(p, loop.index, storage.stored(d)), d, lanes, native=native)
                for p, d in zip(pointers, case.dtypes, strict=True)
            ]
            if case.constant is not None:
                args[-1] = f.const(args[-1].type, case.constant)
            for part in filter(None, (case, case.then)):
                value = scalar.emit(f, part.op.name, args, part.dtypes, part.result, dict(part.attributes), fail)
                assert value.type == storage.held(part.result, lanes)
                args = [value]
            place = f.gep(result, loop.index, storage.stored(case.written))
            storage.write(f, value, place, case.written, native=native)


class Kernels:
    """The calls on vectors, and on scalars for the rest."""

    def __init__(self, calls: list[Case], lanes: int = WIDE) -> None:
        module = Module("scalar")
        self.cases, self.lanes = calls, lanes
        for k, case in enumerate(calls):
            define(module, f"vector{k}", case, lanes)
            define(module, f"scalar{k}", case, 1)
        self.image = jit.load(module)
        self.error = np.zeros(2, np.int64)

    def __call__(self, k: int, inputs: list[np.ndarray], wide: bool = True) -> np.ndarray:
        """Call `k` on arrays of one axis; in scalars alone unless `wide`."""
        arrays = [np.ascontiguousarray(x) for x in inputs]
        result = np.zeros(len(arrays[0]), self.cases[k].written.numpy)
        self.error[:] = 0
        body = len(result) // self.lanes * self.lanes if wide else 0
        self._run(f"vector{k}", [x[:body] for x in (result, *arrays)])
        self._run(f"scalar{k}", [x[body:] for x in (result, *arrays)])
        return result

    def _run(self, name: str, arrays: list[np.ndarray]) -> None:
        pointers: list[Any] = [ctypes.c_void_p(x.ctypes.data) for x in (self.error, *arrays)]
        pointers.insert(1, ctypes.c_int64(len(arrays[0])))
        self.image.function(name)(*pointers)


def values(d: DType) -> np.ndarray:
    """Numbers where things happen."""
    if d is bool_:
        return np.array([False, True])
    if d.category == "int":
        info = np.iinfo(d.numpy)
        near = [
            -129,
            -65,
            -33,
            -17,
            -9,
            -8,
            -7,
            -3,
            -2,
            -1,
            0,
            1,
            2,
            3,
            5,
            7,
            8,
            9,
            15,
            16,
            31,
            32,
            63,
            64,
            100,
            1000003,
        ]
        near += [info.min, info.min + 1, info.max // 3, info.max - 1, info.max, 1 << (8 * d.itemsize - 2)]
        return np.array([x for x in near if info.min <= x <= info.max], d.numpy)
    near = [0, 0.25, 0.4999, 0.5, 0.9, 1, 1.25, 1.5, 2, 2.5, 3, 7.3, 10, 16, 33.75, 100.5, 255, 1000.7, 6e4, 8388609]
    far = [1e-3, 2.0**-14, 2.0**-24, 1e-7, 3e-41, 5e-324, 2.0**-126, 1e-30, 1e9, 1e30, 3e38, 1e300, math.inf]
    ties = [1 + 2.0**-11 + 2.0**-40, 3 * 2.0**-25 - 2.0**-60, 5 * 2.0**-25, 65520 - 2.0**-20, 65520]  # of float16
    wide = np.array([*near, *far, *ties])
    exact = np.concatenate([wide, -wide, [math.nan]])
    with np.errstate(over="ignore"):
        return exact.astype(d.numpy)


def arguments(case: Case) -> list[np.ndarray]:
    """Special values in all combinations, the primitive's own samples, and numbers of every size."""
    d, random = case.dtypes[-1], np.random.default_rng(3)
    columns = [values(x) for x in case.dtypes]
    grid = [x.reshape(-1) for x in np.meshgrid(*columns, indexing="ij")]
    for sample in case.op.samples():
        inputs = in_dtype(sample, d).inputs
        if [x.dtype for x in inputs] == [x.numpy for x in case.dtypes]:
            shaped = np.broadcast_arrays(*inputs)
            grid = [np.concatenate([g, x.reshape(-1)]) for g, x in zip(grid, shaped, strict=True)]
    noise = [random.integers(0, 256, 1000 * x.itemsize, np.uint8) for x in case.dtypes]
    anywhere = [x > 127 if d is bool_ else x.view(d.numpy) for x, d in zip(noise, case.dtypes, strict=True)]
    grid = [np.concatenate([g, x]) for g, x in zip(grid, anywhere, strict=True)]
    if d.is_floating_point:
        near = [random.normal(0, 3, 1000).astype(x.numpy) for x in case.dtypes]
        grid = [np.concatenate([g, x]) for g, x in zip(grid, near, strict=True)]
    return admissible(case, grid)


def admissible(case: Case, inputs: list[np.ndarray]) -> list[np.ndarray]:
    """Without what NumPy refuses or C leaves open."""
    name, source = case.op.name, case.dtypes[-1]
    keep = np.ones(inputs[0].shape, bool)
    if name in ("floor_divide", "remainder", "fmod") and source.category == "int":
        keep = inputs[1] != 0
    if name == "power" and source.category == "int" and source.signed:
        keep = inputs[1] != np.iinfo(source.numpy).min
    if name == "cast" and source.category == "float" and case.result.category == "int":
        info = np.iinfo(case.result.numpy)
        with np.errstate(invalid="ignore"):
            whole = np.trunc(inputs[0].astype(np.float64))
            keep = (whole >= float(info.min)) & (whole < float(info.max) + (info.bits < 53))
    return [x[keep] for x in inputs]


# The greatest distance in ulp of float and of double from NumPy's results in double, which have errors of their own.
LIMITS = dict.fromkeys((*generated.UNARY, *generated.BINARY, "power"), (2.0, 6.0))
del LIMITS["sqrt"]
LIMITS |= {"erfinv": (1.0, 16.0), "lgamma": (1.0, 64.0), "digamma": (1.0, 32.0), "polygamma": (1.0, 64.0)}
ABSOLUTE = {"lgamma", "digamma", "polygamma"}  # near their zeros, an ulp of 1


def check(case: Case, found: np.ndarray, inputs: list[np.ndarray]) -> None:
    """Equality, or an error within the limit."""
    limits = LIMITS.get(case.op.name)
    if limits is None or not case.result.is_floating_point:
        read = [quiet(x) for x in inputs] if case.op.name == "bitcast" else inputs
        compare(case, found, interpreter.evaluate(case.node(inputs[0].shape), read), inputs)
        return
    with np.errstate(all="ignore"):
        doubles = [x.astype(np.float64) for x in inputs]
        exact = interpreter.evaluate(case.node(inputs[0].shape, wide=True), doubles)
        nearest = exact.astype(found.dtype)
        size = np.maximum(np.abs(exact), 1) if case.op.name in ABSOLUTE else np.abs(exact)
        error = np.abs(found.astype(np.float64) - exact) / spacing(size, case.result)
    # a half is a float rounded once more
    limit = limits[case.result is float64] if not case.result.is_half else 0.5 + limits[0] / 2**13
    equal = (found == nearest) | (np.isnan(found) & np.isnan(nearest))
    report(case, ~equal & ~(error <= limit), found, exact, inputs)
    if case.op.name not in ABSOLUTE:
        report(case, (np.signbit(found) != np.signbit(nearest)) & ~np.isnan(nearest), found, exact, inputs)


def quiet(x: np.ndarray) -> np.ndarray:
    """16-bit floats as they come out of a register: no NaN is a signalling one."""
    if x.dtype.kind in "iub" or x.dtype.itemsize != 2:
        return x
    bit, exponent = (0x200, 0x7C00) if x.dtype == np.float16 else (0x40, 0x7F80)
    word = x.view(np.uint16)
    return np.where(word & 0x7FFF > exponent, word | bit, word).astype(np.uint16).view(x.dtype)


def spacing(size: np.ndarray, d: DType) -> np.ndarray:
    """The distance of neighbouring numbers of a dtype, at positive doubles."""
    formats = {"float16": (10, -14), "bfloat16": (7, -126), "float32": (23, -126), "float64": (52, -1022)}
    fraction, least = formats[d.name]
    exponent = np.frexp(np.minimum(size, np.finfo(np.float64).max))[1] - 1
    return np.ldexp(1.0, np.maximum(exponent, least) - fraction)


def compare(case: Case, found: np.ndarray, expected: np.ndarray, inputs: list[np.ndarray]) -> None:
    with np.errstate(invalid="ignore"):  # ml_dtypes warns of signalling NaN
        wrong = found != expected
        if case.result.is_floating_point:
            wrong &= ~(np.isnan(found) & np.isnan(expected))
            if case.op.name not in ("maximum", "minimum"):
                wrong |= (np.signbit(found) != np.signbit(expected)) & ~np.isnan(expected)
    report(case, wrong, found, expected, inputs)


def report(case: Case, wrong: np.ndarray, found: np.ndarray, expected: np.ndarray, inputs: list[np.ndarray]) -> None:
    if wrong.any():
        k = int(wrong.argmax())
        place = [x[k] for x in inputs]
        pytest.fail(
            f"{case} at {place}: expected {expected[k]!r}, received {found[k]!r}; {wrong.sum()} of {wrong.size}"
        )


def test_every_elementwise_primitive_is_there() -> None:
    assert {p.name for p in ELEMENTWISE} == scalar.SUPPORTED


def agree(op: Primitive) -> None:
    """The primitive in every dtype: its meaning, and no difference between vectors and scalars."""
    calls = list(cases(op))
    assert calls
    kernels = Kernels(calls)
    for k, case in enumerate(calls):
        inputs = arguments(case)
        found = kernels(k, inputs)
        check(case, found, inputs)
        assert not kernels.error.any(), case
        compare(case, kernels(k, inputs, wide=False), found, inputs)


@pytest.mark.parametrize("op", ELEMENTWISE, ids=lambda op: op.name)
def test_values(op: Primitive) -> None:
    agree(op)


@pytest.mark.skipif(targets.architecture() != "x86_64", reason="the levels are x86's")
@pytest.mark.parametrize("cpu", ["x86-64", "x86-64-v3"])
@pytest.mark.parametrize("name", ["bitcast", "cast", "nextafter", "remainder", "round", "maximum", "power"])
def test_older_processors(monkeypatch: pytest.MonkeyPatch, name: str, cpu: str) -> None:
    older = targets.named(cpu)
    monkeypatch.setattr(targets, "target", lambda: older)
    agree(PRIMITIVES[name])


@pytest.mark.parametrize("lanes", [2, 4, 64])
def test_any_number_of_lanes(lanes: int) -> None:
    names = ("add", "select", "less", "maximum", "cast", "nextafter", "shift_right", "floor_divide", "power", "tanh")
    calls = [
        case for name in names for case in cases(PRIMITIVES[name]) if case.result in (bool_, int8, float16, float32)
    ]
    kernels = Kernels(calls, lanes)
    for k, case in enumerate(calls):
        inputs = arguments(case)
        check(case, kernels(k, inputs), inputs)


def test_halves_are_rounded_where_their_bits_are_asked_for() -> None:
    """A cast gives what memory would hold, and a bitcast the bits of that, though arithmetic in between is in float."""
    chains = []
    for half in (float16, bfloat16):
        wider = next(case for case in cases(PRIMITIVES["cast"]) if case.dtypes == (half,) and case.result is float32)
        word = next(case for case in cases(PRIMITIVES["bitcast"]) if case.dtypes == (half,) and case.result is int16)
        narrower = [case for case in cases(PRIMITIVES["cast"]) if case.result is half and case.dtypes[0] is not half]
        chains += [replace(case, then=wider) for case in narrower]
        chains += [replace(case, then=word) for case in cases(PRIMITIVES["multiply"]) if case.result is half]
    kernels = Kernels(chains)
    for k, case in enumerate(chains):
        inputs = arguments(case)
        assert case.then
        middle = interpreter.evaluate(case.node(inputs[0].shape), inputs)
        known = ~np.isnan(middle.astype(np.float32))
        inputs, middle = [x[known] for x in inputs], middle[known]
        expected = interpreter.evaluate(case.then.node(middle.shape), [middle])
        compare(case.then, kernels(k, inputs), expected, inputs)


CONSTANTS: dict[str, list[float]] = {
    "floor_divide": [1, -1, 2, 7, -3, 100],
    "remainder": [1, -1, 2, 7, -3, 100],
    "fmod": [1, -1, 2, 7, -3, 100],
    "power": [0, 1, 2, 3, 4, 5, 17, -1, -2, 0.5, -0.5, 1.5],
    "maximum": [0, 1.5, -2, math.nan, math.inf],
    "minimum": [0, 1.5, -2, math.nan],
    "shift_left": [0, 3, 7, 8, 64, -1],
    "shift_right": [0, 3, 7, 8, 64, -1],
    "cast": [0, 1, 200, -7, 2.75, math.nan, 1e30],
    "multiply": [0, 1, 2],
    "bitwise_and": [0, -1, 6],
}


@pytest.mark.parametrize("name", CONSTANTS)
def test_constant_operands(name: str) -> None:
    some = (bool_, uint8, int8, int32, int64, float16, float32, float64)
    calls = []
    for case, constant in itertools.product(cases(PRIMITIVES[name]), CONSTANTS[name]):
        d = case.dtypes[-1]
        whole = abs(constant) < 2**31 and constant == int(constant)
        if d in some and (d.is_floating_point or (whole and (d is not bool_ or constant in (0, 1)))):
            with np.errstate(over="ignore"):
                held = np.array(constant if d.is_floating_point else int(constant)).astype(d.numpy)
            calls.append(replace(case, constant=held.item()))
    kernels = Kernels(calls)
    for k, case in enumerate(calls):
        first, d = values(case.dtypes[0]), case.dtypes[-1]
        inputs = [*[first] * (len(case.dtypes) - 1), np.full(len(first), case.constant, d.numpy)]
        kept = admissible(case, inputs)
        check(case, kernels(k, kept), kept)


@pytest.mark.parametrize("name", ["floor_divide", "remainder", "fmod"])
def test_division_by_zero_is_reported(name: str) -> None:
    """And the rest is divided: by 1 where the divisor is 0."""
    op = PRIMITIVES[name]
    calls = [case for case in cases(op) if case.dtypes[0].category == "int"]
    kernels = Kernels(calls)
    for k, case in enumerate(calls):
        x, y = (grid.reshape(-1) for grid in np.meshgrid(*[values(case.dtypes[0])] * 2))
        for wide in (True, False):
            found = kernels(k, [x, y], wide)
            assert kernels.error.tolist() == [1, 0], case
            divided = [x, np.where(y == 0, np.ones_like(y), y)]
            compare(case, found, interpreter.evaluate(case.node(x.shape), divided), divided)


def test_unknown_operations_are_refused() -> None:
    with (
        pytest.raises(ValueError, match="elementwise primitive. Received: 'sum'"),
        Module("test").function("f", [Arg("x", "float")]) as f,
    ):
        scalar.emit(f, "sum", f.args, [float32], float32, {}, lambda condition, refused: None)
