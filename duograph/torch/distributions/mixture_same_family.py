"""Mixtures of distributions of one kind."""

from __future__ import annotations

from typing import Any

from ...graph.errors import ArgumentError
from ...tensor.core import Tensor
from .categorical import Categorical
from .distribution import Distribution

__all__ = ["MixtureSameFamily"]


class MixtureSameFamily(Distribution):
    """A mixture: `mixture_distribution` chooses along the last batch axis of `component_distribution`."""

    def __init__(
        self, mixture_distribution: Categorical, component_distribution: Distribution,
        validate_args: bool | None = None,
    ) -> None:  # fmt: skip
        if not isinstance(mixture_distribution, Categorical):
            raise ArgumentError(
                "MixtureSameFamily: mixture_distribution: expected a Categorical. "
                f"Received: {type(mixture_distribution).__name__}"
            )
        batch, parts = component_distribution.batch_shape, mixture_distribution.probs.shape
        if not batch or (len(parts) > 1 and tuple(parts) != tuple(batch)) or parts[-1] != batch[-1]:
            raise ArgumentError(
                f"MixtureSameFamily: expected as many weights as components, {tuple(batch)}. Received: {tuple(parts)}"
            )
        self.mixture_distribution = mixture_distribution
        self.component_distribution = component_distribution
        super().__init__(batch[:-1], component_distribution.event_shape, validate_args)

    @property
    def has_rsample(self) -> bool:
        return False

    @property
    def support(self) -> Any:
        return None

    def _weights(self, probs: Tensor) -> Tensor:
        return probs.reshape(*probs.shape, *[1] * len(self.event_shape))

    @property
    def mean(self) -> Tensor:
        axis = -1 - len(self.event_shape)
        return (self._weights(self.mixture_distribution.probs) * self.component_distribution.mean).sum(axis)

    @property
    def variance(self) -> Tensor:
        axis, weights = -1 - len(self.event_shape), self._weights(self.mixture_distribution.probs)
        within = (weights * self.component_distribution.variance).sum(axis)
        away = self.component_distribution.mean - self.mean.unsqueeze(axis)
        return within + (weights * away.square()).sum(axis)

    def sample(self, sample_shape: Any = ()) -> Tensor:
        events = len(self.event_shape)
        axis = len(sample_shape) + len(self.batch_shape)
        choice = self.mixture_distribution.expand(self.batch_shape).sample(sample_shape)
        values = self.component_distribution.sample(sample_shape)
        places = choice.reshape(*choice.shape, 1, *[1] * events)
        places = places.expand(*choice.shape, 1, *self.event_shape)
        return values.gather(axis, places).squeeze(axis).detach()

    def log_prob(self, value: Tensor) -> Tensor:
        self._validate_sample(value)
        wide = value.unsqueeze(-1 - len(self.event_shape))
        return (self.component_distribution.log_prob(wide) + self.mixture_distribution.logits).logsumexp(-1)

    def cdf(self, value: Tensor) -> Tensor:
        wide = value.unsqueeze(-1 - len(self.event_shape))
        return (self.component_distribution.cdf(wide) * self.mixture_distribution.probs).sum(-1)
