"""The categorical distribution."""

from __future__ import annotations

import math
from functools import cached_property
from typing import Any, ClassVar

from ...graph.dtype import int64
from ...graph.errors import ArgumentError
from ...ops import FUNCTIONS as F
from ...ops.casting import finfo
from ...tensor.core import Tensor
from . import constraints
from .distribution import Distribution
from .utils import logits_to_probs, one_of, probs_to_logits

__all__ = ["Categorical"]


class Categorical(Distribution):
    """Classes 0, 1, ... with probabilities proportional to `probs`, or to exp(`logits`), along the last axis."""

    arg_constraints: ClassVar = {"probs": constraints.simplex, "logits": constraints.real_vector}
    has_enumerate_support = True

    def __init__(
        self, probs: Tensor | None = None, logits: Tensor | None = None, validate_args: bool | None = None
    ) -> None:
        one_of("Categorical", probs=probs, logits=logits)
        given = probs if probs is not None else logits
        assert given is not None
        if given.ndim < 1:
            raise ArgumentError("Categorical: expected probs or logits of at least one dimension. Received: none")
        if probs is not None:
            self.probs = probs / probs.sum(-1, keepdim=True)
        else:
            self.logits = given - given.logsumexp(-1, keepdim=True)
        super().__init__(given.shape[:-1], validate_args=validate_args)

    @cached_property
    def logits(self) -> Tensor:
        """The logarithms of the probabilities."""
        return probs_to_logits(self.probs)

    @cached_property
    def probs(self) -> Tensor:
        """The probabilities."""
        return logits_to_probs(self.logits)

    @property
    def _classes(self) -> int:
        return (self.probs if "probs" in vars(self) else self.logits).shape[-1]

    @property
    def param_shape(self) -> Any:
        """The shape of the probabilities."""
        return self.probs.shape

    @constraints.dependent_property(is_discrete=True)
    def support(self) -> constraints.Constraint:
        return constraints.integer_interval(0, self._classes - 1)

    @property
    def mean(self) -> Tensor:
        return F["full"](self.batch_shape, math.nan, dtype=self.probs.dtype)

    variance = mean

    @property
    def mode(self) -> Tensor:
        return self.probs.argmax(-1)

    def sample(self, sample_shape: Any = ()) -> Tensor:
        count = math.prod(sample_shape)
        if not count:
            return F["zeros"](self._extended_shape(sample_shape), dtype=int64)
        drawn = F["multinomial"](self.probs.detach().reshape(-1, self._classes), count, True)
        return drawn.T.reshape(self._extended_shape(sample_shape))

    def log_prob(self, value: Tensor) -> Tensor:
        self._validate_sample(value)
        places, logits = F["broadcast_tensors"](value.long().unsqueeze(-1), self.logits)
        return logits.gather(-1, places[..., :1]).squeeze(-1)

    def entropy(self) -> Tensor:
        return -(self.probs * self.logits.clamp(min=finfo(self.logits.dtype).min)).sum(-1)

    def enumerate_support(self, expand: bool = True) -> Tensor:
        values = F["arange"](self._classes).reshape(-1, *[1] * len(self.batch_shape))
        return values.expand(-1, *self.batch_shape) if expand else values
