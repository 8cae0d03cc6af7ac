"""`torch.utils.data`: data sets, samplers, loaders."""

from .... import data as _data
from ....data import *
from ...missing import missing
from . import dataloader, dataset, distributed, sampler

__all__ = [*_data.__all__, "dataloader", "dataset", "distributed", "sampler"]
__getattr__ = missing(__name__, __all__)
