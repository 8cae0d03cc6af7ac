"""The source of a function with calls in place of control flow: what they do is decided when they run.

`if`, `while` and `for` become calls of functions in `operators`, which get each block as a function, and two functions
that read and set the variables that blocks change. Nothing else of the program changes: each statement keeps its line.
"""

from __future__ import annotations

import ast
import copy
from collections.abc import Sequence

from .exits import NotConvertible, exits_as_flags, located, walked
from .liveness import Liveness, Names, assigned

LEFT = frozenset(("super", "locals", "globals", "vars", "dir", "eval", "exec", "print"))
"""Builtins that are called as they are: they look at the function that calls them, or are meant to run at once."""


def rewritten(function: ast.FunctionDef | ast.Lambda) -> ast.FunctionDef | ast.Lambda:
    """The function with control flow by calls. Its syntax tree is changed in place.

    Raises:
        NotConvertible: It is a generator, or has a form of control flow that stays Python's.
    """
    if isinstance(function, ast.Lambda):
        function.body = _Rewriter(None, _NO_NAMES, _NO_NAMES).visit(function.body)
        return function
    function.decorator_list = []
    function.returns = None
    _rewrite_body(function)
    return function


_NO_NAMES: Names = frozenset()


def _parameters(function: ast.FunctionDef) -> list[str]:
    a = function.args
    given = [*a.posonlyargs, *a.args, *a.kwonlyargs, *([a.vararg] if a.vararg else []), *([a.kwarg] if a.kwarg else [])]
    return [argument.arg for argument in given]


def _rewrite_body(function: ast.FunctionDef) -> None:
    nodes = [n for s in function.body for n in (s, *walked(s))]
    if any(isinstance(n, ast.Yield | ast.YieldFrom | ast.Await) for n in nodes):
        raise NotConvertible("a generator")
    outer: dict[str, type[ast.Global | ast.Nonlocal]] = {}
    for node in nodes:
        if isinstance(node, ast.Global | ast.Nonlocal):
            outer.update(dict.fromkeys(node.names, type(node)))
    exits_as_flags(function)
    parameters = _parameters(function)
    first = parameters[0] if parameters else None
    rewriter = _Rewriter(Liveness(function), frozenset(n for n, kind in outer.items() if kind is ast.Global), _NO_NAMES)
    rewriter.first = first
    docstring = ast.get_docstring(function, clean=False)
    rewriter.uncertain = _of_blocks(function.body) - frozenset(parameters) - frozenset(outer)
    body = rewriter.statements(function.body)
    like = function.body[0]
    start = [
        located(ast.Assign([_store(name)], _operator("undefined", ast.Constant(name))), like)
        for name in sorted(rewriter.uncertain)
    ]
    place = 1 if docstring is not None else 0
    declared = [s for s in body if isinstance(s, ast.Global | ast.Nonlocal)]
    function.body = body[:place] + declared + start + [s for s in body[place:] if s not in declared]


def _of_blocks(statements: Sequence[ast.stmt]) -> Names:
    """The variables that blocks give a value: they may have none where they are read."""
    blocks = [n for s in statements for n in (s, *walked(s)) if isinstance(n, ast.If | ast.While | ast.For)]
    return frozenset[str]().union(*(assigned([block]) for block in blocks))


def _store(name: str) -> ast.Name:
    return ast.Name(name, ast.Store())


def _load(name: str) -> ast.Name:
    return ast.Name(name, ast.Load())


def _operator(name: str, *arguments: ast.expr) -> ast.Call:
    return ast.Call(ast.Attribute(_load("ag__"), name, ast.Load()), list(arguments), [])


def _lambda(body: ast.expr) -> ast.Lambda:
    return ast.Lambda(_arguments(), body)


def _arguments(*names: str) -> ast.arguments:
    return ast.arguments([], [ast.arg(name) for name in names], None, [], [], None, [])


class _Rewriter(ast.NodeTransformer):
    """Rewrites the statements of one function; functions inside it are rewritten as functions of their own.

    `uncertain` are the variables that may have no value when they are read.
    """

    def __init__(self, live: Liveness | None, global_names: Names, uncertain: Names) -> None:
        self.live = live
        self.global_names = global_names
        self.uncertain = uncertain
        self.first: str | None = None
        self.blocks = 0

    def changed(self, s: ast.If | ast.While | ast.For) -> tuple[list[str], list[str]]:
        """The variables that a block changes, and those of them that are looked at later: behind it, or, in a loop, in
        the next turn."""
        assert self.live is not None
        names, wanted = assigned([s]), self.live.after[s]
        if not isinstance(s, ast.If):
            wanted |= self.live.again[s]
        return sorted(names), sorted(names & wanted)

    def statements(self, body: Sequence[ast.stmt]) -> list[ast.stmt]:
        found: list[ast.stmt] = []
        for statement in body:
            made = self.visit(statement)
            found += made if isinstance(made, list) else [made]
        return found

    # -- functions inside --------------------------------------------------------------------------------------------
    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        node.decorator_list = [self.visit(d) for d in node.decorator_list]
        node.args = self.visit(node.args)
        before = copy.deepcopy(node)
        try:
            _rewrite_body(node)
        except NotConvertible:
            return before
        return node

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> ast.AST:
        return node

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.AST:
        return node

    # -- statements --------------------------------------------------------------------------------------------------
    def visit_If(self, node: ast.If) -> list[ast.stmt]:
        names, wanted = self.changed(node)
        number = self._number()
        test = self.visit(node.test)
        then = self._function(f"ag__then_{number}", self.statements(node.body), names, node)
        otherwise = self._function(f"ag__else_{number}", self.statements(node.orelse), names, node)
        call = self._call("if_stmt", [test, _load(then.name), _load(otherwise.name)], number, names, wanted)
        return [*self._state(names, number, node), then, otherwise, located(ast.Expr(call), node)]

    def visit_While(self, node: ast.While) -> list[ast.stmt]:
        names, wanted = self.changed(node)
        number = self._number()
        result: ast.stmt = ast.Return(self.visit(node.test))
        test = self._function(f"ag__test_{number}", [located(result, node.test)], sorted(assigned([node.test])), node)
        body = self._function(f"ag__body_{number}", self.statements(node.body), names, node)
        call = self._call("while_stmt", [_load(test.name), _load(body.name)], number, names, wanted)
        return [*self._state(names, number, node), test, body, located(ast.Expr(call), node)]

    def visit_For(self, node: ast.For) -> list[ast.stmt]:
        names, wanted = self.changed(node)
        number = self._number()
        iterated = self.visit(node.iter)
        item = f"ag__item_{number}"
        take: ast.stmt = ast.Assign([self.visit(node.target)], _load(item))
        body = self._function(
            f"ag__body_{number}", [located(take, node), *self.statements(node.body)], names, node, item
        )  # fmt: skip
        going = getattr(node, "going", None)
        test: ast.expr = ast.Constant(None) if going is None else _lambda(self.visit(going))
        call = self._call("for_stmt", [iterated, test, _load(body.name)], number, names, wanted)
        return [*self._state(names, number, node), body, located(ast.Expr(call), node)]

    def visit_Assert(self, node: ast.Assert) -> ast.AST:
        message = ast.Constant(None) if node.msg is None else self.visit(node.msg)
        return located(ast.Expr(_operator("assert_stmt", self.visit(node.test), _lambda(message))), node)

    def visit_Delete(self, node: ast.Delete) -> ast.AST | list[ast.stmt]:
        found: list[ast.stmt] = []
        for target in node.targets:
            if isinstance(target, ast.Name) and target.id in self.uncertain:
                value = _operator("undefined", ast.Constant(target.id))
                found.append(located(ast.Assign([_store(target.id)], value), node))
            else:
                found.append(located(ast.Delete([target]), node))
        return found

    # -- expressions -------------------------------------------------------------------------------------------------
    def visit_Name(self, node: ast.Name) -> ast.AST:
        if isinstance(node.ctx, ast.Load) and node.id in self.uncertain and not node.id.startswith("ag__"):
            return located(_operator("ld", node), node)
        return node

    def visit_BoolOp(self, node: ast.BoolOp) -> ast.AST:
        if _binds(node):
            return self.generic_visit(node)
        values = [self.visit(v) for v in node.values]
        found = values[-1]
        for value in reversed(values[:-1]):
            name = "and_" if isinstance(node.op, ast.And) else "or_"
            found = _operator(name, _lambda(value), _lambda(found))
        return located(found, node)

    def visit_UnaryOp(self, node: ast.UnaryOp) -> ast.AST:
        operand = self.visit(node.operand)
        if isinstance(node.op, ast.Not):
            return located(_operator("not_", operand), node)
        node.operand = operand
        return node

    def visit_Compare(self, node: ast.Compare) -> ast.AST:
        plain = all(isinstance(c, ast.Name | ast.Constant | ast.Attribute) for c in node.comparators[:-1])
        if len(node.ops) == 1 or not plain or _binds(node):
            return self.generic_visit(node)
        terms = [node.left, *node.comparators]
        pairs: list[ast.expr] = [
            located(ast.Compare(a, [op], [b]), node) for a, op, b in zip(terms, node.ops, terms[1:], strict=False)
        ]
        return self.visit(located(ast.BoolOp(ast.And(), pairs), node))

    def visit_IfExp(self, node: ast.IfExp) -> ast.AST:
        if _binds(node):
            return self.generic_visit(node)
        test, body, orelse = (self.visit(x) for x in (node.test, node.body, node.orelse))
        return located(_operator("if_exp", test, _lambda(body), _lambda(orelse)), node)

    def visit_Call(self, node: ast.Call) -> ast.AST:
        function = node.func
        if isinstance(function, ast.Name) and function.id in LEFT:
            if function.id == "super" and not node.args and self.first is not None:
                node.args = [_load("__class__"), _load(self.first)]
                return located(node, node.func)
            return self.generic_visit(node)
        self.generic_visit(node)
        if isinstance(function, ast.Attribute) and isinstance(function.value, ast.Name) and function.value.id == "ag__":
            return node
        called = _operator("call", node.func, *node.args)
        called.keywords = node.keywords
        return located(called, node)

    # -- parts -------------------------------------------------------------------------------------------------------
    def _number(self) -> int:
        self.blocks += 1
        return self.blocks

    def _declaration(self, names: Sequence[str]) -> list[ast.stmt]:
        """That a block assigns variables of its function, or of the module."""
        found: list[ast.stmt] = []
        outer = sorted(set(names) & self.global_names)
        own = sorted(set(names) - self.global_names)
        if outer:
            found.append(ast.Global(outer))
        if own:
            found.append(ast.Nonlocal(own))
        return found

    def _function(
        self, name: str, body: list[ast.stmt], names: Sequence[str], like: ast.stmt, *arguments: str
    ) -> ast.FunctionDef:
        """A block as a function."""
        statements = [*self._declaration(names), *body, ast.Pass()]
        return located(ast.FunctionDef(name, _arguments(*arguments), statements, []), like)

    def _call(
        self, operator: str, given: list[ast.expr], number: int, names: Sequence[str], wanted: Sequence[str]
    ) -> ast.Call:
        accessors = _load(f"ag__get_{number}"), _load(f"ag__set_{number}")
        return _operator(operator, *given, *accessors, _tuple(names), _tuple(wanted))

    def _state(self, names: Sequence[str], number: int, like: ast.stmt) -> list[ast.stmt]:
        """The functions that read and set the variables that a block changes."""
        get = ast.FunctionDef(
            f"ag__get_{number}", _arguments(), [ast.Return(ast.Tuple([_load(n) for n in names], ast.Load()))], []
        )
        targets = ast.Tuple([_store(n) for n in names], ast.Store())
        fill: list[ast.stmt] = [ast.Assign([targets], _load("ag__values"))] if names else [ast.Pass()]
        put = ast.FunctionDef(f"ag__set_{number}", _arguments("ag__values"), [*self._declaration(names), *fill], [])
        return [located(get, like), located(put, like)]


def _binds(node: ast.AST) -> bool:
    """Whether an expression gives a variable a value, which it would not within a function of its own."""
    return any(isinstance(n, ast.NamedExpr) for n in ast.walk(node))


def _tuple(names: Sequence[str]) -> ast.expr:
    return ast.Tuple([ast.Constant(name) for name in names], ast.Load())
