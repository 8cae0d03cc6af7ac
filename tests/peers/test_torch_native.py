"""Functions of `torch` that stand below its functional ones, beside PyTorch's."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

import duograph.torch as ours

RNG = np.random.default_rng(0)


def both(call: Callable[..., Any], *arrays: Any, gradients: bool = True) -> None:
    """The results of a call of the framework and arrays, and the gradients for those of floats."""
    found: list[list[np.ndarray]] = []
    for tc in (torch, ours):
        given = [tc.tensor(a) if isinstance(a, np.ndarray) else a for a in arrays]
        leaves = [t.requires_grad_() for t in given if isinstance(t, tc.Tensor) and t.dtype.is_floating_point]
        results = call(tc, *given)
        results = list(results) if isinstance(results, tuple | list) else [results]
        values = [r.detach().numpy() for r in results]
        if gradients:
            total = sum((r * r).sum() for r in results if r.requires_grad)
            values += [g.numpy() for g in tc.autograd.grad(total, leaves)]
        found.append(values)
    for theirs, mine in zip(*found, strict=True):
        assert mine.shape == theirs.shape and mine.dtype == theirs.dtype
        np.testing.assert_allclose(mine, theirs, 1e-4, 1e-5)


def f(*shape: int) -> np.ndarray:
    return RNG.standard_normal(shape).astype(np.float32)


SIGNS = np.where(RNG.random(5) < 0.5, -1.0, 1.0).astype(np.float32)


@pytest.mark.parametrize("reduction", [0, 1, 2])
def test_losses_whose_reduction_is_a_number(reduction: int) -> None:
    both(lambda tc, x, y: tc.kl_div(x, y.abs(), reduction), f(4, 3), f(4, 3))
    both(lambda tc, x, y: tc.margin_ranking_loss(x, y, tc.tensor(SIGNS), 0.3, reduction), f(5), f(5))
    both(lambda tc, x: tc.hinge_embedding_loss(x, tc.tensor(SIGNS), 0.7, reduction), f(5))
    both(lambda tc, x, y: tc.cosine_embedding_loss(x, y, tc.tensor(SIGNS), 0.1, reduction), f(5, 4), f(5, 4))
    both(
        lambda tc, x, y, z: tc.triplet_margin_loss(x, y, z, 1.5, 2.0, 1e-6, True, reduction), f(5, 4), f(5, 4), f(5, 4)
    )
    both(lambda tc, x, y: tc.poisson_nll_loss(x, y.detach().abs(), True, True, 1e-8, reduction), f(5), f(5),
         gradients=False)  # fmt: skip
    both(lambda tc, x: tc.binary_cross_entropy_with_logits(x, tc.ones(5), reduction=reduction), f(5))
    both(
        lambda tc, x: tc.ctc_loss(x.log_softmax(2), tc.tensor([[1, 2], [2, 3]]), [5, 4], [2, 1], 0, reduction, False),
        f(5, 2, 4),
    )


@pytest.mark.parametrize("kind", ["rnn_tanh", "rnn_relu", "gru", "lstm"])
@pytest.mark.parametrize(("layers", "bidirectional", "biases"), [(1, False, True), (2, True, True), (2, False, False)])
def test_recurrent_networks(kind: str, layers: int, bidirectional: bool, biases: bool) -> None:
    gates = {"gru": 3, "lstm": 4}.get(kind, 1)
    directions = 1 + bidirectional
    weights = []
    for layer in range(layers):
        for _ in range(directions):
            weights += [f(gates * 4, 3 if layer == 0 else 4 * directions), f(gates * 4, 4)]
            weights += [f(gates * 4), f(gates * 4)] if biases else []
    states = [f(layers * directions, 2, 4) for _ in range(1 + (kind == "lstm"))]

    def run(tc: Any, x: Any, *rest: Any) -> Any:
        hx = rest[: len(states)] if kind == "lstm" else rest[0]
        return getattr(tc, kind)(x, hx, list(rest[len(states) :]), biases, layers, 0.0, True, bidirectional, True)

    both(run, f(2, 5, 3), *states, *weights)

    def packed(tc: Any, x: Any, *rest: Any) -> Any:
        hx = rest[: len(states)] if kind == "lstm" else rest[0]
        sizes = tc.tensor([2, 2, 1])
        arguments = (biases, layers, 0.0, True, bidirectional)
        return getattr(tc._VF, kind)(x, sizes, hx, list(rest[len(states) :]), *arguments)

    both(packed, f(5, 3), *states, *weights)


def test_cells() -> None:
    for kind, gates in (("rnn_tanh_cell", 1), ("rnn_relu_cell", 1), ("gru_cell", 3)):
        both(lambda tc, *a, kind=kind: getattr(tc, kind)(*a), f(2, 3), f(2, 4), f(gates * 4, 3), f(gates * 4, 4),
             f(gates * 4), f(gates * 4))  # fmt: skip
    both(lambda tc, x, h, c, *w: tc.lstm_cell(x, (h, c), *w), f(2, 3), f(2, 4), f(2, 4), f(16, 3), f(16, 4))


@pytest.mark.filterwarnings("ignore:at..(frobenius|nuclear)_norm is deprecated")
def test_convolutions_and_norms() -> None:
    both(lambda tc, x, w, b: tc.convolution(x, w, b, [2], [1], [1], False, [0], 2), f(2, 4, 9), f(6, 2, 3), f(6))
    both(lambda tc, x, w, b: tc.convolution(x, w, b, [2, 2], [1, 1], [1, 1], True, [1, 1], 1), f(2, 4, 5, 5),
         f(4, 3, 3, 3), f(3))  # fmt: skip
    both(lambda tc, x, w, b: tc.conv_tbc(x, w, b, 1), f(7, 2, 3), f(3, 3, 4), f(4))
    both(lambda tc, x, w, b: tc.instance_norm(x, w, b, None, None, True, 0.1, 1e-5, False), f(2, 3, 6), f(3), f(3))
    for dim in (0, 1, -1):
        both(lambda tc, x, dim=dim: tc.norm_except_dim(x, 2, dim), f(3, 4, 2))
    both(lambda tc, x: tc.frobenius_norm(x, [1], True), f(3, 4))
    both(lambda tc, x: tc.nuclear_norm(x), f(3, 4))
    both(lambda tc, x: tc.affine_grid_generator(x, [2, 3, 4, 4], False), f(2, 2, 3))


def test_copies_and_renormalised_rows() -> None:
    both(lambda tc, x: tc.slice_copy(x, 1, 1, None, 2), f(3, 6))
    both(lambda tc, x: tc.split_copy(x, 2, 1), f(3, 5))
    both(lambda tc, x: tc.unsafe_split_with_sizes(x, [1, 4], 1), f(3, 5))
    both(lambda tc, x: tc.view_as_real_copy(tc.view_as_complex_copy(x.detach())), f(3, 2), gradients=False)
    table = f(5, 4) * 3
    both(lambda tc: tc.embedding_renorm_(tc.tensor(table), tc.tensor([3, 1, 3]), 1.0, 2.0), gradients=False)


def test_dropouts_leave_what_they_do_not_drop() -> None:
    ours.manual_seed(0)
    x = ours.ones(400, 50)
    made, mask = ours.native_dropout(x, 0.25, True)
    assert mask.dtype is ours.bool and abs(mask.float().mean().item() - 0.75) < 0.02
    assert ours.equal(made, mask.float() / 0.75)
    channels = ours.feature_dropout(ours.ones(40, 30, 6), 0.5, True)
    assert bool((channels == channels[..., :1]).all()) and set(channels.unique().tolist()) == {0.0, 2.0}
    assert ours.feature_dropout_(x, 0.5, True) is x and ours.alpha_dropout_(x, 0.5, False) is x
