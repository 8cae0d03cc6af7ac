"""Optimisers step as PyTorch's do, through the rules recorded for all parameters at once."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from duograph import optim
from duograph.functional import update
from duograph.tensor.convert import tensor
from tests.functional_tools import outputs, value
from tests.peers.functional_torch import normal

DECAY = {"weight_decay": 0.1}
OPTIMISERS: list[tuple[str, dict[str, Any]]] = [
    ("SGD", {"lr": 0.1}),
    ("SGD", {"lr": 0.1, "momentum": 0.9, "dampening": 0.2, **DECAY}),
    ("SGD", {"lr": 0.1, "momentum": 0.9, "nesterov": True, "maximize": True}),
    ("Adam", {}),
    ("Adam", {"betas": (0.8, 0.95), "eps": 1e-6, "amsgrad": True, **DECAY}),
    ("AdamW", {"lr": 0.01}),
    ("AdamW", {"lr": 0.01, "amsgrad": True, "maximize": True}),
    ("NAdam", {}),
    ("NAdam", DECAY),
    ("NAdam", {"decoupled_weight_decay": True, **DECAY}),
    ("RAdam", {"betas": (0.9, 0.6)}),
    ("RAdam", DECAY),
    ("RAdam", {"decoupled_weight_decay": True, **DECAY}),
    ("Adamax", {}),
    ("Adamax", DECAY),
    ("RMSprop", {}),
    ("RMSprop", {"momentum": 0.9, **DECAY}),
    ("RMSprop", {"centered": True}),
    ("RMSprop", {"momentum": 0.9, "centered": True}),
    ("Adagrad", {"lr_decay": 0.1, "initial_accumulator_value": 0.5, **DECAY}),
    ("Adadelta", {}),
    ("Adadelta", {"lr": 0.5, **DECAY}),
    ("Rprop", {}),
    ("ASGD", {"t0": 4, **DECAY}),
]
STEPS = 8


@pytest.mark.parametrize(("dtype", "tolerance"), [("float64", 1e-10), ("float32", 2e-5)])
@pytest.mark.parametrize(("name", "options"), OPTIMISERS)
def test_optimiser(name: str, options: dict[str, Any], dtype: str, tolerance: float) -> None:
    if name == "ASGD":
        tolerance = max(tolerance, 1e-8)  # their step sizes are float32
    first = [normal(3, 4).astype(dtype), normal(5).astype(dtype)]
    ours = [tensor(a, requires_grad=True) for a in first]
    theirs = [torch.tensor(a, requires_grad=True) for a in first]
    our_optimiser, their_optimiser = (
        getattr(optim, name)(ours, **options),
        getattr(torch.optim, name)(theirs, **options),
    )
    for step in range(STEPS):
        for k, (mine, other) in enumerate(zip(ours, theirs, strict=True)):
            slope = normal(*mine.shape, seed=10 * step + k + 1).astype(dtype)
            mine.grad, other.grad = tensor(slope), torch.tensor(slope)
        our_optimiser.step()
        their_optimiser.step()
        for mine, other in zip(ours, theirs, strict=True):
            np.testing.assert_allclose(
                mine.detach().numpy(), other.detach().numpy(), tolerance, tolerance, err_msg=f"step {step + 1}"
            )


@pytest.mark.parametrize("order", [1.0, 2.0, 3.0, float("inf")])
@pytest.mark.parametrize("limit", [0.1, 100.0])
def test_clipping_by_norm(order: float, limit: float) -> None:
    slopes = [normal(3, 4), normal(5)]
    parameters = [torch.zeros(s.shape, dtype=torch.float64, requires_grad=True) for s in slopes]
    for p, s in zip(parameters, slopes, strict=True):
        p.grad = torch.tensor(s)
    expected = torch.nn.utils.clip_grad_norm_(parameters, limit, order)
    norm = value(update.total_norm, *slopes, order=order)
    np.testing.assert_allclose(norm, expected.numpy(), 1e-12)
    clipped = outputs(update.clipped_by_norm, [norm, np.array(limit), *slopes])
    for p, c in zip(parameters, clipped, strict=True):
        np.testing.assert_allclose(c, p.grad.numpy(), 1e-12)


def test_clipping_by_value() -> None:
    slopes = [normal(3, 4), normal(5)]
    for s, c in zip(slopes, outputs(update.clipped_by_value, [np.array(0.5), *slopes]), strict=True):
        np.testing.assert_array_equal(c, np.clip(s, -0.5, 0.5))
