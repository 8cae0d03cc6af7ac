"""Which variables of a function a branch or a loop changes, and which of these somebody looks at later."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Sequence

from .exits import walked

Names = frozenset[str]
_NONE: Names = frozenset()
_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)


def assigned(statements: Iterable[ast.AST]) -> Names:
    """The variables that statements give a value, without those of functions and comprehensions inside them, and
    without names of exceptions, which end with their handlers."""
    found: set[str] = set()
    for statement in statements:
        for node in (statement, *walked(statement)):
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store | ast.Del):
                found.add(node.id)
            elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                found.add(node.name)
            elif isinstance(node, ast.alias):
                found.add((node.asname or node.name).split(".")[0])
            elif isinstance(node, ast.MatchAs | ast.MatchStar) and node.name:
                found.add(node.name)
        found -= _of_comprehensions(statement)
    return frozenset(found)


def _of_comprehensions(statement: ast.AST) -> set[str]:
    """Variables that are comprehensions' own, if nothing else has them."""
    own: set[str] = set()
    outside: set[str] = set()
    inside: set[ast.AST] = set()
    nodes = [statement, *walked(statement)]
    for node in nodes:
        if isinstance(node, ast.comprehension):
            for target in ast.walk(node.target):
                if isinstance(target, ast.Name):
                    own.add(target.id)
                    inside.add(target)
    for node in nodes:
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store) and node not in inside:
            outside.add(node.id)
    return own - outside


def read(node: ast.AST | None) -> Names:
    """The variables that an expression, or a statement as a whole, may look at; in functions inside it too."""
    if node is None:
        return _NONE
    found = {n.id for n in ast.walk(node) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Load)}
    found |= {n.target.id for n in ast.walk(node) if isinstance(n, ast.AugAssign) and isinstance(n.target, ast.Name)}
    return frozenset(found)


class Liveness:
    """For each condition and loop of a function, the variables that are looked at after it.

    Attributes:
        after: What is looked at behind a statement.
        again: What a turn of a loop looks at before it gives it a value, or the loop's condition.
    """

    def __init__(self, function: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        self.after: dict[ast.stmt, Names] = {}
        self.again: dict[ast.stmt, Names] = {}
        inner = [n for s in function.body for n in (s, *walked(s)) if isinstance(n, _FUNCTIONS)]
        self.captured = frozenset[str]().union(*(read(n) for n in inner))  # functions may be called at any time
        self.block(function.body, _NONE)

    def block(self, statements: Sequence[ast.stmt], live: Names) -> Names:
        """The variables looked at before a block, given those behind it."""
        for statement in reversed(statements):
            live = self.statement(statement, live)
        return live

    def statement(self, s: ast.stmt, live: Names) -> Names:
        match s:
            case ast.If():
                self.after[s] = live | self.captured
                return read(s.test) | self.block(s.body, live) | self.block(s.orelse, live)
            case ast.While():
                self.after[s] = live | self.captured
                return self._loop(s, live, read(s.test), _NONE)
            case ast.For():
                self.after[s] = live | self.captured
                going = read(getattr(s, "going", None))
                return read(s.iter) | self._loop(s, live, going, assigned([s.target]))
            case ast.With():
                names = assigned([i.optional_vars for i in s.items if i.optional_vars is not None])
                return read_all([i.context_expr for i in s.items]) | (self.block(s.body, live) - names)
            case ast.Try():
                end = self.block(s.finalbody, live)
                found = self.block(s.body, self.block(s.orelse, end)) | end
                for handler in s.handlers:
                    found |= read(handler.type) | self.block(handler.body, end)
                return found
            case ast.Return():
                return read(s.value)
            case ast.Assign() | ast.AnnAssign() | ast.FunctionDef() | ast.Expr():
                return read(s) | (live - assigned([s]))
        return read(s) | live

    def _loop(self, s: ast.While | ast.For, live: Names, test: Names, target: Names) -> Names:
        start = test | live
        for _ in range(3):  # what a turn looks at may come from the turn before
            before = self.block(s.body, start) - target
            if before <= start:
                break
            start |= before
        self.again[s] = before | test
        return start | before


def read_all(nodes: Iterable[ast.AST | None]) -> Names:
    """What any of these looks at."""
    return frozenset[str]().union(*(read(node) for node in nodes))
