"""`torch.optim.optimizer`: the base of optimisers."""

from ...optim.optimizer import Optimizer

__all__ = ["Optimizer"]
