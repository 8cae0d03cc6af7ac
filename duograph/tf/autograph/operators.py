"""What control flow does when it runs: Python's own where its conditions are known, the graph's where they are not.

The functions here are called by functions that `conversion` has made. A block comes with functions that read and set
the variables it changes, the names of these, and the names of those that are looked at later.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from types import FunctionType, MethodType
from typing import Any

from duograph.graph.body import is_recording
from duograph.graph.errors import UnreadableError

from .. import dtypes
from ..tensors import Tensor, cast
from ..tensors import range as tf_range
from . import flow
from .conversion import convert
from .data_loops import DataLoopError, DataLoops, active_data_loops
from .exits import RESULT
from .flow import Undefined
from .ranges import SymbolicRange
from .symbolic import is_symbolic

Get = Callable[[], tuple[Any, ...]]
Set = Callable[[Sequence[Any]], None]
Names = Sequence[str]


def undefined(name: str) -> Undefined:
    """What a variable is before it has a value."""
    return Undefined(name)


def nothing() -> Undefined:
    """What a function has returned before it returns."""
    return Undefined(RESULT)


def ld(value: Any) -> Any:
    """The value of a variable. Raises UnboundLocalError where it has none."""
    if type(value) is Undefined:
        raise value.error()
    return value


def returned(is_returned: Any, result: Any) -> Any:
    """What a function returns that may reach its end without a `return`."""
    if is_symbolic(is_returned):
        raise ValueError(
            "a value is returned from one branch of a condition over tensors: one must be returned from all branches"
        )
    return result if is_returned else None


def call(function: Any, /, *args: Any, **kwargs: Any) -> Any:
    """A call from within a function that was converted: what it calls is converted too."""
    replaced = _REPLACED.get(function) if isinstance(function, type | FunctionType) else None
    if replaced is not None:
        return replaced(*args, **kwargs)
    if isinstance(function, FunctionType | MethodType | functools.partial):
        function = convert(function)
    elif not isinstance(function, type) and callable(function):
        own = type(function).__call__
        converted = convert(own)
        if converted is not own:
            return converted(function, *args, **kwargs)
    return function(*args, **kwargs)


def _whole(x: Any = 0, *base: Any) -> Any:
    return cast(x, dtypes.int32) if is_symbolic(x) else int(x, *base)


def _real(x: Any = 0.0) -> Any:
    return cast(x, dtypes.float32) if is_symbolic(x) else float(x)


def _range(*bounds: Any) -> Any:
    return tf_range(*bounds) if any(map(is_symbolic, bounds)) else range(*bounds)


_REPLACED: dict[Any, Callable[..., Any]] = {int: _whole, float: _real, range: _range}


def if_stmt(
    test: Any, then: Callable[[], None], otherwise: Callable[[], None], get: Get, put: Set, names: Names, wanted: Names
) -> None:
    """`if`."""
    if not is_symbolic(test):
        return then() if test else otherwise()
    before = get()
    places = [names.index(name) for name in wanted]

    def branch(block: Callable[[], None]) -> Callable[[], list[Any]]:
        def run() -> list[Any]:
            put(before)
            block()
            after = get()
            return [after[place] for place in places]

        return run

    try:
        found = flow.choose(test, branch(then), branch(otherwise), wanted)
    finally:
        put(before)
    put(_with(before, places, found))
    return None


def _with(values: Sequence[Any], places: Sequence[int], new: Sequence[Any]) -> list[Any]:
    found = list(values)
    for place, value in zip(places, new, strict=True):
        found[place] = value
    return found


def while_stmt(
    test: Callable[[], Any], body: Callable[[], None], get: Get, put: Set, names: Names, wanted: Names
) -> None:
    """`while`."""
    while True:
        going = test()
        if is_symbolic(going):
            break
        if not going:
            return
        body()
    _repeat(test, body, get, put, names, wanted)


def _repeat(
    test: Callable[[], Any] | None, body: Callable[[], None], get: Get, put: Set, names: Names, wanted: Names,
    rows: flow.Rows | SymbolicRange | None = None, give: Callable[[Any], None] = lambda row: None,
) -> None:  # fmt: skip
    """A loop of the graph, while the test holds and there are rows. `give` is told of the row before each turn."""
    before = get()
    places = [names.index(name) for name in wanted]

    def condition(*values: Any) -> Any:
        put(_with(before, places, values))
        return test is None or test()

    def turn(*values: Any) -> list[Any]:
        put(_with(before, places, values))
        body()
        after = get()
        return [after[place] for place in places]

    start = [before[place] for place in places]
    try:
        if test is None and isinstance(rows, flow.Rows):
            found = flow.repeat_for_rows(turn, start, wanted, rows, give)
        elif rows is None:
            found = flow.repeat(condition, turn, start, wanted)
        else:
            found = flow.repeat(
                condition, turn, start, wanted, lambda number: give(rows.item(number)), rows.length
            )  # fmt: skip
    finally:
        put(before)
    put(_with(before, places, found))


def for_stmt(
    iterated: Any, going: Callable[[], Any] | None, body: Callable[[Any], None], get: Get, put: Set, names: Names,
    wanted: Names,
) -> None:  # fmt: skip
    """`for`."""
    if isinstance(iterated, SymbolicRange) or (isinstance(iterated, Tensor) and is_recording()):
        if isinstance(iterated, Tensor) and not iterated.ndim:
            raise TypeError("for: iteration over a 0-d tensor")
        rows = iterated if isinstance(iterated, SymbolicRange) else flow.Rows(iterated)
        item: list[Any] = [None]
        _repeat(
            going, lambda: body(item[0]), get, put, names, wanted, rows, functools.partial(item.__setitem__, 0)
        )  # fmt: skip
        return
    test = going or (lambda: True)
    if hasattr(iterated, "element_spec"):
        if is_recording():
            raise DataLoopError("a loop over a data set, whose elements come from outside of the graph")
        if loops := active_data_loops():
            _over_data(loops, iterated, test, body, get, put, names, wanted)
            return
    now: Any = True
    for element in iterated:
        if is_symbolic(now):  # whether there is another turn shows when the graph runs
            if_stmt(now, functools.partial(body, element), lambda: None, get, put, names, wanted)
        else:
            body(element)
        now = test()
        if not is_symbolic(now) and not now:
            return


def _over_data(
    loops: DataLoops, data: Any, test: Callable[[], Any], body: Any, get: Get, put: Set, names: Names, wanted: Names
) -> None:
    """A loop over a data set, in a function that runs as Python around it."""
    before = get()
    places = [names.index(name) for name in wanted]

    def now() -> list[Any]:
        after = get()
        return [after[place] for place in places]

    def change(values: Sequence[Any]) -> None:
        put(_with(before, places, values))

    values = now()
    try:
        for element in data:
            values = loops.turn(body, element, values, wanted, names, change, now)
            change(values)
            if not test():
                break
    finally:
        change(values)


def and_(a: Callable[[], Any], b: Callable[[], Any]) -> Any:
    """`a and b`."""
    first = a()
    if not is_symbolic(first):
        return first and b()
    return flow.choose_value(first, b, lambda: first)


def or_(a: Callable[[], Any], b: Callable[[], Any]) -> Any:
    """`a or b`."""
    first = a()
    if not is_symbolic(first):
        return first or b()
    return flow.choose_value(first, lambda: first, b)


def not_(a: Any) -> Any:
    """`not a`."""
    return ~cast(a, dtypes.bool) if is_symbolic(a) else not a


def if_exp(test: Any, then: Callable[[], Any], otherwise: Callable[[], Any]) -> Any:
    """`then if test else otherwise`."""
    if not is_symbolic(test):
        return then() if test else otherwise()
    return flow.choose_value(test, then, otherwise)


def assert_stmt(test: Any, message: Callable[[], Any]) -> None:
    """`assert`."""
    if is_symbolic(test):
        raise UnreadableError("an assertion about data")
    if not test:
        found = message()
        raise AssertionError() if found is None else AssertionError(found)
