"""PyTorch, eager and with `torch.compile`."""

from collections.abc import Callable

import numpy as np
import torch

from ..kernels import Convolution, Kernel
from ..workloads import Workload
from . import dialect


def set_threads(count: int) -> None:
    torch.set_num_threads(count)


def trainer(workload: Workload, mode: str) -> dialect.Step:
    return dialect.trainer(torch, workload, compiled=mode == "compile")


def predictor(workload: Workload, mode: str, batch: int) -> Callable[[int], np.ndarray]:
    return dialect.predictor(torch, workload, mode == "compile", batch)


def kernels(kernel: Kernel) -> dict[str, Callable[[], object]]:
    if isinstance(kernel, Convolution) and kernel.direction != "forward":
        return {
            "channels first": _gradient(kernel, torch.contiguous_format),
            "channels last": _gradient(kernel, torch.channels_last),
        }
    with torch.no_grad():
        return dialect.kernels(torch, kernel)


def _gradient(kernel: Convolution, layout: torch.memory_format) -> Callable[[], object]:
    """The gradient by itself: `autograd.grad` would compute the forward result as well."""
    x, weight, seed = (
        dialect.normal(torch, *shape).to(memory_format=layout)
        for shape in (kernel.input_shape, kernel.weight_shape, kernel.output_shape)
    )
    stride, padding, dilation = [kernel.stride] * 2, [kernel.padding] * 2, [1, 1]
    wanted = [kernel.direction == "input gradient", kernel.direction == "weight gradient", False]
    gradient = torch.ops.aten.convolution_backward
    return lambda: gradient(seed, x, weight, None, stride, padding, dilation, False, [0, 0], kernel.groups, wanted)
