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

import functools
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import fields
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")
T = TypeVar("T")

Monomial = tuple[int, ...]
"""Atoms that are multiplied, by number, in order."""
Terms = tuple[tuple[Monomial, int], ...]
"""A polynomial: monomials with their coefficients, in order."""

LEAST = 2
"""The least value of a symbol. Axes of no or of one element have rules of their own in many places, so such a size is
never a symbol."""


SCALE = 4
"""How many times larger or smaller than its hint a size is near it."""


class Space:
    """Symbols, what was computed from them, and what was assumed of them.

    Attributes:
        leaves: How many inputs of its own a computation over these sizes has.
        inputs: Numbers that are expressions, with their dtypes. The computation gets them as further inputs.
        pinned: Expressions that had to be one number, for people.
    """

    def __init__(self, leaves: int = 0) -> None:
        self.leaves = leaves
        self._hints: list[int] = []  # of the atoms
        self._texts: list[str] = []  # what an atom is in terms of earlier ones, as Python; empty for a symbol
        self._least: list[int] = []
        self._needs: list[list[int]] = []  # the earlier atoms that an atom is computed from
        self._known: dict[Any, int] = {}  # atoms by what they are
        self._constants: dict[str, Any] = {}  # what is no number, by its name in what is compiled
        self._names: dict[int, str] = {}
        self._guards: dict[str, set[int]] = {}  # conditions, and the atoms in them
        self._places: dict[Any, int] = {}
        self.inputs: list[tuple[Size | Ratio, Any]] = []
        self.symbols = 0
        self.open = True
        self.pinned: list[str] = []

    def symbol(self, hint: int) -> Size:
        """A new symbol. All are made before anything else is."""
        if hint < LEAST:
            raise ValueError(f"a symbol is at least {LEAST}. Received: {hint}")
        assert self.symbols == len(self._hints), "symbols come first"
        self.symbols += 1
        return Size(self, (((self._atom(("symbol", self.symbols), hint, "", LEAST),), 1),), hint)

    def sum(self, terms: Terms) -> Any:
        """A polynomial of known atoms."""
        value = sum(c * math.prod(self._hints[atom] for atom in m) for m, c in terms)
        return Size(self, terms, value)._made(terms, value)

    def input(self, number: Size | Ratio, dtype: Any) -> int:
        """That a number of the computation is this expression. Returns its place among the inputs of this kind."""
        key = (number._text(), dtype)
        if key not in self._places:
            self._places[key] = len(self.inputs)
            self.inputs.append((number, dtype))
        return self._places[key]

    def close(self) -> None:
        """From now on nothing is assumed: what was made is only looked at, as it is for the hints."""
        self.open = False

    def nearness(self) -> Callable[[Sequence[int]], bool]:
        """A function that tells whether these values of the symbols are near the hints."""
        body = [
            f"    if not {h // SCALE} <= s{k} <= {h * SCALE}: return False"
            for k, h in enumerate(self._hints[: self.symbols])
        ]
        return self._function([*body, "    return True"])

    def checker(self) -> Callable[[Sequence[int]], bool]:
        """A function that tells whether all that was assumed holds for these values of the symbols."""
        needed = set[int]().union(*self._guards.values()) if self._guards else set[int]()
        least = [f"{LEAST} <= s{k}" for k in range(self.symbols)]
        simple = [g for g, atoms in self._guards.items() if all(a < self.symbols for a in atoms)]
        others = [g for g in self._guards if g not in simple]
        body = [f"    if not ({' and '.join((*least, *simple)) or 'True'}): return False", *self._assignments(needed)]
        return self._function([*body, f"    return {' and '.join(others) or 'True'}"])

    def evaluator(self, numbers: Iterable[int | Size | Ratio]) -> Callable[[Sequence[int]], tuple[Any, ...]]:
        """A function from values of the symbols to the values of these expressions."""
        numbers = list(numbers)
        needed = set[int]().union(*(n._atoms() for n in numbers if not isinstance(n, int)))
        texts = [str(n) if isinstance(n, int) else n._text() for n in numbers]
        body = [*self._assignments(needed), f"    return ({''.join(f'{t}, ' for t in texts)})"]
        return self._function(body)

    def _assignments(self, needed: set[int]) -> list[str]:
        """The lines that compute some atoms, and those which these need, in order."""
        wanted, todo = set[int](), list(needed)
        while todo:
            atom = todo.pop()
            if atom not in wanted:
                wanted.add(atom)
                todo += self._needs[atom]
        return [f"    s{k} = {self._texts[k]}" for k in sorted(wanted) if self._texts[k]]

    def _function(self, body: list[str]) -> Callable[[Sequence[int]], Any]:
        names = "".join(f"s{k}, " for k in range(self.symbols))
        lines = ["def compute(symbols):", *([f"    {names}= symbols"] if names else []), *body]
        scope = dict(self._constants)
        exec(compile("\n".join(lines), "<sizes>", "exec"), scope)
        found: Callable[[Sequence[int]], Any] = scope["compute"]
        return found

    def _atom(self, key: Any, hint: int, text: str, least: int = -(1 << 62), needs: Iterable[int] = ()) -> int:
        known = self._known.get(key)
        if known is None:
            known = self._known[key] = len(self._hints)
            self._hints.append(hint)
            self._texts.append(text)
            self._least.append(least)
            self._needs.append(list(needs))
        return known

    def call(self, function: Callable[..., Any], arguments: tuple[Any, ...], named: dict[str, Any]) -> Any:
        """What a function of numbers returns, as expressions: for other values it is called again."""
        result = function(*_hinted(arguments), **_hinted(named))
        found: list[Size | Ratio] = []
        _collect((arguments, named), found)
        texts = [self._written(value) for value in arguments]
        texts += [f"{name}={self._written(value)}" for name, value in named.items()]
        text = f"{self._constant(function)}({', '.join(texts)})"
        whole = self._atom(("call", text), 0, text, needs=set[int]().union(*(s._atoms() for s in found)))
        return self._parts(result, whole, ())

    def _written(self, value: Any) -> str:
        """An argument as Python."""
        found: list[Size | Ratio] = []
        _collect(value, found)
        if not found:
            return repr(value) if type(value) in (int, str, bool, type(None)) else self._constant(value)
        if isinstance(value, Size | Ratio):
            return value._text()
        if isinstance(value, dict):
            return f"{{{', '.join(f'{k!r}: {self._written(v)}' for k, v in value.items())}}}"
        inside = "".join(f"{self._written(v)}, " for v in value)
        if hasattr(value, "_fields"):
            return f"{self._constant(type(value))}({inside})"
        return f"[{inside}]" if isinstance(value, list) else f"({inside})"

    def _constant(self, value: Any) -> str:
        """The name of a thing in what is compiled."""
        name = self._names.get(id(value))
        if name is None:
            name = self._names[id(value)] = f"c{len(self._names)}"
            self._constants[name] = value  # holds it, too, so that its identity stays its own
        return name

    def _parts(self, result: Any, whole: int, path: tuple[Any, ...]) -> Any:
        """A result with its numbers replaced by the places where they stand in it."""
        if type(result) is int:
            atom = self._atom(
                ("part", whole, path), result, f"s{whole}{''.join(f'[{step!r}]' for step in path)}", 0, (whole,)
            )
            return Size(self, (((atom,), 1),), result)
        if isinstance(result, tuple) and not hasattr(result, "_fields"):
            return tuple(self._parts(r, whole, (*path, k)) for k, r in enumerate(result))
        if isinstance(result, tuple):
            return type(result)(*(self._parts(r, whole, (*path, k)) for k, r in enumerate(result)))
        if isinstance(result, dict):
            return {k: self._parts(r, whole, (*path, k)) for k, r in result.items()}
        if result is None or isinstance(result, bool | str):
            return result  # what does not hold for others would have been a guard, were it read
        raise TypeError(f"a function of sizes returned {type(result).__name__}")

    def assume(self, text: str, atoms: set[int]) -> None:
        """Note a guard."""
        if self.open:
            self._guards.setdefault(text, atoms)


def _collect(value: Any, found: list[Any]) -> None:
    """The expressions in arguments, in order."""
    if isinstance(value, Size | Ratio):
        found.append(value)
    elif isinstance(value, tuple | list):
        for v in value:
            _collect(v, found)
    elif isinstance(value, dict):
        for v in value.values():
            _collect(v, found)


def _replace(value: Any, change: Callable[[Any], Any]) -> Any:
    """Arguments with their expressions replaced; the same object where there are none."""
    if isinstance(value, Size | Ratio):
        return change(value)
    if isinstance(value, tuple | list):
        parts = [_replace(v, change) for v in value]
        if all(a is b for a, b in zip(parts, value, strict=True)):
            return value
        return type(value)(*parts) if hasattr(value, "_fields") else type(value)(parts)
    if isinstance(value, dict):
        return {k: _replace(v, change) for k, v in value.items()}
    return value


def _hinted(value: Any) -> Any:
    return _replace(value, lambda size: size.value)


def _space(value: Any) -> Space | None:
    found: list[Any] = []
    _collect(value, found)
    return found[0].space if found else None


def sized(function: Callable[P, R]) -> Callable[P, R]:
    """Decorator: a pure function of numbers, and of what does not change, whose results are numbers of at least 0, each
    in tuples and dicts. Given sizes, its results are sizes; it assumes nothing of them, whatever it compares."""

    @functools.wraps(function)
    def wrapper(*arguments: P.args, **named: P.kwargs) -> R:
        space = _space((arguments, named))
        if space is None:
            return function(*arguments, **named)
        found: R = space.call(function, arguments, dict(named))
        return found

    return wrapper


def by_hint(function: Callable[P, R]) -> Callable[P, R]:
    """Decorator: a choice that is right for all sizes and best for some. It is made for the hints, without a guard."""

    @functools.wraps(function)
    def wrapper(*arguments: P.args, **named: P.kwargs) -> R:
        return function(*_hinted(arguments), **_hinted(named))

    return wrapper


def hinted(value: T) -> T:
    """A dataclass with numbers in place of its sizes, as `hint` gives them."""
    changed = {f.name: _hinted(getattr(value, f.name)) for f in fields(value)}  # type: ignore[arg-type]
    return type(value)(**changed)


def hint(size: int) -> int:
    """The number that a size has at this moment, for what is right whatever it is."""
    return size.value if is_size(size) else size  # type: ignore[attr-defined]


def always_equal(a: int, b: int) -> bool:
    """Whether two sizes are equal whatever the symbols are: for what need not be done if they only might be."""
    difference: Any = a - b
    return type(difference) is int and difference == 0


def is_size(value: object) -> bool:
    """Whether a number is an expression. Where numbers are declared, expressions may stand for them."""
    return isinstance(value, Size)


def is_number(value: object) -> bool:
    """Whether a value is a whole number or an expression for one."""
    return isinstance(value, int | Size)


class _Concretely:
    """While it is entered, an expression shows as the number that it is, which becomes a guard."""

    depth = 0

    def __enter__(self) -> None:
        _Concretely.depth += 1

    def __exit__(self, *exception: object) -> None:
        _Concretely.depth -= 1


def concretely() -> _Concretely:
    """A context in which the text of an expression is its number: for what is named by its sizes."""
    return _Concretely()


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
        self.space.pinned.append(self._text())
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
        return str(int(self)) if _Concretely.depth else self._text()

    def __format__(self, specification: str) -> str:
        return format(int(self), specification) if _Concretely.depth else self._text()

    def __repr__(self) -> str:
        return repr(int(self)) if _Concretely.depth else f"<size {id(self.space):x} {self._text()}>"


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
        self.space.pinned.append(self.text)
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
        return repr(self._known()) if _Concretely.depth else f"<size {id(self.space):x} {self.text}>"


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
