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
    with pytest.raises(AttributeError, match="nearest names that are: .*Normal"):
        d.Normall  # noqa: B018
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


def test_transforms_are_equal_by_what_they_do() -> None:
    t = d.transforms
    assert t.ExpTransform() == t.ExpTransform() != t.TanhTransform()
    assert t.AffineTransform(torch.zeros(2), 1.0) == t.AffineTransform(torch.zeros(2), 1.0)
    assert t.AffineTransform(0.0, 1.0) != t.AffineTransform(0.0, 2.0)
    assert t.ComposeTransform([t.ExpTransform()]).inv.inv == t.ComposeTransform([t.ExpTransform()])
    p, q = (d.TransformedDistribution(d.Normal(loc, 1.0), [t.ExpTransform()]) for loc in (0.0, 1.0))
    assert d.kl_divergence(p, q).item() == 0.5
    assert t.ExpTransform().event_dim == 0
    with pytest.raises(ValueError, match="event_dim"):
        t.CorrCholeskyTransform().event_dim  # noqa: B018


@pytest.mark.parametrize("a", [1e-9, 0.03, 0.7, 1.0, 4.5, 60.0, 3e4])
def test_the_incomplete_gamma_functions(a: float) -> None:
    """P + Q = 1, P(a + 1, x) = P(a, x) - x^a exp(-x) / gamma(a + 1), and the derivatives in x and in a."""
    x = torch.tensor([0.01, 0.3, 0.97, 1.0, 1.2, 3.0]) * max(a, 0.5)
    x = x.double().requires_grad_()
    shape = torch.full_like(x, a).requires_grad_()
    p, q = torch.special.gammainc(shape, x), torch.special.gammaincc(shape, x)
    np.testing.assert_allclose((p + q).tolist(), 1, rtol=1e-14)
    with torch.no_grad():
        step = (a * x.log() - x - torch.lgamma(shape + 1)).exp()
        np.testing.assert_allclose((p - torch.igamma(shape + 1, x)).numpy(), step.numpy(), rtol=1e-8, atol=1e-14)
    p.sum().backward()
    density = (step * a / x).detach().numpy()
    np.testing.assert_allclose(x.grad.numpy(), density, rtol=1e-9 * max(1, a / 100), atol=1e-300)
    width = 1e-4 * min(a, math.sqrt(a))
    small, sign = (torch.igammac, -1) if a < 0.5 else (torch.igamma, 1)  # the one that is far from 1
    with torch.no_grad():
        slope = sign * (small(shape + width, x) - small(shape - width, x)) / (2 * width)
    np.testing.assert_allclose(shape.grad.numpy(), slope.numpy(), rtol=2e-6, atol=1e-7 * abs(slope.numpy()).max())


def test_the_edges_of_the_incomplete_gamma_functions() -> None:
    a = torch.tensor([0.0, 0.0, 2.0, 2.0, math.inf, math.inf, -1.0, 2.0])
    x = torch.tensor([0.0, 1.0, 0.0, math.inf, 1.0, math.inf, 1.0, -1.0])
    expected = [math.nan, 1, 0, 1, 0, math.nan, math.nan, math.nan]
    np.testing.assert_array_equal(torch.igamma(a, x).numpy(), expected)
    np.testing.assert_array_equal(torch.igammac(a, x).numpy(), 1 - np.array(expected))
    assert torch.igamma(torch.tensor(2), torch.tensor(3)).dtype is torch.float32
    assert torch.tensor(2.0).igamma_(torch.tensor(3.0)).item() == pytest.approx(1 - 4 * math.exp(-3), rel=1e-6)
    poles = torch.tensor([0.0, 1.0, 2.0], requires_grad=True)
    torch.igamma(torch.tensor(2.0), poles).sum().backward()
    assert poles.grad.tolist() == pytest.approx([0, math.exp(-1), 2 * math.exp(-2)], rel=1e-6)


def test_matrices_and_angles() -> None:
    torch.manual_seed(0)
    factor = d.LKJCholesky(3, 2.0).sample((4,))
    np.testing.assert_allclose(factor.square().sum(-1).numpy(), 1, rtol=1e-6)
    angles = d.VonMises(torch.tensor(1.0), torch.tensor([1e-6, 5.0])).sample((20000,))
    assert angles.min().item() >= -math.pi and angles.max().item() < math.pi
    np.testing.assert_allclose(torch.cos(angles - 1).mean(0).numpy(), [0, 0.8934], atol=0.02)  # I1 / I0
    scale = torch.tensor([[2.0, 0.5], [0.5, 1.0]])
    drawn = d.Wishart(5.0, scale).sample((20000,))
    np.testing.assert_allclose(drawn.mean(0).numpy(), 5 * scale.numpy(), rtol=0.05)
    with pytest.raises(ValueError, match="df: expected above 1"):
        d.Wishart(1.0, scale)
    with pytest.raises(ValueError, match="at least 2"):
        d.LKJCholesky(1)
    x = torch.tensor([0.3, -0.2, 0.9])
    for transform in (d.CorrCholeskyTransform(), d.CumulativeDistributionTransform(d.Normal(0.0, 1.0))):
        np.testing.assert_allclose(transform.inv(transform(x)).numpy(), x.numpy(), rtol=1e-5)


@pytest.mark.parametrize("k", [-0.4, 0.0, 0.3])
def test_generalised_tails(k: float) -> None:
    made = d.GeneralizedPareto(torch.tensor(1.0), 2.0, torch.tensor(k))
    x = torch.tensor([1.5, 2.0, 4.0])
    away = (x.numpy() - 1) / 2
    rest = np.exp(-away) if k == 0 else (1 + k * away) ** (-1 / k)
    np.testing.assert_allclose(made.cdf(x).numpy(), 1 - rest, rtol=1e-5)
    np.testing.assert_allclose(made.icdf(made.cdf(x)).numpy(), x.numpy(), rtol=1e-5)
    np.testing.assert_allclose(made.log_prob(x).exp().numpy(), rest ** (1 + k) / 2, rtol=1e-5)
    assert made.mean.item() == pytest.approx(1 + 2 / (1 - k)) and made.entropy().item() == pytest.approx(
        math.log(2) + k + 1
    )
    assert made.variance.item() == pytest.approx(4 / ((1 - k) ** 2 * (1 - 2 * k)))
    torch.manual_seed(0)
    assert made.sample((40000,)).mean().item() == pytest.approx(made.mean.item(), rel=0.03)
