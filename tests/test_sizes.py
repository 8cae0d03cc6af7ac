"""Sizes as expressions: what is computed from them, what is assumed of them, and graphs that serve many."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from duograph.graph import sizes
from duograph.graph.dtype import float32
from duograph.graph.node import constant
from duograph.graph.sizes import Size, Space, by_hint, concretely, hint, sized
from duograph.graph.skeleton import Pattern

OPERATIONS: list[Callable[[Any, Any], Any]] = [
    lambda a, b: a + b,
    lambda a, b: a - b,
    lambda a, b: a * b,
    lambda a, b: a // b if b else a,
    lambda a, b: a % b if b else b,
    lambda a, b: -(-a // b) if b else a + 1,
    lambda a, b: max(a, b),
    lambda a, b: min(a, 3 * b),
    lambda a, b: a + 1 if a == b else a - b,
    lambda a, b: 2 * a if a < 7 else b,
    lambda a, b: math.prod((a, b, 2)),
    lambda a, b: sum((a, b, -4)),
    lambda a, b: _wider(a, b)["sum"] + b,
]
"""What a program may do with two numbers."""


@sized
def _wider(a: int, b: int) -> dict[str, int]:
    """Positive whatever it is given, with branches of its own."""
    return {"sum": abs(a) + abs(b), "more": (max(b, a)) ** 2}


Program = list[tuple[int, int, int]]


def run(program: Program, numbers: Sequence[Any]) -> list[Any]:
    """Each step computes one more number from two of those before."""
    found = [*numbers, 1, 5]
    for operation, first, second in program:
        found.append(OPERATIONS[operation](found[first % len(found)], found[second % len(found)]))
    return found


places = st.integers(0, 30)
programs = st.lists(st.tuples(st.integers(0, len(OPERATIONS) - 1), places, places), min_size=1, max_size=12)
values = st.tuples(st.integers(2, 200), st.integers(2, 200))


@settings(max_examples=400)
@given(programs, values, st.lists(values, min_size=1, max_size=6))
def test_what_passes_the_guards_is_computed_as_with_numbers(
    program: Program, hints: tuple[int, int], others: list[tuple[int, int]]
) -> None:
    space = Space()
    found = run(program, [space.symbol(h) for h in hints])
    holds, evaluate = space.checker(), space.evaluator(found)
    for numbers in [hints, *others]:
        expected = run(program, numbers)
        assume(all(abs(e) < 1 << 62 for e in expected))
        if numbers == hints:
            assert holds(numbers)
        if holds(numbers):
            assert list(evaluate(numbers)) == expected


def test_equal_polynomials_need_no_guard() -> None:
    space = Space()
    n, m = space.symbol(8), space.symbol(12)
    assert (n + m) * 2 == 2 * n + m * 2
    assert n * m // n == m
    assert (8 * n + 3) // 4 == 2 * n
    assert 64 * n % 32 == 0
    assert n > 1 and n != 0 and n * m >= 4
    assert space.checker()([100, 3])


def test_a_comparison_is_a_guard() -> None:
    space = Space()
    n = space.symbol(64)
    assert n >= 50
    assert n % 2 == 0
    holds = space.checker()
    assert [k for k in (2, 49, 50, 51, 64, 1000) if holds([k])] == [50, 64, 1000]


def test_a_number_that_must_be_known_is_a_guard() -> None:
    space = Space()
    n = space.symbol(3)
    assert [0] * len(range(n)) == [0, 0, 0]
    holds = space.checker()
    assert holds([3]) and not holds([4])


def test_choices_by_hint_assume_nothing() -> None:
    space = Space()
    n = space.symbol(64)

    @by_hint
    def better(size: int) -> str:
        return "large" if size > 10 else "small"

    assert better(n) == "large" and hint(n) == 64 and hint(7) == 7
    assert space.checker()([2])


def test_texts_are_numbers_only_where_they_decide() -> None:
    """A message may name a size; what is named by its sizes is bound to them."""
    space = Space()
    n = space.symbol(64)
    assert f"{n}" == str(n) == "(s0)"
    assert space.checker()([2])
    with concretely():
        assert f"{n} {n!r}" == "64 64"
    assert not space.checker()([2])


def test_a_number_that_hangs_on_a_size_is_an_input() -> None:
    space = Space(leaves=2)
    n = space.symbol(4)
    first, again, other = (constant(number, float32) for number in (1 / n, 1 / n, n + 0.5))
    assert first is again and first is not other
    assert [node.op.name for node in (first, other)] == ["input", "input"]
    assert [node["position"] for node in (first, other)] == [2, 3]
    assert space.evaluator([number for number, _ in space.inputs])([8]) == (0.125, 8.5)


def test_what_is_closed_is_only_looked_at() -> None:
    space = Space()
    n = space.symbol(64)
    space.close()
    assert n > 50
    assert space.checker()([2])


def test_symbols_are_of_two_at_least_and_come_first() -> None:
    space = Space()
    with pytest.raises(ValueError, match=f"at least {sizes.LEAST}"):
        space.symbol(1)
    n = space.symbol(5)
    assert isinstance(n // 3, Size)
    with pytest.raises(AssertionError, match="symbols come first"):
        space.symbol(6)


@pytest.mark.parametrize(
    ("columns", "symbols", "fits", "fails"),
    [
        ([(8, 8), (5, 7), (40, 56), (5, 7)], 1, (8, 9, 72, 9), (8, 9, 70, 9)),  # a multiple
        ([(3, 4), (5, 7), (15, 28)], 2, (6, 9, 54), (6, 9, 55)),  # a product
        ([(9, 11), (8, 10)], 1, (21, 20), (21, 21)),  # one more
        ([(9, 9), (8, 10)], 1, (9, 20), (8, 20)),  # what was always 9
    ],
)
def test_relations_between_numbers_are_found_and_looked_at_again(
    columns: list[tuple[int, ...]], symbols: int, fits: tuple[int, ...], fails: tuple[int, ...]
) -> None:
    pattern = Pattern.of(columns)
    assert pattern is not None
    assert len(pattern.places) == symbols
    assert pattern.read(fits) == [fits[place] for place in pattern.places]
    assert pattern.read(fails) is None


@pytest.mark.parametrize("columns", [[(3, 3), (4, 4)], [(1, 5)], [(0, 2), (3, 4)]])
def test_no_pattern_where_nothing_varies_or_a_size_is_small(columns: list[tuple[int, ...]]) -> None:
    assert Pattern.of(columns) is None
