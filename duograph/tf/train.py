"""`tf.train`: examples as messages."""

from __future__ import annotations

from .example import *
from .missing import missing

__getattr__ = missing(__name__, globals())
