"""`torch.nn.utils.memory_format`: how the weights of convolutions lie, which the compiler decides here."""

from ....nn.utils.layout import (
    convert_conv2d_weight_memory_format,
    convert_conv3d_weight_memory_format,
)  # fmt: skip

__all__ = [
    "convert_conv2d_weight_memory_format", "convert_conv3d_weight_memory_format",
]  # fmt: skip
