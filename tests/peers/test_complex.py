"""Complex numbers against PyTorch: dtypes, values and gradients of programs, and files both ways."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import duograph.torch as ours

torch = pytest.importorskip("torch")

DTYPES = ("bool", "int32", "int64", "float16", "bfloat16", "float32", "float64", "complex64", "complex128")


def numbers(*shape: int) -> np.ndarray:
    generator = np.random.default_rng(sum(shape))
    return generator.standard_normal(shape) + 1j * generator.standard_normal(shape)


@pytest.mark.filterwarnings("ignore:ComplexHalf support")
@pytest.mark.parametrize("shapes", [((2,), (2,)), ((2,), ()), ((), (2,))])
def test_promotion(shapes: tuple[tuple[int, ...], tuple[int, ...]]) -> None:
    """But of half precision, whose complex dtype is not here: complex64 is in its place."""
    for a, b in itertools.product(DTYPES, DTYPES):
        if "complex" in a + b:
            mine = ours.result_type(
                *(ours.ones(s, dtype=getattr(ours, d)) for s, d in zip(shapes, (a, b), strict=True))
            )
            theirs = torch.result_type(
                *(torch.ones(s, dtype=getattr(torch, d)) for s, d in zip(shapes, (a, b), strict=True))
            )
            assert mine.name == str(theirs).removeprefix("torch.").replace("complex32", "complex64"), (a, b)
    for a in DTYPES:
        mine, theirs = ours.ones(2, dtype=getattr(ours, a)) * 2j, torch.ones(2, dtype=getattr(torch, a)) * 2j
        assert mine.dtype.name == str(theirs.dtype).removeprefix("torch.").replace("complex32", "complex64")


def _rotary(t: Any, x: Any) -> Any:
    """Rotary position embedding as Llama's code has it."""
    pairs = t.view_as_complex(x.real.reshape(4, 3, 2).contiguous())
    angles = t.outer(t.arange(4, dtype=t.float64), 1.0 / 10 ** t.arange(3, dtype=t.float64))
    turned = t.view_as_real(pairs * t.polar(t.ones_like(angles), angles)).flatten(1)
    return turned.square().cumsum(0)


def _filtered(t: Any, x: Any) -> Any:
    spectrum = t.fft.rfft2(x.real, norm="ortho")
    return t.fft.irfft2(spectrum * t.exp(-spectrum.abs()), s=(4, 6))


def _spectral(t: Any, x: Any) -> Any:
    made = t.stft(x.real.reshape(24), 8, 2, window=t.ones(8, dtype=t.float64) * 0.5, return_complex=True)
    return t.istft(made * made.sgn().conj(), 8, 2, window=t.ones(8, dtype=t.float64) * 0.5)


def _unitary(t: Any, x: Any) -> Any:
    h = x[:, :4] + x[:, :4].mH
    return (t.linalg.matrix_exp(h * 0.3j) @ x).abs().square() + t.linalg.eigvalsh(h)[0]


def _state_space(t: Any, x: Any) -> Any:
    """A diagonal linear recurrence with complex states."""
    decay, state, made = t.exp(-x[0].abs() + 1j * x[1].imag), t.zeros_like(x[0]), []
    for row in x:
        state = decay * state + row
        made.append((state * x[2]).real.sum())
    return t.stack(made)


PROGRAMS: dict[str, Callable[[Any, Any], Any]] = {
    "rotary": _rotary, "filtered": _filtered, "spectral": _spectral, "unitary": _unitary, "state space": _state_space,
}  # fmt: skip


@pytest.mark.parametrize("name", PROGRAMS)
def test_programs(name: str) -> None:
    """Losses and gradients in complex128."""
    array = numbers(4, 6)
    results = []
    for t in (torch, ours):
        x = t.tensor(array, requires_grad=True)
        y = PROGRAMS[name](t, x)
        (y * y.cos()).sum().backward()
        results.append((y.detach().numpy(), x.grad.numpy()))
    for theirs, mine in zip(*results, strict=True):
        assert mine.dtype == theirs.dtype
        np.testing.assert_allclose(mine, theirs, 1e-9, 1e-10)


def test_files_both_ways(tmp_path: Path) -> None:
    array = numbers(3, 4)
    for dtype in ("complex64", "complex128"):
        theirs = torch.tensor(array, dtype=getattr(torch, dtype))
        for new in (True, False):
            torch.save({"x": theirs, "part": theirs.t()}, tmp_path / "x.pt", _use_new_zipfile_serialization=new)
            loaded = ours.load(tmp_path / "x.pt")
            assert np.array_equal(loaded["x"].numpy(), theirs.numpy())
            assert np.array_equal(loaded["part"].numpy(), theirs.t().numpy())
        ours.save({"x": loaded["x"]}, tmp_path / "x.pt")
        again = torch.load(tmp_path / "x.pt", weights_only=True)["x"]
        assert again.dtype is theirs.dtype and torch.equal(again, theirs)
