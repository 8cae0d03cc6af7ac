"""`torch.autograd.functional`: derivatives of a function at given arguments.

Arguments and results are tensors or tuples of tensors, and so are derivatives. Results are off the tape unless
`create_graph`. A derivative by something that the result does not depend on is 0; with `strict` it is an error.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ... import transforms
from ...autograd import enable_grad, no_grad
from ...autograd import grad as tape_grad
from ...graph.errors import ArgumentError, GradientError
from ...tensor.core import Tensor
from ..missing import missing

__all__ = ["hessian", "hvp", "jacobian", "jvp", "vhp", "vjp"]

Tensors = tuple[Tensor, ...]


def _tuple(name: str, what: str, given: Any) -> Tensors:
    """Tensors as a tuple. Raises TypeError for anything else."""
    tensors = given if isinstance(given, tuple) else tuple(given) if isinstance(given, list) else (given,)
    for tensor in tensors:
        if not isinstance(tensor, Tensor):
            raise TypeError(f"{name}: {what}: expected tensors. Received: {type(tensor).__name__}")
    return tensors


def _like(form: Any, found: Any) -> Any:
    return tuple(found) if isinstance(form, tuple | list) else found[0]


def _directions(name: str, v: Any, like: Tensors) -> Tensors:
    if v is None:
        if len(like) != 1 or like[0].numel() != 1:
            raise GradientError(f"{name}: v: expected one for a result of more than one element. Received: None")
        return (like[0].new_ones(like[0].shape),)
    directions = _tuple(name, "v", v)
    if [tuple(d.shape) for d in directions] != [tuple(t.shape) for t in like]:
        shapes = [tuple(d.shape) for d in directions], [tuple(t.shape) for t in like]
        raise ArgumentError(f"{name}: v: expected shapes {shapes[1]}. Received: {shapes[0]}")
    return directions


def _checked(name: str, func: Callable[..., Any], inputs: Tensors, strict: bool) -> None:
    """With `strict`: raises GradientError where a result depends on no input, or not on each."""
    if not strict:
        return
    with enable_grad():
        leaves = [x.detach().requires_grad_() for x in inputs]
        outputs = _tuple(name, "the result of func", func(*leaves))
    for k, output in enumerate(outputs):
        found = tape_grad(output.sum(), leaves, allow_unused=True) if output.requires_grad else [None]
        if any(x is None for x in found):
            raise GradientError(f"{name}: result {k} does not depend on every input: leave out strict=True for zeros")


def _settled(result: Any, create_graph: bool) -> Any:
    if isinstance(result, tuple):
        return tuple(_settled(r, create_graph) for r in result)
    return result if create_graph else result.detach()


def _scalar(name: str, output: Any) -> Tensor:
    (tensor,) = _tuple(name, "the result of func", output)
    if tensor.numel() != 1:
        raise GradientError(f"{name}: expected a function with a result of one element. Received: {tensor.shape}")
    return tensor.reshape(())


def vjp(
    func: Callable[..., Any], inputs: Any, v: Any = None, create_graph: bool = False, strict: bool = False
) -> tuple[Any, Any]:
    """The result, and the product of `v` (1 by default, for a result of one element) with the Jacobian matrix."""
    given = _tuple("vjp", "inputs", inputs)
    _checked("vjp", func, given, strict)
    with enable_grad():
        result, pullback = transforms.vjp(func, *given)
        outputs = _tuple("vjp", "the result of func", result)
        directions = _directions("vjp", v, outputs)
        found = pullback(_like(result, directions))
    return _settled(result, create_graph), _settled(_like(inputs, found), create_graph)


def jvp(
    func: Callable[..., Any], inputs: Any, v: Any = None, create_graph: bool = False, strict: bool = False
) -> tuple[Any, Any]:
    """The result, and the product of the Jacobian matrix with `v` (1 by default, for an input of one element)."""
    given = _tuple("jvp", "inputs", inputs)
    _checked("jvp", func, given, strict)
    with enable_grad():
        found = transforms.jvp(func, given, _directions("jvp", v, given))
    return _settled(found, create_graph)


def jacobian(
    func: Callable[..., Any], inputs: Any, create_graph: bool = False, strict: bool = False, vectorize: bool = False,
    strategy: str = "reverse-mode",
) -> Any:  # fmt: skip
    """The Jacobian matrix `[*result, *input]`, for each result and each input where there are tuples.

    All rows (or columns, with strategy "forward-mode") are computed at once, `vectorize` or not.
    """
    if strategy not in ("reverse-mode", "forward-mode"):
        raise ArgumentError(f"jacobian: strategy: expected 'reverse-mode' or 'forward-mode'. Received: {strategy!r}")
    given = _tuple("jacobian", "inputs", inputs)
    _checked("jacobian", func, given, strict)
    transform = transforms.jacobian if strategy == "reverse-mode" else transforms.jacobian_forward
    numbers: Any = tuple(range(len(given))) if isinstance(inputs, tuple | list) else 0
    with enable_grad():
        return _settled(transform(func, numbers)(*given), create_graph)


def hessian(
    func: Callable[..., Any], inputs: Any, create_graph: bool = False, strict: bool = False, vectorize: bool = False,
    outer_jacobian_strategy: str = "reverse-mode",
) -> Any:  # fmt: skip
    """The second derivatives of a result of one element, `[*input, *input]` for each pair of inputs."""
    given = _tuple("hessian", "inputs", inputs)
    _checked("hessian", func, given, strict)

    def gradient(*arguments: Tensor) -> Any:
        slopes = transforms.grad(lambda *x: _scalar("hessian", func(*x)), tuple(range(len(given))))(*arguments)
        return _like(inputs, slopes)

    return jacobian(gradient, inputs, create_graph, False, vectorize, outer_jacobian_strategy)


def hvp(
    func: Callable[..., Any], inputs: Any, v: Any = None, create_graph: bool = False, strict: bool = False
) -> tuple[Any, Any]:
    """The result of one element, and the product of its Hessian matrix with `v`."""
    given = _tuple("hvp", "inputs", inputs)
    _checked("hvp", func, given, strict)
    directions = _directions("hvp", v, given)

    def slope(*arguments: Tensor) -> Tensor:
        found = transforms.grad(lambda *x: _scalar("hvp", func(*x)), tuple(range(len(given))))(*arguments)
        return sum((s * d).sum() for s, d in zip(found, directions, strict=True))

    with enable_grad():
        products = transforms.grad(slope, tuple(range(len(given))))(*given)
    with enable_grad() if create_graph else no_grad():
        result = func(*given)
    return _settled(result, create_graph), _settled(_like(inputs, products), create_graph)


vhp = hvp  # the matrix is symmetric
__getattr__ = missing(__name__, __all__)
