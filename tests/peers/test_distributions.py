"""Distributions against PyTorch: log-probabilities, entropies and divergences; samples by their moments."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import duograph.torch as ours

torch = pytest.importorskip("torch")

A = np.random.default_rng(0).uniform(0.1, 0.9, (3, 4))
B = np.random.default_rng(1).uniform(1.0, 2.0, (3, 4))
VALUES = {"Normal": A, "Uniform": A, "Bernoulli": (A > 0.5) * 1.0, "Categorical": np.array([0, 3, 1])}
CASES = [("Normal", (A, B)), ("Uniform", (A - 0.3, B)), ("Bernoulli", (A,)), ("Bernoulli", (None, B)),
         ("Categorical", (A,)), ("Categorical", (None, B))]  # fmt: skip


def made(tc: Any, name: str, given: tuple[Any, ...]) -> Any:
    return getattr(tc.distributions, name)(*(a if a is None else tc.tensor(a) for a in given))


@pytest.mark.parametrize(("name", "given"), CASES, ids=[f"{n}-{k}" for k, (n, _) in enumerate(CASES)])
def test_distribution(name: str, given: tuple[Any, ...]) -> None:
    mine, theirs = made(ours, name, given), made(torch, name, given)
    assert tuple(mine.batch_shape) == tuple(theirs.batch_shape)
    for method, arguments in (("log_prob", (VALUES[name],)), ("entropy", ())):
        received = getattr(mine, method)(*map(ours.tensor, arguments)).numpy()
        expected = getattr(theirs, method)(*map(torch.tensor, arguments)).numpy()
        np.testing.assert_allclose(received, expected, rtol=1e-9, atol=1e-12)
    ours.manual_seed(0)
    drawn = mine.sample((4000,))
    assert tuple(drawn.shape) == tuple(theirs.sample((4000,)).shape)
    if name != "Categorical":
        np.testing.assert_allclose(drawn.mean(0).numpy(), theirs.mean.numpy(), atol=0.15)
    else:
        share = (drawn == 3).double().mean(0).numpy()
        np.testing.assert_allclose(share, theirs.probs[:, 3].numpy(), atol=0.05)


@pytest.mark.parametrize("name", ["Normal", "Bernoulli", "Categorical"])
def test_divergence(name: str) -> None:
    pairs = [(A, B), (A + 0.1, B * 2)] if name == "Normal" else [(A,), (1 - A,)]
    results = [
        tc.distributions.kl_divergence(*(made(tc, name, given) for given in pairs)).numpy() for tc in (ours, torch)
    ]
    np.testing.assert_allclose(*results, rtol=1e-9)
