"""Keras on Duograph."""

from typing import Any

from duograph import torch
from duograph.tf import keras

__all__ = ["OPTIONS", "keras", "set_threads"]

OPTIONS: dict[str, dict[str, Any]] = {"compile": {}}


def set_threads(count: int) -> None:
    torch.set_num_threads(count)
