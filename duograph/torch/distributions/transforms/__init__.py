"""Invertible functions with the logarithms of the determinants of their derivatives."""

from ...missing import missing
from . import arrays, base, elementwise, joined
from .arrays import *
from .base import *
from .elementwise import *
from .joined import *

__all__ = [*arrays.__all__, *base.__all__, *elementwise.__all__, *joined.__all__]
__getattr__ = missing(__name__, __all__)
