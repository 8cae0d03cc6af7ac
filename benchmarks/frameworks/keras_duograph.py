"""Keras and `tf.data` on Duograph."""

from typing import Any

import duograph.tf as tf
from duograph import torch
from duograph.tf import keras

__all__ = ["OPTIONS", "keras", "set_threads", "tf"]

OPTIONS: dict[str, dict[str, Any]] = {"compile": {}}


def set_threads(count: int) -> None:
    torch.set_num_threads(count)
