"""Loops: what they mean, what is taken out of them, their gradients, and that their length costs nothing to plan."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence

import numpy as np
import pytest

import duograph
import duograph.tf as tf
import duograph.torch as torch
from duograph.codegen.lower import Host, Loop
from duograph.gradient import gradient
from duograph.graph import language as lang
from duograph.graph.batching import batched
from duograph.graph.check import check
from duograph.graph.dtype import DType, bool_, dtype, float32, float64, int64
from duograph.graph.errors import ArgumentError, DTypeError, DuographError, GraphError, IndexOutOfRange, ShapeError
from duograph.graph.node import PRIMITIVES, Graph, Node, Primitive, make, topological
from duograph.graph.scan import Scanned, scan, scan_graph
from duograph.graph.text import read, write
from duograph.ops.loops import scan as scan_tensors
from duograph.runtime import pool
from duograph.runtime.interpreter import Interpretation
from duograph.runtime.native import Native
from tests.compiled_tools import Programs, natively
from tests.primitive_tools import SAMPLES, recorded, run

THOROUGH = os.environ.get("HYPOTHESIS_PROFILE") == "thorough"


def inputs_like(*arrays: np.ndarray) -> tuple[Node, ...]:
    return tuple(
        make(PRIMITIVES["input"], position=k, shape=a.shape, dtype=dtype(a.dtype)) for k, a in enumerate(arrays)
    )


def normal(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng([seed, *shape]).standard_normal(shape)


Step = Callable[..., tuple[Sequence[Node], Sequence[Node]]]


def unrolled(
    step: Step, carries: Sequence[Node], sequences: Sequence[Node], constants: Sequence[Node], *, reverse: bool
) -> Scanned:
    """What `scan` means, node by node."""
    state, states, emitted = tuple(carries), [tuple(carries)], []
    length = sequences[0].shape[0]
    for t in range(length)[:: -1 if reverse else 1]:
        slices = [lang.reshape(lang.narrow(x, 0, t, 1), x.shape[1:]) for x in sequences]
        new, made = step(*state, *slices, *constants)
        state = tuple(new)
        states.append(state)
        emitted.append(tuple(made))
    if reverse:
        states, emitted = states[::-1], emitted[::-1]

    def stacked(columns: Sequence[tuple[Node, ...]]) -> tuple[Node, ...]:
        return tuple(lang.concatenate([lang.expand_dims(x, 0) for x in c], 0) for c in zip(*columns, strict=True))

    return Scanned(stacked(states), stacked(emitted))


def gated(h: Node, c: Node, x: Node, w: Node, v: Node, b: Node) -> tuple[Sequence[Node], Sequence[Node]]:
    """A network with all that is taken out of a loop: products before and behind it, and what is the same each time."""
    total = lang.matmul(x, w) + lang.matmul(h, lang.transpose(v)) + lang.exp(b)
    gate, new = lang.narrow(total, -1, 0, 4), lang.narrow(total, -1, 4, 4)
    c = c * lang.tanh(gate) + lang.sin(new)
    h = lang.tanh(c) * gate
    return (h, c), (lang.sum(h, 0), lang.matmul(h, lang.narrow(w, 1, 0, 5)), x)


GATED = normal(2, 4), normal(2, 4, seed=1), normal(5, 2, 4), normal(4, 8) * 0.5, normal(8, 4) * 0.5, normal(8)


def counting(n: Node, y: Node, x: Node) -> tuple[Sequence[Node], Sequence[Node]]:
    """A whole number among the carries, and a carry that does not depend on the one before."""
    return (n + 2, x * lang.cast(n, float64)), (y * x,)


def swapping(a: Node, b: Node, x: Node) -> tuple[Sequence[Node], Sequence[Node]]:
    """Carries that only change places, and a result of what is before the step."""
    return (b, a), (a * x, b)


def looking_up(h: Node, place: Node, table: Node) -> tuple[Sequence[Node], Sequence[Node]]:
    """Gathers whose places differ in each step, of something that is the same and of something that is not."""
    row = lang.take(table, place)
    return (lang.tanh(h * row),), (lang.take(h, place), row)


PLACES = np.array([[0, 2, 1], [2, 2, 0], [-1, 0, 1], [1, 1, 1]])
CASES: dict[str, tuple[Step, tuple[np.ndarray, ...], int, int]] = {
    "gated": (gated, GATED, 2, 1),
    "counting": (counting, (np.array(3), normal(3), normal(4, 3)), 2, 1),
    "swapping": (swapping, (normal(3), normal(3, seed=1), normal(4, 3)), 2, 1),
    "looking up": (looking_up, (normal(3), PLACES, normal(3)), 1, 1),
}


def each_case(test: Callable[..., None]) -> Callable[..., None]:
    test = pytest.mark.parametrize("reverse", [False, True], ids=["forwards", "backwards"])(test)
    return pytest.mark.parametrize("name", CASES)(test)


def both(name: str, reverse: bool) -> tuple[tuple[Node, ...], list[np.ndarray], Scanned, Scanned]:
    """The inputs, and the results as a loop and node by node."""
    step, arrays, carries, sequences = CASES[name]
    inputs = inputs_like(*arrays)
    parts = inputs[:carries], inputs[carries : carries + sequences], inputs[carries + sequences :]
    return inputs, list(arrays), scan(step, *parts, reverse=reverse), unrolled(step, *parts, reverse=reverse)


def flat(scanned: Scanned) -> list[Node]:
    return [*scanned.states, *scanned.emitted]


def assert_close(received: Sequence[np.ndarray], expected: Sequence[np.ndarray], tolerance: float = 1e-12) -> None:
    assert len(received) == len(expected)
    for mine, theirs in zip(received, expected, strict=True):
        np.testing.assert_allclose(mine, theirs, tolerance, tolerance)


@each_case
def test_a_loop_is_its_steps(name: str, reverse: bool) -> None:
    inputs, arrays, mine, theirs = both(name, reverse)
    check(Graph(inputs, tuple(flat(mine))))
    expected = run(inputs, flat(theirs), arrays)
    assert_close(run(inputs, flat(mine), arrays), expected)
    assert_close(natively(Native(Graph(inputs, tuple(flat(mine))), [None] * len(inputs)), arrays), expected)


def slopes(inputs: Sequence[Node], results: Sequence[Node]) -> list[Node]:
    """The gradient of some number that depends on all results."""
    total = None
    for k, y in enumerate(results):
        if y.dtype.is_floating_point:
            term = lang.sum(lang.sin(y * (k + 1)))
            total = term if total is None else total + term
    assert total is not None
    found = gradient([total], [lang.full((), 1, float64)], inputs)
    return [lang.zeros_like(i) if f is None else f for i, f in zip(inputs, found, strict=True)]


@each_case
def test_gradients_of_two_orders(name: str, reverse: bool) -> None:
    """Against the unrolled steps, whose primitives are compared with finite differences elsewhere."""
    inputs, arrays, mine, theirs = both(name, reverse)
    first = [slopes(inputs, flat(s)) for s in (mine, theirs)]
    second = [slopes(inputs, nodes) for nodes in first]
    graph = Graph(inputs, tuple(first[0] + second[0]))
    check(graph)
    expected = run(inputs, first[1] + second[1], arrays)
    assert_close(run(inputs, list(graph.outputs), arrays), expected, 1e-10)
    assert_close(natively(Native(graph, [None] * len(inputs)), arrays), expected, 1e-10)


@pytest.mark.parametrize("wanted", [[True, False], [False, True]])
def test_the_gradient_of_one_result(wanted: list[bool]) -> None:
    """Cotangents of a state alone, or of what is emitted alone."""
    inputs, arrays, mine, theirs = both("gated", False)
    of = [[s.states[1]] if wanted[0] else [s.emitted[0]] for s in (mine, theirs)]
    received, expected = (run(inputs, slopes(inputs, results), arrays) for results in of)
    assert_close(received, expected, 1e-11)


def bodies_of(*outputs: Node) -> list[Graph]:
    return list({n.call: n["body"] for n in topological(outputs) if n.op.name == "scan"}.values())


def count(graph: Graph, name: str) -> int:
    return sum(n.op.name == name for n in topological(graph.outputs[:2]))


class Bodies(Programs):
    dtypes = (float64, float64, float32, int64, bool_)


def random_loop(seed: int) -> tuple[Graph, list[np.ndarray], list[np.ndarray]]:
    """A loop whose step is a random graph, its inputs, and its results by the interpreter, turn by turn."""
    builder = Bodies(seed, large=seed % 4 == 0)
    for _ in range(builder.integer(4, 16)):
        builder.step()
    roles = sorted("csk".index(builder.choose("ccsk")) for _ in builder.inputs)
    carries, sequences = max(1, roles.count(0)), roles.count(1) - (0 not in roles and 1 in roles)
    exact = [n for n in builder.values if n not in builder.rounded]
    new = [
        builder.choose([n for n in exact if (n.shape, n.dtype) == (i.shape, i.dtype)][-4:])
        for i in builder.inputs[:carries]
    ]
    body = Graph(tuple(builder.inputs), (*new, *(builder.choose(list(builder.values)) for _ in range(2))))
    length, reverse = builder.integer(1, 3), builder.integer(0, 1) == 1
    arrays = [builder.values[i] for i in builder.inputs]
    for k in range(carries, carries + sequences):
        arrays[k] = np.stack([arrays[k], *(builder.rng.permutation(arrays[k].ravel()).reshape(arrays[k].shape)
                                           for _ in range(length - 1))])  # fmt: skip
    state, states, emitted = arrays[:carries], [arrays[:carries]], []
    for t in range(length)[:: -1 if reverse else 1]:
        slices = [x[t] for x in arrays[carries : carries + sequences]]
        found = Interpretation(body)([*state, *slices, *arrays[carries + sequences :]])
        state = found[:carries]
        states.append(state)
        emitted.append(found[carries:])
    pairs = [*zip(*states, strict=True), *zip(*emitted, strict=True)]
    expected = [np.stack(column[:: -1 if reverse else 1]) for column in pairs]
    inputs = inputs_like(*arrays)
    parts = inputs[:carries], inputs[carries : carries + sequences], inputs[carries + sequences :]
    results = flat(scan_graph(body, *parts, length=length, reverse=reverse))
    kept = [k for k in range(len(results)) if builder.integer(0, 3)] or [0]
    return Graph(inputs, tuple(results[k] for k in kept)), arrays, [expected[k] for k in kept]


@pytest.mark.parametrize("seed", range(300 if THOROUGH else 16))
def test_random_steps(seed: int) -> None:
    try:
        with np.errstate(all="ignore"):
            graph, arrays, expected = random_loop(seed)
    except DuographError:
        pytest.skip("a later step refuses its data")
    check(graph)
    for received in (Interpretation(graph)(arrays), natively(Native(graph, [None] * len(arrays)), arrays)):
        for mine, theirs in zip(received, expected, strict=True):
            assert (mine.shape, mine.dtype) == (theirs.shape, theirs.dtype)
            tolerance = 1e-3 if mine.dtype == np.float32 else 1e-8
            np.testing.assert_allclose(mine, theirs, tolerance, tolerance)


class TestWhatIsTakenOut:
    def test_before_the_loop(self) -> None:
        _, _, mine, _ = both("gated", False)
        (body,) = bodies_of(*flat(mine))
        assert count(body, "matmul") == 1, "that of the input stands before the loop, that of the result behind it"
        assert count(body, "exp") == 0, "what is the same in each step is computed once"

    def test_in_the_loop_backwards_is_one_product(self) -> None:
        inputs, _, mine, _ = both("gated", False)
        forwards = bodies_of(*flat(mine))
        both_ways = bodies_of(*slopes(inputs, [mine.states[0]]))
        (backwards,) = [body for body in both_ways if body not in forwards]
        assert count(backwards, "matmul") == 1, "those of weights are behind the loop"
        assert count(backwards, "tanh") + count(backwards, "exp") == 0, "the loop forwards has kept them"

    def test_the_gradient_of_a_weight_is_one_product(self) -> None:
        inputs, _, mine, _ = both("gated", False)
        plan = Native(Graph(inputs, (slopes(inputs, [mine.states[0]])[4],)), [None] * len(inputs))
        (product,) = [n for n in plan.drawn().simple.nodes() if n.op.name == "matmul" and n.shape in ((4, 8), (8, 4))]
        assert product.inputs[0].shape[1] == 5 * 2, "over all steps and rows"

    def test_planning_does_not_depend_on_the_length(self) -> None:
        sizes = []
        for length in (3, 300):
            x, h = inputs_like(normal(length, 2, 4), normal(2, 4))
            states = scan(lambda h, x: ((lang.tanh(h * x),), ()), [h], [x]).states
            plan = Native(Graph((x, h), tuple(slopes((x, h), states))), [None, None])
            sizes.append((len(plan.drawn().simple.nodes()), len(plan.drawn().launches), len(plan.drawn().waves)))
        assert sizes[0] == sizes[1]


BATCHED = {op for op, sample in SAMPLES if sample.inputs and op.name != "random_bits"}


@pytest.mark.parametrize("op", sorted(BATCHED, key=lambda op: op.name), ids=lambda op: op.name)
def test_a_computation_for_many_steps_at_once(op: Primitive) -> None:
    """Every primitive, with one or all of its operands differing from step to step."""
    for sample in (sample for other, sample in SAMPLES if other is op):
        graph = recorded(op, sample)
        count = len(sample.inputs)
        for differ in {(True, *[False] * (count - 1)), (*[False] * (count - 1), True), (True,) * count}:
            steps = [
                [a * s if d and a.dtype.kind in "fc" else a for a, d in zip(sample.inputs, differ, strict=True)]
                for s in (1.0, 0.9, 0.8)
            ]
            expected = np.stack([Interpretation(graph)(list(map(np.asarray, arrays)))[0] for arrays in steps])
            arrays = [np.stack([s[k] for s in steps]) if d else sample.inputs[k] for k, d in enumerate(differ)]
            given = inputs_like(*arrays)
            stacks = {node: x for node, x, d in zip(graph.inputs, given, differ, strict=True) if d}
            others = {node: x for node, x, d in zip(graph.inputs, given, differ, strict=True) if not d}
            (whole,) = batched(graph.outputs, stacks, others, len(steps))
            received = Interpretation(Graph(given, (whole,)))(arrays)[0]
            np.testing.assert_allclose(received, expected, 1e-12, 1e-12)


class TestCompiled:
    def network(self, length: int, batch: int, size: int, kind: DType = float32) -> tuple[Graph, list[np.ndarray]]:
        arrays = [normal(length, batch, size), normal(batch, size), normal(size, size) / size**0.5]
        arrays = [a.astype(kind.numpy) for a in arrays]
        x, h, w = inputs_like(*arrays)
        scanned = scan(lambda h, x, w: ((lang.tanh(lang.matmul(h, w) + x),), ()), [h], [x], [w])
        return Graph((x, h, w), (scanned.states[0],)), arrays

    @pytest.mark.parametrize(("length", "batch", "size"), [(0, 2, 3), (1, 2, 3), (4, 0, 3), (7, 1, 33), (5, 37, 65)])
    def test_sizes(self, length: int, batch: int, size: int) -> None:
        graph, arrays = self.network(length, batch, size)
        plan = Native(graph, [None] * 3)
        expected = Interpretation(graph)(arrays)
        for guards in ("none", "start", "end"):
            assert_close(natively(plan, arrays, guards=guards), expected, 3e-5)

    def test_it_is_one_loop(self) -> None:
        plan = Native(self.network(9, 8, 16)[0], [None] * 3)
        assert sum(isinstance(step, Loop) for step in plan.drawn().launches) == 1
        assert not any(isinstance(step, Host) for step in plan.drawn().launches)
        assert plan.drawn().launches[-1].turns == 9

    @pytest.mark.parametrize("length", [1, 2, 5])
    @pytest.mark.parametrize("reverse", [False, True])
    def test_states_that_nobody_wants_take_no_memory(self, length: int, reverse: bool) -> None:
        arrays = [normal(length, 2, 300), normal(2, 300), normal(2, 300, seed=1)]
        x, h, c = inputs_like(*arrays)

        def step(h: Node, c: Node, x: Node) -> tuple[Sequence[Node], Sequence[Node]]:
            return (lang.tanh(c * x), lang.sin(c + h)), (c * 2,)

        scanned = scan(step, [h, c], [x], reverse=reverse)
        graph = Graph((x, h, c), (scanned.ends(reverse)[0], *scanned.emitted))
        plan = Native(graph, [None] * 3)
        assert plan.drawn().draft.arena <= 4 * (h.nbytes + 64)
        for _ in range(2):
            assert_close(natively(plan, arrays), Interpretation(graph)(arrays))

    def test_weights_are_packed_once(self) -> None:
        arrays = [a.astype(np.float32) for a in (normal(9, 64, 128), normal(64, 128), normal(128, 128) / 12)]
        x, h, w = inputs_like(*arrays)
        scanned = scan(lambda h, x, w: ((lang.tanh(lang.matmul(h, lang.transpose(w)) + x),), ()), [h], [x], [w])
        graph = Graph((x, h, w), (scanned.states[0],))
        plan = Native(graph, [None] * 3)
        (loop,) = [step for step in plan.drawn().launches if isinstance(step, Loop)]
        assert not any(launch.packs for launch in loop.steps)
        assert plan.drawn().preparations, "and are kept from run to run"
        expected = Interpretation(graph)(arrays)
        for _ in range(2):
            assert_close(natively(plan, arrays), expected, 1e-4)

    def test_bits_do_not_depend_on_threads(self) -> None:
        inputs = inputs_like(*(a.astype(np.float32) for a in (normal(6, 70, 96), normal(70, 96), normal(96, 96) / 10)))
        x, h, w = inputs
        scanned = scan(lambda h, x, w: ((lang.tanh(lang.matmul(h, w) + x),), ()), [h], [x], [w])
        cotangent = lang.full(scanned.states[0].shape, 1, float32)
        found = gradient([scanned.states[0]], [cotangent], inputs)
        plan = Native(Graph(inputs, (scanned.states[0], *(f for f in found if f is not None))), [None] * 3)
        arrays = [np.asarray(normal(*i.shape), np.float32) for i in inputs]
        before, seen = pool.get_num_threads(), set()
        try:
            for threads in (1, 2, 5, 1):
                pool.set_num_threads(threads)
                seen.add(b"".join(a.tobytes() for a in natively(plan, arrays)))
        finally:
            pool.set_num_threads(before)
        assert len(seen) == 1

    @pytest.mark.parametrize("order", [(1, 0, 2), (2, 1, 0)])
    def test_sequences_in_any_order(self, order: tuple[int, ...]) -> None:
        graph, arrays = self.network(5, 3, 4)
        plan = Native(graph, [order, None, None])
        assert_close(natively(plan, arrays, [order, None, None]), Interpretation(graph)(arrays), 1e-5)

    @pytest.mark.parametrize("reverse", [False, True])
    def test_a_loop_in_a_loop(self, reverse: bool) -> None:
        arrays = [normal(4, 3, 2), normal(2), normal(2, 2)]

        def outer(h: Node, rows: Node, w: Node) -> tuple[Sequence[Node], Sequence[Node]]:
            def inner(h: Node, x: Node, w: Node) -> tuple[Sequence[Node], Sequence[Node]]:
                new = lang.reshape(lang.matmul(lang.reshape(h, (1, 2)), w), (2,))
                return (lang.tanh(new + x),), (new,)

            scanned = scan(inner, [h], [rows], [w], reverse=reverse)
            return scanned.ends(reverse), scanned.emitted

        x, h, w = inputs_like(*arrays)
        scanned = scan(outer, [h], [x], [w])
        results = [*flat(scanned), *slopes((x, h, w), flat(scanned))]
        theirs = unrolled(outer, [h], [x], [w], reverse=False)
        expected = run((x, h, w), [*flat(theirs), *slopes((x, h, w), flat(theirs))], arrays)
        assert_close(run((x, h, w), results, arrays), expected, 1e-11)
        plan = Native(Graph((x, h, w), tuple(results)), [None] * 3)
        assert not any(isinstance(step, Host) for step in plan.drawn().launches)
        for _ in range(2):
            assert_close(natively(plan, arrays), expected, 1e-11)

    def test_what_no_kernel_computes_is_left_to_the_interpreter(self) -> None:
        arrays = [normal(3, 2, 2) + 2 * np.eye(2), normal(2, 1)]
        x, h = inputs_like(*arrays)
        scanned = scan(lambda h, x: ((lang.solve(x, h) + 1,), (h * 2,)), [h], [x])
        for results in (flat(scanned), scanned.ends(), scanned.emitted):
            graph = Graph((x, h), tuple(results))
            plan = Native(graph, [None] * 2)
            assert any(isinstance(step, Host) for step in plan.drawn().launches)
            assert_close(natively(plan, arrays), Interpretation(graph)(arrays))

    def test_an_error_is_not_lost_where_the_result_is_not_needed(self) -> None:
        places, x = inputs_like(np.array([0, 5]), normal(3))
        (states,) = scan(lambda n, p, x: ((lang.take(lang.cast(x, float64), p),), ()),
                         [lang.full((), 0, float64)], [places], [x]).states  # fmt: skip
        empty = lang.sum(lang.narrow(states, 0, 0, 0))
        with pytest.raises(IndexOutOfRange):
            natively(Native(Graph((places, x), (empty,)), [None] * 2), [np.array([0, 5]), normal(3)])

    def test_refused_data(self) -> None:
        table, places = inputs_like(normal(3), np.array([0, 2, 3, 1]))

        def step(h: Node, place: Node, table: Node) -> tuple[Sequence[Node], Sequence[Node]]:
            return (lang.take(table * h, place),), ()

        (states,) = scan(step, [lang.full((), 1, float64)], [places], [table]).states
        graph = Graph((table, places), (states,), {states: "net.py:7: h = table[place]"})
        plan = Native(graph, [None] * 2)
        for _ in range(2):
            with pytest.raises(IndexOutOfRange, match=r"index 3 is out of range(.|\n)*net.py:7"):
                natively(plan, [normal(3), np.array([0, 2, 3, 1])])
        assert_close(natively(plan, [normal(3), np.array([0, 2, 1, 1])]),
                     Interpretation(graph)([normal(3), np.array([0, 2, 1, 1])]))  # fmt: skip


class TestRecord:
    body = Graph((x := make(PRIMITIVES["input"], position=0, shape=(2,), dtype=float64),), (x + 1,))

    def call(self, x: Node, **changes: object) -> Node:
        attributes = {"body": self.body, "carries": 1, "sequences": 0, "length": 3, "reverse": False, "result": 0}
        return make(PRIMITIVES["scan"], x, **{**attributes, **changes})

    def test_equal_bodies_are_one_node(self) -> None:
        again = Graph(self.body.inputs, (self.x + 1,), {self.x: "a line"})
        assert again == self.body
        assert self.call(self.x, body=again) is self.call(self.x)

    def test_refused(self) -> None:
        with pytest.raises(ShapeError, match=r"input 0: expected shape \(2,\). Received: \(3,\)"):
            self.call(make(PRIMITIVES["input"], position=0, shape=(3,), dtype=float64))
        with pytest.raises(DTypeError, match="input 0: expected float64. Received: float32"):
            self.call(make(PRIMITIVES["input"], position=0, shape=(2,), dtype=float32))
        with pytest.raises(ArgumentError, match="result 1 of 1"):
            self.call(self.x, result=1)
        grown = Graph((self.x,), (lang.concatenate([self.x, self.x]),))
        with pytest.raises(ShapeError, match=r"carry 0: expected float64\[2\] after each step"):
            self.call(self.x, body=grown)

    def test_text(self) -> None:
        graph = Graph((self.x,), (self.call(self.x),))
        text = write(graph)
        assert "%1: f64[4, 2] = scan(%0, body=graph(%0: f64[2]) {" in text
        assert read(text).outputs == graph.outputs
        with pytest.raises(GraphError, match="line 1: expected the name of a primitive. Received: 'ad'"):
            read(text.replace("\n", " ").replace("add", "ad"))

    def test_the_checker_looks_inside(self) -> None:
        stray = make(PRIMITIVES["input"], position=1, shape=(2,), dtype=float64)
        body = Graph(self.body.inputs, (self.x + stray,))
        with pytest.raises(GraphError, match="is not among the graph's inputs"):
            check(Graph((self.x,), (self.call(self.x, body=body),)))


class TestTensors:
    """`ops.loops.scan`: a step in Python, recorded once."""

    def test_values_and_gradients_of_what_is_captured(self) -> None:
        def network(loop: bool) -> list[torch.Tensor]:
            torch.manual_seed(0)
            w, x = torch.randn(4, 4, requires_grad=True), torch.randn(6, 2, 4, requires_grad=True)
            half = w * 0.5  # not yet computed
            h, made = torch.zeros(2, 4), []

            def step(carries: list[torch.Tensor], slices: list[torch.Tensor]) -> tuple[list, list]:
                new = torch.tanh(carries[0] @ half + slices[0] * 2.0)
                return [new], [new.sum(-1)]

            if loop:
                (h,), (sums,) = scan_tensors(step, [h], [x])
            else:
                for t in range(6):
                    (h,), (total,) = step([h], [x[t]])
                    made.append(total)
                sums = torch.stack(made)
            (h.sum() + (sums**2).sum()).backward()
            return [h, sums, w.grad, x.grad]

        for mine, theirs in zip(network(True), network(False), strict=True):
            torch.testing.assert_close(mine, theirs)

    def test_without_sequences_and_backwards(self) -> None:
        (h,), _ = scan_tensors(lambda c, s: ([c[0] * 2], []), [torch.ones(2)], length=5)
        assert h.tolist() == [32, 32]
        x = torch.arange(4.0)
        (h,), (seen,) = scan_tensors(lambda c, s: ([c[0] * 10 + s[0]], [c[0]]), [torch.zeros(())], [x], reverse=True)
        assert (h.item(), seen.tolist()) == (3210, [321, 32, 3, 0])

    def test_a_trace_is_recognised(self) -> None:
        x = torch.randn(7, 3)

        def total() -> float:
            (h,), _ = scan_tensors(lambda c, s: ([torch.tanh(c[0] + s[0])], []), [torch.zeros(3)], [x])
            return h.sum().item()

        total(), total()
        with duograph.debug.plans("plans") as seen:
            total()
        assert seen.count == 0

    @pytest.mark.parametrize(
        "step",
        [
            lambda c, s: ([c[0] + c[0].sum().item()], []),
            lambda c, s: ([c[0] if s[0].sum() > 0 else -c[0]], []),
            lambda c, s: ([c[0] * float(c[0].numpy()[0])], []),
        ],
    )
    def test_a_value_that_is_read(self, step: Callable) -> None:
        with pytest.raises(GraphError, match="recorded once and runs many times"):
            scan_tensors(step, [torch.zeros(3)], [torch.ones(2, 3)])
        assert torch.ones(2).sum().item() == 2, "all is well afterwards"

    def test_a_value_that_is_left_somewhere(self) -> None:
        left: list[torch.Tensor] = []

        def step(c: list[torch.Tensor], s: list[torch.Tensor]) -> tuple[list, list]:
            left.extend([c[0], c[0] + 1])
            return [c[0] * 2], []

        scan_tensors(step, [torch.zeros(3)], [torch.ones(2, 3)])
        for tensor in left:
            with pytest.raises(GraphError, match="outside"):
                (tensor + 1).tolist()

    def test_lengths(self) -> None:
        with pytest.raises(ArgumentError, match="expected one number of turns"):
            scan_tensors(lambda c, s: (c, []), [torch.zeros(3)], [torch.ones(2, 3), torch.ones(3, 3)])
        with pytest.raises(ShapeError, match="carry 0"):
            scan_tensors(lambda c, s: ([torch.cat([c[0], c[0]])], []), [torch.zeros(3)], length=2)

    def test_random_numbers_are_others_in_each_turn(self) -> None:
        def draws() -> torch.Tensor:
            def outer(c: list[torch.Tensor], s: list[torch.Tensor]) -> tuple[list, list]:
                _, (inner,) = scan_tensors(lambda c, s: (c, [torch.rand(5)]), [c[0]], length=3)
                return c, [inner, torch.rand(5)]

            _, (inner, own) = scan_tensors(outer, [torch.zeros(())], length=4)
            return torch.cat([inner.reshape(-1), own.reshape(-1), torch.rand(5)])

        torch.manual_seed(3)
        first = draws()
        assert len(set(first.tolist())) == 4 * 3 * 5 + 4 * 5 + 5
        torch.manual_seed(3)
        assert draws().tolist() == first.tolist()


class TestLayers:
    def test_a_long_sequence_is_quick_to_plan(self) -> None:
        graphs = []
        for steps in (4, 400):
            net = torch.nn.LSTM(3, 5, 2, bidirectional=True)
            x = torch.randn(steps, 2, 3, requires_grad=True)
            with duograph.debug.plans("plans") as seen:
                output, _ = net(x)
                output.sum().backward()
                x.grad.sum().item()
            graphs.append(str(seen).split("nodes")[0].rsplit(" ", 2)[-2])
        assert graphs[0] == graphs[1], "the same number of nodes"

    @pytest.mark.parametrize("kind", ["RNN", "LSTM", "GRU"])
    def test_a_layer_is_its_cell(self, kind: str) -> None:
        torch.manual_seed(0)
        net, cell = getattr(torch.nn, kind)(3, 4), getattr(torch.nn, f"{kind}Cell")(3, 4)
        for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"):
            getattr(cell, name).data = getattr(net, f"{name}_l0").data.clone()
        x, h, outputs = torch.randn(6, 2, 3), None, []
        for t in range(6):
            h = cell(x[t], h)
            outputs.append(h[0] if kind == "LSTM" else h)
        received, _ = net(x)
        torch.testing.assert_close(received, torch.stack(outputs))
        received.square().sum().backward()
        torch.stack(outputs).square().sum().backward()
        for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"):
            mine, theirs = getattr(net, f"{name}_l0").grad, getattr(cell, name).grad
            torch.testing.assert_close(mine, theirs, rtol=1e-4, atol=1e-5)

    @pytest.mark.parametrize("kind", ["RNN", "LSTM", "GRU"])
    def test_packed_sequences_are_their_sequences(self, kind: str) -> None:
        torch.manual_seed(0)
        net = getattr(torch.nn, kind)(3, 4, 2, bidirectional=True)
        lengths = [2, 5, 1, 5]
        sequences = [torch.randn(n, 3) for n in lengths]
        packed = torch.nn.utils.rnn.pack_sequence(sequences, enforce_sorted=False)
        output, last = net(packed)
        parts = torch.nn.utils.rnn.unpack_sequence(output)
        for k, x in enumerate(sequences):
            expected, own = net(x)
            torch.testing.assert_close(parts[k], expected)
            for mine, theirs in zip(last if kind == "LSTM" else [last], own if kind == "LSTM" else [own], strict=True):
                torch.testing.assert_close(mine[:, k], theirs)


class TestTensorFlow:
    @pytest.mark.parametrize("reverse", [False, True])
    def test_scan(self, reverse: bool) -> None:
        x = normal(5, 3).astype(np.float32)
        total = np.cumsum(x[::-1] if reverse else x, 0)[:: -1 if reverse else 1]
        np.testing.assert_allclose(tf.scan(lambda a, row: a + row, x, reverse=reverse), total, 1e-6, 1e-6)
        start = (tf.ones((3,)), tf.constant(0))
        sums, counts = tf.scan(lambda a, row: (a[0] + row, a[1] + 1), x, start, reverse=reverse)
        np.testing.assert_allclose(sums, total + 1, 1e-6, 1e-6)
        assert np.asarray(counts).tolist() == [1, 2, 3, 4, 5][:: -1 if reverse else 1]

    def test_gradients(self) -> None:
        x, w = tf.Variable(normal(4, 3)), tf.Variable(normal(3))
        with tf.GradientTape() as tape:
            y = tf.reduce_sum(tf.foldl(lambda a, row: tf.tanh(a * w + row), x))
        received = tape.gradient(y, [x, w])
        with tf.GradientTape() as tape:
            a = x[0]
            for t in range(1, 4):
                a = tf.tanh(a * w + x[t])
            y = tf.reduce_sum(a)
        for mine, theirs in zip(received, tape.gradient(y, [x, w]), strict=True):
            np.testing.assert_allclose(mine, theirs, 1e-10, 1e-10)

    def test_refused(self) -> None:
        with pytest.raises(TypeError, match="fn must give"):
            tf.scan(lambda a, row: tf.cast(a, tf.float64), tf.ones((3, 2)))
        with pytest.raises(GraphError, match="cannot be read"):
            tf.scan(lambda a, row: a + row if float(row[0]) > 0 else a, tf.ones((3, 2)))


def test_the_log_shows_what_a_turn_runs() -> None:
    with duograph.debug.plans("fusion", "profile", "kernels", "memory", "layout", "graph") as seen:
        x, w = torch.randn(5, 8, 16), torch.randn(16, 16)
        (h,), _ = scan_tensors(lambda c, s: ([torch.tanh(c[0] @ w + s[0])], []), [torch.zeros(8, 16)], [x])
        received = h.tolist()
    text = str(seen)
    assert "5 turns of\n" in text
    assert "scan(" in text
    expected = torch.zeros(8, 16)
    for t in range(5):
        expected = torch.tanh(expected @ w + x[t])
    np.testing.assert_allclose(received, expected.tolist(), 1e-5, 1e-6)
