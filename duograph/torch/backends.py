"""`torch.backends`: switches of backends that are not here, accepted so that portable programs run."""

from __future__ import annotations


class _Backend:
    """A backend that is not available; its switches can be set and change nothing."""

    enabled = False
    benchmark = False
    deterministic = True
    allow_tf32 = False

    def is_available(self) -> bool:
        """False."""
        return False

    def is_built(self) -> bool:
        """False."""
        return False


class _Cuda(_Backend):
    matmul = _Backend()


cudnn, mps, mkldnn, mkl, openmp, cuda = _Backend(), _Backend(), _Backend(), _Backend(), _Backend(), _Cuda()
