"""`torch.utils.data.distributed`: the share of one of several processes."""

from ....data.sampler import DistributedSampler

__all__ = ["DistributedSampler"]
