"""`torch.func` and `torch.autograd`'s checks: values against formulas."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import duograph.torch as torch
from duograph.torch import func
from duograph.torch.autograd import functional


def close(found: Any, expected: Any) -> None:
    np.testing.assert_allclose(found.detach().numpy(), np.asarray(expected), rtol=1e-5, atol=1e-6)


X = torch.tensor(np.random.default_rng(0).standard_normal((5, 3)))


def test_vmap_is_the_function_of_each_row() -> None:
    w = torch.tensor(np.random.default_rng(1).standard_normal((3, 4)), requires_grad=True)
    f = lambda v: (v @ w).tanh().sum()  # noqa: E731
    found, expected = torch.vmap(f)(X), torch.stack([f(row) for row in X])
    close(found, expected.detach().numpy())
    (slope,) = torch.autograd.grad(found.sum(), [w])
    close(slope, torch.autograd.grad(expected.sum(), [w])[0].numpy())
    close(torch.vmap(f, chunk_size=2)(X), expected.detach().numpy())
    close(torch.vmap(lambda a: a * 2, in_dims=1, out_dims=1)(X), X.numpy() * 2)


def test_vmap_composes() -> None:
    outer = torch.vmap(torch.vmap(lambda a, b: a * b, in_dims=(None, 0)), in_dims=(0, None))
    close(outer(torch.arange(3.0), torch.arange(4.0)), np.outer(range(3), range(4)))
    close(torch.vmap(func.grad(lambda v: (v**3).sum()))(X), 3 * X.numpy() ** 2)
    close(torch.vmap(func.jacrev(lambda v: v**2))(X), [np.diag(2 * row) for row in X.numpy()])


def test_vmap_draws_as_it_is_told() -> None:
    draw = lambda a: a + torch.randn(3)  # noqa: E731
    same = torch.vmap(draw, randomness="same")(torch.zeros(2, 3))
    different = torch.vmap(draw, randomness="different")(torch.zeros(2, 3))
    assert torch.equal(same[0], same[1]) and not torch.equal(different[0], different[1])
    with pytest.raises(ValueError, match="randomness"):
        torch.vmap(draw)(torch.zeros(2, 3))


def test_vmap_says_what_is_wrong() -> None:
    with pytest.raises(ValueError, match="one number of examples"):
        torch.vmap(torch.add)(torch.zeros(2), torch.zeros(3))
    with pytest.raises(ValueError, match="the same for all"):
        torch.vmap(lambda a: a, out_dims=None)(torch.zeros(2))
    with pytest.raises(RuntimeError, match="cannot be read"):
        torch.vmap(lambda a: a.item())(torch.zeros(2))


def test_jacobians_in_both_modes() -> None:
    v = X[0]
    for transform in (func.jacrev, func.jacfwd):
        close(transform(lambda a: a**3)(v), np.diag(3 * v.numpy() ** 2))
        first, second = transform(lambda a, b: a * b.sum(), argnums=(0, 1))(v, v)
        close(first, np.eye(3) * v.numpy().sum())
        close(second, np.outer(v.numpy(), np.ones(3)))
    close(func.hessian(lambda a: (a**3).sum())(v), np.diag(6 * v.numpy()))
    value, along = func.linearize(lambda a: a**2, v)
    close(value, v.numpy() ** 2)
    close(along(torch.ones_like(v)), 2 * v.numpy())
    close(functional.hvp(lambda a: (a**3).sum(), v, v)[1], 6 * v.numpy() ** 2)
    close(functional.jacobian(lambda a: a**2, v), np.diag(2 * v.numpy()))


def test_gradcheck_finds_a_wrong_gradient() -> None:
    class Wrong(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: Any) -> Any:
            ctx.save_for_backward(x)
            return x * x

        @staticmethod
        def backward(ctx: Any, slope: Any) -> Any:
            return slope * ctx.saved_tensors[0]

    x = X.clone().requires_grad_()
    assert torch.autograd.gradcheck(torch.sin, (x,), check_forward_ad=True)
    assert torch.autograd.gradgradcheck(torch.sin, (x,))
    assert not torch.autograd.gradcheck(Wrong.apply, (x,), raise_exception=False)


def test_anomalies_are_found_where_they_arise() -> None:
    x = torch.tensor([0.0, 1.0], requires_grad=True)
    with torch.autograd.detect_anomaly(), pytest.raises(RuntimeError, match="sqrt: the gradient by its input 0"):
        ((x * 0).sqrt() * 0).sum().backward()
    assert not torch.autograd.is_anomaly_enabled()
