"""The chi-squared distribution."""

from __future__ import annotations

from typing import Any

from ...tensor.core import Tensor
from .gamma import Gamma
from .utils import broadcast_all

__all__ = ["Chi2"]


class Chi2(Gamma):
    """The sum of the squares of `df` standard normal numbers."""

    def __init__(self, df: Any, validate_args: bool | None = None) -> None:
        (given,) = broadcast_all(df)
        super().__init__(given / 2, given * 0 + 0.5, validate_args=validate_args)

    @property
    def df(self) -> Tensor:
        """The degrees of freedom."""
        return self.concentration * 2
