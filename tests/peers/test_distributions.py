"""Distributions against PyTorch: densities, moments, quantiles, divergences and their gradients; samples by moments."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import duograph.torch as ours

torch = pytest.importorskip("torch")

A = np.random.default_rng(0).uniform(0.1, 0.9, (3, 4))
B = np.random.default_rng(1).uniform(1.0, 2.0, (3, 4))
COUNTS = np.random.default_rng(2).integers(0, 4, (3, 4)).astype(float)
ROOT = np.array([[1.0, 0, 0, 0], [0.3, 0.8, 0, 0], [-0.2, 0.1, 1.2, 0], [0.5, -0.4, 0.2, 0.9]])
SIMPLEX = A / A.sum(-1, keepdims=True)
CORRELATION = np.array([[1.0, 0, 0], [0.6, 0.8, 0], [0.48, 0.6, 0.64]])
ONE_HOT = np.eye(4)[[0, 3, 1]]

CASES: list[tuple[str, tuple[Any, ...], dict[str, Any], Any]] = [
    ("Normal", (A, B), {}, A), ("LogNormal", (A, B), {}, B), ("Uniform", (A - 0.3, B), {}, A),
    ("Laplace", (A, B), {}, B), ("Cauchy", (A, B), {}, B), ("Gumbel", (A, B), {}, B), ("Exponential", (B,), {}, A),
    ("Gamma", (B, A), {}, B), ("Beta", (B, A), {}, A), ("Chi2", (B,), {}, B), ("StudentT", (B + 2, A, B), {}, A),
    ("HalfNormal", (B,), {}, A), ("HalfCauchy", (B,), {}, A), ("Pareto", (A, B + 2), {}, B), ("Weibull", (B, B), {}, A),
    ("InverseGamma", (B + 3, A), {}, B), ("Dirichlet", (B,), {}, SIMPLEX),
    ("Bernoulli", (A,), {}, (A > 0.5) * 1.0), ("Bernoulli", (), {"logits": B}, (A > 0.5) * 1.0),
    ("Geometric", (A,), {}, COUNTS), ("Poisson", (B,), {}, COUNTS), ("Binomial", (3, A), {}, COUNTS),
    ("NegativeBinomial", (B, A), {}, COUNTS), ("Categorical", (A,), {}, np.array([0, 3, 1])),
    ("Categorical", (), {"logits": B}, np.array([0, 3, 1])), ("OneHotCategorical", (A,), {}, ONE_HOT),
    ("Multinomial", (5, A), {}, np.array([[1.0, 2, 0, 2], [5, 0, 0, 0], [0, 1, 3, 1]])),
    ("MultivariateNormal", (A, ROOT @ ROOT.T), {}, B), ("MultivariateNormal", (A,), {"scale_tril": ROOT}, B),
    ("MultivariateNormal", (A,), {"precision_matrix": ROOT @ ROOT.T}, B),
    ("ContinuousBernoulli", (A,), {}, A), ("ContinuousBernoulli", (), {"logits": A / 1000}, A),
    ("FisherSnedecor", (B + 2, B + 5), {}, B), ("Kumaraswamy", (B, B + 1), {}, A),
    ("LKJCholesky", (3, B), {}, CORRELATION),
    ("LogisticNormal", (A, B), {}, np.concatenate([SIMPLEX * 0.7, np.full((3, 1), 0.3)], -1)),
    ("LowRankMultivariateNormal", (A, ROOT[:, :2], B), {}, B), ("VonMises", (A, B), {}, A),
    ("Wishart", (B[:, 0] + 5, ROOT @ ROOT.T), {}, ROOT @ ROOT.T + np.eye(4)),
    ("Wishart", (B[:, 0] + 5,), {"precision_matrix": ROOT @ ROOT.T}, ROOT @ ROOT.T),
    ("RelaxedBernoulli", (np.array(0.7), A), {}, A), ("RelaxedOneHotCategorical", (np.array(0.7), A), {}, SIMPLEX),
]  # fmt: skip
NAMES = [f"{case[0]}-{k}" for k, case in enumerate(CASES)]


def tensor(tc: Any, value: Any, grad: bool = False) -> Any:
    if not isinstance(value, np.ndarray):
        return value
    return tc.tensor(value).requires_grad_() if grad else tc.tensor(value)


def made(tc: Any, name: str, given: tuple[Any, ...], named: dict[str, Any] | None = None, grad: bool = False) -> Any:
    arguments = [tensor(tc, a, grad) for a in given]
    named = {key: tensor(tc, a, grad) for key, a in (named or {}).items()}
    leaves = [a for a in (*arguments, *named.values()) if not isinstance(a, int)]
    return getattr(tc.distributions, name)(*arguments, **named), leaves


def outcome(ask: Any) -> Any:
    """A tensor as an array, or None where there is nothing."""
    try:
        return np.asarray(ask().detach().numpy())
    except NotImplementedError:
        return None


@pytest.mark.parametrize(("name", "given", "named", "value"), CASES, ids=NAMES)
def test_densities_and_moments(name: str, given: Any, named: Any, value: Any) -> None:
    mine, theirs = (made(tc, name, given, named)[0] for tc in (ours, torch))
    packages = {mine: ours, theirs: torch}
    assert (tuple(mine.batch_shape), tuple(mine.event_shape)) == (theirs.batch_shape, theirs.event_shape)
    assert bool(mine.has_rsample) == bool(theirs.has_rsample)
    rtol = 1e-6 if name == "VonMises" else 1e-8  # PyTorch's Bessel functions are good to seven digits
    for attribute in ("mean", "variance", "stddev", "mode"):
        if (name, attribute) != ("Kumaraswamy", "mode"):  # PyTorch's is NaN where it should not be
            agree(lambda d: getattr(d, attribute), mine, theirs, attribute, rtol)  # noqa: B023 - called at once
    chance = A if name != "Multinomial" else SIMPLEX
    for method, argument in (("log_prob", value), ("cdf", value), ("icdf", chance)):
        ask = lambda d: getattr(d, method)(tensor(packages[d], argument))  # noqa: B023, E731
        agree(ask, mine, theirs, method, rtol)
    agree(lambda d: d.entropy(), mine, theirs, "entropy", 1e-7 if name == "Multinomial" else 1e-9)


def agree(ask: Any, mine: Any, theirs: Any, what: str, rtol: float = 1e-8) -> None:
    """One and the other give the same, or PyTorch gives nothing. A part of its Multinomial.entropy is in float32."""
    expected = outcome(lambda: ask(theirs))
    if expected is not None:
        np.testing.assert_allclose(ask(mine).detach().numpy(), expected, rtol=rtol, atol=1e-10, err_msg=what)


@pytest.mark.parametrize(("name", "given", "named", "value"), CASES, ids=NAMES)
def test_gradients_of_log_prob(name: str, given: Any, named: Any, value: Any) -> None:
    found = []
    for tc in (ours, torch):
        distribution, leaves = made(tc, name, given, named, grad=True)
        distribution.log_prob(tc.tensor(value)).sum().backward()
        found.append([leaf.grad for leaf in leaves])
    for mine, theirs in zip(*found, strict=True):
        if theirs is not None:
            rtol = 1e-6 if name == "VonMises" else 1e-7
            np.testing.assert_allclose(mine.numpy(), theirs.numpy(), rtol=rtol, atol=1e-9)


@pytest.mark.filterwarnings("ignore:Singular sample")
@pytest.mark.parametrize(("name", "given", "named", "value"), CASES, ids=NAMES)
def test_samples(name: str, given: Any, named: Any, value: Any) -> None:
    ours.manual_seed(0)
    mine, theirs = (made(tc, name, given, named)[0] for tc in (ours, torch))
    drawn = mine.sample((4000,))
    assert tuple(drawn.shape) == tuple(theirs.sample((4000,)).shape)
    assert bool(theirs.support.check(torch.tensor(drawn.numpy())).all())
    torch.manual_seed(0)
    other = theirs.sample((40000,)).double().numpy()
    for share in (0.25, 0.5, 0.75):
        edge = np.quantile(other, share, 0)
        received, expected = (np.mean(x <= edge, 0) for x in (drawn.numpy(), other))
        np.testing.assert_allclose(received, expected, atol=0.05)


@pytest.mark.parametrize("name", ["Gamma", "Beta", "StudentT", "Dirichlet", "Chi2"])
def test_samples_move_as_their_distributions(name: str) -> None:
    """The gradient of the expected square, through samples, is that of mean² + variance."""
    ours.manual_seed(0)
    given = {"Gamma": (B * 2, B), "Beta": (B, B), "StudentT": (B + 9,), "Dirichlet": (B,), "Chi2": (B,)}[name]
    mine, leaves = made(ours, name, given, grad=True)
    drawn = mine.rsample((40000,))
    (drawn.square().mean(0) * ours.tensor(A)).sum().backward()
    theirs, expected = made(torch, name, given, grad=True)
    ((theirs.mean.square() + theirs.variance) * torch.tensor(A)).sum().backward()
    for leaf, other in zip(leaves, expected, strict=True):
        scale = float(other.grad.abs().max())
        np.testing.assert_allclose(leaf.grad.numpy(), other.grad.numpy(), atol=0.06 * scale)


PAIRS = [(name, given, named) for name, given, named, _ in CASES if name in {
    "Normal", "LogNormal", "HalfNormal", "Bernoulli", "Binomial", "Categorical", "OneHotCategorical", "Exponential",
    "Gamma", "Beta", "Dirichlet", "Laplace", "Poisson", "Geometric", "MultivariateNormal", "Uniform", "Chi2",
    "LowRankMultivariateNormal",
}]  # fmt: skip


@pytest.mark.parametrize(("name", "given", "named"), PAIRS, ids=[f"{p[0]}-{k}" for k, p in enumerate(PAIRS)])
def test_divergence(name: str, given: Any, named: Any) -> None:
    other = tuple(a if isinstance(a, int) else a[..., ::-1].copy() if a.shape == A.shape else a for a in given)
    results = []
    for tc in (ours, torch):
        p, q = made(tc, name, given, named)[0], made(tc, name, other, named)[0]
        wrapped = (tc.distributions.Independent(d, 1) for d in (p, q))
        results.append([tc.distributions.kl_divergence(p, q), tc.distributions.kl_divergence(*wrapped)])
    for mine, theirs in zip(*results, strict=True):
        np.testing.assert_allclose(mine.numpy(), theirs.numpy(), rtol=1e-8, atol=1e-10)


TRANSFORMS: dict[str, Any] = {
    "exp": lambda t: t.ExpTransform(), "tanh": lambda t: t.TanhTransform(), "sigmoid": lambda t: t.SigmoidTransform(),
    "softplus": lambda t: t.SoftplusTransform(), "affine": lambda t: t.AffineTransform(0.5, -2.0),
    "power": lambda t: t.ComposeTransform([t.ExpTransform(), t.PowerTransform(2.0)]),
    "sticks": lambda t: t.StickBreakingTransform(), "affine of vectors": lambda t: t.AffineTransform(0.5, 3.0, 1),
    "inverse": lambda t: t.ComposeTransform([t.SigmoidTransform(), t.ExpTransform().inv, t.ExpTransform()]),
    "independent": lambda t: t.IndependentTransform(t.ExpTransform(), 1),
    "reshape": lambda t: t.ReshapeTransform((4,), (2, 2)),
    "parts": lambda t: t.CatTransform([t.ExpTransform(), t.AffineTransform(0.5, 2.0)], -1, [1, 3]),
    "slices": lambda t: t.StackTransform([t.ExpTransform(), t.TanhTransform(), t.SigmoidTransform()], 0),
    "onto the simplex": lambda t: t.ComposeTransform([t.AffineTransform(0.1, 2.0), t.StickBreakingTransform()]),
}  # fmt: skip


@pytest.mark.parametrize("name", TRANSFORMS)
def test_transforms(name: str) -> None:
    results = []
    for tc in (ours, torch):
        transform, x = TRANSFORMS[name](tc.distributions.transforms), tc.tensor(A)
        y = transform(x)
        base = tc.distributions.Normal(tc.tensor(A * 0), tc.tensor(B))
        changed = tc.distributions.TransformedDistribution(base, [transform])
        parts = [y, transform.inv(y), transform.log_abs_det_jacobian(x, y), changed.log_prob(y)]
        results.append([tuple(changed.batch_shape), tuple(changed.event_shape), *(part.numpy() for part in parts)])
    for mine, theirs in zip(*results, strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=1e-8, atol=1e-9)


@pytest.mark.parametrize("name", ["positive", "unit_interval", "simplex", "real", "lower_cholesky"])
def test_registries(name: str) -> None:
    x = ROOT if name == "lower_cholesky" else A
    for registry in ("transform_to",) if name == "lower_cholesky" else ("biject_to", "transform_to"):
        mine, theirs = (
            getattr(tc.distributions, registry)(getattr(tc.distributions.constraints, name))(tc.tensor(x)).numpy()
            for tc in (ours, torch)
        )
        np.testing.assert_allclose(mine, theirs, rtol=1e-9)


def test_mixtures() -> None:
    results = []
    for tc in (ours, torch):
        weights = tc.distributions.Categorical(tc.tensor(A))
        mixture = tc.distributions.MixtureSameFamily(weights, tc.distributions.Normal(tc.tensor(A), tc.tensor(B)))
        value = tc.tensor(A[:, 0])
        results.append([mixture.mean, mixture.variance, mixture.log_prob(value), mixture.cdf(value)])
        assert tuple(mixture.sample((5,)).shape) == (5, 3)
    for mine, theirs in zip(*results, strict=True):
        np.testing.assert_allclose(mine.numpy(), theirs.numpy(), rtol=1e-9)


WRONG: list[tuple[str, tuple[Any, ...], Any]] = [
    ("Normal", (A, -B), None), ("Gamma", (-A, B), None), ("Bernoulli", (B + 1,), None), ("Uniform", (B, A), None),
    ("Dirichlet", (-A,), None), ("Normal", (A, B), np.ones(3)), ("Exponential", (B,), -A),
    ("Categorical", (A,), np.array([0, 4, 1])), ("Poisson", (B,), A), ("Beta", (A, B), B), ("Geometric", (A,), A),
    ("MultivariateNormal", (A, -ROOT @ ROOT.T), None), ("Binomial", (2, A), B * 9),
]  # fmt: skip


@pytest.mark.parametrize(("name", "given", "value"), WRONG, ids=[f"{w[0]}-{k}" for k, w in enumerate(WRONG)])
def test_wrong_arguments_are_refused(name: str, given: Any, value: Any) -> None:
    for tc in (ours, torch):
        with pytest.raises(ValueError):  # noqa: PT011 - PyTorch has words of its own
            made(tc, name, given)[0].log_prob(tc.tensor(A if value is None else value))


@pytest.mark.filterwarnings("ignore:Singular sample")
@pytest.mark.parametrize(("name", "given", "named", "value"), CASES, ids=NAMES)
def test_expanded(name: str, given: Any, named: Any, value: Any) -> None:
    mine, theirs = (made(tc, name, given, named)[0] for tc in (ours, torch))
    shape = (2, *theirs.batch_shape)
    mine, theirs = mine.expand(shape), theirs.expand(shape)
    assert tuple(mine.batch_shape) == shape
    assert tuple(mine.sample((3,)).shape) == tuple(theirs.sample((3,)).shape)
    np.testing.assert_allclose(
        mine.log_prob(ours.tensor(value)).numpy(), theirs.log_prob(torch.tensor(value)).numpy(), rtol=1e-7, atol=1e-10
    )


def test_factors_of_correlations() -> None:
    x = np.random.default_rng(3).normal(size=(2, 6))
    results = []
    for tc in (ours, torch):
        t = tc.distributions.transforms
        corr, definite = t.CorrCholeskyTransform(), t.PositiveDefiniteTransform()
        y, matrix = corr(tc.tensor(x)), definite(tc.tensor(ROOT))
        chance = t.CumulativeDistributionTransform(tc.distributions.Normal(0.0, 1.0))
        jacobians = [corr.log_abs_det_jacobian(tc.tensor(x), y), chance.log_abs_det_jacobian(tc.tensor(x), None)]
        results.append([y, corr.inv(y), matrix, definite.inv(matrix), chance(tc.tensor(x)), *jacobians])
        assert tuple(corr.forward_shape((2, 6))) == (2, 4, 4) and tuple(corr.inverse_shape((2, 4, 4))) == (2, 6)
    for mine, theirs in zip(*results, strict=True):
        np.testing.assert_allclose(mine.numpy(), theirs.numpy(), rtol=1e-8, atol=1e-10)


KINDS: dict[str, tuple[Any, ...]] = {
    "Bernoulli": (A,), "Beta": (B, A), "Binomial": (3, A), "Cauchy": (A, B), "ContinuousBernoulli": (A,),
    "Exponential": (B,), "Gamma": (B, A), "Gumbel": (A, B), "Laplace": (A, B), "Normal": (A, B), "Pareto": (B, B + 2),
    "LowRankMultivariateNormal": (A, np.stack([ROOT[:, :2]] * 3), B),
    "MultivariateNormal": (A, ROOT @ ROOT.T), "Poisson": (B,), "Uniform": (A / 10, B),
}  # fmt: skip


def test_divergences_of_every_pair_that_pytorch_knows() -> None:
    from torch.distributions.kl import _KL_REGISTRY

    pairs = [(p.__name__, q.__name__) for p, q in _KL_REGISTRY]
    compared = [pair for pair in pairs if KINDS.keys() >= set(pair)]
    assert len(compared) > 65
    for p, q in compared:
        other = tuple(a if isinstance(a, int) else a[..., ::-1].copy() if a.shape == A.shape else a for a in KINDS[q])
        mine, theirs = (
            tc.distributions.kl_divergence(made(tc, p, KINDS[p])[0], made(tc, q, other)[0]).numpy()
            for tc in (ours, torch)
        )
        np.testing.assert_allclose(mine, theirs, rtol=1e-8, atol=1e-10, err_msg=f"{p} {q}")


def test_incomplete_gamma_functions() -> None:
    a = np.array([1e-3, 0.2, 1.0, 3.0, 20.0, 500.0])[:, None]
    x = a * np.array([0.01, 0.5, 0.99, 1.0, 1.2, 3.0])
    for name in ("gammainc", "gammaincc"):
        for kind in (np.float32, np.float64):
            mine, theirs = (
                getattr(tc.special, name)(tc.tensor(a.astype(kind)), tc.tensor(x.astype(kind))).numpy()
                for tc in (ours, torch)
            )
            np.testing.assert_allclose(mine, theirs, rtol=1e-4 if kind is np.float32 else 1e-9, atol=1e-12)
