"""Probabilities of one outcome of two, and the logarithms of their odds."""

from __future__ import annotations

from functools import cached_property

from ...tensor.core import Tensor
from .utils import logits_to_probs, probs_to_logits

__all__ = ["Odds"]


class Odds:
    """Has `probs` and `logits`: whichever was not given is computed when it is asked for, and kept."""

    @cached_property
    def logits(self) -> Tensor:
        """The logarithms of the odds."""
        return probs_to_logits(self.probs, is_binary=True)

    @cached_property
    def probs(self) -> Tensor:
        """The probabilities."""
        return logits_to_probs(self.logits, is_binary=True)
