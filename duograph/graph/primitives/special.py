"""Special functions in float64 accuracy that NumPy lacks. Each takes and gives float32 or float64 arrays."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import cache, wraps

import numpy as np

EULER = 0.5772156649015329


def _in_double(function: Callable[..., np.ndarray]) -> Callable[..., np.ndarray]:
    """Compute in float64 on at least one dimension and give back the shape and dtype of the last argument."""

    @wraps(function)
    def wrapper(*arguments: np.ndarray) -> np.ndarray:
        *rest, x = arguments
        result = function(*rest, np.atleast_1d(np.asarray(x, np.float64)))
        return result.reshape(np.shape(x)).astype(x.dtype)

    return wrapper


def _polynomial(x: np.ndarray, coefficients: Sequence[float]) -> np.ndarray:
    """Horner's rule, highest power first."""
    result = np.full_like(x, coefficients[0])
    for c in coefficients[1:]:
        result *= x
        result += c
    return result


def _ratio(x: np.ndarray, above: Sequence[float], below: Sequence[float]) -> np.ndarray:
    return _polynomial(x, above) / _polynomial(x, below)


# W. J. Cody, "Rational Chebyshev approximations for the error function", Math. Comp. 23 (1969), 631-637.
_ERF_SMALL = (
    (
        1.85777706184603153e-1,
        3.16112374387056560e0,
        1.13864154151050156e2,
        3.77485237685302021e2,
        3.20937758913846947e3,
    ),
    (
        1,
        2.36012909523441209e1,
        2.44024637934444173e2,
        1.28261652607737228e3,
        2.84423683343917062e3,
    ),
)
_ERFC_MIDDLE = (
    (
        2.15311535474403846e-8, 5.64188496988670089e-1, 8.88314979438837594e0, 6.61191906371416295e1,
        2.98635138197400131e2, 8.81952221241769090e2, 1.71204761263407058e3, 2.05107837782607147e3,
        1.23033935479799725e3,
    ),
    (
        1, 1.57449261107098347e1, 1.17693950891312499e2, 5.37181101862009858e2, 1.62138957456669019e3,
        3.29079923573345963e3, 4.36261909014324716e3, 3.43936767414372164e3, 1.23033935480374942e3,
    ),
)  # fmt: skip
_ERFC_LARGE = (
    (
        1.63153871373020978e-2, 3.05326634961232344e-1, 3.60344899949804439e-1, 1.25781726111229246e-1,
        1.60837851487422766e-2, 6.58749161529837803e-4,
    ),
    (
        1, 2.56852019228982242e0, 1.87295284992346725e0, 5.27905102951428412e-1, 6.05183413124413191e-2,
        2.33520497626869185e-3,
    ),
)  # fmt: skip


def _erfc_tail(x: np.ndarray) -> np.ndarray:
    """erfc for x >= 0.46875."""
    with np.errstate(all="ignore"):
        inverse = 1 / (x * x)
        middle = _ratio(np.minimum(x, 4), *_ERFC_MIDDLE)
        large = (1 / math.sqrt(math.pi) - inverse * _ratio(inverse, *_ERFC_LARGE)) / x
        # exp(-x²) in two factors: the first square is exact, so that rounding x² costs nothing
        head = np.trunc(np.minimum(x, 30) * 16) / 16
        scale = np.exp(-head * head) * np.exp(-(x - head) * (x + head))
        return np.where(x > 27, 0, scale * np.where(x <= 4, middle, large))


@_in_double
def erf(x: np.ndarray) -> np.ndarray:
    """2/√π ∫₀ˣ exp(-t²) dt, after Cody (1969)."""
    magnitude = np.abs(x)
    result = x * _ratio(np.minimum(magnitude, 1) ** 2, *_ERF_SMALL)
    tail = magnitude > 0.46875
    result[tail] = np.copysign(1 - _erfc_tail(magnitude[tail]), x[tail])
    return np.where(np.isnan(x), x, result)


# M. J. Wichura, "Algorithm AS 241: the percentage points of the normal distribution", Applied Statistics 37 (1988).
_QUANTILE_CENTRE = (
    (
        2.5090809287301226727e3, 3.3430575583588128105e4, 6.7265770927008700853e4, 4.5921953931549871457e4,
        1.3731693765509461125e4, 1.9715909503065514427e3, 1.3314166789178437745e2, 3.3871328727963666080e0,
    ),
    (
        5.2264952788528545610e3, 2.8729085735721942674e4, 3.9307895800092710610e4, 2.1213794301586595867e4,
        5.3941960214247511077e3, 6.8718700749205790830e2, 4.2313330701600911252e1, 1,
    ),
)  # fmt: skip
_QUANTILE_MIDDLE = (
    (
        7.74545014278341407640e-4, 2.27238449892691845833e-2, 2.41780725177450611770e-1, 1.27045825245236838258e0,
        3.64784832476320460504e0, 5.76949722146069140550e0, 4.63033784615654529590e0, 1.42343711074968357734e0,
    ),
    (
        1.05075007164441684324e-9, 5.47593808499534494600e-4, 1.51986665636164571966e-2, 1.48103976427480074590e-1,
        6.89767334985100004550e-1, 1.67638483018380384940e0, 2.05319162663775882187e0, 1,
    ),
)  # fmt: skip
_QUANTILE_TAIL = (
    (
        2.01033439929228813265e-7, 2.71155556874348757815e-5, 1.24266094738807843860e-3, 2.65321895265761230930e-2,
        2.96560571828504891230e-1, 1.78482653991729133580e0, 5.46378491116411436990e0, 6.65790464350110377720e0,
    ),
    (
        2.04426310338993978564e-15, 1.42151175831644588870e-7, 1.84631831751005468180e-5, 7.86869131145613259100e-4,
        1.48753612908506148525e-2, 1.36929880922735805310e-1, 5.99832206555887937690e-1, 1,
    ),
)  # fmt: skip


@_in_double
def erfinv(x: np.ndarray) -> np.ndarray:
    """The inverse of `erf`: the normal quantile of (1 + x) / 2, over √2, after Wichura (1988)."""
    half = x / 2
    with np.errstate(all="ignore"):
        centre = half * _ratio(0.180625 - half * half, *_QUANTILE_CENTRE)
        r = np.sqrt(-np.log(0.5 - np.abs(half)))
        tail = np.where(
            r <= 5,
            _ratio(r - 1.6, *_QUANTILE_MIDDLE),
            _ratio(np.minimum(r, 30) - 5, *_QUANTILE_TAIL),
        )
        result = np.where(np.abs(half) <= 0.425, centre, np.copysign(tail, x)) / math.sqrt(2)
        return np.where(
            np.abs(x) < 1,
            result,
            np.where(np.abs(x) == 1, np.copysign(np.inf, x), np.nan),
        )


@cache
def _bernoulli() -> tuple[float, ...]:
    """B₂, B₄, ... B₂₄ from the zeta function: |B₂ₖ| = 2 (2k)! ζ(2k) / (2π)²ᵏ."""
    return tuple(
        (-1) ** (k + 1) * 2 * math.factorial(2 * k) * (1 + _zeta_minus_one(2 * k)) / (2 * math.pi) ** (2 * k)
        for k in range(1, 13)
    )


def _zeta_minus_one(s: int) -> float:
    """ζ(s) - 1 for an integer s > 1: 30 terms and the Euler-Maclaurin tail."""
    n = 30
    total = sum(k**-s for k in range(n - 1, 1, -1))
    tail, term = n ** (1 - s) / (s - 1) + n**-s / 2, s * n ** (-s - 1)
    for k, bernoulli in enumerate((1 / 6, -1 / 30, 1 / 42, -1 / 30, 5 / 66), 1):
        tail += bernoulli * term / math.factorial(2 * k)
        term *= (s + 2 * k - 1) * (s + 2 * k) / n**2
    return total + tail


@cache
def _lgamma_series() -> tuple[float, ...]:
    """Taylor coefficients of log Γ(2 + z), highest first: Σ (-1)ᵏ (ζ(k) - 1) zᵏ / k + (1 - γ) z."""
    return (
        *((-1) ** k * _zeta_minus_one(k) / k for k in range(30, 1, -1)),
        1 - EULER,
        0.0,
    )


@_in_double
def lgamma(x: np.ndarray) -> np.ndarray:
    """log |Γ(x)|: Taylor's series near 1 and 2, Stirling's above, reflection below 1/2 (DLMF 5.5.3, 5.7.3, 5.11.1)."""
    with np.errstate(all="ignore"):
        reflected = np.where(x < 0.5, 1 - x, x)
        low = np.clip(reflected, 0.5, 2.5)
        near_one = low < 1.5
        z = np.where(near_one, low - 1, low - 2)
        near = _polynomial(z, _lgamma_series()) - np.where(near_one, np.log1p(z), 0)

        shifted, product = reflected.copy(), np.ones_like(reflected)
        for _ in range(10):
            small = shifted < 10
            product = np.where(small, product * shifted, product)
            shifted = np.where(small, shifted + 1, shifted)
        inverse = 1 / (shifted * shifted)
        series = [b / (2 * k * (2 * k - 1)) for k, b in enumerate(_bernoulli()[:8], 1)]
        far = (shifted - 0.5) * (np.log(shifted) - 1) + (0.5 * math.log(2 * math.pi) - 0.5)
        far += _polynomial(inverse, series[::-1]) / shifted - np.log(product)
        result = np.where(reflected <= 2.5, near, np.where(np.isinf(x), np.inf, far))
        # Γ(x) Γ(1 - x) = π / sin(πx)
        return np.where(
            x < 0.5,
            np.where(np.isinf(x), np.inf, math.log(math.pi) - np.log(_sin_pi(x)) - result),
            result,
        )


def _sin_pi(x: np.ndarray) -> np.ndarray:
    """|sin(πx)| without loss for large x."""
    fraction = np.abs(x - np.rint(x))
    return np.sin(math.pi * fraction)


def _cot_pi(x: np.ndarray) -> np.ndarray:
    return 1 / np.tan(math.pi * (x - np.rint(x)))


def _shift_up(x: np.ndarray, order: int, least: int) -> tuple[np.ndarray, np.ndarray]:
    """x + n at or above `least`, and Σ (x + i)^-(order + 1) for i < n."""
    total = np.zeros_like(x)
    for _ in range(least):
        small = x < least
        total = np.where(small, total + x ** -(order + 1.0), total)
        x = np.where(small, x + 1, x)
    return x, total


@_in_double
def digamma(x: np.ndarray) -> np.ndarray:
    """The derivative of log Γ: recurrence up to 10, then the asymptotic series; reflection below 0 (DLMF 5.5, 5.11)."""
    with np.errstate(all="ignore"):
        y, total = _shift_up(np.where(x < 0, 1 - x, x), 0, 10)
        inverse = 1 / (y * y)
        series = [-b / (2 * k) for k, b in enumerate(_bernoulli()[:8], 1)]
        result = np.log(y) - 0.5 / y + inverse * _polynomial(inverse, series[::-1]) - total
        result = np.where(x < 0, result - math.pi * _cot_pi(x), result)
        result = np.where(x == 0, np.copysign(np.inf, -x), result)  # a pole, with a side
        return np.where((x < 0) & (x == np.floor(x)), np.nan, result)


def _cotangent_derivative(order: int) -> list[float]:
    """The polynomial P, lowest power first, with dⁿ/dxⁿ cot x = P(cot x)."""
    p = [0.0, 1.0]
    for _ in range(order):
        slope = [k * c for k, c in enumerate(p)][1:]
        p = [0.0] * (len(slope) + 2)
        for k, c in enumerate(slope):
            p[k] -= c
            p[k + 2] -= c
    return p


def polygamma(order: int, x: np.ndarray) -> np.ndarray:
    """The derivative of digamma of order n >= 1, by the same means (DLMF 5.15)."""
    return _polygamma(order, x)


@_in_double
def _polygamma(n: int, x: np.ndarray) -> np.ndarray:
    with np.errstate(all="ignore"):
        y, total = _shift_up(np.where(x < 0, 1 - x, x), n, 15 + n)
        inverse = 1 / (y * y)
        series = [b * math.factorial(2 * k + n - 1) / math.factorial(2 * k) for k, b in enumerate(_bernoulli(), 1)]
        tail = math.factorial(n - 1) + math.factorial(n) / (2 * y) + inverse * _polynomial(inverse, series[::-1])
        sign = (-1) ** (n + 1)
        result = sign * (tail * y**-n + math.factorial(n) * total)
        # ψₙ(1 - x) - (-1)ⁿ ψₙ(x) = (-1)ⁿ π dⁿ/dxⁿ cot(πx)
        cotangent = math.pi ** (n + 1) * _polynomial(_cot_pi(x), _cotangent_derivative(n)[::-1])
        return np.where(x < 0, -sign * result - cotangent, result)
