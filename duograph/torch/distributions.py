"""`torch.distributions`: the Bernoulli, categorical, normal and uniform distributions."""

from __future__ import annotations

import math
from typing import Any

from ..graph.errors import ArgumentError
from ..ops import FUNCTIONS as F
from ..tensor.convert import as_tensor
from ..tensor.core import Size, Tensor, get_default_dtype
from .missing import missing

__all__ = ["Bernoulli", "Categorical", "Distribution", "Normal", "Uniform", "kl_divergence"]


class Distribution:
    """What distributions share. `batch_shape` is that of the parameters, `event_shape` that of one value."""

    def __init__(self, batch_shape: Any = (), event_shape: Any = ()) -> None:
        self.batch_shape, self.event_shape = Size(batch_shape), Size(event_shape)

    @property
    def mean(self) -> Tensor:
        """The expected value."""
        raise NotImplementedError

    @property
    def variance(self) -> Tensor:
        """The expected square of the distance from the mean."""
        raise NotImplementedError

    @property
    def stddev(self) -> Tensor:
        """The root of the variance."""
        return self.variance.sqrt()

    def rsample(self, sample_shape: Any = ()) -> Tensor:
        """Random values through which gradients reach the parameters."""
        raise NotImplementedError(f"{type(self).__name__} has no rsample: its values do not move with its parameters")

    def sample(self, sample_shape: Any = ()) -> Tensor:
        """Random values `[*sample_shape, *batch_shape]`, without gradients."""
        return self.rsample(sample_shape).detach()

    def log_prob(self, value: Tensor) -> Tensor:
        """The logarithm of the probability, or of its density, of values."""
        raise NotImplementedError

    def entropy(self) -> Tensor:
        """The expected -log_prob."""
        raise NotImplementedError

    def _shape(self, sample_shape: Any) -> tuple[int, ...]:
        return (*sample_shape, *self.batch_shape)


def _parameters(*given: Any) -> tuple[Tensor, ...]:
    """Parameters as tensors of one shape; numbers take the dtype of the tensors."""
    dtype = next((g.dtype for g in given if isinstance(g, Tensor)), get_default_dtype())
    return F["broadcast_tensors"](*(g if isinstance(g, Tensor) else as_tensor(g, dtype=dtype) for g in given))


class Normal(Distribution):
    """The normal distribution of mean `loc` and standard deviation `scale`."""

    def __init__(self, loc: Any, scale: Any, validate_args: bool | None = None) -> None:
        self.loc, self.scale = _parameters(loc, scale)
        super().__init__(self.loc.shape)

    @property
    def mean(self) -> Tensor:
        return self.loc

    @property
    def variance(self) -> Tensor:
        return self.scale * self.scale

    def rsample(self, sample_shape: Any = ()) -> Tensor:
        return self.loc + F["randn"](self._shape(sample_shape), dtype=self.loc.dtype) * self.scale

    def log_prob(self, value: Tensor) -> Tensor:
        away = (value - self.loc) / self.scale
        return away * away * -0.5 - self.scale.log() - 0.5 * math.log(2 * math.pi)

    def entropy(self) -> Tensor:
        return self.scale.log() + 0.5 * (1 + math.log(2 * math.pi))

    def cdf(self, value: Tensor) -> Tensor:
        """The probability of less than `value`."""
        return (((value - self.loc) / self.scale * math.sqrt(0.5)).erf() + 1) / 2


class Uniform(Distribution):
    """The uniform distribution on [low, high)."""

    def __init__(self, low: Any, high: Any, validate_args: bool | None = None) -> None:
        self.low, self.high = _parameters(low, high)
        super().__init__(self.low.shape)

    @property
    def mean(self) -> Tensor:
        return (self.high + self.low) / 2

    @property
    def variance(self) -> Tensor:
        return (self.high - self.low).square() / 12

    def rsample(self, sample_shape: Any = ()) -> Tensor:
        return self.low + F["rand"](self._shape(sample_shape), dtype=self.low.dtype) * (self.high - self.low)

    def log_prob(self, value: Tensor) -> Tensor:
        inside = (value >= self.low) & (value < self.high)
        return F["where"](inside, -(self.high - self.low).log(), -math.inf)

    def entropy(self) -> Tensor:
        return (self.high - self.low).log()


def _one_of(probs: Any, logits: Any) -> None:
    if (probs is None) == (logits is None):
        raise ArgumentError("expected either probs or logits. Received: both or neither")


class Bernoulli(Distribution):
    """1 with probability `probs`, or sigmoid(`logits`), else 0."""

    def __init__(self, probs: Any = None, logits: Any = None, validate_args: bool | None = None) -> None:
        _one_of(probs, logits)
        (given,) = _parameters(probs if logits is None else logits)
        self.logits = given if logits is not None else (given / (1 - given)).log()
        self.probs = given if logits is None else given.sigmoid()
        super().__init__(given.shape)

    @property
    def mean(self) -> Tensor:
        return self.probs

    @property
    def variance(self) -> Tensor:
        return self.probs * (1 - self.probs)

    def sample(self, sample_shape: Any = ()) -> Tensor:
        chance = self.probs.detach()
        return (F["rand"](self._shape(sample_shape), dtype=chance.dtype) < chance).to(chance.dtype)

    def log_prob(self, value: Tensor) -> Tensor:
        return F["where"](value > 0.5, _log_sigmoid(self.logits), _log_sigmoid(-self.logits))

    def entropy(self) -> Tensor:
        p = self.probs
        return -(F["xlogy"](p, p) + F["xlogy"](1 - p, 1 - p))


def _log_sigmoid(x: Tensor) -> Tensor:
    return x.clamp(max=0) - (-x.abs()).exp().log1p()


class Categorical(Distribution):
    """Classes 0, 1, ... with probabilities proportional to `probs`, or to exp(`logits`), along the last axis."""

    def __init__(self, probs: Tensor | None = None, logits: Tensor | None = None,
                 validate_args: bool | None = None) -> None:  # fmt: skip
        _one_of(probs, logits)
        if probs is not None:
            self.probs = probs / probs.sum(-1, keepdim=True)
            self.logits = self.probs.clamp(min=1.1920929e-07 if probs.dtype.itemsize == 4 else 2.2e-16).log()
        else:
            assert logits is not None
            self.logits = logits - logits.logsumexp(-1, keepdim=True)
            self.probs = self.logits.exp()
        super().__init__(self.probs.shape[:-1])

    def sample(self, sample_shape: Any = ()) -> Tensor:
        classes, count = self.probs.shape[-1], math.prod(sample_shape)
        drawn = F["multinomial"](self.probs.detach().reshape(-1, classes), count, True)
        return drawn.T.reshape(self._shape(sample_shape))

    def log_prob(self, value: Tensor) -> Tensor:
        places, logits = F["broadcast_tensors"](value.long().unsqueeze(-1), self.logits)
        return logits.gather(-1, places[..., :1]).squeeze(-1)

    def entropy(self) -> Tensor:
        return -(self.probs * self.logits.clamp(min=-1e38)).sum(-1)


def kl_divergence(p: Distribution, q: Distribution) -> Tensor:
    """The expected log_prob of p less that of q, under p: of two distributions of one kind."""
    if isinstance(p, Normal) and isinstance(q, Normal):
        ratio, away = (p.scale / q.scale).square(), ((p.loc - q.loc) / q.scale).square()
        return (ratio + away - 1 - ratio.log()) / 2
    if isinstance(p, Categorical) and isinstance(q, Categorical):
        return (p.probs * (p.logits - q.logits)).sum(-1)
    if isinstance(p, Bernoulli) and isinstance(q, Bernoulli):
        return p.probs * (_log_sigmoid(p.logits) - _log_sigmoid(q.logits)) + (1 - p.probs) * (
            _log_sigmoid(-p.logits) - _log_sigmoid(-q.logits)
        )
    raise ArgumentError(f"kl_divergence: expected two of one kind. Received: {type(p).__name__}, {type(q).__name__}")


__getattr__ = missing(__name__, __all__)
