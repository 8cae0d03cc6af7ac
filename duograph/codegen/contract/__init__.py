"""Contractions: matrix products and convolutions in all their directions, from one register tile.

`plan_matmul`, `plan_convolution`, `plan_input_gradient` and `plan_weight_gradient` take sizes, strides and element
types and give a `Plan`: kernels to emit, what to put in their argument blocks, and how many chunks each has.
`docs/compiler.md` tells how it works.
"""

from ..plan import Kernel, Plan, Pointer, Step
from .convolution import plan_convolution, plan_input_gradient
from .epilogue import Epilogue, Tile
from .geometry import Geometry, Weight
from .machine import Machine
from .matmul import Matrix, plan_matmul
from .weight_gradient import plan_weight_gradient

__all__ = [
    "Epilogue",
    "Geometry",
    "Kernel",
    "Machine",
    "Matrix",
    "Plan",
    "Pointer",
    "Step",
    "Tile",
    "Weight",
    "plan_convolution",
    "plan_input_gradient",
    "plan_matmul",
    "plan_weight_gradient",
]
