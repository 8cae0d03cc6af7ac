"""`torch.backends.cpu`: what PyTorch's kernels would choose by."""

from __future__ import annotations


def get_cpu_capability() -> str:
    """ "DEFAULT": Duograph's compiler writes code for the processor that it runs on, and has no levels."""
    return "DEFAULT"
