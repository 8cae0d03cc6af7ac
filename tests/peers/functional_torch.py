"""Composites beside PyTorch: the same values, the same gradients."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch

from duograph.graph.composite import Composite
from tests.functional_tools import gradients, outputs

TOLERANCE = {np.float64: 1e-10, np.float32: 2e-5}
"""Absolute and relative."""


def normal(*shape: int, seed: int = 0) -> np.ndarray:
    """Normal numbers, the same for the same shape and seed."""
    return np.random.default_rng([seed, *shape]).standard_normal(shape)


def uniform(*shape: int, seed: int = 0) -> np.ndarray:
    """Numbers from 0 to 1."""
    return np.random.default_rng([seed, *shape]).random(shape)


def integers(high: int, *shape: int, low: int = 0, seed: int = 0) -> np.ndarray:
    return np.random.default_rng([seed, *shape]).integers(low, high, shape)


def compare(
    op: Composite,
    reference: Callable[..., Any],
    *arrays: np.ndarray | None,
    fixed: Sequence[int] = (),
    dtypes: Sequence[type] = (np.float64, np.float32),
    **attributes: Any,
) -> None:
    """Values of all results, and gradients of all floating inputs but those at the places `fixed`."""
    for dtype in dtypes:
        tolerance = TOLERANCE[dtype]
        given = [a if a is None or a.dtype.kind != "f" else a.astype(dtype) for a in arrays]
        tensors = [
            None if a is None else torch.tensor(a, requires_grad=a.dtype.kind == "f" and k not in fixed)
            for k, a in enumerate(given)
        ]
        expected = reference(*tensors)
        expected = expected if isinstance(expected, tuple) else (expected,)
        actual = outputs(op, given, **attributes)
        assert len(actual) == len(expected)
        seeds: list[np.ndarray | None] = []
        loss = torch.zeros((), dtype=torch.float64)
        for k, (a, e) in enumerate(zip(actual, expected, strict=True)):
            assert str(a.dtype) == str(e.dtype).removeprefix("torch."), f"result {k}: {a.dtype}, expected {e.dtype}"
            np.testing.assert_allclose(a, e.detach().numpy(), tolerance, tolerance, err_msg=f"result {k}")
            seeds.append(normal(*a.shape, seed=k + 1).astype(dtype) if e.requires_grad else None)
            if e.requires_grad:
                loss = loss + (torch.tensor(seeds[-1]) * e).sum()
        if not loss.requires_grad:
            continue
        loss.backward()
        found = gradients(op, given, seeds, **attributes)
        for k, (derivative, tensor) in enumerate(zip(found, tensors, strict=True)):
            if tensor is not None and tensor.requires_grad:
                slope = torch.zeros_like(tensor) if tensor.grad is None else tensor.grad
                np.testing.assert_allclose(
                    derivative, slope.numpy(), tolerance, tolerance, err_msg=f"gradient of input {k}"
                )
