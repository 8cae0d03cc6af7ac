"""What depends on the order of elements along an axis: sorting, scans, positions of extremes, and sliding windows.

Each `plan_*` takes a machine, an element type and sizes, and gives a `codegen.plan.Plan`.
"""

from .argextreme import plan_argextreme
from .scan import plan_scan
from .sort import plan_argsort
from .window import plan_window_max, plan_window_sum, plan_window_sum_gradient

__all__ = [
    "plan_argextreme",
    "plan_argsort",
    "plan_scan",
    "plan_window_max",
    "plan_window_sum",
    "plan_window_sum_gradient",
]
