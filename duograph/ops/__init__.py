"""Functions of tensors under PyTorch's names, each a method of Tensor where PyTorch has it as one.

`FUNCTIONS` holds them by name: the faces export them from there.
"""

from . import (
    casting,
    creation,
    derived,
    diagonals,
    elementwise,
    gathering,
    joining,
    layout,
    manipulation,
    products,
    random,
    reduction,
    sorting,
    statistics,
)
from .define import FUNCTIONS

__all__ = ["FUNCTIONS"]
