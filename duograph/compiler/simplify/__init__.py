"""The first pass: a graph that computes the same with fewer and cheaper nodes."""

from .sweeps import simplify

__all__ = ["simplify"]
