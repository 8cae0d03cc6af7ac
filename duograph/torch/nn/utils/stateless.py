"""`torch.nn.utils.stateless`: a module called with other parameters than its own."""

from ....nn.stateless import functional_call

__all__ = ["functional_call"]
