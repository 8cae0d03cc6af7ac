"""Where expressions live: symbols, atoms, guards, and the functions that are compiled of them."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from .expressions import Ratio, Size, Terms
from .walk import collect, in_numbers

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
        result = function(*in_numbers(arguments), **in_numbers(named))
        found: list[Size | Ratio] = []
        collect((arguments, named), found)
        texts = [self._written(value) for value in arguments]
        texts += [f"{name}={self._written(value)}" for name, value in named.items()]
        text = f"{self._constant(function)}({', '.join(texts)})"
        whole = self._atom(("call", text), 0, text, needs=set[int]().union(*(s._atoms() for s in found)))
        return self._parts(result, whole, ())

    def _written(self, value: Any) -> str:
        """An argument as Python."""
        found: list[Size | Ratio] = []
        collect(value, found)
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
