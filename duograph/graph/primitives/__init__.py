"""The table of primitives. Importing this package fills `node.PRIMITIVES`."""

from . import (
    attention,
    binary,
    complex,
    contraction,
    control,
    fourier,
    indexing,
    linalg,
    loop,
    movement,
    random,
    reduction,
    scan,
    source,
    unary,
    window,
)

__all__ = [
    "attention",
    "binary",
    "complex",
    "contraction",
    "control",
    "fourier",
    "indexing",
    "linalg",
    "loop",
    "movement",
    "random",
    "reduction",
    "scan",
    "source",
    "unary",
    "window",
]
