"""Sizes that are not fixed: whole numbers as expressions, so that what is planned for one shape serves others.

A `Space` has some symbols, and for each a hint: the number that it has at this moment. Expressions over them are
`Size`s. Arithmetic with a `Size` gives a `Size`; whatever has to know a number, a comparison or an `int()`, is answered
for the hints, and the space notes as a *guard* under which condition that answer holds. So code that is written for
numbers is read with expressions instead and stays right: what it made holds for all values of the symbols that pass the
guards, and `Space.evaluator` gives its numbers for them.

    space = Space()
    n = space.symbol(64)
    [rows] = [n * 28 // 4]
    if rows > 100: ...                  # true for the hint: noted as a guard
    check, values = space.checker(), space.evaluator([rows])
    check([50]), values([50])           # True, (350,)

Sums of products are kept in one normal form: equal polynomials are equal expressions, and need no guard. Anything else
(a rounded quotient, the result of a function that is `sized`) is an atom of such polynomials.
"""

from __future__ import annotations

from .expressions import Ratio, Size, concretely
from .space import LEAST, SCALE, Space
from .tools import always_equal, by_hint, hint, hinted, is_number, is_size, sized

__all__ = [
    "LEAST", "SCALE", "Ratio", "Size", "Space", "always_equal", "by_hint", "concretely", "hint", "hinted", "is_number",
    "is_size", "sized",
]  # fmt: skip
