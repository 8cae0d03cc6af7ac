"""`tf.train`: checkpoints, and examples as messages."""

from __future__ import annotations

from .checkpoints import *
from .example import *
from .missing import missing

__getattr__ = missing(__name__, globals())
