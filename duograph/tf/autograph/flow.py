"""Branches and loops of the graph over variables that hold tensors, numbers, nested structures of these, and arrays of
tensors: what both branches give is brought to one form, and so is what a loop has before and after a turn."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

import duograph.torch as torch
from duograph.graph.errors import UnreadableError
from duograph.ops import control
from duograph.replay.recipe import PLAIN

from .. import dtypes
from ..structure import is_nested
from ..tensor_array import TensorArray
from ..tensors import Tensor, cast, convert_to_tensor
from .exits import RESULT
from .symbolic import plain

NUMBERS = bool | int | float | complex | np.generic | np.ndarray


class Undefined:
    """A variable without a value."""

    def __init__(self, name: str, reason: str = "") -> None:
        self.name = name
        self.reason = reason

    def error(self) -> UnboundLocalError:
        if self.name == RESULT:
            return UnboundLocalError("nothing was returned")
        return UnboundLocalError(self.reason or f"'{self.name}' is used before it is given a value")


def truth(test: Any) -> Tensor:
    """A condition as one truth value. Raises ValueError for more elements than one."""
    tensor = convert_to_tensor(plain(test))
    if tensor.numel() != 1:
        raise ValueError(f"a condition is expected to have one element. Received: shape {tuple(tensor.shape)}")
    return cast(tensor, dtypes.bool).reshape(())


class Form:
    """How a value is put together from tensors. `tensors` are those that it is made of."""

    def __init__(self, tensors: list[Tensor], build: Callable[[list[Tensor]], Any]) -> None:
        self.tensors = tensors
        self.build = build


def _fixed(value: Any) -> Form:
    return Form([], lambda _: value)


def _together(forms: Sequence[Form], build: Callable[[list[Any]], Any]) -> Form:
    def whole(tensors: list[Tensor]) -> Any:
        rest = list(tensors)
        values = []
        for form in forms:
            values.append(form.build(rest[: len(form.tensors)]))
            del rest[: len(form.tensors)]
        return build(values)

    return Form([t for form in forms for t in form.tensors], whole)


def _parts(value: Any) -> tuple[list[Any], Callable[[list[Any]], Any]]:
    """The parts of a nested value, and what puts them together."""
    if isinstance(value, dict):
        keys = sorted(value)
        return [value[k] for k in keys], lambda parts: dict(zip(keys, parts, strict=True))
    make = (lambda parts: type(value)(*parts)) if hasattr(value, "_fields") else type(value)
    return list(value), make


def _same_structure(a: Any, b: Any) -> bool:
    return type(a) is type(b) and len(a) == len(b) and (not isinstance(a, dict) or sorted(a) == sorted(b))


def _same_plain(a: Any, b: Any) -> bool:
    return isinstance(a, PLAIN) and type(a) is type(b) and repr(a) == repr(b)


# -- branches ----------------------------------------------------------------------------------------------------------
MAIN, ELSE = "main", "else"


def _join(name: str, a: Any, b: Any) -> tuple[Form, list[Tensor]]:
    """What is the value of a variable after either branch, by the tensors of the first; and those of the second."""
    a, b = plain(a), plain(b)
    if a is b or _same_plain(a, b):
        return _fixed(a), []
    if isinstance(a, Undefined) or isinstance(b, Undefined):
        if isinstance(a, Undefined) and isinstance(b, Undefined):
            return _fixed(a), []
        if name != RESULT:
            missing = MAIN if isinstance(a, Undefined) else ELSE
            raise ValueError(f"'{name}' must also be initialized in the {missing} branch")
        return _join(name, *((_like(b), b) if isinstance(a, Undefined) else (a, _like(a))))
    if isinstance(a, TensorArray) and isinstance(b, TensorArray):
        first, second = a.stacked(), b.stacked()
        form, others = _join(name, first.content, second.content)
        return Form(form.tensors, lambda tensors: first.holding(form.build(tensors))), others
    if is_nested(a) or is_nested(b):
        if not (is_nested(a) and is_nested(b) and _same_structure(a, b)):
            raise TypeError(f"{_called(name)} must have the same nested structure in the main and else branches")
        (mine, build), (theirs, _) = _parts(a), _parts(b)
        pairs = [_join(name, x, y) for x, y in zip(mine, theirs, strict=True)]
        return _together([form for form, _ in pairs], build), [t for _, others in pairs for t in others]
    for value, other, branch in ((a, b, MAIN), (b, a, ELSE)):
        if not isinstance(value, Tensor | NUMBERS):
            what = "None" if value is None else f"a Python object of type {type(value).__name__}"
            raise TypeError(
                f"{_called(name)} is {what} at the end of the {branch} branch, and something else at the end of the "
                f"other: {type(other).__name__}. Only tensors can differ where the graph decides"
            )
    x, y = convert_to_tensor(a), convert_to_tensor(b)
    if x.dtype != y.dtype:
        raise TypeError(
            f"{_called(name)} has dtype {x.dtype.name} in the main branch, but dtype {y.dtype.name} in the else branch"
        )
    if x.shape != y.shape:
        raise UnreadableError(
            f"{_called(name)} has shape {tuple(x.shape)} in the main branch, but shape {tuple(y.shape)} in the else "
            "branch: shapes are part of the graph"
        )
    return Form([x], lambda tensors: tensors[0]), [y]


def _called(name: str) -> str:
    return "what is returned" if name == RESULT else f"'{name}'" if name.isidentifier() else name


def _like(value: Any) -> Any:
    """Zeros in the form of a value that is not looked at."""
    value = plain(value)
    if is_nested(value):
        parts, build = _parts(value)
        return build([_like(part) for part in parts])
    if isinstance(value, Tensor | NUMBERS):
        tensor = convert_to_tensor(value)
        return torch.zeros(tuple(tensor.shape), dtype=tensor.dtype)
    if isinstance(value, TensorArray):
        array = value.stacked()
        return array.holding(_like(array.content))
    return value


def choose(
    test: Any, then: Callable[[], Sequence[Any]], otherwise: Callable[[], Sequence[Any]], names: Sequence[str]
) -> list[Any]:
    """The values of variables after one of two branches, each of which gives all of them.

    Raises:
        ValueError: A variable has a value after one branch only.
        TypeError: It has another structure or dtype after the other.
        UnreadableError: It has another shape.
    """
    forms: list[Form] = []

    def joined(a: Sequence[Any], b: Sequence[Any]) -> tuple[list[Tensor], list[Tensor]]:
        pairs = [_join(name, x, y) for name, x, y in zip(names, a, b, strict=True)]
        forms[:] = [form for form, _ in pairs]
        return [t for form in forms for t in form.tensors], [t for _, others in pairs for t in others]

    return _built(control.cond(truth(test), then, otherwise, joined), forms)


def _built(tensors: list[Tensor], forms: Sequence[Form]) -> list[Any]:
    return _together(forms, list).build(tensors)


def choose_value(test: Any, then: Callable[[], Any], otherwise: Callable[[], Any], name: str = "the result") -> Any:
    """What one of two functions gives."""
    return choose(test, lambda: [then()], lambda: [otherwise()], [name])[0]


# -- loops -------------------------------------------------------------------------------------------------------------
class Rows:
    """The rows of a tensor, to loop over."""

    def __init__(self, tensor: Tensor) -> None:
        self.tensor = tensor
        self.length = tensor.shape[0]

    def item(self, number: Tensor) -> Tensor:
        return torch.index_select(self.tensor, 0, number.reshape(1)).reshape(tuple(self.tensor.shape[1:]))


def carried(value: Any) -> Form:
    """A value that a loop may change."""
    value = plain(value)
    if isinstance(value, TensorArray) and value.is_of_known_kind:
        array = value.stacked()
        return Form([array.content], lambda tensors: array.holding(tensors[0]))
    if is_nested(value):
        parts, build = _parts(value)
        return _together([carried(part) for part in parts], build)
    if isinstance(value, Tensor | NUMBERS):
        return Form([convert_to_tensor(value)], lambda tensors: tensors[0])
    return _fixed(value)


def matched(name: str, before: Any, after: Any, is_variable: bool = False) -> list[Tensor]:
    """The tensors of a variable after a turn, which must be of the form that it has before the first."""
    before, after = plain(before), plain(after)
    if isinstance(before, TensorArray) and isinstance(after, TensorArray):
        if not before.is_of_known_kind:
            return []
        content = after.stacked(before).content
        return matched(name, before.stacked().content, content, is_variable)
    if is_nested(before) or is_nested(after):
        if not (is_nested(before) and is_nested(after) and _same_structure(before, after)):
            raise TypeError(f"'{name}' must have the same nested structure before and after a turn of the loop")
        pairs = zip(_parts(before)[0], _parts(after)[0], strict=True)
        return [t for x, y in pairs for t in matched(name, x, y, is_variable)]
    if not isinstance(before, Tensor | NUMBERS):
        if after is before or _same_plain(before, after):
            return []
        if isinstance(before, Undefined):
            raise ValueError(f"'{name}' must be defined before the loop")
        what = "None" if before is None else f"a Python object of type {type(before).__name__}"
        raise TypeError(f"'{name}' is {what} before the loop, and {type(after).__name__} after one iteration")
    if isinstance(after, Undefined) or not isinstance(after, Tensor | NUMBERS):
        raise TypeError(f"'{name}' is a tensor before the loop, and {type(after).__name__} after one iteration")
    x, y = convert_to_tensor(before), convert_to_tensor(after)
    if x.dtype != y.dtype:
        raise TypeError(
            f"'{name}' has dtype {x.dtype.name} before the loop, but dtype {y.dtype.name} after one iteration"
        )
    if x.shape != y.shape:
        complaint = (
            f"'{name}' has shape {tuple(x.shape)} before the loop, but shape {tuple(y.shape)} after one iteration"
        )
        if is_variable:
            raise UnreadableError(f"{complaint}: shapes are part of the graph")
        raise ValueError(
            f"{complaint}. Use tf.autograph.experimental.set_loop_options (or shape_invariants) to allow other shapes"
        )
    return [y]


class Options:
    """What `set_loop_options` says of the loop in whose first turn it is called."""

    def __init__(self) -> None:
        self.maximum_iterations: Any = None
        self.shape_invariants: list[Any] = []


_options: list[Options] = []


def loop_options() -> Options | None:
    """Those of the loop that is being recorded."""
    return _options[-1] if _options else None


def repeat(
    condition: Callable[..., Any], turn: Callable[..., Sequence[Any]], start: Sequence[Any], names: Sequence[str],
    counted: Callable[[Tensor], None] | None = None, turns: Any = None, shapes_vary: bool = False,
) -> list[Any]:  # fmt: skip
    """The values of variables after a loop of the graph.

    Args:
        condition: Takes the variables.
        turn: Takes them and gives them anew.
        start: What they are before the first turn.
        counted: Given the number of each turn (int64) before the condition and the turn.
        turns: The most turns that there are; None for any number.
        shapes_vary: Whether the caller knows that shapes change.

    Raises:
        ValueError: A variable has no value before the loop, or another shape after a turn.
        TypeError: It has another structure or dtype after a turn.
        UnreadableError: It is known to change its shape.
    """
    options = Options()
    _options.append(options)
    try:
        start = _begun(turn, start, counted)
        forms = [carried(value) for value in start]

        def values(tensors: Sequence[Tensor]) -> tuple[Tensor, list[Any]]:
            number, *rest = tensors
            if counted is not None:
                counted(number)
            return number, _built(rest, forms)

        def body(*tensors: Tensor) -> list[Tensor]:
            number, given = values(tensors)
            found = turn(*given)
            made = [number + 1]
            for name, before, after in zip(names, start, found, strict=True):
                made += matched(name, before, after, shapes_vary or bool(options.shape_invariants))
            return made

        def check(*tensors: Tensor) -> Tensor:
            number, given = values(tensors)
            going = truth(condition(*given))
            limits = [x for x in (turns, options.maximum_iterations) if x is not None]
            for limit in limits:
                going = going & (number < cast(convert_to_tensor(limit), dtypes.int64))
            return going

        zero = torch.tensor(0, dtype=dtypes.int64)
        carries = [zero, *(t for form in forms for t in form.tensors)]
        _, *found = control.while_loop(check, body, carries)
        return _built(found, forms)
    finally:
        _options.pop()


def repeat_for_rows(
    turn: Callable[..., Sequence[Any]], start: Sequence[Any], names: Sequence[str], rows: Rows,
    given: Callable[[Tensor], None],
) -> list[Any]:  # fmt: skip
    """The values of variables after a turn for each row of a tensor.

    As `repeat`; `given` is told of the row before each turn.
    """
    options = Options()
    _options.append(options)
    try:
        start = _begun(turn, start, lambda number: given(rows.item(number)))
        forms = [carried(value) for value in start]

        def body(*tensors: Tensor) -> list[Tensor]:
            *rest, row = tensors
            given(row)
            found = turn(*_built(rest, forms))
            if options.maximum_iterations is not None and int(options.maximum_iterations) < rows.length:
                raise UnreadableError("maximum_iterations in a loop over a tensor: loop over some of its rows instead")
            return [
                tensor
                for name, before, after in zip(names, start, found, strict=True)
                for tensor in matched(name, before, after, bool(options.shape_invariants))
            ]

        carries = [t for form in forms for t in form.tensors]
        made = control.each(body, carries, [rows.tensor], rows.length)
    finally:
        _options.pop()
    return _built(made, forms)


def _begun(
    turn: Callable[..., Sequence[Any]], start: Sequence[Any], counted: Callable[[Tensor], None] | None
) -> list[Any]:
    """What the variables begin with. One that has its first value from the first turn begins with zeros, and an array
    of tensors has the kind that is written to it: a turn is recorded in vain to find them."""
    unknown = [
        k for k, value in enumerate(start)
        if isinstance(value, Undefined) or (isinstance(value, TensorArray) and not value.is_of_known_kind)
    ]  # fmt: skip
    if not unknown:
        return list(start)
    forms = [carried(value) for value in start]

    def first(*tensors: Tensor) -> Sequence[Any]:
        number, *rest = tensors
        if counted is not None:
            counted(number)
        return turn(*_built(rest, forms))

    zero = torch.tensor(0, dtype=dtypes.int64)
    after = control.kinds_after(first, [zero, *(t for form in forms for t in form.tensors)])
    found = list(start)
    for k in unknown:
        if isinstance(after[k], TensorArray) and isinstance(found[k], TensorArray):
            found[k] = found[k].of_kind(after[k])
        elif not isinstance(after[k], Undefined | TensorArray):
            found[k] = _like(after[k])
    return found
