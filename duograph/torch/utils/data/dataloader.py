"""`torch.utils.data.dataloader`: batches."""

from ....data.loader import DataLoader, default_collate, default_convert
from ....data.workers import get_worker_info

__all__ = ["DataLoader", "default_collate", "default_convert", "get_worker_info"]
