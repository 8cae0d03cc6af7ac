"""Functions whose `if`, `while` and `for` may be over tensors: made from a function's source, as are those it calls."""

from __future__ import annotations
import __future__

import ast
import copy
import functools
import inspect
import linecache
import os
import site
import sysconfig
from collections.abc import Callable
from types import CellType, CodeType, FunctionType, MethodType
from typing import Any
from weakref import WeakKeyDictionary

from duograph.graph.body import is_recording

from .exits import NotConvertible
from .rewriting import rewritten

__all__ = ["as_recorded", "code_of", "convert", "leave", "stays"]

_LIBRARIES = tuple(
    os.path.abspath(path) + os.sep
    for path in {
        *site.getsitepackages(), sysconfig.get_path("stdlib"), sysconfig.get_path("platstdlib"),
        os.path.dirname(os.path.dirname(os.path.dirname(__file__))),
    }
)  # fmt: skip
"""Folders whose functions are called as they are: Python's own, installed packages, and ours."""

_converted: WeakKeyDictionary[FunctionType, Callable[..., Any]] = WeakKeyDictionary()
_MARK = "__duograph_left__"


def leave(function: Any) -> Any:
    """The function as one that stays as it is."""
    if isinstance(function, MethodType):
        return MethodType(leave(function.__func__), function.__self__)
    if not isinstance(function, FunctionType):
        return function  # only Python's functions are converted
    left = _copied(function, function.__code__, function.__closure__)
    setattr(left, _MARK, True)
    return left


def _copied(function: FunctionType, code: CodeType, closure: tuple[CellType, ...] | None) -> FunctionType:
    """A function like another one, with other code."""
    found = FunctionType(code, function.__globals__, function.__name__, function.__defaults__, closure)
    found.__kwdefaults__ = function.__kwdefaults__
    found.__doc__, found.__module__, found.__qualname__ = function.__doc__, function.__module__, function.__qualname__
    found.__annotations__ = function.__annotations__
    found.__dict__.update(function.__dict__)
    return found


def stays(function: FunctionType) -> bool:
    """Whether a function is called as it is: of a library, marked, or converted already."""
    code = function.__code__
    return (
        hasattr(function, _MARK)
        or "ag__" in code.co_freevars
        or code.co_filename.startswith((*_LIBRARIES, "<frozen"))
        or bool(code.co_flags & (inspect.CO_GENERATOR | inspect.CO_COROUTINE | inspect.CO_ASYNC_GENERATOR))
    )


def convert(function: Any) -> Any:
    """A function that does the same, also where its control flow is over tensors. It is the function itself where that
    cannot be: it has no source, is a library's, a generator, or no Python function."""
    if isinstance(function, MethodType):
        found = convert(function.__func__)
        return function if found is function.__func__ else MethodType(found, function.__self__)
    if isinstance(function, functools.partial):
        found = convert(function.func)
        return function if found is function.func else functools.partial(found, *function.args, **function.keywords)
    if not isinstance(function, FunctionType) or stays(function):
        return function
    known = _converted.get(function)
    if known is None:
        try:
            known = _made(function)
        except (NotConvertible, SyntaxError, RecursionError):
            return function
        _converted[function] = known
    return known


def as_recorded(function: Any) -> Any:
    """What is called in a function's place: while a function is recorded, the one that `convert` makes of it."""
    return convert(function) if is_recording() else function


def code_of(function: Any) -> str:
    """The source of what `convert` makes of a function.

    Raises:
        NotConvertible: There is no source, or it is a generator.
    """
    while isinstance(function, MethodType | functools.partial):
        function = function.__func__ if isinstance(function, MethodType) else function.func
    function = getattr(function, "python_function", function)
    return ast.unparse(rewritten(_tree_of(function))) + "\n"


def _made(function: FunctionType) -> FunctionType:
    """The function, compiled from its rewritten source, with the same variables around it."""
    from . import operators

    code = function.__code__
    key = code, code.co_filename
    inner = _codes.get(key)
    if inner is None:
        inner = _codes[key] = _compiled(_tree_of(function), code)
    around = dict(zip(code.co_freevars, function.__closure__ or (), strict=True))
    closure = tuple(CellType(operators) if n == "ag__" else around[n] for n in inner.co_freevars)
    return _copied(function, inner, closure)


_codes: dict[tuple[CodeType, str], CodeType] = {}


def _compiled(tree: ast.FunctionDef | ast.Lambda, code: CodeType) -> CodeType:
    """The code of a rewritten function, with the lines of its own file."""
    tree = rewritten(tree)
    made: ast.stmt = ast.copy_location(ast.Return(tree), tree) if isinstance(tree, ast.Lambda) else tree
    names = [*code.co_freevars, "ag__"]
    arguments = ast.arguments([], [ast.arg(n) for n in names], None, [], [], None, [])
    factory = ast.copy_location(ast.FunctionDef("ag__factory", arguments, [made], []), made)
    module = ast.fix_missing_locations(ast.Module([factory], []))
    whole = compile(module, code.co_filename, "exec", dont_inherit=True, flags=code.co_flags & _FUTURE)
    outer = next(c for c in whole.co_consts if isinstance(c, CodeType))
    inner = next(c for c in outer.co_consts if isinstance(c, CodeType) and c.co_name == code.co_name)
    return inner.replace(co_qualname=code.co_qualname)


_FUTURE = __future__.annotations.compiler_flag


@functools.lru_cache(maxsize=64)
def _module(lines: tuple[str, ...]) -> ast.Module:
    return ast.parse("".join(lines))


def _tree_of(function: FunctionType) -> ast.FunctionDef | ast.Lambda:
    """The syntax tree of a function, with the lines of its file."""
    code = function.__code__
    lines = linecache.getlines(code.co_filename, function.__globals__)
    if not lines:
        raise NotConvertible("there is no source")
    try:
        module = _module(tuple(lines))
    except SyntaxError as error:
        raise NotConvertible("the source cannot be read") from error
    found = [n for n in ast.walk(module) if _is_of(n, code)]
    if len(found) != 1:
        raise NotConvertible("the source cannot be found")
    tree = copy.deepcopy(found[0])
    assert isinstance(tree, ast.FunctionDef | ast.Lambda)
    owner = code.co_qualname.split(".")[-2:-1]
    if owner and owner[0] != "<locals>":
        _Private(owner[0]).visit(tree)
    return tree


def _is_of(node: ast.AST, code: CodeType) -> bool:
    """Whether a node is the source of some code."""
    if isinstance(node, ast.Lambda) and code.co_name == "<lambda>":
        if not node.lineno <= code.co_firstlineno <= (node.end_lineno or node.lineno):
            return False
        places = [p for p in code.co_positions() if p[0] is not None and p[2] is not None]
        body = node.body
        start, end = (body.lineno, body.col_offset), (body.end_lineno, body.end_col_offset)
        inside = [p for p in places if p[3] and (p[2], p[3]) != (0, 0)]
        names = [a.arg for a in (*node.args.posonlyargs, *node.args.args)]
        return (
            bool(inside)
            and names == list(code.co_varnames[: len(names)])
            and all(start <= (p[0], p[2]) and (p[1], p[3]) <= end for p in inside)
            and any((p[0], p[2]) == start for p in inside)
        )
    if not isinstance(node, ast.FunctionDef) or node.name != code.co_name:
        return False
    return min([node.lineno, *(d.lineno for d in node.decorator_list)]) == code.co_firstlineno


class _Private(ast.NodeTransformer):
    """Names that are private to a class, as they are outside of it."""

    def __init__(self, owner: str) -> None:
        self.prefix = f"_{owner.lstrip('_')}"

    def _spell(self, name: str) -> str:
        return self.prefix + name if name.startswith("__") and not name.endswith("__") else name

    def visit_Attribute(self, node: ast.Attribute) -> ast.AST:
        self.generic_visit(node)
        node.attr = self._spell(node.attr)
        return node

    def visit_Name(self, node: ast.Name) -> ast.AST:
        node.id = self._spell(node.id)
        return node
