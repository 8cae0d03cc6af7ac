"""Early exits of a function's source as flags: what comes after `return`, `break` and `continue` is guarded instead.

So each block has one entry and one end, as a branch or a turn of the graph has.
"""

from __future__ import annotations

import ast
from collections.abc import Sequence
from typing import NamedTuple, TypeVar

RETURNED, RESULT = "ag__did_return", "ag__result"
"""The names of the flag that says whether a function has returned, and of what it returned."""

_SCOPES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda)
_BRANCHING = (ast.If, ast.For, ast.While, ast.Try, ast.TryStar, ast.With, ast.Match)
_EXITS = (ast.Return, ast.Break, ast.Continue)


class NotConvertible(Exception):
    """Why a function stays as it is."""


class _Loop(NamedTuple):
    """The flags of a loop."""

    broken: str
    continued: str


class Block(NamedTuple):
    """Statements without exits, the flags that they may set, and whether one is set in any case."""

    body: list[ast.stmt]
    flags: frozenset[str]
    exits: bool


_T = TypeVar("_T", bound=ast.AST)


def located(node: _T, like: ast.AST) -> _T:
    """The node, and all below it that has no line yet, at the first line of another."""
    for each in ast.walk(node):
        if "lineno" in each._attributes and not hasattr(each, "lineno"):
            each.lineno = each.end_lineno = like.lineno  # type: ignore[attr-defined]
            each.col_offset = each.end_col_offset = like.col_offset  # type: ignore[attr-defined]
    return node


def exits_as_flags(function: ast.FunctionDef) -> None:
    """Rewrite the body of a function in place."""
    rewriting = _Exits(any(_returns_within(s) for s in function.body))
    found = rewriting.block(function.body, None)
    body = found.body
    if rewriting.returns:
        first = function.body[0]
        body = [_assign(RETURNED, ast.Constant(False), first), _assign(RESULT, _call("nothing"), first), *body]
        last = ast.Return(ast.Name(RESULT, ast.Load()) if found.exits else _call("returned", RETURNED, RESULT))
        body.append(located(last, function.body[-1]))
    function.body = body


def _call(name: str, *arguments: str) -> ast.Call:
    function = ast.Attribute(ast.Name("ag__", ast.Load()), name, ast.Load())
    return ast.Call(function, [ast.Name(a, ast.Load()) for a in arguments], [])


def _assign(name: str, value: ast.expr, like: ast.AST) -> ast.stmt:
    return located(ast.Assign([ast.Name(name, ast.Store())], value), like)


def _returns_within(statement: ast.stmt) -> bool:
    """Whether a statement with blocks has a `return` in one."""
    if isinstance(statement, _SCOPES) or not isinstance(statement, _BRANCHING):
        return False
    return any(isinstance(node, ast.Return) for node in walked(statement))


def walked(node: ast.AST) -> list[ast.AST]:
    """All nodes below one, without what lies in functions and classes of their own."""
    found, stack = [], list(ast.iter_child_nodes(node))
    while stack:
        here = stack.pop()
        found.append(here)
        if not isinstance(here, _SCOPES):
            stack.extend(ast.iter_child_nodes(here))
    return found


class _Exits:
    def __init__(self, returns: bool) -> None:
        self.returns = returns
        self.loops = 0

    def block(self, statements: Sequence[ast.stmt], loop: _Loop | None) -> Block:
        made: list[ast.stmt] = []
        flags: frozenset[str] = frozenset()
        for place, statement in enumerate(statements):
            rest = statements[place + 1 :]
            if isinstance(statement, ast.If) and rest:
                joined = self._joined(statement, rest, loop)
                if joined is not None:
                    return Block(made + joined.body, flags | joined.flags, joined.exits)
            found = self.statement(statement, loop)
            made += found.body
            flags |= found.flags
            if found.exits:
                return Block(made, flags, True)
            if found.flags and rest:
                guarded = self.block(rest, loop)
                made.append(_unless(found.flags, guarded.body, rest[0]))
                return Block(made, flags | guarded.flags, guarded.exits)
        return Block(made, flags, False)

    def _joined(self, statement: ast.If, rest: Sequence[ast.stmt], loop: _Loop | None) -> Block | None:
        """A condition of which one branch exits: what comes after it belongs to the other."""
        then, otherwise = self.block(statement.body, loop), self.block(statement.orelse, loop)
        if then.exits:
            otherwise = self.block([*statement.orelse, *rest], loop)
        elif otherwise.exits:
            then = self.block([*statement.body, *rest], loop)
        else:
            return None
        test = located(ast.If(statement.test, then.body or [_pass(statement)], otherwise.body), statement)
        return Block([test], then.flags | otherwise.flags, then.exits and otherwise.exits)

    def statement(self, s: ast.stmt, loop: _Loop | None) -> Block:
        match s:
            case ast.Return() if self.returns:
                made = [_assign(RETURNED, ast.Constant(True), s), _assign(RESULT, s.value or ast.Constant(None), s)]
                flags = {RETURNED}
                if loop is not None:
                    made.append(_assign(loop.broken, ast.Constant(True), s))
                    flags.add(loop.broken)
                return Block(made, frozenset(flags), True)
            case ast.Return() | ast.Raise():
                return Block([s], frozenset(), True)
            case ast.Break() if loop is not None:
                return Block([_assign(loop.broken, ast.Constant(True), s)], frozenset({loop.broken}), True)
            case ast.Continue() if loop is not None:
                return Block([_assign(loop.continued, ast.Constant(True), s)], frozenset({loop.continued}), True)
            case ast.If():
                then, otherwise = self.block(s.body, loop), self.block(s.orelse, loop)
                made = [located(ast.If(s.test, then.body or [_pass(s)], otherwise.body), s)]
                return Block(made, then.flags | otherwise.flags, then.exits and otherwise.exits)
            case ast.While() | ast.For():
                return self.loop(s)
            case ast.With():
                inner = self.block(s.body, loop)
                s.body = inner.body or [_pass(s)]
                return Block([s], inner.flags, inner.exits)
            case ast.Try():
                return self.guarded(s, loop)
        if isinstance(s, _BRANCHING) and any(isinstance(n, _EXITS) for n in walked(s)):
            raise NotConvertible(f"an exit from within {type(s).__name__.lower()}")
        return Block([s], frozenset(), False)

    def guarded(self, s: ast.Try, loop: _Loop | None) -> Block:
        parts = [self.block(s.body, loop), self.block(s.orelse, loop), self.block(s.finalbody, loop)]
        s.body, s.orelse, s.finalbody = parts[0].body or [_pass(s)], parts[1].body, parts[2].body
        if parts[0].flags and s.orelse:  # Python leaves it out after an exit
            s.orelse = [_unless(parts[0].flags, s.orelse, s)]
        exits = parts[0].exits or parts[1].exits
        for handler in s.handlers:
            inner = self.block(handler.body, loop)
            handler.body = inner.body or [_pass(handler)]
            parts.append(inner)
            exits = exits and inner.exits
        flags = frozenset[str]().union(*(part.flags for part in parts))
        return Block([s], flags, exits or parts[2].exits)

    def loop(self, s: ast.While | ast.For) -> Block:
        number, self.loops = self.loops, self.loops + 1
        loop = _Loop(f"ag__did_break_{number}", f"ag__did_continue_{number}")
        inner = self.block(s.body, loop)
        after = self.block(s.orelse, None)
        before: list[ast.stmt] = []
        s.body, s.orelse = inner.body or [_pass(s)], []
        if loop.continued in inner.flags:
            s.body.insert(0, _assign(loop.continued, ast.Constant(False), s.body[0]))
        broken = loop.broken in inner.flags
        if broken:
            before.append(_assign(loop.broken, ast.Constant(False), s))
            going = located(ast.UnaryOp(ast.Not(), ast.Name(loop.broken, ast.Load())), s)
            if isinstance(s, ast.While):
                s.test = located(ast.BoolOp(ast.And(), [going, s.test]), s.test)
            else:
                s.going = going  # type: ignore[attr-defined]
        made: list[ast.stmt] = [*before, s]
        if after.body:
            made += [_unless(frozenset({loop.broken}), after.body, s)] if broken else after.body
        return Block(made, (inner.flags & {RETURNED}) | after.flags, False)


def _pass(like: ast.AST) -> ast.stmt:
    return located(ast.Pass(), like)


def _unless(flags: frozenset[str], body: list[ast.stmt], like: ast.AST) -> ast.stmt:
    """The statements, where no flag is set."""
    names: list[ast.expr] = [ast.Name(flag, ast.Load()) for flag in sorted(flags)]
    test = names[0] if len(names) == 1 else ast.BoolOp(ast.Or(), names)
    return located(ast.If(ast.UnaryOp(ast.Not(), test), body or [_pass(like)], []), like)
