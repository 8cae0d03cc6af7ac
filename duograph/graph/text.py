"""GraphDL: graphs as text, and back. The language is specified in docs/graphdl.md."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable
from typing import Any, NoReturn

from .dtype import BY_NAME, DType
from .errors import DuographError, GraphError
from .node import PRIMITIVES, Graph, Node, Shape, make

_ABBREVIATIONS = (("bfloat", "bf"), ("float", "f"), ("uint", "u"), ("int", "i"), ("complex", "c"), ("bool", "bool"))
_RESULT = ("shape", "dtype")
"""Attributes of these names say what the result is, and the result's type says it already."""


def _abbreviate(dtype: DType) -> str:
    long, short = next(pair for pair in _ABBREVIATIONS if dtype.name.startswith(pair[0]))
    return short + dtype.name[len(long) :]


_SHORT = {d: _abbreviate(d) for d in BY_NAME.values()}
_BY_SHORT = {short: d for d, short in _SHORT.items()}


def write(graph: Graph) -> str:
    """The graph in GraphDL: one node a line, numbered inputs first. A function of the graph alone."""
    nodes = graph.nodes()
    names = {node: f"%{k}" for k, node in enumerate((*graph.inputs, *(n for n in nodes if n not in set(graph.inputs))))}
    parameters = ", ".join(f"{names[node]}: {_type(node)}" for node in graph.inputs)
    text = [f"graph({parameters}) {{"]
    line = None
    for node in nodes:
        if node in graph.inputs:
            continue
        if graph.lines.get(node) != line:
            line = graph.lines.get(node)
            text.append(f"  # {' '.join(line.split())}" if line else "  #")
        operands = [names[i] for i in node.inputs]
        named = [f"{name}={_spell(value)}" for name, value in node.attributes if not _implied(node, name, value)]
        text.append(f"  {names[node]}: {_type(node)} = {node.op.name}({', '.join(operands + named)})")
    text.append(f"  return {', '.join(names[o] for o in graph.outputs)}".rstrip())
    return "\n".join([*text, "}", ""])


def _type(node: Node) -> str:
    return f"{_SHORT[node.dtype]}[{', '.join(map(str, node.shape))}]"


def _implied(node: Node, name: str, value: Any) -> bool:
    return name in _RESULT and value == getattr(node, name)


def _spell(value: Any) -> str:
    if isinstance(value, DType):
        return _SHORT[value]
    if isinstance(value, tuple):
        return f"({', '.join(map(_spell, value))}{',' if len(value) == 1 else ''})"
    if value is None or isinstance(value, bool | int | float | str):
        return repr(value)
    if isinstance(value, complex):
        return f"complex({value.real!r}, {value.imag!r})"
    if isinstance(value, Graph):
        return write(Graph(value.inputs, value.outputs)).rstrip().replace("\n", "\n  ")
    raise GraphError(f"GraphDL has no form for an attribute of type {type(value).__name__}. Received: {value!r}")


def read(text: str) -> Graph:
    """The graph that a text in GraphDL describes: `read(write(graph))` has the very nodes of `graph`.

    Raises GraphError with the number of the line where the text is not GraphDL, or states another shape or dtype than
    the operation gives.
    """
    return _Reader(text).graph()


_TOKEN = re.compile(
    r"""\s*(?:
    (?P<comment>\#[^\n]*)
  | (?P<node>%\d+)
  | (?P<number>-?(?:inf|nan)\b|-?\d+(?:\.\d*)?(?:[eE][-+]?\d+)?)
  | (?P<word>[A-Za-z_]\w*)
  | (?P<string>'(?:[^'\\\n]|\\.)*'|"(?:[^"\\\n]|\\.)*")
  | (?P<mark>[()\[\]{}:,=])
  | (?P<end>\Z)
  | (?P<other>.)
    )""",
    re.VERBOSE,
)
_WORDS = {"True": True, "False": False, "None": None, **_BY_SHORT}


class _Reader:
    """A recursive-descent parser, one method a rule of the grammar."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.nodes: dict[str, Node] = {}
        self.lines: dict[Node, str] = {}
        self.line: str | None = None  # the source line that the latest comment gives
        self.advance()

    def advance(self) -> None:
        """Read the next token; comments set the source line of the nodes after them."""
        while True:
            match = _TOKEN.match(self.text, self.at)
            assert match is not None  # the alternative `other` takes any character
            self.kind, self.at = str(match.lastgroup), match.end()
            self.token, self.start = match[self.kind], match.start(self.kind)
            if self.kind != "comment":
                return
            self.line = self.token[1:].strip() or None

    def fail(self, expected: str) -> NoReturn:
        received = repr(self.token) if self.token else "the end"
        raise self.error(f"expected {expected}. Received: {received}")

    def error(self, complaint: str) -> GraphError:
        return GraphError(f"GraphDL, line {self.text.count(chr(10), 0, self.start) + 1}: {complaint}")

    def take(self, kind: str, expected: str) -> str:
        if self.kind != kind:
            self.fail(expected)
        token = self.token
        self.advance()
        return token

    def sees(self, token: str) -> bool:
        return self.token == token and self.kind in ("mark", "word")

    def expect(self, token: str) -> None:
        if not self.sees(token):
            self.fail(repr(token))
        self.advance()

    def listed(self, close: str, item: Callable[[], Any]) -> list[Any]:
        """Items up to the mark `close`, with commas between them and perhaps one after the last."""
        items = []
        while not self.sees(close):
            items.append(item())
            if not self.sees(close):
                self.expect(",")
        self.advance()
        return items

    def graph(self) -> Graph:
        found = self.graph_within()
        if self.kind != "end":
            self.fail("the end")
        return found

    def graph_within(self) -> Graph:
        self.expect("graph")
        self.expect("(")
        inputs = self.listed(")", self.parameter)
        self.expect("{")
        while self.kind == "node":
            self.statement()
        self.expect("return")
        outputs = self.listed("}", self.operand)
        return Graph(tuple(inputs), tuple(outputs), self.lines)

    def parameter(self) -> Node:
        name = self.name()
        shape, dtype = self.type()
        node = make(PRIMITIVES["input"], position=len(self.nodes), shape=shape, dtype=dtype)
        self.nodes[name] = node
        return node

    def name(self) -> str:
        if self.token in self.nodes:
            raise self.error(f"{self.token} is defined twice")
        name = self.take("node", "a node such as %0")
        self.expect(":")
        return name

    def type(self) -> tuple[Shape, DType]:
        dtype = _BY_SHORT.get(self.token)
        if dtype is None:
            self.fail(f"a dtype, one of {', '.join(_BY_SHORT)}")
        self.advance()
        self.expect("[")
        return tuple(self.listed("]", self.size)), dtype

    def size(self) -> int:
        if not self.token.isdecimal():
            self.fail("a size")
        return int(self.take("number", "a size"))

    def statement(self) -> None:
        line, start = self.line, self.start
        name = self.name()
        shape, dtype = self.type()
        self.expect("=")
        op = PRIMITIVES.get(self.token)
        if op is None:
            self.fail("the name of a primitive")
        self.advance()
        self.expect("(")
        operands, attributes = [], {}
        for key, value in self.listed(")", self.argument):
            if key is None:
                operands.append(value)
            else:
                attributes[key] = value
        for key, value in zip(_RESULT, (shape, dtype), strict=True):
            if key in op.attributes:
                attributes.setdefault(key, value)
        try:
            node = make(op, *operands, **attributes)
        except DuographError as error:
            self.start = start
            raise self.error(str(error)) from error
        if (node.shape, node.dtype) != (shape, dtype):
            self.start = start
            stated = f"{_SHORT[dtype]}[{', '.join(map(str, shape))}]"
            raise self.error(f"{op.name} gives {_type(node)}. Received: {stated}")
        self.nodes[name] = node
        if line is not None:
            self.lines[node] = line

    def argument(self) -> tuple[str | None, Any]:
        if self.kind == "node":
            return None, self.operand()
        key = self.take("word", "a node or an attribute")
        self.expect("=")
        return key, self.value()

    def operand(self) -> Node:
        if self.kind == "node" and self.token not in self.nodes:
            raise self.error(f"{self.token} is used before it is defined")
        return self.nodes[self.take("node", "a node")]

    def nested(self) -> Graph:
        """A graph as an attribute: its nodes have names of their own, and the source line of their operation."""
        outside = self.nodes, self.lines, self.line
        self.nodes, self.lines, self.line = {}, {}, None
        found = self.graph_within()
        self.nodes, self.lines, self.line = outside
        return Graph(found.inputs, found.outputs)

    def value(self) -> Any:
        if self.sees("graph"):
            return self.nested()
        if self.sees("complex"):
            self.advance()
            self.expect("(")
            parts = self.listed(")", self.value)
            if len(parts) != 2 or not all(type(part) is float for part in parts):
                raise self.error(f"expected the two parts of a complex number. Received: {tuple(parts)}")
            return complex(*parts)
        if self.sees("("):
            self.advance()
            return tuple(self.listed(")", self.value))
        if self.kind == "word" and self.token in _WORDS:
            return _WORDS[self.take("word", "a value")]
        if self.kind == "string":
            return ast.literal_eval(self.take("string", "a string"))
        number = self.take("number", "a number, string, dtype, True, False, None, graph or tuple of these")
        return int(number) if number.lstrip("-").isdecimal() else float(number)
