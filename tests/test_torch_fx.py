"""`torch.fx`: graphs of programs, which are changed and run. The comparison with PyTorch's is in `tests/peers`."""

from __future__ import annotations

import copy
import math
import pickle
from typing import Any

import pytest

import duograph.torch as torch
from duograph.torch import fx
from duograph.torch.nn.functional import gelu


class Net(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first = torch.nn.Linear(3, 4)
        self.scale = torch.nn.Parameter(torch.full((4,), 2.0))
        self.register_buffer("shift", torch.ones(4))

    def forward(self, x: Any, *, power: int = 1) -> Any:
        y = gelu(self.first(x)) * self.scale + self.shift
        return (y / math.sqrt(4)).pow(power), y.shape


def test_a_module_is_recorded_and_runs() -> None:
    net, x = Net(), torch.randn(2, 3)
    traced = fx.symbolic_trace(net)
    assert "gelu = torch.nn.functional.gelu(first)" in traced.code and "pow(power)" in traced.code
    for power in (1, 2):
        (a, b), (c, d) = traced(x, power=power), net(x, power=power)
        assert torch.equal(a, c) and b == d
    assert traced.first is net.first and isinstance(traced, torch.nn.Module) and isinstance(traced, fx.GraphModule)
    traced(x)[0].sum().backward()
    assert net.scale.grad is not None
    assert not isinstance(gelu(x), fx.Proxy) and torch.nn.Module.__call__(net, x)[1] == (2, 4)


def test_graphs_are_changed_copied_and_pickled() -> None:
    traced = fx.symbolic_trace(Net())
    (gelus,) = traced.graph.find_nodes(op="call_function", target=gelu)
    gelus.target = torch.tanh
    traced.recompile()
    x = torch.randn(2, 3)
    expected = (torch.tanh(traced.first(x)) * 2 + 1) / 2
    again = copy.deepcopy(traced)
    assert torch.allclose(traced(x)[0], expected) and torch.allclose(again(x)[0], expected)
    assert again.first is not traced.first and again.code == traced.code and traced.code in str(traced)
    with pytest.raises(TypeError, match="Graph"):
        traced.graph = "graph"
    call = next(n for n in traced.graph.nodes if n.op == "call_module")
    assert call.next is gelus and gelus.prev is call and call.users == {gelus: None}
    gelus.insert_arg(0, 1.5)
    gelus.update_arg(0, call)
    gelus.args = gelus.args[1:]
    gelus.update_kwarg("out", None)
    assert gelus.kwargs == {"out": None} and gelus.all_input_nodes == [call]
    assert pickle.loads(pickle.dumps(fx.symbolic_trace(torch.nn.Sequential(torch.nn.ReLU()))))(-x).min() >= 0


def test_what_cannot_be_known_is_refused() -> None:
    for function in (lambda x: 1 if x > 0 else 2, list, lambda x: x[int(x)], lambda x: 1 in x):
        with pytest.raises(fx.proxy.TraceError):
            fx.symbolic_trace(lambda x, function=function: function(x), {"function": function})
    with pytest.raises(RuntimeError, match="len"):
        fx.symbolic_trace(lambda x: len(x))
    with pytest.raises(NotImplementedError, match="top level"):
        fx.wrap("len")
    with pytest.raises(NameError, match="submodule"):
        fx.symbolic_trace(lambda x: torch.nn.ReLU()(x))
    with pytest.raises(NotImplementedError, match="Linear is one step"):
        fx.symbolic_trace(torch.nn.Linear(1, 1))
    assert torch.relu(torch.tensor(-1.0)).item() == 0


def test_constants_and_shapes_of_parameters() -> None:
    made = fx.symbolic_trace(lambda x: x + torch.ones(2))
    assert made(torch.zeros(2)).tolist() == [1, 1] and list(made.state_dict()) == ["_tensor_constant0"]

    class Sized(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight = torch.nn.Parameter(torch.ones(3))

        def forward(self, x: Any) -> Any:
            return x * self.weight if self.weight.shape[0] == 3 else x

    graph = fx.Tracer(param_shapes_constant=True).trace(Sized())
    assert [n.op for n in graph.nodes] == ["placeholder", "get_attr", "call_function", "output"]
    with pytest.raises(fx.proxy.TraceError):
        fx.symbolic_trace(Sized())


def test_tables(capsys: pytest.CaptureFixture[str]) -> None:
    fx.symbolic_trace(torch.nn.Sequential(torch.nn.Linear(1, 1), torch.nn.ReLU())).graph.print_tabular()
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["opcode", "name", "target", "args", "kwargs"] and len(lines) == 6
    assert lines[3].split()[:3] == ["call_module", "_0", "0"]
