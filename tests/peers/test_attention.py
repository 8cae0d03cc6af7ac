"""Attention as machine code agrees with PyTorch: values and gradients, in the sizes and masks that kernels differ by.

Tolerances: 2e-5 of the largest number in float32, two units in the last place of it in bfloat16, whose sums are in
float32 here and there.
"""

from __future__ import annotations

import ml_dtypes
import numpy as np
import pytest

import duograph.torch as duo

torch = pytest.importorskip("torch")

TOLERANCE = {"float32": 2e-5, "float64": 1e-12, "bfloat16": 2 * float(ml_dtypes.finfo(ml_dtypes.bfloat16).eps)}


def both(shapes: list[tuple[int, ...]], mask: np.ndarray | None, dtype: str, **attributes: object) -> None:
    """Run and differentiate in both, and compare."""
    rng = np.random.default_rng(0)
    arrays = [rng.standard_normal(shape) for shape in shapes]
    seed = rng.standard_normal((*shapes[0][:-1], shapes[2][-1]))
    found = []
    for framework in (duo, torch):
        kind = getattr(framework, dtype)
        operands = [framework.tensor(a, dtype=kind, requires_grad=True) for a in arrays]
        given = None if mask is None else framework.tensor(mask, dtype=None if mask.dtype == bool else kind)
        y = framework.nn.functional.scaled_dot_product_attention(*operands, given, **attributes)
        slopes = framework.autograd.grad(y, operands, framework.tensor(seed, dtype=kind))
        found.append([x.detach().to(framework.float64).numpy() for x in (y, *slopes)])
    for ours, theirs in zip(*found, strict=True):
        scale = max(1.0, np.abs(theirs).max(initial=0))
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=TOLERANCE[dtype] * scale)


def seen(*shape: int) -> np.ndarray:
    """Where to look; each query sees the first key."""
    mask = np.random.default_rng(1).random(shape) < 0.6
    mask[..., 0] = True
    return mask


@pytest.mark.parametrize("dtype", list(TOLERANCE))
@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize(("heads", "shared"), [(4, 4), (4, 2)])
def test_heads(heads: int, shared: int, causal: bool, dtype: str) -> None:
    shapes = [(2, heads, 50, 24), (2, shared, 37, 24), (2, shared, 37, 24)]
    both(shapes, None, dtype, is_causal=causal, enable_gqa=heads != shared)


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize(
    "mask",
    [seen(50, 37), seen(2, 1, 1, 37), seen(2, 4, 50, 37), np.where(seen(50, 37), 0.5, -np.inf)],
    ids=["queries", "keys", "all", "numbers"],
)
def test_masks(mask: np.ndarray, dtype: str) -> None:
    both([(2, 4, 50, 24), (2, 4, 37, 24), (2, 4, 37, 16)], mask, dtype)


@pytest.mark.parametrize("length", [8, 31, 33, 64, 200])
def test_lengths(length: int) -> None:
    both([(1, 2, length, 32)] * 3, None, "float32", is_causal=True)


def test_rows_that_see_nothing() -> None:
    mask = seen(20, 37)
    mask[3] = False
    both([(1, 2, 20, 8), (1, 2, 37, 8), (1, 2, 37, 8)], mask, "float32")
