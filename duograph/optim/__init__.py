"""Optimisers and learning rate schedules, under PyTorch's names."""

from . import lr_scheduler, swa_utils
from .descent import ASGD, SGD, Adadelta, Adagrad, Adam, Adamax, AdamW, NAdam, RAdam, RMSprop, Rprop, SparseAdam
from .lbfgs import LBFGS
from .matrix import Adafactor, Muon
from .optimizer import Optimizer

__all__ = [
    "ASGD", "LBFGS", "SGD", "Adadelta", "Adafactor", "Adagrad", "Adam", "AdamW", "Adamax", "Muon", "NAdam", "Optimizer",
    "RAdam", "RMSprop", "Rprop", "SparseAdam",
]  # fmt: skip
