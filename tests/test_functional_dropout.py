"""Dropout: how much it drops, that it repeats, and that its gradient has the same mask."""

from __future__ import annotations

import math

import numpy as np
import pytest

from duograph.functional.dropout import alpha_dropout, dropout
from duograph.graph.errors import ArgumentError
from tests.functional_tools import gradients, value

SEED, OFFSET = np.array(7, np.uint64), np.array(0, np.uint64)


@pytest.mark.parametrize("p", [0.1, 0.5, 0.9])
def test_dropout_drops_its_share_and_scales_the_rest(p: float) -> None:
    y = value(dropout, np.ones(100_000), SEED, OFFSET, p=p)
    assert set(np.unique(y)) == {0.0, 1 / (1 - p)}
    assert abs((y == 0).mean() - p) < 4 * math.sqrt(p * (1 - p) / y.size)


def test_dropout_is_a_function_of_seed_and_offset() -> None:
    x = np.ones(1000)
    first = value(dropout, x, SEED, OFFSET, p=0.5)
    np.testing.assert_array_equal(first, value(dropout, x, SEED, OFFSET, p=0.5))
    assert (first != value(dropout, x, np.array(8, np.uint64), OFFSET, p=0.5)).any()
    assert (first != value(dropout, x, SEED, np.array(250, np.uint64), p=0.5)).any()


def test_dropout_of_nothing_and_of_all() -> None:
    x = np.arange(5.0)
    np.testing.assert_array_equal(value(dropout, x, SEED, OFFSET, p=0.0), x)
    np.testing.assert_array_equal(value(dropout, x, SEED, OFFSET, p=1.0), np.zeros(5))


def test_gradient_has_the_same_mask() -> None:
    x, cotangent = np.arange(1.0, 101), np.linspace(1, 2, 100)
    y = value(dropout, x, SEED, OFFSET, p=0.3)
    found = gradients(dropout, [x, SEED, OFFSET], [cotangent], p=0.3)[0]
    np.testing.assert_allclose(found, cotangent * y / x, 1e-12)


def test_channels_drop_as_a_whole() -> None:
    y = value(dropout, np.ones((4, 50, 3, 2)), SEED, OFFSET, p=0.5, channels=True).reshape(200, 6)
    assert (y == y[:, :1]).all()
    assert 60 < (y[:, 0] == 0).sum() < 140


def test_alpha_dropout_keeps_mean_and_variance() -> None:
    x = np.random.default_rng(0).standard_normal(200_000)
    y = value(alpha_dropout, x, SEED, OFFSET, p=0.3)
    assert abs(y.mean()) < 0.01
    assert abs(y.var() - 1) < 0.02


def test_a_probability_is_asked_for() -> None:
    with pytest.raises(ArgumentError, match=r"p: expected a probability from 0 to 1. Received: 1.5"):
        value(dropout, np.ones(3), SEED, OFFSET, p=1.5)
