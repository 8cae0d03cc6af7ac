"""The tape: accumulation, leaves, hooks, freed graphs, overwritten values; functional transforms."""

from __future__ import annotations

import numpy as np
import pytest

import duograph
import duograph.torch as torch
from duograph.graph.errors import GradientError


def test_gradients_accumulate_and_branches_add() -> None:
    x = torch.tensor([1.0, 2.0], requires_grad=True)
    (x * x).sum().backward()
    (3 * x + x.exp() * 0).sum().backward()
    assert x.grad is not None and x.grad.tolist() == [5.0, 7.0]


def test_non_scalar_seed_and_its_errors() -> None:
    x = torch.ones(3, requires_grad=True)
    y = x * 2
    with pytest.raises(GradientError, match="one-element"):
        y.backward()
    y.backward(torch.tensor([1.0, 2.0, 3.0]))
    assert x.grad is not None and x.grad.tolist() == [2, 4, 6]
    with pytest.raises(GradientError, match="does not require grad"):
        torch.ones(1).backward()


def test_a_freed_graph_raises_with_the_users_line() -> None:
    x = torch.ones(2, requires_grad=True)
    y = (x * x).sum()
    y.backward(retain_graph=True)
    y.backward()
    with pytest.raises(GradientError, match=r"second time[\s\S]*retain_graph=True[\s\S]*test_autograd.py"):
        y.backward()
    assert x.grad is not None and x.grad.tolist() == [4, 4]


def test_operations_that_keep_nothing_can_be_passed_twice() -> None:
    x = torch.ones(2, requires_grad=True)
    shared = x + 1
    shared.sum().backward()
    (shared * 2).sum().backward()
    assert x.grad is not None and x.grad.tolist() == [3, 3]


def test_an_overwritten_value_raises_with_the_users_line() -> None:
    x = torch.ones(2, requires_grad=True)
    y = x.exp()
    y.add_(1)
    with pytest.raises(GradientError, match=r"in-place[\s\S]*test_autograd.py"):
        y.sum().backward()
    a = torch.ones(2, requires_grad=True)
    b = torch.ones(2)
    product = a * b
    b.mul_(2)
    with pytest.raises(GradientError, match="in-place"):
        product.sum().backward()
    z = a + b  # addition needs no values
    b.mul_(2)
    z.sum().backward()


def test_leaf_rules() -> None:
    x = torch.ones(2, requires_grad=True)
    with pytest.raises(GradientError, match="leaf"):
        x.add_(1)
    with pytest.raises(GradientError, match="leaf"):
        x[0] = 1
    with torch.no_grad():
        x.add_(1)
    assert x.requires_grad and x.is_leaf and x.tolist() == [2, 2]
    x.data.mul_(2)
    assert x.tolist() == [4, 4]
    (x * x).sum().backward()
    assert x.grad is not None and x.grad.tolist() == [8, 8]
    with pytest.raises(GradientError, match="floating"):
        torch.ones(2, dtype=torch.int64).requires_grad_()


def test_in_place_on_the_tape() -> None:
    x = torch.tensor([1.0, 2.0, 3.0], requires_grad=True)
    y = x * 1
    y[1] = 10 * x[0]
    y.mul_(2)
    y.sum().backward()
    assert x.grad is not None and x.grad.tolist() == [22, 0, 2]


def test_detach_no_grad_and_modes() -> None:
    x = torch.ones(2, requires_grad=True)
    assert not x.detach().requires_grad
    with torch.no_grad():
        assert not (x * 2).requires_grad
        with torch.enable_grad():
            assert (x * 2).requires_grad

    @torch.no_grad()
    def quiet() -> torch.Tensor:
        return x * 2

    assert not quiet().requires_grad and torch.is_grad_enabled()
    (x.detach() * x).sum().backward()
    assert x.grad is not None and x.grad.tolist() == [1, 1]


def test_hooks_and_retained_gradients() -> None:
    x = torch.ones(2, requires_grad=True)
    y = x * 3
    y.retain_grad()
    handle = x.register_hook(lambda g: g * 10)
    seen: list[list[float]] = []
    y.register_hook(lambda g: seen.append(g.tolist()))
    y.sum().backward()
    assert x.grad is not None and x.grad.tolist() == [30, 30]
    assert y.grad is not None and y.grad.tolist() == [1, 1] and seen == [[1, 1]]
    handle.remove()
    (x * 1).sum().backward()
    assert x.grad.tolist() == [31, 31]


def test_grad_of_the_tape_function() -> None:
    x = torch.tensor(2.0, requires_grad=True)
    w = torch.tensor(1.0, requires_grad=True)
    y = x**3
    (first,) = torch.autograd.grad(y, x, create_graph=True)
    (second,) = torch.autograd.grad(first, x)
    assert (first.item(), second.item()) == (12, 12)
    with pytest.raises(GradientError, match="allow_unused"):
        torch.autograd.grad(x * 2, w)
    assert torch.autograd.grad(x * 2, w, allow_unused=True) == (None,)
    assert x.grad is None


def test_an_observation_between_forward_and_backward_changes_nothing() -> None:
    def run(look: bool) -> list[float]:
        x = torch.linspace(0.1, 1, 5).requires_grad_()
        h = (x * 2).tanh()
        loss = (h * h).sum()
        if look:
            loss.item()
            h.sum().item()
        loss.backward()
        assert x.grad is not None
        return x.grad.tolist()

    assert run(True) == run(False)


def test_transforms() -> None:
    x = torch.tensor([1.0, 2.0])

    def cube(x: torch.Tensor) -> torch.Tensor:
        return (x**3).sum()

    value, gradient = duograph.value_and_grad(cube)(x)
    assert value.item() == 9 and gradient.tolist() == [3, 12] and not gradient.requires_grad
    assert duograph.hessian(cube)(x).tolist() == [[6, 0], [0, 12]]
    assert duograph.jacobian(lambda x: x * x)(x).tolist() == [[2, 0], [0, 4]]
    out, tangent = duograph.jvp(lambda a, b: a * b, (x, x + 1), (torch.ones(2), torch.zeros(2)))
    assert out.tolist() == [2, 6] and tangent.tolist() == [2, 3]
    out, pull = duograph.vjp(lambda a: {"y": a.sin()}, x)
    np.testing.assert_allclose(pull({"y": torch.ones(2)})[0].numpy(), np.cos([1.0, 2.0]), rtol=1e-6)
    fourth = duograph.grad(duograph.grad(duograph.grad(lambda x: x**4)))
    assert fourth(torch.tensor(2.0)).item() == 48
    nested = duograph.grad(lambda p: (p["w"] * p["b"]).sum())({"w": x, "b": x * 2})
    assert nested["w"].tolist() == [2, 4] and nested["b"].tolist() == [1, 2]


def test_gradient_through_a_transform_reaches_the_closure() -> None:
    w = torch.tensor(3.0, requires_grad=True)
    slope = duograph.grad(lambda x: w * x * x)(torch.tensor(2.0))
    slope.backward()
    assert w.grad is not None and w.grad.item() == 4
