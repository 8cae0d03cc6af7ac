"""Distributions: samples and their gradients, and what is refused."""

from __future__ import annotations

import math

import numpy as np
import pytest

import duograph.torch as torch
from duograph.ops.variates import log_gamma_speed
from duograph.torch import distributions as d


def test_the_speed_of_gamma_numbers() -> None:
    """Against differences of the series of the incomplete gamma function."""

    def chance(a: float, x: float) -> float:
        terms, term = 0.0, 1 / a
        for n in range(1, 200):
            terms, term = terms + term, term * x / (a + n)
        return terms * math.exp(a * math.log(x) - x - math.lgamma(a))

    for a in (0.05, 0.4, 1.0, 3.0, 20.0):
        for x in (0.2 * a, a, 1.5 * a):
            density = math.exp((a - 1) * math.log(x) - x - math.lgamma(a))
            step = 1e-5 * a
            expected = -(chance(a + step, x) - chance(a - step, x)) / (2 * step) / density / x
            found = log_gamma_speed(
                torch.tensor(a, dtype=torch.float64), torch.tensor(math.log(x), dtype=torch.float64)
            )
            np.testing.assert_allclose(found.item(), expected, rtol=2e-5)


def test_gradients_through_samples() -> None:
    torch.manual_seed(0)
    a = torch.tensor([0.5, 2.0, 9.0], dtype=torch.float64, requires_grad=True)
    d.Gamma(a, 2.0).rsample((20000,)).mean(0).sum().backward()
    assert a.grad is not None
    np.testing.assert_allclose(a.grad.numpy(), 0.5, atol=0.02)  # the mean is a / 2
    loc, scale = (torch.tensor(x, requires_grad=True) for x in (0.5, 2.0))
    drawn = d.Normal(loc, scale).rsample()
    drawn.backward()
    assert loc.grad.item() == 1 and scale.grad.item() == pytest.approx((drawn.item() - 0.5) / 2, rel=1e-5)
    with pytest.raises(NotImplementedError, match="log_prob"):
        d.Bernoulli(0.5).rsample()


def test_what_is_wrong_is_said() -> None:
    with pytest.raises(ValueError, match="scale: expected all"):
        d.Normal(0.0, -1.0)
    d.Normal(0.0, -1.0, validate_args=False)
    with pytest.raises(ValueError, match="value: expected a shape that broadcasts"):
        d.Normal(torch.zeros(3), 1.0).log_prob(torch.zeros(2))
    with pytest.raises(ValueError, match="one of probs, logits"):
        d.Bernoulli()
    with pytest.raises(NotImplementedError, match="register_kl"):
        d.kl_divergence(d.Normal(0.0, 1.0), d.Poisson(1.0))
    with pytest.raises(AttributeError, match="not built"):
        d.VonMises  # noqa: B018
    with pytest.raises(ValueError, match="rates of at least 0"):
        torch.poisson(torch.tensor([-1.0]))


def test_a_divergence_of_ones_own() -> None:
    class Mine(d.Normal):
        pass

    @d.register_kl(Mine, d.Normal)
    def mine(p: Mine, q: d.Normal) -> torch.Tensor:
        return p.loc * 0 + 7

    assert d.kl_divergence(Mine(0.0, 1.0), d.Normal(0.0, 1.0)).item() == 7
    assert d.kl_divergence(d.Normal(0.0, 1.0), Mine(0.0, 1.0)).item() == 0


def test_modules_have_pytorchs_names() -> None:
    from duograph.torch.distributions.categorical import Categorical
    from duograph.torch.distributions.studentT import StudentT

    assert Categorical is d.Categorical and StudentT is d.StudentT
    policy = Categorical(logits=torch.tensor([[0.0, 100.0]]))
    assert policy.sample((2,)).tolist() == [[1], [1]] and policy.support.upper_bound == 1
    squashed = d.TransformedDistribution(d.Normal(torch.zeros(2), 1.0), [d.TanhTransform()])
    assert d.Independent(squashed, 1).log_prob(torch.zeros(2)).item() == pytest.approx(-math.log(2 * math.pi))
