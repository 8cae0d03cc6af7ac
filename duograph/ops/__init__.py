"""Functions of tensors under PyTorch's names, each a method of Tensor where PyTorch has it as one.

`FUNCTIONS` holds them by name: the faces export them from there.
"""

from . import (
    analysis,
    attributes,
    casting,
    complex,
    copies,
    creation,
    derived,
    diagonals,
    elementwise,
    factors,
    fourier,
    gathering,
    incomplete,
    joining,
    layout,
    manipulation,
    norms,
    products,
    quantization,
    random,
    reduction,
    solving,
    sorting,
    special,
    statistics,
    variates,
)
from .define import FUNCTIONS

__all__ = ["FUNCTIONS"]
