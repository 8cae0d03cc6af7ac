"""`torch.distributed`, so that programs see that one process is all there is."""

from __future__ import annotations

from .missing import missing

__all__ = ["is_available", "is_gloo_available", "is_initialized", "is_mpi_available", "is_nccl_available"]


def is_available() -> bool:
    """False: one process trains a model here."""
    return False


def is_initialized() -> bool:
    """False: one process trains a model here."""
    return False


def is_nccl_available() -> bool:
    """False."""
    return False


is_mpi_available = is_gloo_available = is_nccl_available
__getattr__ = missing(__name__, __all__)
