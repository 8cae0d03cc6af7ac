"""The table of primitives. Importing this package fills `node.PRIMITIVES`."""

from . import (
    binary,
    contraction,
    indexing,
    linalg,
    movement,
    random,
    reduction,
    scan,
    source,
    unary,
    window,
)

__all__ = [
    "binary",
    "contraction",
    "indexing",
    "linalg",
    "movement",
    "random",
    "reduction",
    "scan",
    "source",
    "unary",
    "window",
]
