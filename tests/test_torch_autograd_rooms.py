"""The rooms of `torch.autograd`: forward mode, the tape as an object, several gradients at once."""

from __future__ import annotations

from typing import Any

import pytest

import duograph.torch as torch
from duograph.graph.errors import GradientError, NotSupported

fwAD = torch.autograd.forward_ad
graph = torch.autograd.graph


def test_derivatives_that_are_carried_along() -> None:
    x, t = torch.tensor([0.5, -1.0, 2.0]), torch.tensor([1.0, 0.5, -2.0])
    with fwAD.dual_level():
        dual = fwAD.make_dual(x, t)
        assert fwAD.unpack_dual(dual).tangent.tolist() == t.tolist()
        y = torch.sin(dual) * dual
        primal, tangent = fwAD.unpack_dual(y)
        assert not primal.requires_grad and not tangent.requires_grad
        assert torch.allclose(primal, x.sin() * x)
        assert torch.allclose(tangent, (x.cos() * x + x.sin()) * t)
        assert fwAD.unpack_dual(dual * 3 + 1).tangent.tolist() == (3 * t).tolist()
        assert fwAD.unpack_dual(x + 1).tangent is None and fwAD.unpack_dual(dual.detach()).tangent is None
        w = torch.ones(3, requires_grad=True)
        both = fwAD.unpack_dual((dual * dual * w).sum()).tangent
        both.backward()
        assert torch.allclose(w.grad, 2 * x * t)
    assert fwAD.unpack_dual(dual).tangent is None


def test_directions_of_parameters() -> None:
    torch.manual_seed(0)
    net = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.Tanh(), torch.nn.Linear(4, 1))
    x, parameters = torch.randn(5, 3), dict(net.named_parameters())
    tangents = {name: torch.randn(p.shape) for name, p in parameters.items()}
    with fwAD.dual_level():
        duals = {name: fwAD.make_dual(p, tangents[name]) for name, p in parameters.items()}
        carried = fwAD.unpack_dual(torch.func.functional_call(net, duals, (x,))).tangent
    call: Any = lambda p: torch.func.functional_call(net, p, (x,))  # noqa: E731
    _, expected = torch.func.jvp(call, (parameters,), (tangents,))
    assert torch.allclose(carried, expected, atol=1e-6)


def test_forward_mode_refuses() -> None:
    with pytest.raises(RuntimeError, match="within dual_level"):
        fwAD.make_dual(torch.ones(1), torch.ones(1))
    with pytest.raises(RuntimeError, match="expected a level"):
        fwAD.exit_dual_level()
    with fwAD.dual_level():
        with pytest.raises(RuntimeError, match="shape"):
            fwAD.make_dual(torch.ones(1), torch.ones(2))
        with pytest.raises(GradientError, match="another one"), fwAD.dual_level():
            pass
    assert fwAD.enter_dual_level() == 0
    fwAD.exit_dual_level(level=0)


def test_gradients_for_a_batch_of_weights() -> None:
    x = torch.tensor([1.0, 2.0, 3.0], requires_grad=True)
    y = x * x
    (rows,) = torch.autograd.grad(y, x, torch.eye(3), is_grads_batched=True)
    assert rows.tolist() == [[2, 0, 0], [0, 4, 0], [0, 0, 6]]
    z, unused = x.sum(), torch.ones(2, requires_grad=True)
    first, second = torch.autograd.grad(
        z, (x, unused), torch.tensor([1.0, 2.0]), is_grads_batched=True, allow_unused=True
    )
    assert first.tolist() == [[1, 1, 1], [2, 2, 2]] and second is None
    with pytest.raises(ValueError, match="one batch"):
        torch.autograd.grad((x.sum(), x.sum()), x, (torch.ones(2), torch.ones(3)), is_grads_batched=True)


def test_hooks_on_several_gradients() -> None:
    x, y = torch.ones(2, requires_grad=True), torch.ones(2, requires_grad=True)
    seen: list[Any] = []
    handle = graph.register_multi_grad_hook((x, y), lambda g: seen.append([t.tolist() for t in g]))
    one = graph.register_multi_grad_hook((x, y), lambda g: seen.append(g.tolist()), mode="any")
    for factor in (1, 2):
        (x * factor + y * 3).sum().backward()
    assert [s for s in seen if isinstance(s[0], list)] == [[[1, 1], [3, 3]], [[2, 2], [3, 3]]] and len(seen) == 4
    handle.remove()
    one.remove()
    (x + y).sum().backward()
    assert len(seen) == 4
    with pytest.raises(ValueError, match="mode"):
        graph.register_multi_grad_hook((x,), print, mode="first")


def test_edges_and_versions() -> None:
    x = torch.ones(2, requires_grad=True)
    y = x * 2
    edge = graph.get_gradient_edge(y)
    assert edge.node == y.grad_fn and edge.output_nr == 0 and isinstance(edge.node, graph.Node)
    assert graph.get_gradient_edge(x).node.variable is x
    with pytest.raises(GradientError, match="requires grad"):
        graph.get_gradient_edge(torch.ones(1))
    plain = torch.ones(3)
    before = plain._version
    graph.increment_version(plain[1:])
    assert plain._version == before + 1


def test_what_is_kept_for_gradients() -> None:
    x = torch.ones(2, requires_grad=True)
    with graph.save_on_cpu(pin_memory=True), graph.disable_saved_tensors_hooks("not now"):
        (x * x).sum().backward()
    assert x.grad.tolist() == [2, 2]
    with pytest.raises(NotSupported, match="checkpoint"):
        graph.saved_tensors_hooks(lambda t: t, lambda t: t)
    with torch.autograd.grad_mode.set_multithreading_enabled(False):
        assert isinstance(x, torch.autograd.variable.Variable)
