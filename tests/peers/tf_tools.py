"""What the comparisons with TensorFlow have in common."""

from __future__ import annotations

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import duograph.tf as dt

tensorflow = pytest.importorskip("tensorflow")

Case = Callable[[Any], Any]


def leaves(x: Any) -> list[Any]:
    return [leaf for item in x for leaf in leaves(item)] if isinstance(x, list | tuple) else [x]


def agree(case: Case, rtol: float = 2e-5, atol: float = 3e-6) -> None:
    """Both give as many results, of one shape, dtype and content."""
    ours, theirs = leaves(case(dt)), leaves(case(tensorflow))
    assert len(ours) == len(theirs)
    for mine, yours in zip(ours, theirs, strict=True):
        assert tuple(mine.shape) == tuple(yours.shape)
        assert mine.dtype.name == yours.dtype.name
        if mine.dtype.name == "string":
            np.testing.assert_array_equal(mine.numpy(), yours.numpy())
        else:
            np.testing.assert_allclose(mine.numpy(), yours.numpy(), rtol=rtol, atol=atol)
