"""The mathematics of generated code beside results rounded exactly, in units in the last place.

Float is compared with NumPy in double: every exponent and both signs, at significands a fixed stride apart. With
`DUOGRAPH_ALL_FLOATS=exp,log` these functions (or others) are taken at all 2 ** 32 floats, in minutes rather than
milliseconds. Double is compared with NumPy in long double, 11 bits more accurate or more.
"""

from __future__ import annotations

import ctypes
import itertools
import math
import os
from collections.abc import Callable
from decimal import Decimal, localcontext

import numpy as np
import numpy.typing as npt
import pytest

from duograph.codegen import math as generated
from duograph.codegen.emitter import Arg, Module, vector
from duograph.runtime import jit, targets

Array = npt.NDArray[np.floating]
ELEMENTS = {np.dtype(np.float32): "float", np.dtype(np.float64): "double"}
FUNCTIONS = {**generated.UNARY, **generated.BINARY}
LIMITS = {"float": 2.0, "double": 4.0}

NUMPY = {name: getattr(np, name) for name in ("exp", "expm1", "log", "log1p", "sqrt", "sin", "cos", "tan")}
NUMPY |= {name: getattr(np, name) for name in ("sinh", "cosh", "tanh")}
NUMPY |= {name: getattr(np, f"arc{name[1:]}") for name in ("asin", "acos", "atan", "asinh", "acosh", "atanh", "atan2")}
NUMPY |= {"pow": np.power, "rsqrt": lambda x: 1 / np.sqrt(x)}


def exact_erf(x: Array) -> Array:
    """Of doubles by the C library; of long doubles by the Maclaurin series in 60 digits."""
    if x.dtype != np.longdouble:
        return np.fromiter(map(math.erf, x.tolist()), np.float64, len(x))
    with localcontext() as context:
        context.prec = 60
        scale = 2 / Decimal("3.14159265358979323846264338327950288419716939937510582097494459").sqrt()
        found = []
        for value in map(Decimal, x.astype(np.float64).tolist()):
            term, total, i = value, value, 0
            while abs(term) > abs(total) * Decimal(10) ** -30:
                i += 1
                term = -term * value * value / i
                total += term / (2 * i + 1)
            found.append(np.longdouble(str(total * scale)))
    return np.array(found)


REFERENCE: dict[str, Callable[..., Array]] = {**NUMPY, "erf": exact_erf}


def compiled(name: str, element: str, lanes: int) -> Callable[..., Array]:
    """The function over arrays whose length is a multiple of the lanes."""
    count = 2 if name in generated.BINARY else 1
    module = Module(f"test_{name}")
    type = vector(element, lanes)
    inputs = [Arg(f"x{i}", "ptr") for i in range(count)]
    with module.function("run", [Arg("n", "i64"), Arg("out", "ptr"), *inputs]) as f:
        n, out, *pointers = f.args
        with f.loop(0, n, lanes) as loop:
            values = [f.load(f.gep(pointer, loop.index, element), type) for pointer in pointers]
            f.store(FUNCTIONS[name](f, *values), f.gep(out, loop.index, element))
    image = jit.load(module)
    run = image.function("run", None, ctypes.c_int64, *[ctypes.c_void_p] * (1 + count))

    def call(*arrays: Array) -> Array:
        assert image  # kept in memory as long as the function
        result = np.empty_like(arrays[0])
        run(len(result), result.ctypes.data, *(array.ctypes.data for array in arrays))
        return result

    return call


def ulps(found: Array, exact: Array) -> Array:
    """The distances to the exact results in units of the format's spacing there; infinite where NaN or inf differ."""
    info = np.finfo(found.dtype)
    with np.errstate(all="ignore"):
        rounded = exact.astype(found.dtype)
        spacing = np.spacing(np.clip(np.abs(rounded), info.tiny, info.max)).astype(exact.dtype)
        distance = np.abs(found.astype(exact.dtype) - exact) / spacing
    same = (found == rounded) | (np.isnan(found) & np.isnan(rounded))
    distance = np.where(same & ~np.isfinite(distance), 0, distance)
    return np.where(np.isnan(distance) | (np.isfinite(found) != np.isfinite(rounded)), np.inf, distance)


def every_exponent(dtype: type, stride: int) -> Array:
    """Bit patterns a stride apart, to a multiple of 16 of them."""
    unsigned = np.uint32 if dtype is np.float32 else np.uint64
    count = (2 ** (8 * np.dtype(unsigned).itemsize) // stride) // 16 * 16
    return (np.arange(count, dtype=unsigned) * unsigned(stride)).view(dtype)


def assert_close(name: str, found: Array, arguments: tuple[Array, ...], exact: Array) -> float:
    """Within the limit, and with the exact results' signs, zeros included. Returns the greatest error."""
    errors = ulps(found, exact)
    worst = int(errors.argmax())
    limit = LIMITS[ELEMENTS[found.dtype]]
    place = [argument[worst] for argument in arguments]
    assert errors[worst] <= limit, (
        f"{name}{tuple(place)}: expected {exact[worst]!r}, received {found[worst]!r}, {errors[worst]:.2f} ulp away"
    )
    assert np.array_equal(np.signbit(found) | np.isnan(exact), np.signbit(exact) | np.isnan(exact)), name
    return float(errors[worst])


def exactly(name: str, wider: type, *arguments: Array) -> Array:
    with np.errstate(all="ignore"):
        return REFERENCE[name](*(argument.astype(wider) for argument in arguments))


@pytest.mark.parametrize("name", generated.UNARY)
def test_float_over_the_whole_range(name: str) -> None:
    x = every_exponent(np.float32, 9973)
    assert_close(name, compiled(name, "float", 16)(x), (x,), exactly(name, np.float64, x))


@pytest.mark.parametrize("name", [name for name in os.environ.get("DUOGRAPH_ALL_FLOATS", "").split(",") if name])
def test_every_float(name: str) -> None:
    function, worst = compiled(name, "float", 16), 0.0
    for start in range(0, 2**32, 2**22):
        x = np.arange(start, start + 2**22, dtype=np.uint32).view(np.float32)
        worst = max(worst, assert_close(name, function(x), (x,), exactly(name, np.float64, x)))
    print(f"{name}: at most {worst:.3f} ulp over all floats")


# Where results are neither trivial nor infinite, doubles are dense too.
DENSE = {"exp": 745, "expm1": 709, "sin": 1e6, "cos": 1e6, "tan": 1e6, "asin": 1, "acos": 1, "sinh": 710, "cosh": 710}
DENSE |= {"atanh": 1, "tanh": 22, "log1p": 4, "erf": 6.5}

more_than_double = pytest.mark.skipif(np.finfo(np.longdouble).nmant < 60, reason="long double is double here")


@more_than_double
@pytest.mark.parametrize("name", generated.UNARY)
def test_double(name: str) -> None:
    random = np.random.default_rng(7)
    bound = DENSE.get(name, 8)
    dense, near = random.uniform(-bound, bound, 8192), random.uniform(-2, 2, 8192)
    x = np.concatenate([dense, near, every_exponent(np.float64, 2**64 // 8209)])
    if name == "erf":
        x = np.concatenate([dense[:256], near[:256]])
    x = x[: len(x) // 8 * 8]
    assert_close(name, compiled(name, "double", 8)(x), (x,), exactly(name, np.longdouble, x))


@more_than_double
def test_double_near_multiples_of_half_pi() -> None:
    multiples = np.arange(1, 600001, 75)
    x = (multiples * np.longdouble("1.57079632679489661923132169163975144")).astype(np.float64)
    for name in ("sin", "cos", "tan"):
        assert_close(name, compiled(name, "double", 8)(x), (x,), exactly(name, np.longdouble, x))


@pytest.mark.parametrize("name", generated.BINARY)
def test_float_of_two(name: str) -> None:
    x = every_exponent(np.float32, 16411)
    y = np.random.default_rng(3).permutation(x)
    random = np.random.default_rng(5)
    base, exponent = random.uniform(0, 9, 2**17).astype(np.float32), random.uniform(-40, 40, 2**17).astype(np.float32)
    x, y = np.concatenate([x, base]), np.concatenate([y, exponent])
    exact = exactly(name, np.float64, x, y)
    assert_close(name, compiled(name, "float", 16)(x, y), (x, y), exact)


@more_than_double
@pytest.mark.parametrize("name", generated.BINARY)
def test_double_of_two(name: str) -> None:
    random = np.random.default_rng(5)
    x = np.concatenate(
        [random.uniform(0, 9, 2**14), np.exp(random.uniform(-700, 700, 2**14)), 1 + random.normal(0, 1e-3, 2**14)]
    )
    y = np.concatenate([random.uniform(-300, 300, 2**14), random.uniform(-1, 1, 2**14), random.normal(0, 2e5, 2**14)])
    exact = exactly(name, np.longdouble, x, y)
    assert_close(name, compiled(name, "double", 8)(x, y), (x, y), exact)


SPECIAL = [0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 1e-3, 700.0, 3e9, math.inf]


def special_values(dtype: type) -> list[float]:
    info = np.finfo(dtype)
    magnitudes = [*SPECIAL, info.smallest_subnormal, info.tiny, info.tiny / 2, info.max]
    return [float(sign * value) for value in magnitudes for sign in (1.0, -1.0)] + [math.nan]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", FUNCTIONS)
def test_special_values(name: str, dtype: type) -> None:
    values = special_values(dtype)
    count = 2 if name in generated.BINARY else 1
    arguments = tuple(np.array(column, dtype) for column in zip(*itertools.product(values, repeat=count), strict=True))
    found = compiled(name, ELEMENTS[np.dtype(dtype)], 1)(*arguments)
    assert_close(name, found, arguments, exactly(name, np.float64, *arguments))


@pytest.mark.parametrize("element", ["float", "double"])
@pytest.mark.parametrize("name", FUNCTIONS)
def test_lanes_do_not_change_results(name: str, element: str) -> None:
    dtype = np.float32 if element == "float" else np.float64
    x = np.array([-3.5, 0.1, 0.9, 1.1, 2.5, 1e-9, 1e7, 30.0] * 2, dtype)  # one of them beyond the sines' near range
    arguments = (x, x[::-1].copy())[: 2 if name in generated.BINARY else 1]
    one = compiled(name, element, 1)(*arguments)
    for lanes in (2, 8, 16):
        assert np.array_equal(compiled(name, element, lanes)(*arguments), one, equal_nan=True)


@pytest.mark.skipif(targets.architecture() != "x86_64", reason="the levels are x86's")
@pytest.mark.parametrize("cpu", ["x86-64", "x86-64-v3"])
@pytest.mark.parametrize("name", FUNCTIONS)
def test_older_processors(monkeypatch: pytest.MonkeyPatch, name: str, cpu: str) -> None:
    older = targets.named(cpu)
    monkeypatch.setattr(targets, "target", lambda: older)
    x = every_exponent(np.float32, 99991)
    arguments = (x, np.random.default_rng(3).permutation(x))[: 2 if name in generated.BINARY else 1]
    exact = exactly(name, np.float64, *arguments)
    assert_close(name, compiled(name, "float", 4)(*arguments), arguments, exact)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_other_elements_are_refused(name: str) -> None:
    module, message = Module("test"), "expected float or double lanes, received <4 x half>"
    with pytest.raises(TypeError, match=message), module.function("f", [Arg("x", "<4 x half>")]) as f:
        FUNCTIONS[name](f, *f.args * (2 if name in generated.BINARY else 1))
