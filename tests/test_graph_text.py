"""GraphDL: what it looks like, and what the reader refuses."""

from __future__ import annotations

import math
import re
from pathlib import Path

import pytest

from duograph.graph import language as lang
from duograph.graph.dtype import ALL, bfloat16, bool_, float16, float32, int64, uint8
from duograph.graph.errors import GraphError
from duograph.graph.node import PRIMITIVES, Graph, constant, make
from duograph.graph.text import read, write

X = make(PRIMITIVES["input"], position=0, shape=(32, 64), dtype=float32)
W = make(PRIMITIVES["input"], position=1, shape=(64, 10), dtype=float32)
B = make(PRIMITIVES["input"], position=2, shape=(10,), dtype=float32)

TEXT = """\
graph(%0: f32[32, 64], %1: f32[64, 10], %2: f32[10]) {
  # net.py:12: y = x @ self.w + self.b
  %3: f32[32, 10] = matmul(%0, %1)
  %4: f32[32, 10] = add(%3, %2)
  # net.py:13: return relu(y).sum(0)
  %5: f32[] = constant(value=0.0)
  %6: bool[32, 10] = less(%4, %5)
  %7: f32[32, 10] = select(%6, %5, %4)
  %8: f32[10] = sum(%7, axes=(0,))
  #
  %9: f16[10] = cast(%8)
  return %9, %3
}
"""


def example() -> Graph:
    product = lang.matmul(X, W)
    y = product + B
    zero = constant(0.0, float32)
    below = y < zero
    chosen = lang.select(below, zero, y)
    total = lang.sum(chosen, 0)
    first, second = "net.py:12: y = x @ self.w + self.b", "net.py:13: return relu(y).sum(0)"
    lines = {product: first, y: first, zero: second, below: second, chosen: second, total: second}
    return Graph((X, W, B), (lang.cast(total, float16), product), lines)


def test_looks_like_this() -> None:
    graph = example()
    assert write(graph) == TEXT
    assert repr(graph) == TEXT


def test_reads_back_to_the_same_nodes() -> None:
    graph, again = example(), read(TEXT)
    assert again.inputs == graph.inputs
    assert again.outputs == graph.outputs
    assert again.lines == graph.lines


def test_spacing_and_numbers_are_free() -> None:
    graph = read("graph(%7:f32[3,],)\n{ # a.py:1: x\n%1:f32[]=sum(%7,axes=(0,))\n\n\n return\n%1,}")
    assert write(graph) == "graph(%0: f32[3]) {\n  # a.py:1: x\n  %1: f32[] = sum(%0, axes=(0,))\n  return %1\n}\n"


def test_dtypes() -> None:
    graph = Graph(tuple(make(PRIMITIVES["input"], position=k, shape=(), dtype=d) for k, d in enumerate(ALL)), ())
    text = write(graph)
    assert "bool[], %1: u8[], %2: u16[], %3: u32[], %4: u64[], %5: i8[], %6: i16[], %7: i32[], %8: i64[]" in text
    assert "%9: f16[], %10: bf16[], %11: f32[], %12: f64[]" in text
    assert read(text).inputs == graph.inputs


@pytest.mark.parametrize(
    ("value", "dtype"),
    [
        (0.0, float32), (-0.0, float32), (math.inf, float32), (-math.inf, bfloat16), (math.nan, float32),
        (1e-45, float32), (-7, int64), (2**63 - 1, int64), (255, uint8), (True, bool_), (1.0, float32),
    ],
)  # fmt: skip
def test_constants_survive(value: float, dtype: object) -> None:
    graph = Graph((), (constant(value, dtype),))
    assert read(write(graph)).outputs == graph.outputs


def test_attributes_survive() -> None:
    y = lang.put(X, lang.iota(3, int64), lang.narrow(X, 0, 0, 3), 0, "add")
    y = lang.pad(y, (1, -2), (0, 3), (0, 1), math.inf)
    graph = Graph((X,), (lang.apply("argsort", y, axis=1, descending=True),))
    text = write(graph)
    assert "axis=0, mode='add')" in text
    assert "low=(1, -2), high=(0, 3), interior=(0, 1))" in text
    assert "descending=True)" in text
    assert read(text).outputs == graph.outputs


def test_a_source_line_with_a_line_break_stays_one_comment() -> None:
    y = lang.exp(X)
    graph = Graph((X,), (y,), {y: "a.py:1: f(\n  x)"})
    assert "  # a.py:1: f( x)\n" in write(graph)
    assert read(write(graph)).outputs == (y,)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "line 1: expected 'graph'. Received: the end"),
        ("graph(", "expected a node such as %0. Received: the end"),
        ("graph(%0: f32[2]) { return %1 }", "%1 is used before it is defined"),
        ("graph(%0: f32[2], %0: f32[2]) { return }", "%0 is defined twice"),
        ("graph(%0: f33[2]) { return }", "expected a dtype, one of bool, u8"),
        ("graph(%0: f32[-2]) { return }", "expected a size. Received: '-2'"),
        ("graph() {\n  %0: f32[] = expo()\n return %0 }", "line 2: expected the name of a primitive. Received: 'expo'"),
        ("graph(%0: f32[2]) {\n\n %1: f32[3] = exp(%0) return %1 }", r"line 3: exp gives f32\[2\]. Received: f32\[3\]"),
        ("graph(%0: f32[2]) { %1: f32[] = sum(%0) return %1 }", "sum needs the attribute 'axes'"),
        ("graph(%0: f32[2]) { %1: f32[] = sum(%0, axes=(1,)) return %1 }", "line 1: expected sorted axes"),
        ("graph(%0: f32[2]) { %1: f32[] = sum(%0, axes=@) return %1 }", "expected a number, .* Received: '@'"),
        ("graph(%0: f32[2]) { %1: f32[] = sum(%0 axes=(0,)) return %1 }", "expected ','. Received: 'axes'"),
        ("graph() { return } graph", "expected the end. Received: 'graph'"),
    ],
)
def test_the_reader_says_where_and_what(text: str, complaint: str) -> None:
    with pytest.raises(GraphError, match=complaint):
        read(text)


def test_an_attribute_without_a_form_is_refused() -> None:
    x = make(PRIMITIVES["input"], position=0, shape=(), dtype=float32)
    node = make(PRIMITIVES["constant"], value=frozenset(), dtype=float32)
    with pytest.raises(GraphError, match="no form for an attribute of type frozenset"):
        write(Graph((x,), (node,)))


class TestSpecification:
    """docs/graphdl.md says what is true."""

    SPECIFICATION = (Path(__file__).parent.parent / "docs" / "graphdl.md").read_text()

    def test_lists_every_primitive_under_its_kind(self) -> None:
        rows = re.findall(r"^\| (\w+) \| (`.*) \|$", self.SPECIFICATION, re.MULTILINE)
        listed = {(kind, name) for kind, names in rows for name in re.findall(r"`(\w+)`", names)}
        assert listed == {(op.kind, op.name) for op in PRIMITIVES.values()}

    def test_its_example_is_graphdl(self) -> None:
        text = self.SPECIFICATION.split("```\n")[1]
        assert write(read(text)) == text
