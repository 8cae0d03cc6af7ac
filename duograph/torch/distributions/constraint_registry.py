"""Transforms onto the regions of constraints: `biject_to` one to one, `transform_to` perhaps not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ...graph.errors import NotSupported
from . import constraints, transforms

__all__ = ["ConstraintRegistry", "biject_to", "transform_to"]


class ConstraintRegistry:
    """What makes a transform for each kind of constraint: of regions of a class by it, of others by themselves."""

    def __init__(self) -> None:
        self._makers: dict[Any, Callable[[Any], transforms.Transform]] = {}

    def register(self, constraint: Any, factory: Callable[[Any], transforms.Transform] | None = None) -> Any:
        """Register a function from a constraint to a transform; usable as a decorator."""
        if factory is None:
            return lambda made: self.register(constraint, made)
        plain = isinstance(constraint, type | constraints._Region)
        self._makers[constraint if plain else type(constraint)] = factory
        return factory

    def __call__(self, constraint: Any) -> transforms.Transform:
        """The transform onto a constraint's region. Raises NotSupported where none is registered."""
        for key in (
            (constraint, type(constraint)) if isinstance(constraint, constraints._Region) else [type(constraint)]
        ):
            if key in self._makers:
                return self._makers[key](constraint)
        raise NotSupported(f"no transform is registered onto {constraint!r}: register one with .register(constraint)")


biject_to, transform_to = ConstraintRegistry(), ConstraintRegistry()


def _above(constraint: Any) -> transforms.Transform:
    return transforms.ComposeTransform(
        [transforms.ExpTransform(), transforms.AffineTransform(constraint.lower_bound, 1)]
    )


def _below(constraint: Any) -> transforms.Transform:
    return transforms.ComposeTransform(
        [transforms.ExpTransform(), transforms.AffineTransform(constraint.upper_bound, -1)]
    )


def _between(constraint: Any) -> transforms.Transform:
    low, high = constraint.lower_bound, constraint.upper_bound
    if not hasattr(low, "shape") and not hasattr(high, "shape") and (low, high) == (0, 1):
        return transforms.SigmoidTransform()
    return transforms.ComposeTransform([transforms.SigmoidTransform(), transforms.AffineTransform(low, high - low)])


def _each(registry: ConstraintRegistry) -> Any:
    return lambda c: transforms.IndependentTransform(registry(c.base_constraint), c.reinterpreted_batch_ndims)


def _joined(registry: ConstraintRegistry) -> Any:
    return lambda c: transforms.CatTransform([registry(part) for part in c.cseq], c.dim, c.lengths)


def _stacked(registry: ConstraintRegistry) -> Any:
    return lambda c: transforms.StackTransform([registry(part) for part in c.cseq], c.dim)


for _registry in (biject_to, transform_to):
    _registry.register(constraints.real, lambda c: transforms.identity_transform)
    _registry.register(constraints.greater_than, _above)
    _registry.register(constraints.greater_than_eq, _above)
    _registry.register(constraints.less_than, _below)
    _registry.register(constraints.interval, _between)
    _registry.register(constraints.half_open_interval, _between)
    _registry.register(constraints.lower_cholesky, lambda c: transforms.LowerCholeskyTransform())
    _registry.register(constraints.corr_cholesky, lambda c: transforms.CorrCholeskyTransform())
    for _matrix in (constraints.positive_definite, constraints.positive_semidefinite):
        _registry.register(_matrix, lambda c: transforms.PositiveDefiniteTransform())
    _registry.register(constraints.independent, _each(_registry))
    _registry.register(constraints.cat, _joined(_registry))
    _registry.register(constraints.stack, _stacked(_registry))
biject_to.register(constraints.simplex, lambda c: transforms.StickBreakingTransform())
transform_to.register(constraints.simplex, lambda c: transforms.SoftmaxTransform())
