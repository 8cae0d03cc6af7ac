"""`torch.utils.data.dataloader`: batches."""

from ....data.loader import DataLoader, default_collate, get_worker_info

__all__ = ["DataLoader", "default_collate", "get_worker_info"]
