"""What instructions take for an element, beside one that takes least, such as an addition."""

COSTLY = frozenset(
    (
        "exp", "expm1", "log", "log1p", "sin", "cos", "tan", "asin", "acos", "atan", "sinh", "cosh", "tanh",
        "asinh", "acosh", "atanh", "erf", "erfinv", "lgamma", "digamma", "polygamma", "power", "atan2",
        "floor_divide", "remainder", "fmod", "gcd", "gather",
    )
)  # fmt: skip
"""Instructions that are worth keeping in memory rather than repeating."""

_COSTLY_WEIGHT = 20
_WEIGHTS = {"load": 4, "store": 4, "divide": 4, "sqrt": 4, "rsqrt": 8}


def weight_of(op: str) -> int:
    """The weight of an instruction."""
    return _WEIGHTS.get(op, _COSTLY_WEIGHT if op in COSTLY else 1)
