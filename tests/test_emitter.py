"""The builder of LLVM IR: what it emits compiles, runs and means what was written."""

from __future__ import annotations

import ctypes
import math
import struct
from collections.abc import Callable, Sequence

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from duograph.codegen import types
from duograph.codegen.emitter import Arg, Callee, Function, Module, Reg, vector
from duograph.runtime import jit

C_TYPES = {"i64": ctypes.c_int64, "i32": ctypes.c_int32, "i1": ctypes.c_bool, "float": ctypes.c_float}
C_TYPES |= {"double": ctypes.c_double, "ptr": ctypes.c_void_p, "void": None}


def run(body: Callable[..., Reg | None], returns: str, arguments: Sequence[tuple[str, object]]) -> object:
    """Emit a function with the body, compile it and call it on the arguments, given with their types."""
    module = Module("test")
    with module.function("test", [Arg(f"x{i}", type) for i, (type, _) in enumerate(arguments)], returns) as f:
        result = body(f, *f.args)
        if result is not None:
            f.ret(result)
    function = jit.load(module).function("test", C_TYPES[returns], *(C_TYPES[type] for type, _ in arguments))
    values = [value.ctypes.data if isinstance(value, np.ndarray) else value for _, value in arguments]
    return function(*values)


INTEGERS = st.integers(-(2**63), 2**63 - 1)


@given(INTEGERS, INTEGERS)
def test_integer_arithmetic_on_constants_is_the_machine_s(x: int, y: int) -> None:
    f = some_function()
    for operation in ("add", "sub", "mul", "and", "or", "xor"):
        folded = f.binary(operation, f.const("i64", x), y)
        exact = {"add": x + y, "sub": x - y, "mul": x * y, "and": x & y, "or": x | y, "xor": x ^ y}[operation]
        assert folded.literal == (exact + 2**63) % 2**64 - 2**63
    assert len(f.lines) == 1  # the entry's label


def some_function() -> Function:
    return Function(Module("test"), Callee("test", "void", ("i64",)), [Arg("n", "i64")], "", "")


def test_neutral_operands_leave_no_instruction() -> None:
    f = some_function()
    (n,) = f.args
    assert n + 0 is n
    assert 0 + n is n
    assert n * 1 is n
    assert n << 0 is n
    assert (n * 0).literal == 0
    assert f.gep(n, 0, "float") is n
    x = f.cast(n, "float")
    before = len(f.lines)
    assert x + 0.0 is not x, "x + 0.0 is not x where x is -0.0"
    assert len(f.lines) == before + 1


@given(st.floats(width=64))
def test_float_constants_are_exact(x: float) -> None:
    assert types.literal("double", x) == "0x" + struct.pack(">d", x).hex().upper()
    with np.errstate(over="ignore", invalid="ignore"):
        assert types.literal("float", x) == "0x" + struct.pack(">d", float(np.float32(x))).hex().upper()
        if not math.isnan(x):
            half, bfloat = np.float16(x), np.float32(x).astype(ml_dtypes.bfloat16)
            assert types.literal("half", x) == f"0xH{int(half.view(np.uint16)):04X}"
            assert types.literal("bfloat", x) == f"0xR{int(bfloat.view(np.uint16)):04X}"


@pytest.mark.parametrize("value", [0.0, -0.0, 1.5, 0.1, math.inf, -math.inf, math.nan, 1e-45, 3e38, 1e39])
def test_float_constants_reach_the_machine(value: float) -> None:
    result = run(lambda f: f.const("float", value), "float", [])
    with np.errstate(over="ignore"):
        np.testing.assert_array_equal(np.float32(result), np.float32(value))
    assert math.copysign(1, result) == math.copysign(1, value)


@pytest.mark.parametrize(("relation", "expected"), [("lt", False), ("le", False), ("eq", False), ("ne", True)])
def test_comparisons_with_nan(relation: str, expected: bool) -> None:
    assert run(lambda f, x: f.compare(relation, x, 1.0), "i1", [("double", math.nan)]) is expected


def test_integers_compare_with_their_sign_unless_asked() -> None:
    assert run(lambda f, x: x < 1, "i1", [("i64", -1)]) is True
    assert run(lambda f, x: f.compare("ult", x, 1), "i1", [("i64", -1)]) is False


@pytest.mark.parametrize(
    ("source", "value", "target", "signed", "expected"),
    [
        ("i64", -3, "float", True, -3.0),
        ("i64", -1, "double", False, 2.0**64),
        ("double", -3.9, "i64", True, -3),
        ("i32", -1, "i64", True, -1),
        ("i32", -1, "i64", False, 2**32 - 1),
        ("i64", 2**32 + 5, "i32", True, 5),
        ("i1", True, "i64", True, 1),
        ("i1", True, "float", True, 1.0),
        ("double", 0.1, "float", True, float(np.float32(0.1))),
        ("float", 0.5, "double", True, 0.5),
    ],
)
def test_casts(source: str, value: object, target: str, signed: bool, expected: object) -> None:
    assert run(lambda f, x: f.cast(x, target, signed=signed), target, [(source, value)]) == expected


def test_fma_rounds_once_and_add_of_a_product_twice() -> None:
    x = 1.0 + 2.0**-30
    assert run(lambda f, a: f.fma(a, a, f.const("double", -1.0)), "double", [("double", x)]) == math.ldexp(1, -29) + (
        math.ldexp(1, -60)
    )
    assert run(lambda f, a: a * a - 1.0, "double", [("double", x)]) == x * x - 1.0


@pytest.mark.parametrize(("start", "stop", "step"), [(0, 10, 1), (0, 10, 3), (3, 4, 8), (5, 5, 1), (7, 2, 1)])
@pytest.mark.parametrize("known", [True, False])
def test_loops_count_as_range_does(start: int, stop: int, step: int, known: bool) -> None:
    """With bounds known when emitting, and with bounds known only when running."""

    def body(f: Function, low: Reg, high: Reg) -> Reg:
        low, high = (f.const("i64", start), f.const("i64", stop)) if known else (low, high)
        initial = [f.const("i64", 100), f.const("i64", 0)]
        with f.loop(low, high, step, initial, name="i", names=["sum", "turns"]) as loop:
            total, turns = loop.carried
            loop.yield_(total + loop.index, turns + 1)
        total, turns = loop.results
        return total * 1000 + turns

    expected = range(start, stop, step)
    found = run(body, "i64", [("i64", start), ("i64", stop)])
    assert found == (100 + sum(expected)) * 1000 + len(expected)


def test_a_loop_of_one_turn_leaves_no_loop() -> None:
    f = some_function()
    with f.loop(0, 16, 16, carried=[f.const("i64", 1)]) as loop:
        loop.yield_(loop.carried[0] + f.args[0])
    assert not any(" br " in line or "phi" in line for line in f.lines)


def test_nested_loops_and_branches_carry_values() -> None:
    def body(f: Function, n: Reg) -> Reg:
        zero = f.const("i64", 0)
        with f.loop(0, n, carried=[zero], name="row") as rows:
            with f.loop(0, rows.index, carried=rows.carried, name="column") as columns:
                odd = f.eq(columns.index & 1, 1)
                with f.if_(odd, name="odd", likely=False) as branch:
                    branch.yield_(columns.carried[0] + columns.index)
                with branch.else_():
                    branch.yield_(columns.carried[0] - 1)
                columns.yield_(*branch.results)
            with f.if_(rows.index > 5) as late:
                late.yield_(columns.results[0] + 7)
            with late.else_():
                late.yield_(columns.results[0])
            rows.yield_(*late.results)
        return rows.results[0]

    expected = 0
    for row in range(9):
        for column in range(row):
            expected += column if column % 2 else -1
        expected += 7 * (row > 5)
    assert run(body, "i64", [("i64", 9)]) == expected


def test_while_searches() -> None:
    def body(f: Function, x: Reg) -> Reg:
        with f.while_([f.const("i64", 0), x], names=["steps", "value"]) as loop:
            steps, value = loop.carried
            loop.test(f.ne(value, 1))
            half = f.binary("ashr", value, 1)
            with f.if_(f.eq(value & 1, 0)) as even:
                even.yield_(half)
            with even.else_():
                even.yield_(value * 3 + 1)
            loop.yield_(steps + 1, *even.results)
        return loop.results[0]

    assert run(body, "i64", [("i64", 27)]) == 111


def test_an_if_without_else_and_a_side_that_returns() -> None:
    def body(f: Function, x: Reg) -> Reg:
        with f.if_(x > 10):
            f.ret(f.const("i64", 10))
        with f.if_(x < 0) as branch:
            f.ret(f.const("i64", 0))
        with branch.else_():
            branch.yield_(x + x)
        return branch.results[0]

    assert [run(body, "i64", [("i64", x)]) for x in (-5, 4, 11)] == [0, 8, 10]


@pytest.mark.parametrize("lanes", [1, 2, 4, 8, 16])
@pytest.mark.parametrize("length", [0, 1, 5, 16, 37])
def test_masked_tails_touch_nothing_beyond(lanes: int, length: int) -> None:
    source, target = np.arange(64, dtype=np.float32), np.full(64, -1, np.float32)

    def body(f: Function, n: Reg, x: Reg, y: Reg) -> None:
        x, y = f.distinct(x, y)
        kind = f"<{lanes} x float>"
        with f.loop(0, n, lanes) as loop:
            mask = f.lane_mask(n - loop.index, lanes) if lanes > 1 else None
            kind = vector("float", lanes)
            value = f.load(f.gep(x, loop.index, "float"), kind, mask=mask)
            f.store(f.fma(value, 2.0, f.const(kind, 1.0)), f.gep(y, loop.index, "float"), mask=mask)

    run(body, "void", [("i64", length), ("ptr", source), ("ptr", target)])
    expected = np.full(64, -1, np.float32)
    expected[:length] = source[:length] * 2 + 1
    np.testing.assert_array_equal(target, expected)


@pytest.mark.parametrize("lanes", [1, 2, 8, 16])
def test_horizontal_sums_in_halves(lanes: int) -> None:
    values = np.random.default_rng(1).standard_normal(lanes).astype(np.float32)

    def body(f: Function, x: Reg) -> Reg:
        return f.horizontal("add", f.load(x, vector("float", lanes)))

    expected = values
    while len(expected) > 1:
        expected = expected[: len(expected) // 2] + expected[len(expected) // 2 :]
    assert run(body, "float", [("ptr", values)]) == expected[0]


def test_vectors_are_made_and_taken_apart() -> None:
    def body(f: Function, x: Reg) -> Reg:
        spread = f.splat(f.load(x, "float"), 4) + f.cast(f.iota("<4 x i32>"), "float")
        turned = f.shuffle(spread, f.zero("<4 x float>"), [3, 2, 1, 0, 4, 4, 4, 4])
        turned = f.insert(turned, 100.0, 7)
        return f.extract(turned, 0) + f.extract(turned, 1) * 10.0 + f.extract(turned, 7)

    assert run(body, "float", [("ptr", np.float32([0.5]))]) == 3.5 + 25.0 + 100.0


def test_tables_are_shared_and_calls_pass_arguments() -> None:
    module = Module("test")
    scale = module.declare("scale", "double", ["double", "i64"])
    with module.function("test", [Arg("i", "i64")], "double") as f:
        first, again = f.table("primes", "double", [2, 3, 5]), f.table("others", "double", [2, 3, 5])
        assert first.name == again.name
        slot = f.stack("double", 2)
        f.store(f.load(f.gep(first, f.args[0], "double"), "double"), f.gep(slot, 1, "double"))
        direct = f.call(scale, f.load(f.gep(slot, 1, "double"), "double"), 10)
        through = f.call(f.address(scale), direct, f.const("i64", 1), returns="double")
        f.ret(f.call(module.declare("sqrt", "double", ["double"]), through))
    with module.function("scale", [Arg("x", "double"), Arg("by", "i64")], "double", linkage="internal") as f:
        f.ret(f.args[0] * f.cast(f.args[1], "double"))
    assert str(module).count("declare double @scale") == 0
    assert jit.load(module).function("test", ctypes.c_double, ctypes.c_int64)(2) == math.sqrt(50)


def test_text_reads_well() -> None:
    module = Module("scale")
    with module.function("scale", [Arg("n", "i64"), Arg("x", "ptr", "noalias align 64")]) as f:
        n, x = f.args
        with f.loop(0, n, 16, name="i") as loop:
            here = f.gep(x, loop.index, "float", name="here")
            f.store(f.load(here, "<16 x float>", name="value") * 2.0, here, align=64)
    assert str(module) == (
        "; scale\n"
        "define void @scale(i64 %n, ptr noalias align 64 %x) nounwind {\n"
        "entry:\n"
        "  %i.enter = icmp slt i64 0, %n\n"
        "  br i1 %i.enter, label %i.body, label %i.end\n"
        "i.body:\n"
        "  %i = phi i64 [ 0, %entry ], [ %i.next, %i.body ]\n"
        "  %here = getelementptr inbounds float, ptr %x, i64 %i\n"
        "  %value = load <16 x float>, ptr %here, align 4\n"
        "  %mul = fmul <16 x float> %value, splat (float 0x4000000000000000)\n"
        "  store <16 x float> %mul, ptr %here, align 64\n"
        "  %i.next = add nuw nsw i64 %i, 16\n"
        "  %i.more = icmp slt i64 %i.next, %n\n"
        "  br i1 %i.more, label %i.body, label %i.end\n"
        "i.end:\n"
        "  ret void\n"
        "}\n"
    )


def test_mistakes_are_told_where_they_are_made() -> None:
    f = some_function()
    (n,) = f.args
    x = f.cast(n, "float")
    with pytest.raises(TypeError, match="expected an operand of type i64, received float"):
        n + x
    with pytest.raises(TypeError, match="expected an integer for a constant of type i64, received 0.5"):
        n + 0.5
    with pytest.raises(ValueError, match="step of a loop must be positive, received 0"):
        f.loop(0, n, 0)
    with pytest.raises(ValueError, match="carries 1 values and was given none"), f.loop(0, n, carried=[x]):
        pass
    refused = pytest.raises(TypeError, match=r"carries \['float'\], received \['i64'\]")
    with refused, f.loop(0, n, carried=[x]) as loop:
        loop.yield_(n)
    with pytest.raises(TypeError, match="takes 1 arguments, received 2"):
        f.call(f.module.declare("sqrt", "double", ["double"]), 1.0, 2.0)
    with pytest.raises(TypeError, match="already declared"):
        f.module.declare("sqrt", "float", ["float"])
    f.ret()
    with pytest.raises(ValueError, match="after the end of a block"):
        n + 1
