"""Functions of functions: grad, value_and_grad, vjp, jvp, jacobian, jacobian_forward, hessian, linearize and vmap.

Arguments and results may be nests of tensors (lists, tuples, dictionaries). All transforms compose, to any order.
"""

from .gradients import Argnums, grad, jvp, value_and_grad, vjp
from .jacobians import hessian, jacobian, jacobian_forward, linearize
from .vectorize import vmap

__all__ = [
    "Argnums", "grad", "hessian", "jacobian", "jacobian_forward", "jvp", "linearize", "value_and_grad", "vjp", "vmap",
]  # fmt: skip
