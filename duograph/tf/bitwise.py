"""`tf.bitwise`: operations on the bits of integers."""

from __future__ import annotations

from typing import Any

import duograph.torch as torch

from .errors import report
from .math import operands
from .missing import missing
from .tensors import Tensor, convert_to_tensor


def bitwise_and(x: Any, y: Any, name: str | None = None) -> Tensor:
    return torch.bitwise_and(*operands("bitwise.bitwise_and", x, y))


def bitwise_or(x: Any, y: Any, name: str | None = None) -> Tensor:
    return torch.bitwise_or(*operands("bitwise.bitwise_or", x, y))


def bitwise_xor(x: Any, y: Any, name: str | None = None) -> Tensor:
    return torch.bitwise_xor(*operands("bitwise.bitwise_xor", x, y))


def invert(x: Any, name: str | None = None) -> Tensor:
    return torch.bitwise_not(convert_to_tensor(x))


def left_shift(x: Any, y: Any, name: str | None = None) -> Tensor:
    return torch.bitwise_left_shift(*operands("bitwise.left_shift", x, y))


def right_shift(x: Any, y: Any, name: str | None = None) -> Tensor:
    return torch.bitwise_right_shift(*operands("bitwise.right_shift", x, y))


report(globals(), ["bitwise_and", "bitwise_or", "bitwise_xor", "invert", "left_shift", "right_shift"])
__getattr__ = missing(__name__, globals())
