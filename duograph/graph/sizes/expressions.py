"""Numbers as expressions: `Size`, which is whole, and `Ratio`, which need not be."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .space import Space

Monomial = tuple[int, ...]
"""Atoms that are multiplied, by number, in order."""
Terms = tuple[tuple[Monomial, int], ...]
"""A polynomial: monomials with their coefficients, in order."""


class _Concretely(threading.local):
    """While it is entered, an expression shows as the number that it is, which becomes a guard: in this thread."""

    depth = 0

    def __enter__(self) -> None:
        self.depth += 1

    def __exit__(self, *exception: object) -> None:
        self.depth -= 1


_concretely = _Concretely()


def concretely() -> _Concretely:
    """A context in which the text of an expression is its number: for what is named by its sizes."""
    return _concretely


def _add(a: Terms, b: Terms, factor: int = 1) -> Terms:
    total = dict(a)
    for monomial, coefficient in b:
        total[monomial] = total.get(monomial, 0) + factor * coefficient
    return tuple(sorted((m, c) for m, c in total.items() if c))


def _multiply(a: Terms, b: Terms) -> Terms:
    total: dict[Monomial, int] = {}
    for m, c in a:
        for n, d in b:
            monomial = tuple(sorted(m + n)) if m and n else m or n
            total[monomial] = total.get(monomial, 0) + c * d
    return tuple(sorted((m, c) for m, c in total.items() if c))


def _terms(number: int) -> Terms:
    return (((), number),) if number else ()


class Size:
    """A whole number as an expression; `value` is what it is for the hints."""

    __slots__ = ("space", "terms", "value")

    def __init__(self, space: Space, terms: Terms, value: int) -> None:
        self.space = space
        self.terms = terms
        self.value = value

    def _made(self, terms: Terms, value: int) -> Any:
        if not terms:
            return 0
        if len(terms) == 1 and not terms[0][0]:
            return terms[0][1]
        return Size(self.space, terms, value)

    def _atoms(self) -> set[int]:
        return {atom for monomial, _ in self.terms for atom in monomial}

    def _text(self) -> str:
        parts = []
        for monomial, coefficient in self.terms:
            factors = [f"s{atom}" for atom in monomial]
            if coefficient != 1 or not factors:
                factors.insert(0, str(coefficient))
            parts.append("*".join(factors))
        return f"({' + '.join(parts)})" if parts else "0"

    def _bound(self) -> int | None:
        """A number that it is not below, if its terms show one."""
        least = self.space._least
        total = 0
        for monomial, coefficient in self.terms:
            factors = [least[atom] for atom in monomial]
            if (coefficient < 0 and monomial) or any(f < 0 for f in factors):
                return None
            total += coefficient * math.prod(factors)
        return total

    # Arithmetic.

    def __add__(self, other: Any) -> Any:
        if type(other) is Size:
            return self._made(_add(self.terms, other.terms), self.value + other.value)
        if isinstance(other, int):
            return self._made(_add(self.terms, _terms(int(other))), self.value + other) if other else self
        return Ratio.of(self) + other if isinstance(other, float | Ratio) else NotImplemented

    __radd__ = __add__

    def __sub__(self, other: Any) -> Any:
        if type(other) is Size:
            return self._made(_add(self.terms, other.terms, -1), self.value - other.value)
        if isinstance(other, int):
            return self + -other
        return Ratio.of(self) - other if isinstance(other, float | Ratio) else NotImplemented

    def __rsub__(self, other: Any) -> Any:
        return -self + other

    def __neg__(self) -> Any:
        return self._made(tuple((m, -c) for m, c in self.terms), -self.value)

    def __pos__(self) -> Size:
        return self

    def __abs__(self) -> Any:
        return -self if self < 0 else self

    def __mul__(self, other: Any) -> Any:
        if type(other) is Size:
            return self._made(_multiply(self.terms, other.terms), self.value * other.value)
        if isinstance(other, int):
            return self if other == 1 else self._made(_multiply(self.terms, _terms(int(other))), self.value * other)
        return Ratio.of(self) * other if isinstance(other, float | Ratio) else NotImplemented

    __rmul__ = __mul__

    def __pow__(self, exponent: Any) -> Any:
        if isinstance(exponent, int) and 0 <= exponent <= 8:
            return math.prod([self] * exponent)
        return Ratio.of(self) ** exponent

    def __floordiv__(self, other: Any) -> Any:
        return _quotient(self, other)

    def __rfloordiv__(self, other: Any) -> Any:
        return _quotient(other, self)

    def __mod__(self, other: Any) -> Any:
        return self - _quotient(self, other) * other

    def __rmod__(self, other: Any) -> Any:
        return other - _quotient(other, self) * self

    def __divmod__(self, other: Any) -> Any:
        quotient = _quotient(self, other)
        return quotient, self - quotient * other

    def __rdivmod__(self, other: Any) -> Any:
        quotient = _quotient(other, self)
        return quotient, other - quotient * self

    def __truediv__(self, other: Any) -> Any:
        return Ratio.of(self) / other

    def __rtruediv__(self, other: Any) -> Any:
        return other / Ratio.of(self)

    # What has to know the number.

    def __lt__(self, other: Any) -> bool:
        return _compare(self, other, "<")

    def __le__(self, other: Any) -> bool:
        return not _compare(other, self, "<")

    def __gt__(self, other: Any) -> bool:
        return _compare(other, self, "<")

    def __ge__(self, other: Any) -> bool:
        return not _compare(self, other, "<")

    def __eq__(self, other: Any) -> bool:
        return _compare(self, other, "==") if isinstance(other, int | Size | float | Ratio) else NotImplemented

    def __hash__(self) -> int:
        """Not that of the number: a table of what is known for numbers must not take an expression for one of them."""
        return hash((id(self.space), self.terms))

    def __bool__(self) -> bool:
        return not _compare(self, 0, "==")

    def __index__(self) -> int:
        if not _compare(self, self.value, "=="):
            raise AssertionError("a size differs from its hint")
        return self.value

    def __int__(self) -> int:
        return self.__index__()

    def __float__(self) -> float:
        return float(self.__index__())

    def __ceil__(self) -> Size:
        return self

    __trunc__ = __floor__ = __ceil__

    def __round__(self, digits: int | None = None) -> Size:
        return self

    def __and__(self, other: Any) -> int:
        return int(self) & int(other)

    __rand__ = __and__

    def bit_length(self) -> int:
        return int(self).bit_length()

    def __str__(self) -> str:
        return str(int(self)) if _concretely.depth else self._text()

    def __format__(self, specification: str) -> str:
        return format(int(self), specification) if _concretely.depth else self._text()

    def __repr__(self) -> str:
        return repr(int(self)) if _concretely.depth else f"<size {id(self.space):x} {self._text()}>"


class Ratio:
    """A number that need not be whole, as an expression: what a mean divides by, or a scale that hangs on a size."""

    __slots__ = ("atoms", "space", "text", "value")

    def __init__(self, space: Space, text: str, atoms: frozenset[int], value: float) -> None:
        self.space = space
        self.text = text
        self.atoms = atoms
        self.value = value

    @staticmethod
    def of(size: Size) -> Ratio:
        return Ratio(size.space, size._text(), frozenset(size._atoms()), size.value)

    def _atoms(self) -> set[int]:
        return set(self.atoms)

    def _text(self) -> str:
        return self.text

    def _with(self, other: Any, sign: str, compute: Callable[[Any, Any], Any], turned: bool = False) -> Any:
        if isinstance(other, Size):
            other = Ratio.of(other)
        if isinstance(other, Ratio):
            text, atoms, value = other.text, other.atoms, other.value
        elif isinstance(other, int | float):
            text, atoms, value = repr(other), frozenset[int](), other
        else:
            return NotImplemented
        left, right = ((text, value), (self.text, self.value)) if turned else ((self.text, self.value), (text, value))
        return Ratio(self.space, f"({left[0]} {sign} {right[0]})", self.atoms | atoms, compute(left[1], right[1]))

    def __add__(self, other: Any) -> Any:
        return self._with(other, "+", lambda a, b: a + b)

    def __radd__(self, other: Any) -> Any:
        return self._with(other, "+", lambda a, b: a + b, True)

    def __sub__(self, other: Any) -> Any:
        return self._with(other, "-", lambda a, b: a - b)

    def __rsub__(self, other: Any) -> Any:
        return self._with(other, "-", lambda a, b: a - b, True)

    def __mul__(self, other: Any) -> Any:
        return self._with(other, "*", lambda a, b: a * b)

    def __rmul__(self, other: Any) -> Any:
        return self._with(other, "*", lambda a, b: a * b, True)

    def __truediv__(self, other: Any) -> Any:
        return self._with(other, "/", lambda a, b: a / b)

    def __rtruediv__(self, other: Any) -> Any:
        return self._with(other, "/", lambda a, b: a / b, True)

    def __pow__(self, other: Any) -> Any:
        return self._with(other, "**", lambda a, b: a**b)

    def __neg__(self) -> Any:
        return self * -1

    def _known(self) -> float:
        """The number, which is assumed to be this."""
        self.space.assume(f"{self.text} == {self.value!r}", set(self.atoms))
        return self.value

    def __float__(self) -> float:
        return float(self._known())

    def __int__(self) -> int:
        return int(self._known())

    def __bool__(self) -> bool:
        return bool(self._known())

    def __lt__(self, other: Any) -> bool:
        return self._known() < float(other)

    def __le__(self, other: Any) -> bool:
        return self._known() <= float(other)

    def __gt__(self, other: Any) -> bool:
        return self._known() > float(other)

    def __ge__(self, other: Any) -> bool:
        return self._known() >= float(other)

    def __eq__(self, other: Any) -> bool:
        return self._known() == float(other) if isinstance(other, int | float | Size | Ratio) else NotImplemented

    def __hash__(self) -> int:
        return hash((id(self.space), self.text))

    def __repr__(self) -> str:
        return repr(self._known()) if _concretely.depth else f"<size {id(self.space):x} {self.text}>"


def _quotient(a: Any, b: Any) -> Any:
    """a // b."""
    if isinstance(a, float | Ratio) or isinstance(b, float | Ratio):
        return float(a) // float(b)
    size = a if type(a) is Size else b
    space: Space = size.space
    top: Terms = a.terms if type(a) is Size else _terms(a)
    if type(b) is not Size:
        if b == 1:
            return a
        if b and all(c % b == 0 for _, c in top):
            return size._made(tuple((m, c // b) for m, c in top), a.value // b)
        if b > 0 and top and all(c < 0 for _, c in top):
            return -((b - 1 - a) // b)
        if b > 0:  # what divides comes out: (8 n + 3) // 4 = 2 n + 3 // 4
            whole = tuple((m, c // b) for m, c in top if c % b == 0 and m)
            if whole:
                rest = tuple((m, c) for m, c in top if c % b or not m)
                return space.sum(whole) + space.sum(rest) // b
        bottom: Terms = _terms(b)
    else:
        bottom = b.terms
        if top and all(c < 0 for _, c in top) and b._bound():
            return -((b - 1 - a) // b)
        if len(bottom) == 1 and top:  # n m // n = m
            monomial, factor = bottom[0]
            divided = [(_without(m, monomial), c) for m, c in top]
            if all(m is not None and c % factor == 0 for m, c in divided) and b._bound():
                terms = tuple(sorted((m, c // factor) for m, c in divided if m is not None))
                return size._made(terms, _value(a) // _value(b))
    value = _value(a) // _value(b)
    atoms = {atom for terms in (top, bottom) for monomial, _ in terms for atom in monomial}
    least = -(1 << 62)
    lower = a._bound() if type(a) is Size else a
    if lower is not None and lower >= 0 and (type(b) is Size or b > 0):
        least = lower // b if type(b) is not Size else 0
    texts = [x._text() if type(x) is Size else str(x) for x in (a, b)]
    atom = space._atom(("//", top, bottom), value, f"{texts[0]} // {texts[1]}", least, atoms)
    return Size(space, (((atom,), 1),), value)


def _value(x: Any) -> int:
    return x.value if type(x) is Size else x


def _without(monomial: Monomial, part: Monomial) -> Monomial | None:
    rest = list(monomial)
    for atom in part:
        if atom not in rest:
            return None
        rest.remove(atom)
    return tuple(rest)


def _compare(a: Any, b: Any, sign: str) -> bool:
    """a < b or a == b for the hints; the space notes what that assumes, unless it is so for all values."""
    if isinstance(a, float | Ratio) or isinstance(b, float | Ratio):
        if isinstance(b, float) and not math.isfinite(b):
            return (sign == "<" and b > 0) if b == b else False
        if isinstance(a, float) and not math.isfinite(a):
            return (sign == "<" and a < 0) if a == a else False
        left, right = (float(x) for x in (a, b))
        return left < right if sign == "<" else left == right
    difference = a - b
    if type(difference) is not Size:
        found: bool = difference < 0 if sign == "<" else difference == 0
        return found
    bound, opposite = difference._bound(), (-difference)._bound()
    if sign == "<":
        if bound is not None and bound >= 0:
            return False
        if opposite is not None and opposite > 0:
            return True
        holds = difference.value < 0
        text = f"{difference._text()} {'<' if holds else '>='} 0"
    else:
        if (bound is not None and bound > 0) or (opposite is not None and opposite > 0):
            return False
        holds = difference.value == 0
        text = f"{difference._text()} {'==' if holds else '!='} 0"
    difference.space.assume(text, difference._atoms())
    return holds
