"""Duograph in the PyTorch dialect: the plain eager loop, and the same loop with `compile`."""

from collections.abc import Callable

import numpy as np

from duograph import torch

from ..kernels import Kernel
from ..workloads import Workload
from . import dialect


def set_threads(count: int) -> None:
    torch.set_num_threads(count)


def trainer(workload: Workload, mode: str) -> dialect.Step:
    return dialect.trainer(torch, workload, compiled=mode == "compile")


def predictor(workload: Workload, mode: str, batch: int) -> Callable[[int], np.ndarray]:
    return dialect.predictor(torch, workload, mode == "compile", batch)


def kernels(kernel: Kernel) -> dict[str, Callable[[], object]]:
    return dialect.kernels(torch, kernel)
