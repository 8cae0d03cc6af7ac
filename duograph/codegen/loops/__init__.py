"""Loop nests: elementwise chains, reductions with what comes before and after them, and rows gone over several times.

A nest (`compiler.nest.Code`) becomes one kernel, in one of two forms.

**Along.** Vectors run along the axis that is reduced, or nothing is reduced. For each turn of the other axes, the outer
ones, the inner loops are run once for each stage: a softmax finds the maximum, then sums the exponentials, then
divides. What is costly and needed again is put down in a row of scratch memory on the stack; the rest is computed
again. The lanes of a sum are added at the end, halves to halves.

**Across.** The last axis is kept and others are reduced: each lane sums up its own column. A few vectors go down the
rows together.

Every sum runs in an order that the sizes decide. Vectors past the end of the last axis are masked.
"""

from .kernel import Loops
from .plans import plan_nest

__all__ = ["Loops", "plan_nest"]
