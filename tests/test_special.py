"""Special functions under PyTorch's names, against values of tables and against identities."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

import duograph.torch as torch

X = torch.tensor(np.linspace(0.1, 30, 300))


def close(received: Any, expected: Any, tolerance: float = 2e-13) -> None:
    np.testing.assert_allclose(received.numpy(), np.asarray(expected), rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize(
    ("name", "at", "value"),
    [
        ("bessel_j0", 1.0, 0.7651976865579666), ("bessel_j0", 20.0, 0.16702466434058316),
        ("bessel_j1", -1.0, -0.4400505857449335), ("bessel_y0", 1.0, 0.08825696421567697),
        ("bessel_y1", 1.0, -0.7812128213002887), ("i0", 1.0, 1.2660658777520082), ("i0", 10.0, 2815.716628466254),
        ("i1", -1.0, -0.565159103992485), ("modified_bessel_k0", 1.0, 0.42102443824070834),
        ("modified_bessel_k1", 3.0, 0.04015643112819419), ("airy_ai", 0.0, 0.355028053887817239),
        ("airy_ai", 1.0, 0.13529241631288142), ("airy_ai", -5.0, 0.3507610090241143),
        ("erfcx", 10.0, 0.05614099274382259), ("log_ndtr", -20.0, -203.91715537109727),
        ("ndtri", 0.975, 1.959963984540054), ("ndtr", -1.5, 0.06680720126885807), ("entr", 0.5, 0.5 * math.log(2)),
    ],
)  # fmt: skip
def test_values(name: str, at: float, value: float) -> None:
    close(getattr(torch.special, name)(torch.tensor(at, dtype=torch.float64)), value)


def test_wronskians() -> None:
    """J1 Y0 - J0 Y1 = 2 / (pi x) and I0 K1 + I1 K0 = 1 / x."""
    s = torch.special
    close((s.bessel_j1(X) * s.bessel_y0(X) - s.bessel_j0(X) * s.bessel_y1(X)) * X, np.full(300, 2 / math.pi), 1e-12)
    close((s.i0e(X) * s.scaled_modified_bessel_k1(X) + s.i1e(X) * s.scaled_modified_bessel_k0(X)) * X, np.ones(300))


def test_derivatives() -> None:
    x = X.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(torch.special.i0e(x).sum(), x)
    close(gradient, (torch.special.i1e(X) - torch.special.i0e(X)).numpy(), 1e-11)
    (gradient,) = torch.autograd.grad(torch.special.log_ndtr(-x).sum(), x)
    expected = -torch.exp(-X * X / 2 - torch.special.log_ndtr(-X)) / math.sqrt(2 * math.pi)
    close(gradient, expected.numpy(), 1e-10)


def test_zeta_at_even_numbers_and_poles() -> None:
    s, one = torch.tensor([2.0, 4.0, 1.0, 0.5], dtype=torch.float64), torch.ones(4, dtype=torch.float64)
    close(torch.special.zeta(s, one), [math.pi**2 / 6, math.pi**4 / 90, math.inf, math.nan])


@pytest.mark.parametrize(
    ("name", "cubic"),
    [
        ("chebyshev_polynomial_t", [4, 0, -3, 0]), ("chebyshev_polynomial_u", [8, 0, -4, 0]),
        ("chebyshev_polynomial_v", [8, -4, -4, 1]), ("chebyshev_polynomial_w", [8, 4, -4, -1]),
        ("hermite_polynomial_h", [8, 0, -12, 0]), ("hermite_polynomial_he", [1, 0, -3, 0]),
        ("laguerre_polynomial_l", [-1 / 6, 1.5, -3, 1]), ("legendre_polynomial_p", [2.5, 0, -1.5, 0]),
    ],
)  # fmt: skip
def test_orthogonal_polynomials(name: str, cubic: list[float]) -> None:
    x = np.linspace(-2, 2, 9)
    close(getattr(torch.special, name)(torch.tensor(x), 3), np.polyval(cubic, x))
    degrees = torch.tensor([0, 1, 2, 3, -1])
    assert getattr(torch.special, name)(torch.tensor(0.5), degrees)[[0, 4]].tolist() == [1.0, 0.0]
