"""Traces of one skeleton: compiled one by one at first, and then once for all their sizes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from ..graph.check import enabled as checks
from ..graph.skeleton import numbers_of, symbolic
from ..graph.trace import Step

if TYPE_CHECKING:
    from .native import Native, Setting

MOST_NATIVES = 8
"""Compiled graphs that a family may have: each holds for the sizes that pass its guards."""
MOST_VAIN = 2
"""Compiled graphs that held for no other sizes than their own, after which no more are made."""
REMEMBERED = 2
"""Traces whose numbers are remembered."""
WAIT = 3
"""Traces of what the interpreter computes quickly that are not compiled for many sizes: many a program ends before."""


class Family:
    """What traces of one skeleton compute, for some live slots."""

    def __init__(self) -> None:
        self.seen: list[tuple[int, ...]] = []
        self.natives: list[Native] = []
        self.vain = 0
        self.waits = WAIT

    def shared(
        self, step: Step, live: tuple[int, ...], orders: Sequence[Any], quick: Callable[[], bool]
    ) -> tuple[Native, Setting] | None:
        """The compiled graph that computes a trace, and its setting; None if the trace is to be compiled by itself."""
        walk = step.walk()
        numbers = numbers_of(walk)
        able = [(native, values) for native in self.natives if (values := native.values(numbers)) is not None]
        for native, values in able:
            if native.suits(values):
                return native, native.setting(values, lambda: step.graph(live))
        seen = self.seen
        self.seen = [*seen[1 - REMEMBERED :], numbers]
        if not seen or self.vain >= MOST_VAIN:
            return None
        if self.waits and quick():
            self.waits -= 1
            return None
        if len(self.natives) < MOST_NATIVES:
            made = self._compiled(walk, seen, live, orders)
            if made is not None:
                self.natives.append(made)
                self.vain += all(made.values(others) is None for others in seen)
                able = [(made, values) for values in [made.values(numbers)] if values is not None]
        if not able:
            return None
        native, values = able[0]  # which was made for other sizes, if no more are
        return native, native.setting(values, lambda: step.graph(live))

    def _compiled(
        self, walk: Sequence[Step], seen: Sequence[tuple[int, ...]], live: tuple[int, ...], orders: Sequence[Any]
    ) -> Native | None:
        from .drawing import NotSized
        from .native import Native

        try:
            symbols = symbolic(walk, seen, live)
            return None if symbols is None else Native(symbols.graph, orders, symbols)
        except NotSized:
            self.vain = MOST_VAIN
            return None
        except Exception:  # a rule that does not take expressions for sizes: nothing is lost but time
            if checks():
                raise
            self.vain = MOST_VAIN
            return None


def shared(
    step: Step, live: tuple[int, ...], orders: Sequence[Any], quick: Callable[[], bool]
) -> tuple[Native, Setting] | None:
    """What computes a trace that ends at `step`; None if it is to be compiled by itself.

    Args:
        orders: Of the axes of its leaves, as for `Native`.
        quick: Tells whether the interpreter would compute it.
    """
    family = step.skeleton.families.get(live)
    if family is None:
        family = step.skeleton.families[live] = Family()
    return family.shared(step, live, orders, quick)
