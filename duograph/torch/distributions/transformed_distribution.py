"""Distributions of functions of random values."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ...graph.errors import ArgumentError
from ...tensor.core import Tensor
from . import constraints
from .distribution import Distribution
from .independent import Independent
from .transforms import ComposeTransform, Transform
from .utils import sum_rightmost

__all__ = ["TransformedDistribution"]


class TransformedDistribution(Distribution):
    """Values of `base_distribution`, after `transforms`."""

    def __init__(
        self, base_distribution: Distribution, transforms: Transform | Sequence[Transform],
        validate_args: bool | None = None,
    ) -> None:  # fmt: skip
        self.transforms = [transforms] if isinstance(transforms, Transform) else list(transforms)
        whole = ComposeTransform(self.transforms)
        base_shape = (*base_distribution.batch_shape, *base_distribution.event_shape)
        events = len(base_distribution.event_shape)
        if len(base_shape) < whole.domain_event_dim:
            raise ArgumentError(
                f"TransformedDistribution: expected a base of at least {whole.domain_event_dim} axes. "
                f"Received: shape {base_shape}"
            )
        wider = whole.inverse_shape(whole.forward_shape(base_shape))
        base = base_distribution.expand(wider[: len(wider) - events])
        if whole.domain_event_dim > events:
            base = Independent(base, whole.domain_event_dim - events)
        self.base_dist: Any = base
        shape = whole.forward_shape((*base.batch_shape, *base.event_shape))
        events = max(
            whole.codomain_event_dim, len(base.event_shape) + whole.codomain_event_dim - whole.domain_event_dim
        )
        cut = len(shape) - events
        super().__init__(shape[:cut], shape[cut:], validate_args)

    @property
    def has_rsample(self) -> bool:
        return self.base_dist.has_rsample

    @property
    def support(self) -> Any:
        if not self.transforms:
            return self.base_dist.support
        found = self.transforms[-1].codomain
        extra = len(self.event_shape) - found.event_dim
        return constraints.independent(found, extra) if extra > 0 else found

    def sample(self, sample_shape: Any = ()) -> Tensor:
        return self._forward(self.base_dist.sample(sample_shape)).detach()

    def rsample(self, sample_shape: Any = ()) -> Tensor:
        return self._forward(self.base_dist.rsample(sample_shape))

    def _forward(self, x: Tensor) -> Tensor:
        for transform in self.transforms:
            x = transform(x)
        return x

    def log_prob(self, value: Tensor) -> Tensor:
        self._validate_sample(value)
        events, y, total = len(self.event_shape), value, None
        for transform in reversed(self.transforms):
            x = transform.inv(y)
            events += transform.domain_event_dim - transform.codomain_event_dim
            part = sum_rightmost(transform.log_abs_det_jacobian(x, y), events - transform.domain_event_dim)
            total, y = part if total is None else total + part, x
        base = sum_rightmost(self.base_dist.log_prob(y), events - len(self.base_dist.event_shape))
        return base if total is None else base - total

    def cdf(self, value: Tensor) -> Tensor:
        for transform in reversed(self.transforms):
            value = transform.inv(value)
        return self._by_sign(self.base_dist.cdf(value))

    def icdf(self, value: Tensor) -> Tensor:
        return self._forward(self.base_dist.icdf(self._by_sign(value)))

    def _by_sign(self, chance: Tensor) -> Tensor:
        """A probability, turned round where the transforms fall."""
        sign: Any = 1
        for transform in self.transforms:
            sign = sign * transform.sign
        if isinstance(sign, int):
            return chance if sign == 1 else 1 - chance
        return sign * (chance - 0.5) + 0.5

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.base_dist}, {self.transforms})"
