"""Losses and embeddings agree with PyTorch."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")
F = torch.nn.functional

from duograph.functional import activation, ctc, embedding, loss
from duograph.graph.composite import composite
from tests.peers.functional_torch import compare, integers, normal, uniform

SHAPE = (3, 4)
REDUCTION = pytest.mark.parametrize("reduction", ["none", "mean", "sum"])


def both(op, reference, *arrays: np.ndarray, **attributes) -> None:
    """`compare`, with the same attributes on both sides."""
    theirs = {k: v for k, v in attributes.items() if k not in ("fixed", "dtypes")}
    compare(op, lambda *t: reference(*t, **theirs), *arrays, **attributes)


@REDUCTION
def test_distances(reduction: str) -> None:
    x, target = normal(*SHAPE), normal(*SHAPE, seed=1)
    both(loss.mse, F.mse_loss, x, target, reduction=reduction)
    both(loss.l1, F.l1_loss, x, target, reduction=reduction)
    for width in (0.5, 2.0):
        both(loss.huber, F.huber_loss, x, target, reduction=reduction, delta=width)
    for width in (0.0, 0.5, 2.0):
        both(loss.smooth_l1, F.smooth_l1_loss, x, target, reduction=reduction, beta=width)


@REDUCTION
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("shape", [(5,), (6, 5), (6, 5, 3), (2, 5, 3, 2)])
def test_classes(shape: tuple[int, ...], weighted: bool, reduction: str) -> None:
    x = normal(*shape)
    weight = (uniform(5) + 0.1,) if weighted else ()
    target = integers(5, *(shape[1:] if len(shape) == 1 else (shape[0], *shape[2:])))
    ignored = 2
    if target.ndim:
        target.reshape(-1)[:2] = -100, ignored
    both(loss.nll, F.nll_loss, x, target, *weight, reduction=reduction, fixed=[2])
    probable = uniform(*shape)
    for smoothing in (0.0, 0.2):
        given = {"reduction": reduction, "label_smoothing": smoothing, "fixed": [2]}
        both(loss.cross_entropy, F.cross_entropy, x, target, *weight, **given)
        both(loss.cross_entropy, F.cross_entropy, x, probable, *weight, **given)
        if target.ndim:
            kept = np.where(target == -100, 0, target)
            both(loss.cross_entropy, F.cross_entropy, x, kept, *weight, **given, ignore_index=ignored)


@REDUCTION
def test_binary_cross_entropy(reduction: str) -> None:
    p, target = uniform(*SHAPE), uniform(*SHAPE, seed=1)
    both(loss.binary_cross_entropy, F.binary_cross_entropy, p, target, reduction=reduction)
    both(
        loss.binary_cross_entropy,
        F.binary_cross_entropy,
        p,
        target,
        uniform(*SHAPE, seed=2),
        reduction=reduction,
        fixed=[2],
    )
    p[0, :3], target[0, :3] = (0, 1, 1e-14), (1, 0, 0.5)  # where the sigmoid before it has saturated
    given = {"reduction": reduction, "fixed": [1], "dtypes": [np.float32]}  # their 1e-12 is a float32, in float64 too
    both(loss.binary_cross_entropy, F.binary_cross_entropy, p, target, **given)


@REDUCTION
def test_binary_cross_entropy_with_logits(reduction: str) -> None:
    def reference(x, target, weight=None, pos_weight=None):
        return F.binary_cross_entropy_with_logits(x, target, weight, reduction=reduction, pos_weight=pos_weight)

    op, x, target = loss.binary_cross_entropy_with_logits, normal(*SHAPE) * 20, uniform(*SHAPE)
    x[0, 0] = 0
    compare(op, reference, x, target, reduction=reduction)
    compare(op, reference, x, target, uniform(4), uniform(4, seed=1), reduction=reduction, fixed=[2, 3])


@pytest.mark.parametrize("reduction", ["none", "mean", "sum", "batchmean"])
@pytest.mark.filterwarnings("ignore:reduction:UserWarning")
def test_kl_div(reduction: str) -> None:
    both(loss.kl_div, F.kl_div, normal(*SHAPE), uniform(*SHAPE), reduction=reduction)
    both(loss.kl_div, F.kl_div, normal(*SHAPE), normal(*SHAPE, seed=1), reduction=reduction, log_target=True)
    some = uniform(*SHAPE)
    some[0] = 0
    both(loss.kl_div, F.kl_div, normal(*SHAPE), some, reduction=reduction, fixed=[1])


@REDUCTION
@pytest.mark.parametrize("full", [False, True])
def test_likelihoods(reduction: str, full: bool) -> None:
    given = {"reduction": reduction, "full": full}
    counts = uniform(*SHAPE, seed=1) * 3
    both(loss.poisson_nll, F.poisson_nll_loss, normal(*SHAPE), counts, **given, log_input=True)
    both(loss.poisson_nll, F.poisson_nll_loss, uniform(*SHAPE) + 0.1, counts, **given, log_input=False)
    for variance in (uniform(*SHAPE), uniform(3, 1), uniform(3)):
        both(loss.gaussian_nll, F.gaussian_nll_loss, normal(*SHAPE), counts, variance + 0.1, **given)


@REDUCTION
def test_margins(reduction: str) -> None:
    x, y, side = normal(*SHAPE), normal(*SHAPE, seed=1), np.sign(normal(*SHAPE, seed=2))
    both(loss.hinge_embedding, F.hinge_embedding_loss, x, side, reduction=reduction, margin=0.7, fixed=[1])
    both(loss.margin_ranking, F.margin_ranking_loss, x, y, side, reduction=reduction, margin=0.3)
    both(loss.soft_margin, F.soft_margin_loss, x * 10, side, reduction=reduction, fixed=[1])
    both(loss.cosine_embedding, F.cosine_embedding_loss, x, y, side[:, 0], reduction=reduction, margin=0.1, fixed=[2])
    both(loss.cosine_embedding, F.cosine_embedding_loss, x[0], y[0], np.array(1.0), reduction=reduction, fixed=[2])
    for p in (1.0, 2.0, 3.0):
        for swap in (False, True):
            anchors = (x, y, normal(*SHAPE, seed=3))
            both(loss.triplet_margin, F.triplet_margin_loss, *anchors, reduction=reduction, p=p, swap=swap)


@REDUCTION
def test_margins_of_classes(reduction: str) -> None:
    x, target = normal(*SHAPE), integers(4, 3)
    for p in (1, 2):
        both(loss.multi_margin, F.multi_margin_loss, x, target, reduction=reduction, p=p, margin=0.8)
        compare(
            loss.multi_margin,
            lambda x, t, w: F.multi_margin_loss(x, t, weight=w, reduction=reduction),
            x,
            target,
            uniform(4),
            reduction=reduction,
            fixed=[2],
        )
    both(loss.multi_margin, F.multi_margin_loss, x[0], np.array(2), reduction=reduction)
    soft = loss.multilabel_soft_margin
    both(soft, F.multilabel_soft_margin_loss, x * 10, uniform(*SHAPE), reduction=reduction)
    both(soft, F.multilabel_soft_margin_loss, x, uniform(*SHAPE), uniform(4), reduction=reduction)
    listed = np.array([[3, 0, -1, 1], [-1, 0, 0, 0], [0, 1, 2, 3]])
    both(loss.multilabel_margin, F.multilabel_margin_loss, x, listed, reduction=reduction)
    both(loss.multilabel_margin, F.multilabel_margin_loss, x[0], listed[0], reduction=reduction)


@composite
def ctc_of_logits(x, *rest, **attributes):
    return ctc.ctc(activation.log_softmax(x, axis=-1), *rest, **attributes)


@REDUCTION
def test_ctc(reduction: str) -> None:
    targets = integers(5, 4, 3, low=1)
    targets[0] = 1, 1, 2
    given = {"reduction": reduction, "zero_infinity": True}
    compare(
        ctc_of_logits,
        lambda x, *rest: F.ctc_loss(torch.log_softmax(x, -1), *rest, **given),
        normal(9, 4, 5),
        targets,
        np.array([9, 7, 9, 2]),  # the last is too short for its target
        np.array([3, 2, 0, 3]),
        **given,
    )


def test_embedding() -> None:
    indices = integers(5, 3, 4)
    compare(embedding.embedding, F.embedding, indices, normal(5, 2))
    compare(embedding.embedding, lambda i, w: F.embedding(i, w, padding_idx=2), indices, normal(5, 2), padding_idx=2)
    compare(embedding.one_hot, lambda i: F.one_hot(i, 6), indices, classes=6)
