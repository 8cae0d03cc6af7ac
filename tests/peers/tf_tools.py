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


class Watching:
    """`tf`, whose constants of floats are watched by a tape, and kept in order."""

    def __init__(self, tf: Any, tape: Any) -> None:
        self._tf, self._tape = tf, tape
        self.made: list[Any] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._tf, name)

    def constant(self, *args: Any, **kwargs: Any) -> Any:
        made = self._tf.constant(*args, **kwargs)
        if made.dtype.is_floating:
            self._tape.watch(made)
            self.made.append(made)
        return made


def _gradients(case: Case, tf: Any) -> list[Any]:
    """The gradients, with respect to the constants that the case makes, of its weighted results."""
    with tf.GradientTape() as tape:
        watching = Watching(tf, tape)
        results = [r for r in leaves(case(watching)) if r.dtype.is_floating or r.dtype.is_complex]
        total = tf.constant(0.0)
        for place, result in enumerate(results):
            weights = np.cos(np.arange(np.prod(result.shape, dtype=int)) + place).reshape(tuple(result.shape))
            weighted = result * tf.cast(tf.constant(weights), result.dtype)
            parts = [tf.math.real(weighted), tf.math.imag(weighted)] if result.dtype.is_complex else [weighted]
            total += sum(tf.cast(tf.reduce_sum(part), tf.float32) for part in parts)
    return tape.gradient(total, watching.made) if results and watching.made else []


def gradients_agree(case: Case, rtol: float = 1e-4, atol: float = 1e-5) -> None:
    """Both give the same gradients, None where there is none."""
    ours, theirs = _gradients(case, dt), _gradients(case, tensorflow)
    assert [g is None for g in ours] == [g is None for g in theirs]
    for mine, yours in zip(ours, theirs, strict=True):
        if mine is not None:
            dense = tensorflow.convert_to_tensor(yours).numpy()  # of a gather TensorFlow's are slices
            assert mine.dtype.name == yours.dtype.name
            np.testing.assert_allclose(mine.numpy(), dense, rtol=rtol, atol=atol)
