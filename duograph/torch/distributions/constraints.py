"""What parameters and values have to satisfy: `constraint.check(value)` says where it does."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ...ops import FUNCTIONS as F
from ...tensor.core import Tensor
from .. import linalg
from ..missing import missing

__all__ = [
    "Constraint", "boolean", "cat", "corr_cholesky", "dependent", "dependent_property", "greater_than",
    "greater_than_eq", "half_open_interval", "independent", "integer_interval", "interval", "is_dependent", "less_than",
    "lower_cholesky", "lower_triangular", "multinomial", "nonnegative", "nonnegative_integer", "one_hot", "positive",
    "positive_definite", "positive_integer", "positive_semidefinite", "real", "real_vector", "simplex", "square",
    "stack", "symmetric", "unit_interval",
]  # fmt: skip

TOLERANCE = 1e-6


class Constraint:
    """A region of values. `event_dim` is how many of the last axes make one value."""

    is_discrete = False
    event_dim = 0

    def check(self, value: Tensor) -> Tensor:
        """Whether each value is in the region: bools of the shape of `value` without its event's axes."""
        raise NotImplementedError

    def __repr__(self) -> str:
        return f"{type(self).__name__.lstrip('_')}()"


class _Region(Constraint):
    """A region by its test."""

    def __init__(
        self, name: str, test: Callable[[Tensor], Tensor], event_dim: int = 0, is_discrete: bool = False
    ) -> None:
        self.name, self._test, self.event_dim, self.is_discrete = name, test, event_dim, is_discrete

    def check(self, value: Tensor) -> Tensor:
        return self._test(value)

    def __repr__(self) -> str:
        return self.name


class _Bounded(Constraint):
    """Numbers between bounds, which are numbers or tensors; None is no bound."""

    def __init__(self, lower_bound: Any = None, upper_bound: Any = None) -> None:
        self.lower_bound, self.upper_bound = lower_bound, upper_bound

    def __repr__(self) -> str:
        bounds = {"lower_bound": self.lower_bound, "upper_bound": self.upper_bound}
        given = ", ".join(f"{key}={value}" for key, value in bounds.items() if value is not None)
        return f"{type(self).__name__}({given})"


class greater_than(_Bounded):
    """Numbers above a bound."""

    def __init__(self, lower_bound: Any) -> None:
        super().__init__(lower_bound)

    def check(self, value: Tensor) -> Tensor:
        return value > self.lower_bound


class greater_than_eq(greater_than):
    """Numbers not below a bound."""

    def check(self, value: Tensor) -> Tensor:
        return value >= self.lower_bound


class less_than(_Bounded):
    """Numbers below a bound."""

    def __init__(self, upper_bound: Any) -> None:
        super().__init__(None, upper_bound)

    def check(self, value: Tensor) -> Tensor:
        return value < self.upper_bound


class interval(_Bounded):
    """Numbers of [lower_bound, upper_bound]."""

    def check(self, value: Tensor) -> Tensor:
        return (value >= self.lower_bound) & (value <= self.upper_bound)


class half_open_interval(_Bounded):
    """Numbers of [lower_bound, upper_bound)."""

    def check(self, value: Tensor) -> Tensor:
        return (value >= self.lower_bound) & (value < self.upper_bound)


class integer_interval(_Bounded):
    """Whole numbers of [lower_bound, upper_bound]."""

    is_discrete = True

    def check(self, value: Tensor) -> Tensor:
        return (value % 1 == 0) & (value >= self.lower_bound) & (value <= self.upper_bound)


class _AtLeast(integer_interval):
    def check(self, value: Tensor) -> Tensor:
        return (value % 1 == 0) & (value >= self.lower_bound)


class _Multinomial(_Bounded):
    is_discrete = True
    event_dim = 1

    def check(self, value: Tensor) -> Tensor:
        return (value >= 0).all(-1) & (value.sum(-1) <= self.upper_bound)


class independent(Constraint):
    """A constraint of the elements, with some more of the axes making one value."""

    def __init__(self, base_constraint: Constraint, reinterpreted_batch_ndims: int) -> None:
        self.base_constraint, self.reinterpreted_batch_ndims = base_constraint, reinterpreted_batch_ndims
        self.is_discrete = base_constraint.is_discrete
        self.event_dim = base_constraint.event_dim + reinterpreted_batch_ndims

    def check(self, value: Tensor) -> Tensor:
        found = self.base_constraint.check(value)
        return found.flatten(found.ndim - self.reinterpreted_batch_ndims).all(-1) if self.event_dim else found

    def __repr__(self) -> str:
        return f"Independent({self.base_constraint!r}, {self.reinterpreted_batch_ndims})"


class cat(Constraint):
    """Parts along an axis, each with a constraint of its own."""

    def __init__(self, cseq: Sequence[Constraint], dim: int = 0, lengths: Sequence[int] | None = None) -> None:
        self.cseq, self.dim = list(cseq), dim
        self.lengths = list(lengths) if lengths is not None else [1] * len(self.cseq)
        self.event_dim = max(c.event_dim for c in self.cseq)
        self.is_discrete = any(c.is_discrete for c in self.cseq)

    def check(self, value: Tensor) -> Tensor:
        parts = value.split(self.lengths, self.dim)
        return F["cat"]([c.check(part) for c, part in zip(self.cseq, parts, strict=True)], self.dim)


class stack(Constraint):
    """Slices of an axis, each with a constraint of its own."""

    def __init__(self, cseq: Sequence[Constraint], dim: int = 0) -> None:
        self.cseq, self.dim = list(cseq), dim
        self.event_dim = max(c.event_dim for c in self.cseq) + ((dim < 0 and 1) or 0)
        self.is_discrete = any(c.is_discrete for c in self.cseq)

    def check(self, value: Tensor) -> Tensor:
        parts = value.unbind(self.dim)
        return F["stack"]([c.check(part) for c, part in zip(self.cseq, parts, strict=True)], self.dim)


class _Dependent(Constraint):
    """A region that depends on other parameters: of the class, where only the object knows it."""

    def __init__(self, *, is_discrete: bool = False, event_dim: int = 0) -> None:
        self.is_discrete, self.event_dim = is_discrete, event_dim

    def __call__(self, *, is_discrete: bool = False, event_dim: int = 0) -> _Dependent:
        return _Dependent(is_discrete=is_discrete, event_dim=event_dim)

    def check(self, value: Tensor) -> Tensor:
        raise ValueError("a dependent constraint expected the other parameters: ask the distribution for its support")


class dependent_property(property, _Dependent):
    """A property that gives the constraint of an object; of the class it is a dependent one."""

    def __init__(
        self, fget: Callable[[Any], Constraint] | None = None, *, is_discrete: bool = False, event_dim: int = 0
    ) -> None:
        property.__init__(self, fget)
        self.is_discrete, self.event_dim = is_discrete, event_dim

    def __call__(self, fget: Callable[[Any], Constraint]) -> dependent_property:  # type: ignore[override]
        return dependent_property(fget, is_discrete=self.is_discrete, event_dim=self.event_dim)


def is_dependent(constraint: Constraint) -> bool:
    """Whether the constraint depends on other parameters."""
    return isinstance(constraint, _Dependent)


def _square(x: Tensor) -> Tensor:
    return F["full"](x.shape[:-2], x.shape[-2] == x.shape[-1])


def _symmetric(x: Tensor) -> Tensor:
    return F["isclose"](x, x.mT, atol=TOLERANCE).flatten(-2).all(-1)


def _lower(x: Tensor) -> Tensor:
    return (x.tril() == x).flatten(-2).all(-1)


def _lower_cholesky(x: Tensor) -> Tensor:
    return _lower(x) & (x.diagonal(0, -2, -1) > 0).all(-1)


def _corr_cholesky(x: Tensor) -> Tensor:
    tolerance = 10 * x.shape[-1] * 1.2e-7
    return _lower_cholesky(x) & ((x.square().sum(-1).sqrt() - 1).abs() < tolerance).all(-1)


def _positive_semidefinite(x: Tensor) -> Tensor:
    return _symmetric(x) & (linalg.eigvalsh(x) >= -TOLERANCE).all(-1)


def _positive_definite(x: Tensor) -> Tensor:
    return _symmetric(x) & (linalg.eigvalsh(x) > 0).all(-1)


dependent = _Dependent()
boolean = _Region("Boolean()", lambda x: (x == 0) | (x == 1), is_discrete=True)
one_hot = _Region("OneHot()", lambda x: ((x == 0) | (x == 1)).all(-1) & (x.sum(-1) == 1), event_dim=1, is_discrete=True)
nonnegative_integer = _AtLeast(0)
positive_integer = _AtLeast(1)
real = _Region("Real()", lambda x: x == x)  # not NaN
real_vector = independent(real, 1)
positive = greater_than(0.0)
nonnegative = greater_than_eq(0.0)
unit_interval = interval(0.0, 1.0)
simplex = _Region("Simplex()", lambda x: (x >= 0).all(-1) & ((x.sum(-1) - 1).abs() < TOLERANCE), event_dim=1)
square = _Region("Square()", _square, event_dim=2)
symmetric = _Region("Symmetric()", _symmetric, event_dim=2)
lower_triangular = _Region("LowerTriangular()", _lower, event_dim=2)
lower_cholesky = _Region("LowerCholesky()", _lower_cholesky, event_dim=2)
corr_cholesky = _Region("CorrCholesky()", _corr_cholesky, event_dim=2)
positive_semidefinite = _Region("PositiveSemidefinite()", _positive_semidefinite, event_dim=2)
positive_definite = _Region("PositiveDefinite()", _positive_definite, event_dim=2)


def multinomial(upper_bound: Any) -> Constraint:
    """Counts of the classes of the last axis, at most `upper_bound` in all."""
    return _Multinomial(None, upper_bound)


__getattr__ = missing(__name__, __all__)
