"""`torch.fx` beside PyTorch's: the same graphs and code, and the same after changes."""

from __future__ import annotations

import copy
import importlib
import math
import operator
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

import duograph.torch as ours

FRAMEWORKS = (torch, ours)


def fx(tc: Any) -> Any:
    return importlib.import_module(f"{tc.__name__}.fx")


def net(tc: Any) -> Any:
    nn = tc.nn

    class Block(nn.Module):  # type: ignore[misc, name-defined]
        def __init__(self, size: int) -> None:
            super().__init__()
            self.conv = nn.Conv2d(size, size, 3, padding=1)
            self.norm = nn.BatchNorm2d(size)

        def forward(self, x):  # no hints, since PyTorch writes them into the code
            return tc.relu(self.norm(self.conv(x)) + x)

    class Net(nn.Module):  # type: ignore[misc, name-defined]
        def __init__(self) -> None:
            super().__init__()
            self.stem = nn.Conv2d(1, 4, 3)
            self.blocks = nn.ModuleList([Block(4), Block(4)])
            self.scale = nn.Parameter(tc.full((4, 1, 1), 0.5))
            self.register_buffer("shift", tc.full((4, 1, 1), 0.25))
            self.head = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3))

        def forward(self, x, factor=2.0):
            x = self.stem(x)
            for block in self.blocks:
                x = block(x)
            x = x * self.scale + self.shift
            a, b = x.chunk(2, dim=1)
            x = tc.cat((b, a), 1).clamp(max=3.0)
            y = self.head(x) / math.sqrt(4) * factor
            return y, tc.sum(x, dim=(2, 3)), x.shape[-1], -y[:, None, ::2]

    return Net().eval()


def pair() -> tuple[Any, Any]:
    theirs, mine = net(torch), net(ours)
    rng = np.random.default_rng(0)
    state = {n: (rng.random(tuple(v.shape)) + 0.1).astype(np.float32) for n, v in theirs.state_dict().items()}
    for tc, module in ((torch, theirs), (ours, mine)):
        module.load_state_dict({n: tc.tensor(v).to(module.state_dict()[n].dtype) for n, v in state.items()})
    return theirs, mine


X = np.random.default_rng(1).standard_normal((2, 1, 8, 8)).astype(np.float32)


def results(tc: Any, module: Any, *more: Any) -> list[Any]:
    made = module(tc.tensor(X), *more)
    return [
        r.detach().numpy() if isinstance(r, tc.Tensor) else r for r in (made if isinstance(made, tuple) else [made])
    ]


def check(change: Callable[[Any, Any], Any]) -> Any:
    """The changed modules have the same code, and results; and those of ours are as if they ran as they stand."""
    theirs, mine = (change(tc, module) for tc, module in zip(FRAMEWORKS, pair(), strict=True))
    assert mine.code == theirs.code and str(mine.graph) == str(theirs.graph)
    assert list(mine.state_dict()) == list(theirs.state_dict())
    for a, b in zip(results(ours, mine), results(torch, theirs), strict=True):
        np.testing.assert_allclose(a, b, 1e-4, 1e-4)
    return mine


def test_the_graph_of_a_module() -> None:
    made = check(lambda tc, module: fx(tc).symbolic_trace(module))
    _, plain = pair()
    for a, b in zip(results(ours, made, 3.0), results(ours, plain, 3.0), strict=True):
        np.testing.assert_allclose(a, b, 1e-6)
    made.graph.lint()
    assert made.print_readable(False).startswith("class Net(torch.nn.Module):\n    def forward(self, x, factor = 2.0):")
    made(ours.tensor(X))[0].sum().backward()
    assert made.scale.grad is not None and made.stem.weight.grad is not None
    assert ours.compile(made)(ours.tensor(X))[2] == 6


def many_arguments(tc: Any) -> Any:
    def function(x, *rest, scale=1.5, **more):
        first, second = rest[0]
        return {"a": (x @ first).softmax(-1) ** 2, "b": [x.T[0], abs(second) // scale, tc.reshape(x, (2, -1))]}

    return function


def test_functions_and_named_arguments() -> None:
    theirs, mine = (fx(tc).symbolic_trace(many_arguments(tc)).code for tc in FRAMEWORKS)
    assert mine == theirs


def replace_activations(tc: Any, module: Any) -> Any:
    traced = fx(tc).symbolic_trace(module)
    for node in traced.graph.nodes:
        if node.op == "call_function" and node.target is tc.relu:
            with traced.graph.inserting_after(node):
                new = traced.graph.call_function(tc.sigmoid, node.args)
            node.replace_all_uses_with(new)
            traced.graph.erase_node(node)
    traced.recompile()
    return traced


def insert_module(tc: Any, module: Any) -> Any:
    traced = fx(tc).symbolic_trace(module)
    stem = next(node for node in traced.graph.nodes if node.name == "stem")
    traced.add_submodule("extra.act", tc.nn.Hardtanh())
    with traced.graph.inserting_before(stem.next):
        new = traced.graph.call_module("extra.act", (stem,))
    stem.replace_all_uses_with(new, lambda user: user is not new)
    traced.graph.create_node("call_method", "neg", (new,))
    list(traced.graph.nodes)[-2].append(list(traced.graph.nodes)[-1])
    traced.graph.eliminate_dead_code()
    traced.recompile()
    return copy.deepcopy(traced)


def keep_half(tc: Any, module: Any) -> Any:
    traced = fx(tc).symbolic_trace(module)
    output = traced.graph.output_node() if tc is ours else next(n for n in traced.graph.nodes if n.op == "output")
    output.args = (output.args[0][0],)
    traced.graph.eliminate_dead_code()
    traced.delete_all_unused_submodules()
    traced.recompile()
    return traced


@pytest.mark.parametrize("change", [replace_activations, keep_half], ids=lambda f: f.__name__)
def test_changes(change: Any) -> None:
    check(change)


def test_modules_put_in_between() -> None:
    check(insert_module)


def patterns(tc: Any, module: Any) -> Any:
    traced = fx(tc).symbolic_trace(module)

    def pattern(x: Any, y: Any) -> Any:
        return tc.relu(x + y)

    def replacement(x: Any, y: Any) -> Any:
        return tc.sigmoid(x) * tc.tanh(y)

    assert len(fx(tc).replace_pattern(traced, pattern, replacement)) == 2
    return traced


def test_patterns() -> None:
    check(patterns)


def transformed(tc: Any, module: Any) -> Any:
    class Change(fx(tc).Transformer):  # type: ignore[misc]
        def call_function(self, target: Any, args: Any, kwargs: Any) -> Any:
            if target is operator.mul:
                return super().call_function(operator.sub, args, kwargs)
            return super().call_function(target, args, kwargs)

    return Change(fx(tc).symbolic_trace(module)).transform()


def test_transformers() -> None:
    check(transformed)


def test_interpreters() -> None:
    shapes = []
    for tc, module in zip(FRAMEWORKS, pair(), strict=True):
        found = {}

        class Shapes(fx(tc).Interpreter):  # type: ignore[misc]
            def run_node(self, n: Any, found: Any = found, tc: Any = tc) -> Any:
                result = super().run_node(n)
                if isinstance(result, tc.Tensor):
                    n.meta["shape"] = found[n.name] = tuple(result.shape)
                return result

        traced = fx(tc).symbolic_trace(module)
        made = Shapes(traced).run(tc.tensor(X))
        assert tc.allclose(made[0], module(tc.tensor(X))[0], atol=1e-5)
        shapes.append(found)
    assert shapes[0] == shapes[1]


def test_tracers_of_ones_own() -> None:
    graphs = []
    for tc, module in zip(FRAMEWORKS, pair(), strict=True):

        class Own(fx(tc).Tracer):  # type: ignore[misc]
            def is_leaf_module(self, m: Any, module_qualified_name: str) -> bool:
                return type(m).__name__ == "Block" or super().is_leaf_module(m, module_qualified_name)

        graph = Own().trace(module, {"factor": 3.0})
        traced = fx(tc).GraphModule(module, graph)
        graphs.append([(n.op, n.name, n.target) for n in traced.graph.nodes if n.op in ("call_module", "call_method")])
        by_hand = fx(tc).Graph()
        x, y = by_hand.placeholder("x"), by_hand.placeholder("y", default_value=2)
        by_hand.output(by_hand.call_function(operator.mul, (by_hand.call_method("abs", (x,)), y)))
        built = fx(tc).GraphModule({}, by_hand, "ByHand")
        assert built(tc.tensor([-3.0])).tolist() == [6] and type(built).__name__ == "ByHand"
        graphs[-1].append(built.code)
    assert graphs[0] == graphs[1]


@pytest.mark.parametrize("what", ["truth", "loop", "len", "float"])
def test_what_cannot_be_recorded(what: str) -> None:
    kinds = []
    for tc in FRAMEWORKS:

        def function(x: Any) -> Any:
            if what == "truth":
                return x if x.sum() > 0 else -x
            if what == "loop":
                return list(x)
            return len(x) if what == "len" else float(x)

        with pytest.raises(Exception) as caught:  # noqa: PT011
            fx(tc).symbolic_trace(function)
        kinds.append(caught.type.__mro__)
        assert tc.relu(tc.tensor([-1.0])).item() == 0  # functions are what they were
        assert math.sqrt(4.0) == 2
    assert what == "float" or kinds[0][1].__name__ in {kind.__name__ for kind in kinds[1]}


def test_graphs_check_themselves() -> None:
    for tc in FRAMEWORKS:
        graph = fx(tc).Graph()
        x = graph.placeholder("x")
        y = graph.call_function(tc.relu, (x,))
        graph.output(y)
        with pytest.raises(RuntimeError):
            graph.erase_node(y)
        x.prepend(y)
        with pytest.raises(RuntimeError):
            graph.lint()
        with pytest.raises((AssertionError, ValueError)):
            graph.create_node("call", tc.relu)
