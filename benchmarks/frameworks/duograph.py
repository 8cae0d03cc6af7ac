"""Duograph in the PyTorch dialect: the plain eager loop, and the same loop with `compile`."""

from collections.abc import Callable
from typing import Any

import numpy as np

from duograph import torch

from ..kernels import Convolution, Kernel, Matmul, Streaming
from ..workloads import Workload
from . import dialect
from .dialect_kernels import Function, Operands, matmul, normal, streaming, taking_turns


def set_threads(count: int) -> None:
    torch.set_num_threads(count)


def trainer(workload: Workload, mode: str) -> dialect.Step:
    return dialect.trainer(torch, workload, compiled=mode == "compile")


def predictor(workload: Workload, mode: str, batch: int) -> Callable[[int], np.ndarray]:
    return dialect.predictor(torch, workload, mode == "compile", batch)


def kernels(kernel: Kernel) -> dict[str, Callable[[], object]]:
    """Compiled calls: they record nothing, as PyTorch's eager calls do not. Images are stored channels last."""
    match kernel:
        case Matmul():
            function, operands = matmul(torch, kernel)
        case Convolution():
            function, operands = _convolution(kernel)
        case Streaming():
            function, operands = streaming(torch, kernel)
    return {"": taking_turns(torch.compile(function), operands)}


def _convolution(kernel: Convolution) -> tuple[Function, Operands]:
    """A direction by itself: a gradient is asked for alone, so that nothing else is computed."""
    first, last = (0, 3, 1, 2), (0, 2, 3, 1)

    def stored(random: np.random.Generator, shape: tuple[int, ...]) -> Any:
        n, c, h, w = shape
        return normal(torch, random, n, h, w, c)

    def operands(random: np.random.Generator) -> tuple[Any, ...]:
        x, weight = stored(random, kernel.input_shape), normal(torch, random, *kernel.weight_shape)
        if kernel.direction == "forward":
            return x, weight
        wanted = x if kernel.direction == "input gradient" else weight
        return x, weight, wanted.requires_grad_(), stored(random, kernel.output_shape)

    def forward(x: Any, weight: Any) -> Any:
        return torch.nn.functional.conv2d(
            x.permute(first), weight, stride=kernel.stride, padding=kernel.padding, groups=kernel.groups
        )

    def gradient(x: Any, weight: Any, wanted: Any, seed: Any) -> Any:
        return torch.autograd.grad(forward(x, weight), wanted, seed.permute(first))[0]

    if kernel.direction == "forward":
        return lambda x, weight: forward(x, weight).permute(last).contiguous(), operands
    return gradient, operands
