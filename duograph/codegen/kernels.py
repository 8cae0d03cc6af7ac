"""Which kernel computes an operation that no nest computes: plans by the name of the primitive."""

from __future__ import annotations

from collections.abc import Callable

from ..compiler.arrays import Array
from ..compiler.group import Operation
from .contract.machine import Machine
from .plan import Plan

Lowering = Callable[[Machine, Operation], tuple[Plan, dict[str, Array]]]

KERNELS: dict[str, Lowering] = {}
