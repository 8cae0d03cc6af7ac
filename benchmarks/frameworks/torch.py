"""PyTorch, eager and with `torch.compile`."""

from collections.abc import Callable

import numpy as np
import torch

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
    torch.set_grad_enabled(False)
    match kernel:
        case Matmul():
            return {"": taking_turns(*matmul(torch, kernel))}
        case Convolution():
            layouts = {"channels first": torch.contiguous_format, "channels last": torch.channels_last}
            return {name: taking_turns(*_convolution(kernel, layout)) for name, layout in layouts.items()}
        case Streaming():
            return {"": taking_turns(*streaming(torch, kernel))}


def _convolution(kernel: Convolution, layout: torch.memory_format) -> tuple[Function, Operands]:
    """A direction by itself: `autograd.grad` would compute the forward result as well."""
    stride, padding, dilation = [kernel.stride] * 2, [kernel.padding] * 2, [1, 1]

    def operands(random: np.random.Generator) -> tuple[torch.Tensor, ...]:
        shapes = (kernel.input_shape, kernel.weight_shape, kernel.output_shape)
        return tuple(normal(torch, random, *shape).to(memory_format=layout) for shape in shapes)

    if kernel.direction == "forward":
        return lambda x, weight, _: torch.conv2d(x, weight, None, stride, padding, dilation, kernel.groups), operands
    wanted = [kernel.direction == "input gradient", kernel.direction == "weight gradient", False]
    gradient = torch.ops.aten.convolution_backward
    return (
        lambda x, weight, seed: gradient(
            seed, x, weight, None, stride, padding, dilation, False, [0, 0], kernel.groups, wanted
        ),
        operands,
    )
