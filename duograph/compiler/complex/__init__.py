"""Complex numbers are compiled as pairs of real ones: `legalise` rewrites a graph so that no node is complex."""

from .legalise import legalise

__all__ = ["legalise"]
