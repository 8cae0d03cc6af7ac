"""The table of primitives. Importing this package fills `node.PRIMITIVES`."""

from . import binary, contraction, indexing, movement, reduction, scan, source, unary

__all__ = [
    "binary",
    "contraction",
    "indexing",
    "movement",
    "reduction",
    "scan",
    "source",
    "unary",
]
