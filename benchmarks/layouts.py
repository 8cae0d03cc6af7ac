"""Turning weights and images from PyTorch's layouts into those that the other frameworks use."""

import numpy as np

from .workloads import Workload


def images_last(x: np.ndarray) -> np.ndarray:
    """Channels last, if `x` is a batch of images (N, C, H, W); anything else as it is."""
    return np.ascontiguousarray(x.transpose(0, 2, 3, 1)) if x.ndim == 4 else x


def channels_last(workload: Workload) -> dict[str, np.ndarray]:
    """The starting weights: linear (inputs, outputs), convolution (H, W, inputs, outputs), embeddings unchanged.

    A linear layer that reads flattened images has its inputs in C×H×W order in PyTorch; they are put into H×W×C.
    """
    return {name: _converted(workload, name, weight) for name, weight in workload.weights().items()}


def _converted(workload: Workload, name: str, weight: np.ndarray) -> np.ndarray:
    if name in workload.flattened:
        images = weight.reshape(-1, *workload.flattened[name])
        weight = images.transpose(0, 2, 3, 1).reshape(len(weight), -1)
    if weight.ndim == 4:
        weight = weight.transpose(2, 3, 1, 0)
    elif weight.ndim == 2 and "embedding" not in name:
        weight = weight.T
    return np.ascontiguousarray(weight)
