"""Kernels whose addresses are data, and random bits.

`plan_put`, `plan_put_along`, `plan_window_max_gradient` and `plan_random_bits` take sizes and data types and give a
`Plan`. No two chunks write to one place, and each place sees its updates in their order: neither locks nor atomic
instructions, and the same bits from any number of threads.
"""

from .put import plan_put
from .put_along import plan_put_along
from .random import plan_random_bits
from .window import plan_window_max_gradient

__all__ = ["plan_put", "plan_put_along", "plan_random_bits", "plan_window_max_gradient"]
