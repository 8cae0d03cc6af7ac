"""Attention without a matrix of weights in memory: `plan_attention`, `plan_attention_gradient`.

`docs/compiler.md` tells how it works.
"""

from .block import Mask
from .plan import Heads, Problem, plan_attention, plan_attention_gradient

__all__ = ["Heads", "Mask", "Problem", "plan_attention", "plan_attention_gradient"]
