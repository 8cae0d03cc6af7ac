"""Control flow that data decide: one of two computations, and one that is repeated for as long as a condition holds."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from .. import control
from .. import language as lang
from ..dtype import DType, bool_, float64, int64
from ..errors import ArgumentError, DTypeError, ShapeError
from ..evaluation import evaluate_graph
from ..node import PRIMITIVES, Graph, Node, Primitive, Sample, Shape, make, register
from .samples import uniform

Type = tuple[Shape, DType]


def _types(nodes: Sequence[Node]) -> list[Type]:
    return [(node.shape, node.dtype) for node in nodes]


def _spell(kind: Type) -> str:
    return f"{kind[1].name}{list(kind[0])}"


def _check_inputs(name: str, shapes: Sequence[Shape], graph: Graph) -> None:
    if len(shapes) != len(graph.inputs):
        raise ArgumentError(f"{name}: expected {len(graph.inputs)} inputs for its graph. Received: {len(shapes)}")
    for k, (shape, node) in enumerate(zip(shapes, graph.inputs, strict=True)):
        if shape != node.shape:
            raise ShapeError(f"{name}: input {k}: expected shape {node.shape}. Received: {shape}")


def _check_dtypes(name: str, dtypes: Sequence[DType], graph: Graph) -> None:
    for k, (dtype, node) in enumerate(zip(dtypes, graph.inputs, strict=True)):
        if dtype is not node.dtype:
            raise DTypeError(f"{name}: input {k}: expected {node.dtype.name}. Received: {dtype.name}")


def _check_result(name: str, result: int, count: int) -> None:
    if not 0 <= result < count:
        raise ArgumentError(f"{name}: expected one of {count} results. Received: result {result}")


def _in_torch(torch: Any, graph: Graph, tensors: Sequence[Any]) -> list[Any]:
    values = dict(zip(graph.inputs, tensors, strict=True))
    for node in graph.nodes():
        if node not in values:
            assert node.op.torch is not None
            values[node] = node.op.torch(torch, *(values[i] for i in node.inputs), **dict(node.attributes))
    return [values[output] for output in graph.outputs]


# One of two.


def _cond_shape(predicate: Shape, *shapes: Shape, then: Graph, otherwise: Graph, result: int) -> Shape:
    if predicate != ():
        raise ShapeError(f"cond: expected one truth value to choose by. Received: shape {predicate}")
    for graph in (then, otherwise):
        _check_inputs("cond", shapes, graph)
    if _types(then.outputs) != _types(otherwise.outputs):
        found = [[_spell(kind) for kind in _types(graph.outputs)] for graph in (then, otherwise)]
        raise ShapeError(f"cond: expected both branches to give the same. Received: {found[0]} and {found[1]}")
    _check_result("cond", result, len(then.outputs))
    return then.outputs[result].shape


def _cond_dtype(predicate: DType, *dtypes: DType, then: Graph, otherwise: Graph, result: int) -> DType:
    if predicate is not bool_:
        raise DTypeError(f"cond: expected a truth value to choose by. Received: {predicate.name}")
    for graph in (then, otherwise):
        _check_dtypes("cond", dtypes, graph)
    return then.outputs[result].dtype


def _cond_evaluate(
    predicate: np.ndarray, *arrays: np.ndarray, then: Graph, otherwise: Graph, result: int | None
) -> Any:
    found = evaluate_graph(then if predicate else otherwise, arrays)
    return found if result is None else found[result]


def _cond_torch(torch: Any, predicate: Any, *tensors: Any, then: Graph, otherwise: Graph, result: int) -> Any:
    return _in_torch(torch, then if predicate else otherwise, tensors)[result]


def _input(position: int, *shape: int, dtype: DType = float64) -> Node:
    return make(PRIMITIVES["input"], position=position, shape=shape, dtype=dtype)


def _cond_samples() -> Iterable[Sample]:
    x, y = _input(0, 2, 3), _input(1, 3, 3)
    then = Graph((x, y), (lang.tanh(lang.matmul(x, y)), lang.sum(x)))
    otherwise = Graph((x, y), (x * x, lang.sum(y)))
    for truth in (True, False):
        for result in range(2):
            arrays = np.array(truth), uniform(-1, 1, 2, 3), uniform(-2, 2, 3, 3)
            yield Sample(arrays, {"then": then, "otherwise": otherwise, "result": result})


register(
    Primitive(
        name="cond",
        kind="control",
        arity=None,
        attributes=("then", "otherwise", "result"),
        shape=_cond_shape,
        dtype=_cond_dtype,
        evaluate=_cond_evaluate,
        gradient=control.gradient_of_cond,
        torch=_cond_torch,
        samples=_cond_samples,
        moves_bits=True,
        joint=True,
    )
)


# Repeated while a condition holds.


def _while_shape(*shapes: Shape, condition: Graph, body: Graph, carries: int, result: int) -> Shape:
    for graph in (condition, body):
        _check_inputs("while_loop", shapes, graph)
    if not 0 < carries <= len(shapes) or len(body.outputs) != carries:
        raise ArgumentError(
            f"while_loop: expected a body that gives its carries, one at least, and nothing else. "
            f"Received: {carries} carries, {len(shapes)} inputs and {len(body.outputs)} results"
        )
    if _types(condition.outputs) != [((), bool_)]:
        found = [_spell(kind) for kind in _types(condition.outputs)]
        raise ShapeError(f"while_loop: expected a condition that gives one truth value. Received: {found}")
    for k, (before, after) in enumerate(zip(_types(body.inputs), _types(body.outputs), strict=False)):
        if before != after:
            raise ShapeError(
                f"while_loop: carry {k}: expected {_spell(before)} after each turn as before it. "
                f"Received: {_spell(after)}"
            )
    _check_result("while_loop", result, carries)
    return body.outputs[result].shape


def _while_dtype(*dtypes: DType, condition: Graph, body: Graph, carries: int, result: int) -> DType:
    for graph in (condition, body):
        _check_dtypes("while_loop", dtypes, graph)
    return body.outputs[result].dtype


def _while_evaluate(*arrays: np.ndarray, condition: Graph, body: Graph, carries: int, result: int | None) -> Any:
    state, constants = list(arrays[:carries]), arrays[carries:]
    while evaluate_graph(condition, (*state, *constants))[0]:
        state = evaluate_graph(body, (*state, *constants))
    return state if result is None else state[result]


def _while_torch(torch: Any, *tensors: Any, condition: Graph, body: Graph, carries: int, result: int) -> Any:
    state, constants = list(tensors[:carries]), tensors[carries:]
    while _in_torch(torch, condition, (*state, *constants))[0]:
        state = _in_torch(torch, body, (*state, *constants))
    return state[result]


def _doubling() -> tuple[Graph, Graph]:
    """While the sum of x is below `bound`, x becomes 1.5 x + sin(c), and the turns are counted."""
    n, x, bound, c = _input(0, dtype=int64), _input(1, 3), _input(2), _input(3, 3)
    condition = Graph((n, x, bound, c), (lang.sum(x) < bound,))
    body = Graph((n, x, bound, c), (n + 1, x * 1.5 + lang.sin(c)))
    return condition, body


def _doubling_arrays(bound: float) -> tuple[np.ndarray, ...]:
    return np.array(0), uniform(0.5, 1, 3), np.array(bound), uniform(0.2, 1, 3)


def _while_samples() -> Iterable[Sample]:
    condition, body = _doubling()
    for bound in (10.3, 0.1):  # some turns, and none
        for result in range(2):
            attributes = {"condition": condition, "body": body, "carries": 2, "result": result}
            yield Sample(_doubling_arrays(bound), attributes)


register(
    Primitive(
        name="while_loop",
        kind="control",
        arity=None,
        attributes=("condition", "body", "carries", "result"),
        shape=_while_shape,
        dtype=_while_dtype,
        evaluate=_while_evaluate,
        gradient=control.gradient_of_while_loop,
        torch=_while_torch,
        samples=_while_samples,
        moves_bits=True,
        joint=True,
    )
)


# Its gradient: the turns once more, keeping what each started from, and then backwards.
#
# The inputs are those of the loop and the cotangents of its carries of floating point, in their order. `pull` takes
# the same, the carries being those that one turn started from, and gives the cotangents of these carries and then what
# the turn adds to those of some constants.


def _pulled(condition: Graph, body: Graph, pull: Graph, carries: int) -> tuple[int, int]:
    """How many carries have cotangents, and how many constants."""
    received = len(pull.inputs) - len(body.inputs)
    return received, len(pull.outputs) - received


def _while_gradient_shape(
    *shapes: Shape, condition: Graph, body: Graph, pull: Graph, carries: int, result: int
) -> Shape:
    _while_shape(*shapes[: len(body.inputs)], condition=condition, body=body, carries=carries, result=0)
    _check_inputs("while_loop_gradient", shapes, pull)
    received, constants = _pulled(condition, body, pull, carries)
    seeds = pull.inputs[len(body.inputs) :]
    if not 0 < received <= carries or constants < 0 or _types(pull.outputs[:received]) != _types(seeds):
        raise ShapeError(
            f"while_loop_gradient: expected a pull that gives, first, what it takes after the inputs of the body. "
            f"Received: {_types(pull.outputs)} for {_types(seeds)}"
        )
    _check_result("while_loop_gradient", result, len(pull.outputs))
    return pull.outputs[result].shape


def _while_gradient_dtype(
    *dtypes: DType, condition: Graph, body: Graph, pull: Graph, carries: int, result: int
) -> DType:
    _check_dtypes("while_loop_gradient", dtypes, pull)
    return pull.outputs[result].dtype


def _while_gradient_evaluate(
    *arrays: np.ndarray, condition: Graph, body: Graph, pull: Graph, carries: int, result: int | None
) -> Any:
    state, constants, found = (
        list(arrays[:carries]), arrays[carries : len(body.inputs)], list(arrays[len(body.inputs) :])
    )  # fmt: skip
    received, _ = _pulled(condition, body, pull, carries)
    states = []
    while evaluate_graph(condition, (*state, *constants))[0]:
        states.append(state)
        state = evaluate_graph(body, (*state, *constants))
    totals = [np.zeros(o.shape, o.dtype.numpy) for o in pull.outputs[received:]]
    for state in reversed(states):
        pulled = evaluate_graph(pull, (*state, *constants, *found))
        found = pulled[:received]
        totals = [(a + b).astype(a.dtype) for a, b in zip(totals, pulled[received:], strict=True)]
    everything = [*found, *totals]
    return everything if result is None else everything[result]


def _while_gradient_torch(
    torch: Any, *tensors: Any, condition: Graph, body: Graph, pull: Graph, carries: int, result: int
) -> Any:
    count = len(body.inputs)
    state, constants, found = list(tensors[:carries]), tensors[carries:count], list(tensors[count:])
    received, _ = _pulled(condition, body, pull, carries)
    states = []
    while _in_torch(torch, condition, (*state, *constants))[0]:
        states.append(state)
        state = _in_torch(torch, body, (*state, *constants))
    totals = [torch.zeros(o.shape, dtype=getattr(torch, o.dtype.name)) for o in pull.outputs[received:]]
    for state in reversed(states):
        pulled = _in_torch(torch, pull, (*state, *constants, *found))
        found = pulled[:received]
        totals = [a + b for a, b in zip(totals, pulled[received:], strict=True)]
    return [*found, *totals][result]


def _while_gradient_samples() -> Iterable[Sample]:
    n, x, a = _input(0, dtype=int64), _input(1, 2), _input(2, 2)
    condition = Graph((n, x, a), (n < 3,))
    body = Graph((n, x, a), (n + 1, lang.sin(x) * a))
    dx = _input(3, 2)
    pull = Graph((n, x, a, dx), (lang.cos(x) * a * dx, lang.sin(x) * dx))
    for start in (0, 3):
        for result in range(2):
            arrays = np.array(start), uniform(-1, 1, 2), uniform(0.5, 1, 2), uniform(-1, 1, 2)
            yield Sample(arrays, {"condition": condition, "body": body, "pull": pull, "carries": 2, "result": result})


register(
    Primitive(
        name="while_loop_gradient",
        kind="control",
        arity=None,
        attributes=("condition", "body", "pull", "carries", "result"),
        shape=_while_gradient_shape,
        dtype=_while_gradient_dtype,
        evaluate=_while_gradient_evaluate,
        gradient=control.gradient_of_while_loop_gradient,
        torch=_while_gradient_torch,
        samples=_while_gradient_samples,
        moves_bits=True,
        joint=True,
    )
)
