"""`torch.testing`: comparisons for tests."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..graph.errors import ArgumentError
from ..tensor.convert import as_tensor
from ..tensor.core import Tensor
from .missing import missing

__all__ = ["assert_allclose", "assert_close"]

TOLERANCES = {"float16": (1e-3, 1e-5), "bfloat16": (1.6e-2, 1e-5), "float32": (1.3e-6, 1e-5), "float64": (1e-7, 1e-7)}
"""Relative and absolute, as PyTorch's."""


def assert_close(
    actual: Any, expected: Any, *, rtol: float | None = None, atol: float | None = None, equal_nan: bool = False,
    check_dtype: bool = True, check_device: bool = True, check_layout: bool = True, check_stride: bool = False,
    msg: Any = None,
) -> None:  # fmt: skip
    """Raise AssertionError unless |actual - expected| <= atol + rtol |expected| everywhere; nests are walked.

    The tolerances are those of PyTorch for the dtype unless given; both or neither must be.
    """
    if (rtol is None) != (atol is None):
        raise ArgumentError(f"assert_close: expected both rtol and atol, or neither. Received: {rtol} and {atol}")
    if isinstance(expected, dict):
        if actual.keys() != expected.keys():
            raise AssertionError(f"the keys differ: {sorted(actual)} and {sorted(expected)}")
        for key in expected:
            assert_close(actual[key], expected[key], rtol=rtol, atol=atol, equal_nan=equal_nan,
                         check_dtype=check_dtype, msg=msg)  # fmt: skip
        return
    if isinstance(expected, list | tuple):
        if len(actual) != len(expected):
            raise AssertionError(f"the lengths differ: {len(actual)} and {len(expected)}")
        for a, b in zip(actual, expected, strict=True):
            assert_close(a, b, rtol=rtol, atol=atol, equal_nan=equal_nan, check_dtype=check_dtype, msg=msg)
        return
    a, b = as_tensor(actual).detach(), as_tensor(expected).detach()
    if isinstance(actual, Tensor) != isinstance(expected, Tensor):
        raise AssertionError(f"expected a {type(expected).__name__}. Received: {type(actual).__name__}")
    if a.shape != b.shape:
        raise AssertionError(f"the shapes differ: {tuple(a.shape)} and {tuple(b.shape)}")
    if check_dtype and a.dtype is not b.dtype and isinstance(actual, Tensor):
        raise AssertionError(f"the dtypes differ: {a.dtype} and {b.dtype}")
    found = [TOLERANCES.get(t.dtype.name, (0.0, 0.0)) for t in (a, b)]
    relative = max(f[0] for f in found) if rtol is None else rtol
    absolute = max(f[1] for f in found) if atol is None else atol
    x, y = (np.asarray(t.double().numpy() if t.dtype.is_floating_point else t.numpy()) for t in (a, b))
    close = np.isclose(x, y, relative, absolute, equal_nan=equal_nan) if relative or absolute else x == y
    if not close.all():
        wrong = np.argwhere(np.atleast_1d(~close))[0]
        where = tuple(int(k) for k in wrong) if close.ndim else ()
        text = f"{int((~close).sum())} of {close.size} elements differ; at {where}: {x[where]!r} is not {y[where]!r}"
        raise AssertionError(msg(text) if callable(msg) else msg or text)


def assert_allclose(actual: Any, expected: Any, rtol: float | None = None, atol: float | None = None,
                    equal_nan: bool = True, msg: str = "") -> None:  # fmt: skip
    """`assert_close` that looks away from the dtype."""
    assert_close(actual, expected, rtol=rtol, atol=atol, equal_nan=equal_nan, check_dtype=False, msg=msg or None)


__getattr__ = missing(__name__, __all__)
