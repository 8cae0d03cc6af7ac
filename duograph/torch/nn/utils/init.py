"""`torch.nn.utils.init`: modules that are not initialised."""

from ....nn.utils.layout import skip_init

__all__ = ["skip_init"]
