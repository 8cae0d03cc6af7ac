"""`torch.func`: functions of functions."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

from .. import transforms, tree
from ..graph.errors import ArgumentError
from ..nn.layers.normalization import _BatchNorm
from ..nn.module import Module
from ..nn.stateless import functional_call
from ..ops import FUNCTIONS
from ..tensor.core import Tensor
from ..transforms import grad, hessian, linearize, vmap
from .missing import missing

__all__ = [
    "functional_call", "functionalize", "grad", "grad_and_value", "hessian", "jacfwd", "jacrev", "jvp", "linearize",
    "replace_all_batch_norm_modules_", "stack_module_state", "vjp", "vmap",
]  # fmt: skip


def grad_and_value(func: Callable[..., Any], argnums: Any = 0, has_aux: bool = False) -> Callable[..., Any]:
    """A function that returns (gradient, value) of a one-element result by the arguments `argnums`.

    With `has_aux` the function returns (result, other), and the new one (gradient, (result, other)).
    """
    both = transforms.value_and_grad(func, argnums, has_aux)

    @functools.wraps(func)
    def transformed(*arguments: Any, **keywords: Any) -> Any:
        value, gradient = both(*arguments, **keywords)
        return gradient, value

    return transformed


def _aside(func: Callable[..., Any], has_aux: bool) -> tuple[Callable[..., Any], list[Any]]:
    """The function, and a list to which its second result goes, if it has one."""
    others: list[Any] = []

    def first(*arguments: Any) -> Any:
        result = func(*arguments)
        if has_aux:
            result, other = result
            others.append(tree.map(lambda x: x.detach() if isinstance(x, Tensor) else x, other))
        return result

    return first, others


def vjp(func: Callable[..., Any], *primals: Any, has_aux: bool = False) -> Any:
    """The result at `primals`, and a function from cotangents of the result to a tuple of those of the primals.

    With `has_aux` the function returns (result, other), and `other` is returned too.
    """
    first, others = _aside(func, has_aux)
    result, pullback = transforms.vjp(first, *primals)

    def pull(*cotangents: Any, retain_graph: bool = True, create_graph: bool | None = None) -> Any:
        return pullback(cotangents[0] if len(cotangents) == 1 else cotangents)

    return (result, pull, others[0]) if has_aux else (result, pull)


def jvp(
    func: Callable[..., Any], primals: Any, tangents: Any, *, strict: bool = False, has_aux: bool = False
) -> tuple[Any, ...]:
    """The result at `primals`, and its derivative in the direction `tangents`; with `has_aux` also the other result."""
    first, others = _aside(func, has_aux)
    found = transforms.jvp(first, tuple(primals), tuple(tangents))
    return (*found, others[0]) if has_aux else found


def jacrev(
    func: Callable[..., Any], argnums: Any = 0, *, has_aux: bool = False, chunk_size: int | None = None,
    _preallocate_and_copy: bool = False,
) -> Callable[..., Any]:  # fmt: skip
    """A function that returns the derivatives of all results by the arguments `argnums`, `[*result, *argument]`, in
    reverse mode."""
    return transforms.jacobian(func, argnums, has_aux, chunk_size=chunk_size)


def jacfwd(
    func: Callable[..., Any], argnums: Any = 0, has_aux: bool = False, *, randomness: str = "error"
) -> Callable[..., Any]:
    """As `jacrev`, in forward mode: better where there are more results than arguments."""
    return transforms.jacobian_forward(func, argnums, has_aux, randomness=randomness)


def stack_module_state(models: Sequence[Module]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Parameters and buffers of models of one class, stacked by name, for `functional_call` under `vmap`."""
    if not models or len({type(model) for model in models}) != 1:
        raise ArgumentError(f"stack_module_state: expected models of one class. Received: {[*map(type, models)]}")
    if len({model.training for model in models}) != 1:
        raise ArgumentError("stack_module_state: expected models that are all in training, or all in evaluation")

    def stacked(members: str) -> dict[str, Any]:
        named = [dict(getattr(model, members)()) for model in models]
        return {name: FUNCTIONS["stack"]([each[name] for each in named]) for name in named[0]}

    parameters = {
        name: x.detach().requires_grad_(models[0].get_parameter(name).requires_grad)
        for name, x in stacked("named_parameters").items()
    }
    return parameters, stacked("named_buffers")


def functionalize(func: Callable[..., Any], *, remove: str = "mutations") -> Callable[..., Any]:
    """The function: its graph has no writes in place."""
    return func


def replace_all_batch_norm_modules_(root: Module) -> Module:
    """Let all batch normalisations of a module use the statistics of the batch, and keep none; in place."""
    for module in root.modules():
        if isinstance(module, _BatchNorm):
            module.running_mean = module.running_var = module.num_batches_tracked = None
            module.track_running_stats = False
    return root


__getattr__ = missing(__name__, __all__)
