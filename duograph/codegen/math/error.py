"""The error function."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..operands import Reg
from . import formats
from .exponential import exp, exp2
from .formats import DOUBLE, FLOAT, format_of, muladd, polynomial

if TYPE_CHECKING:
    from ..emitter import Function

# Minimax polynomials, by Remez' exchange in 80 digits.
# erf(x) / x - 1 in x**2 on [0, 1]; relative error of erf 2**-24.6, absolute error 2**-62.
_NEAR = {
    FLOAT: (1.2837912e-01, -3.7612325e-01, 1.128018e-01, -2.671131e-02, 4.9175494e-03, -5.6314148e-04),
    DOUBLE: (
        0.1283791670955126,
        -0.3761263890318375,
        0.11283791670954885,
        -0.026866170645077875,
        0.00522397762482844,
        -0.000854832698142629,
        0.00012055331132989906,
        -1.4925595773160293e-05,
        1.646100849604975e-06,
        -1.6350396442332455e-07,
        1.4660330364628549e-08,
        -1.1374962677218989e-09,
        5.960697999053702e-11,
    ),
}
# log2(erfc(x)) in x - 1 on [1, 4], for float, and log(erfc(x)) on [1, 6]; error weighted by erfc(x): 2**-30 and 2**-62.
_FAR = {
    FLOAT: (
        -2.6684167e00,
        -3.8072243e00,
        -1.2163626e00,
        -5.9872836e-02,
        1.4269538e-02,
        -2.634594e-03,
        2.6772573e-04,
    ),
    DOUBLE: (
        -1.8496055099332482,
        -2.638967514234791,
        -0.8431072563585149,
        -0.04156109804576121,
        0.010033825424135879,
        -0.001977902940468779,
        0.0002373242929902673,
        2.627183039755208e-05,
        -2.714473743937888e-05,
        9.583896428630954e-06,
        -2.027402091657213e-06,
        1.1135671726785996e-07,
        1.207317757760486e-07,
        -6.489879427891769e-08,
        2.0244632649667023e-08,
        -4.487756504320838e-09,
        7.197495902049333e-10,
        -7.992952878370412e-11,
        5.507257988266365e-12,
        -1.7715700712721132e-13,
    ),
}
_ONE = {FLOAT: 4.0, DOUBLE: 6.0}  # from here on erf is 1


def erf(f: Function, x: Reg) -> Reg:
    """2 / sqrt(pi) times the integral of exp(-t**2) from 0 to x: a polynomial up to 1, then 1 - exp(log(erfc(x))), in
    float to base 2."""
    form = format_of(x)
    a = formats.absolute(f, x)
    near = muladd(f, x, polynomial(f, x * x, _NEAR[form]), x)
    power = exp2 if form is FLOAT else exp
    far = 1.0 - power(f, polynomial(f, formats.at_most(f, a, _ONE[form]) - 1.0, _FAR[form]))
    return f.select(a < 1.0, near, formats.with_sign(f, far, x))
