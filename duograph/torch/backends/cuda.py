"""`torch.backends.cuda`: there is no CUDA here, and scaled_dot_product_attention chooses by itself."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ..missing import missing
from .absent import is_built

__all__ = [
    "SDPAParams", "can_use_cudnn_attention", "can_use_efficient_attention", "can_use_flash_attention",
    "cudnn_sdp_enabled", "enable_cudnn_sdp", "enable_flash_sdp", "enable_math_sdp", "enable_mem_efficient_sdp",
    "flash_sdp_enabled", "is_built", "is_flash_attention_available", "math_sdp_enabled", "matmul",
    "mem_efficient_sdp_enabled", "sdp_kernel",
]  # fmt: skip


class _Products:
    """The precision of products, which are exact here."""

    allow_tf32 = False
    allow_fp16_reduced_precision_reduction = True
    allow_bf16_reduced_precision_reduction = True
    allow_fp16_accumulation = False
    fp32_precision = "none"


class SDPAParams:
    """What a call of scaled_dot_product_attention is about, for the questions below."""

    def __init__(self, *arguments: Any) -> None:
        self.arguments = arguments


def _refused(params: Any, debug: bool = False) -> bool:
    """False: there is no CUDA device."""
    return False


def is_flash_attention_available() -> bool:
    """False: there is no CUDA device."""
    return False


def enable_flash_sdp(enabled: bool) -> None:
    """Changes nothing."""


def flash_sdp_enabled() -> bool:
    """True: attention keeps no matrix of all positions by all positions where it need not."""
    return True


@contextmanager
def sdp_kernel(
    enable_flash: bool = True, enable_math: bool = True, enable_mem_efficient: bool = True, enable_cudnn: bool = True
) -> Iterator[None]:
    """Changes nothing: scaled_dot_product_attention chooses by itself."""
    yield


matmul = _Products()
can_use_flash_attention = can_use_efficient_attention = can_use_cudnn_attention = _refused
enable_mem_efficient_sdp = enable_math_sdp = enable_cudnn_sdp = enable_flash_sdp
mem_efficient_sdp_enabled = math_sdp_enabled = cudnn_sdp_enabled = flash_sdp_enabled
__getattr__ = missing(__name__, __all__)
