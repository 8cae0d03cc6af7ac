"""What distributions share."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any, ClassVar, Self

from ...graph import trace as tracing
from ...graph.errors import ArgumentError, NotSupported
from ...tensor.core import Size, Tensor
from .constraints import Constraint, is_dependent

__all__ = ["Distribution"]


class Distribution:
    """Random values. `batch_shape` is that of the parameters, `event_shape` that of one value.

    Parameters, and values given to `log_prob`, are checked against `arg_constraints` and `support`, which reads them,
    unless `validate_args` is False or a compiled function is being recorded; ArgumentError (a ValueError) says which
    are wrong.
    """

    has_rsample: Any = False
    has_enumerate_support = False
    arg_constraints: ClassVar[Mapping[str, Constraint]] = {}
    support: Any = None
    _validate_args = __debug__

    def __init__(self, batch_shape: Any = (), event_shape: Any = (), validate_args: bool | None = None) -> None:
        self._batch_shape, self._event_shape = Size(batch_shape), Size(event_shape)
        if validate_args is not None:
            self._validate_args = validate_args
        if not self._validate_args or tracing.local.capture is not None:
            return
        for name, constraint in self.arg_constraints.items():
            value = vars(self).get(name)  # one that is derived from another needs no check
            if isinstance(value, Tensor) and not is_dependent(constraint):
                self._refuse_outside(name, constraint, value)

    def _refuse_outside(self, name: str, constraint: Constraint, value: Tensor) -> None:
        if not constraint.check(value.detach()).all():
            raise ArgumentError(
                f"{type(self).__name__}: {name}: expected all of shape {tuple(value.shape)} to satisfy {constraint!r}. "
                f"Received: {value.detach()}"
            )

    @staticmethod
    def set_default_validate_args(value: bool) -> None:
        """Whether distributions that do not say check their parameters and values."""
        if value not in (True, False):
            raise ValueError(f"expected True or False. Received: {value!r}")
        Distribution._validate_args = value

    @property
    def batch_shape(self) -> Size:
        """The shape of the parameters."""
        return self._batch_shape

    @property
    def event_shape(self) -> Size:
        """The shape of one value."""
        return self._event_shape

    def expand(self, batch_shape: Any, _instance: Any = None) -> Self:
        """The same distribution with its parameters repeated to `batch_shape`, without copies."""
        made, old, new = copy.copy(self), self.batch_shape, Size(batch_shape)
        for name, value in vars(self).items():
            if isinstance(value, Tensor) and tuple(value.shape[: len(old)]) == tuple(old):
                vars(made)[name] = value.expand(*new, *value.shape[len(old) :])
            elif isinstance(value, Distribution):
                vars(made)[name] = value.expand((*new, *value.batch_shape[len(old) :]))
        made._batch_shape = new
        return made

    @property
    def mean(self) -> Tensor:
        """The expected value."""
        raise self._without("mean")

    @property
    def mode(self) -> Tensor:
        """The most probable value."""
        raise self._without("mode")

    @property
    def variance(self) -> Tensor:
        """The expected square of the distance from the mean."""
        raise self._without("variance")

    @property
    def stddev(self) -> Tensor:
        """The root of the variance."""
        return self.variance.sqrt()

    def rsample(self, sample_shape: Any = ()) -> Tensor:
        """Random values `[*sample_shape, *batch_shape, *event_shape]`, through which gradients reach the parameters."""
        raise self._without("rsample", ": its values do not move with its parameters; use sample and log_prob")

    def sample(self, sample_shape: Any = ()) -> Tensor:
        """Random values `[*sample_shape, *batch_shape, *event_shape]`, without gradients."""
        return self.rsample(sample_shape).detach()

    def sample_n(self, n: int) -> Tensor:
        """`sample((n,))`."""
        return self.sample((n,))

    def log_prob(self, value: Tensor) -> Tensor:
        """The logarithm of the probability, or of its density, of values."""
        raise self._without("log_prob")

    def cdf(self, value: Tensor) -> Tensor:
        """The probability of at most `value`."""
        raise self._without("cdf")

    def icdf(self, value: Tensor) -> Tensor:
        """The quantiles: what `cdf` gives back."""
        raise self._without("icdf")

    def enumerate_support(self, expand: bool = True) -> Tensor:
        """All values, along a new first axis."""
        raise self._without("enumerate_support")

    def entropy(self) -> Tensor:
        """The expected -log_prob."""
        raise self._without("entropy")

    def perplexity(self) -> Tensor:
        """exp(entropy)."""
        return self.entropy().exp()

    def _without(self, what: str, reason: str = "") -> NotSupported:
        return NotSupported(f"{type(self).__name__} has no {what}{reason}")

    def _extended_shape(self, sample_shape: Any = ()) -> Size:
        return Size((*sample_shape, *self._batch_shape, *self._event_shape))

    def _validate_sample(self, value: Any) -> None:
        """Raise ArgumentError (a ValueError) for values of a wrong shape, or outside the support."""
        if not self._validate_args:
            return
        if not isinstance(value, Tensor):
            raise ArgumentError(f"{type(self).__name__}: value: expected a tensor. Received: {type(value).__name__}")
        expected = (*self._batch_shape, *self._event_shape)
        events = len(self._event_shape)
        fits = tuple(value.shape[value.ndim - events :]) == tuple(self._event_shape) and all(
            a == b or 1 in (a, b) for a, b in zip(reversed(value.shape), reversed(expected), strict=False)
        )
        if not fits:
            raise ArgumentError(
                f"{type(self).__name__}: value: expected a shape that broadcasts with {expected}. "
                f"Received: {tuple(value.shape)}"
            )
        if isinstance(self.support, Constraint) and tracing.local.capture is None:
            self._refuse_outside("value", self.support, value)

    def __repr__(self) -> str:
        given = {name: vars(self)[name] for name in self.arg_constraints if name in vars(self)}
        shown = ", ".join(f"{k}: {v if v.numel() == 1 else v.shape}" for k, v in given.items())
        return f"{type(self).__name__}({shown})"


class ExponentialFamily(Distribution):
    """Distributions whose density is exp(natural parameters · statistics - log normalizer)."""
