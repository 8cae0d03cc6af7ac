"""The single kernels in the PyTorch dialect: what is called, and with what.

A kernel is a function and two sets of operands that take turns, as the batches of a training loop do: so nobody can
keep what it made of the last call's operands.
"""

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np

from ..kernels import Matmul, Streaming
from .dialect import Torch

TURNS = 2

Function = Callable[..., Any]
Operands = Callable[[np.random.Generator], tuple[Any, ...]]


def taking_turns(function: Function, operands: Operands) -> Callable[[], Any]:
    """A call of `function` without arguments: each time with the next of the sets of operands."""
    random = np.random.default_rng(0)
    turns = itertools.cycle([operands(random) for _ in range(TURNS)])
    return lambda: function(*next(turns))


def normal(torch: Torch, random: np.random.Generator, *shape: int) -> Any:
    """A tensor of normal numbers, in memory of its own."""
    return torch.from_numpy(random.standard_normal(shape, np.float32)).clone()


def matmul(torch: Torch, kernel: Matmul) -> tuple[Function, Operands]:
    """A product as programs write it: a weight is stored outputs first, and the linear layer turns it round."""
    stack = (kernel.batch,) if kernel.batch > 1 else ()
    a_shape = (kernel.k, kernel.m) if "a" in kernel.transposed else (kernel.m, kernel.k)
    b_shape = (kernel.n, kernel.k) if "b" in kernel.transposed else (kernel.k, kernel.n)

    def operands(random: np.random.Generator) -> tuple[Any, ...]:
        return normal(torch, random, *stack, *a_shape), normal(torch, random, *stack, *b_shape)

    match kernel.transposed, bool(stack):
        case "a", _:
            return lambda a, b: torch.matmul(a.mT, b), operands
        case "b", False:
            return torch.nn.functional.linear, operands
        case "b", True:
            return lambda a, b: torch.matmul(a, b.mT), operands
        case _:
            return torch.matmul, operands


def streaming(torch: Torch, kernel: Streaming) -> tuple[Function, Operands]:
    """A memory-bound kernel."""
    width = kernel.shape[-1]
    arrays: dict[str, tuple[Function, list[tuple[int, ...]]]] = {
        "elementwise chain": (lambda x, y: torch.relu(0.5 * x + y), [kernel.shape] * 2),
        "sum": (torch.sum, [kernel.shape]),
        "softmax": (lambda x: torch.softmax(x, -1), [kernel.shape]),
        "layer norm": (
            lambda x, weight, bias: torch.nn.functional.layer_norm(x, (width,), weight, bias),
            [kernel.shape, (width,), (width,)],
        ),
    }
    if kernel.operation not in arrays:
        raise NotImplementedError(f"a {kernel.operation} is measured against the floor only")
    function, shapes = arrays[kernel.operation]
    return function, lambda random: tuple(normal(torch, random, *shape) for shape in shapes)
