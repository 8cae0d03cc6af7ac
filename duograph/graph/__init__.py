"""What a computation is: data types, nodes, the table of primitives, the graph language, traces."""

from . import primitives

__all__ = ["primitives"]
