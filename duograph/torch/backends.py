"""`torch.backends`: switches of backends that are not here, accepted so that portable programs run."""

from __future__ import annotations

from typing import Any


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

    class SDPAParams:
        """What a call of scaled_dot_product_attention is about, for the questions below."""

        def __init__(self, *arguments: Any) -> None:
            self.arguments = arguments

    def _refused(self, params: Any, debug: bool = False) -> bool:
        """False: there is no CUDA device, and scaled_dot_product_attention chooses by itself."""
        return False

    can_use_flash_attention = can_use_efficient_attention = can_use_cudnn_attention = _refused


cudnn, mps, mkldnn, mkl, openmp, cuda = _Backend(), _Backend(), _Backend(), _Backend(), _Backend(), _Cuda()
