"""Loops over data sets within a function: elements come from outside of the graph, so the function runs as Python up to
the loop and after it, and the body is recorded once for all elements of one kind."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from types import CellType, FunctionType
from typing import Any
from weakref import ref

from duograph.graph.errors import UnreadableError

from ..structure import flatten, is_nested, pack_like
from ..tensor_array import TensorArray
from ..tensors import Tensor
from . import flow
from .flow import Undefined
from .signature import Signature
from .tracing import NewVariableError, Traced

__all__ = ["DataLoopError", "DataLoops", "active_data_loops"]


class DataLoopError(UnreadableError):
    """A loop over a data set is met while a function is recorded."""


class _Active(threading.local):
    loops: DataLoops | None = None


_active = _Active()


def active_data_loops() -> DataLoops | None:
    """Those of the function that is running on this thread."""
    return _active.loops


class DataLoops:
    """The bodies of a function's loops over data sets, recorded."""

    def __init__(self) -> None:
        self._bodies: dict[Any, tuple[Traced | None, list[Any]]] = {}

    @contextmanager
    def running(self) -> Iterator[None]:
        """Loops over data sets inside use these."""
        before, _active.loops = _active.loops, self
        try:
            yield
        finally:
            _active.loops = before

    def turn(
        self, body: FunctionType, element: Any, before: Sequence[Any], names: Sequence[str], own: Sequence[str],
        put: Callable[[Sequence[Any]], None], get: Callable[[], Sequence[Any]],
    ) -> list[Any]:  # fmt: skip
        """The variables (`names`) after a turn with an element: `body` with `put` before it and `get` behind it.

        `own` are all variables that it changes.
        """
        forms = [flow.carried(value) for value in before]
        if any(isinstance(v, Undefined) or (isinstance(v, TensorArray) and not v.is_of_known_kind) for v in before):
            return self._as_python(body, element, before, put, get)  # the first turn makes the kinds known
        start = [form.build(form.tensors) for form in forms]
        carries = [t for form in forms for t in form.tensors]
        signature, cells = Signature(), list[CellType]()
        pairs = zip(body.__code__.co_freevars, body.__closure__ or (), strict=True)
        seen = {id(cell) for name, cell in pairs if name in own}
        if not (signature.sign(carries) and signature.sign(element) and _sign_around(body, signature, cells, seen)):
            return self._as_python(body, element, start, put, get)
        key = tuple(signature.key)
        traced, kept = self._bodies.get(key, (None, [lambda: None]))
        if any(reference() is None for reference in kept):
            try:
                traced = self._recorded(body, element, start, forms, names, signature, cells, put, get)
            except NewVariableError:
                return self._as_python(body, element, start, put, get)
            except UnreadableError:
                traced = None
            self._bodies[key] = traced, [_reference(thing) for thing in signature.kept]
        if traced is None or traced.misses_gradients(signature.tensors):
            return self._as_python(body, element, start, put, get)
        tensors = traced(signature.tensors)
        found = []
        for form in forms:
            found.append(form.build(list(tensors[: len(form.tensors)])))
            tensors = tensors[len(form.tensors) :]
        return found

    def _as_python(
        self, body: FunctionType, element: Any, start: Sequence[Any], put: Callable[[Sequence[Any]], None],
        get: Callable[[], Sequence[Any]],
    ) -> list[Any]:  # fmt: skip
        put(start)
        body(element)
        return list(get())

    def _recorded(
        self, body: FunctionType, element: Any, start: Sequence[Any], forms: Sequence[flow.Form],
        names: Sequence[str], signature: Signature, cells: Sequence[CellType],
        put: Callable[[Sequence[Any]], None], get: Callable[[], Sequence[Any]],
    ) -> Traced:  # fmt: skip
        leaves = flatten(element)

        def call(given: Sequence[Tensor]) -> list[Tensor]:
            rest = list(given)
            values = []
            for form in forms:
                values.append(form.build(rest[: len(form.tensors)]))
                del rest[: len(form.tensors)]
            mine = [
                rest.pop(0) if isinstance(leaf, Tensor) and not hasattr(leaf, "assign") else leaf for leaf in leaves
            ]
            outside = [cell.cell_contents for cell in cells]
            for cell, tensor in zip(cells, rest, strict=True):
                cell.cell_contents = tensor
            try:
                put(values)
                body(pack_like(element, mine))
                after = get()
            finally:
                for cell, tensor in zip(cells, outside, strict=True):
                    cell.cell_contents = tensor
            return [t for n, x, y in zip(names, start, after, strict=True) for t in flow.matched(n, x, y)]

        return Traced(call, signature.tensors, body.__name__)


def _reference(thing: Any) -> Callable[[], Any]:
    """Gives an object for as long as it is there."""
    try:
        return ref(thing)
    except TypeError:
        return lambda: thing


def _sign_around(function: FunctionType, signature: Signature, cells: list[CellType], seen: set[int]) -> bool:
    """Add what a function takes from around it. Those variables that hold tensors are `cells`."""
    code = function.__code__
    signature.key.append(code)
    for name, cell in zip(code.co_freevars, function.__closure__ or (), strict=True):
        if id(cell) in seen or name == "ag__":
            continue
        seen.add(id(cell))
        try:
            content = cell.cell_contents
        except ValueError:
            signature.key.append(None)
            continue
        if isinstance(content, FunctionType):
            if not _sign_around(content, signature, cells, seen):
                return False
            continue
        if isinstance(content, Undefined):
            signature.key.append(Undefined)
            continue
        if type(content) is Tensor:
            cells.append(cell)
        elif is_nested(content):
            if any(type(leaf) is Tensor for leaf in flatten(content)):
                return False  # each of them would have to be put in its place
            if not isinstance(content, tuple):  # what it holds may change, as in Python
                signature.key.append(id(content))
                signature.kept.append(content)
                continue
        if not signature.sign(content):
            return False
    return True
