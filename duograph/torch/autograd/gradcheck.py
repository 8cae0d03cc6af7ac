"""`torch.autograd.gradcheck`: gradients against finite differences."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ... import transforms
from ...autograd import enable_grad, no_grad
from ...graph.dtype import complex128, float64
from ...graph.errors import ArgumentError, GradientError
from ...ops import FUNCTIONS
from ...tensor.core import Tensor

__all__ = ["GradcheckError", "gradcheck", "gradgradcheck"]


class GradcheckError(GradientError):
    """Gradients differ from finite differences."""


def _tuple(given: Any) -> tuple[Any, ...]:
    return tuple(given) if isinstance(given, tuple | list) else (given,)


def _real(x: Tensor) -> Tensor:
    """Complex numbers as pairs of real ones."""
    return FUNCTIONS["view_as_real"](x) if x.dtype.is_complex else x


def gradcheck(
    func: Callable[..., Any], inputs: Any, *, eps: float = 1e-6, atol: float = 1e-5, rtol: float = 1e-3,
    raise_exception: bool = True, nondet_tol: float = 0.0, check_undefined_grad: bool = True,
    check_grad_dtypes: bool = False, check_batched_grad: bool = False, check_batched_forward_grad: bool = False,
    check_forward_ad: bool = False, check_backward_ad: bool = True, fast_mode: bool = False, masked: Any = None,
) -> bool:  # fmt: skip
    """Compare the derivatives of a function's floating point results by the inputs that ask for gradients with central
    differences of width `eps`; with `check_forward_ad` Jacobian-vector products too.

    Raises GradcheckError where they differ by more than `atol + rtol * |difference|` (returns False without
    `raise_exception`), and ArgumentError where no input asks for a gradient.
    """
    given = _tuple(inputs)
    places = [k for k, x in enumerate(given) if isinstance(x, Tensor) and x.requires_grad]
    if not places:
        raise ArgumentError("gradcheck: inputs: expected one that asks for a gradient. Received: none")
    for k in places:
        if given[k].dtype not in (float64, complex128):
            raise ArgumentError(
                f"gradcheck: inputs: expected float64 or complex128: differences of width {eps} need it. "
                f"Received: {given[k].dtype}"
            )
    # complex numbers are checked as their parts: the gradient dL/dRe + i dL/dIm is that of a pair of real numbers
    held = [_real(x.detach()) if k in places else x.detach() if isinstance(x, Tensor) else x
            for k, x in enumerate(given)]  # fmt: skip
    were_complex = {k for k in places if given[k].is_complex()}

    def of_places(*chosen: Tensor) -> tuple[Tensor, ...]:
        arguments = list(held)
        for k, x in zip(places, chosen, strict=True):
            arguments[k] = FUNCTIONS["view_as_complex"](x) if k in were_complex else x
        results = _tuple(func(*arguments))
        return tuple(_real(r) for r in results if isinstance(r, Tensor) and r.dtype.differentiable)

    chosen = tuple(held[k] for k in places)
    try:
        expected = _differences(of_places, chosen, eps)
        for mode, wanted in (("backward", check_backward_ad), ("forward", check_forward_ad)):
            if wanted:
                transform = transforms.jacobian if mode == "backward" else transforms.jacobian_forward
                with enable_grad():
                    found = transform(of_places, tuple(range(len(places))))(*chosen)
                _compare(found, expected, places, mode, atol, rtol)
    except GradcheckError:
        if raise_exception:
            raise
        return False
    return True


@no_grad()
def _differences(function: Callable[..., Any], inputs: tuple[Tensor, ...], eps: float) -> list[list[np.ndarray]]:
    """For each result and each input the matrix `[result, input]` of central differences."""
    values = [x.numpy().copy() for x in inputs]

    def at(place: int, k: int, shift: float) -> list[np.ndarray]:
        moved = [v.copy() for v in values]
        moved[place].reshape(-1)[k] += shift
        return [r.numpy().reshape(-1) for r in function(*(FUNCTIONS["from_numpy"](m) for m in moved))]

    columns = [
        [[(a - b) / (2 * eps) for a, b in zip(at(p, k, eps), at(p, k, -eps), strict=True)] for k in range(v.size)]
        for p, v in enumerate(values)
    ]
    results = [r.numel() for r in function(*inputs)]
    return [
        [np.stack([c[r] for c in own], -1) if own else np.zeros((size, 0)) for own in columns]
        for r, size in enumerate(results)
    ]


def _compare(
    found: Any, expected: list[list[np.ndarray]], places: list[int], mode: str, atol: float, rtol: float
) -> None:
    for r, (by_input, wanted) in enumerate(zip(found, expected, strict=True)):
        for place, own, reference in zip(places, by_input, wanted, strict=True):
            matrix = own.detach().numpy().reshape(reference.shape)
            if not np.allclose(matrix, reference, rtol, atol):
                worst = np.abs(matrix - reference).max()
                raise GradcheckError(
                    f"gradcheck: result {r} by input {place}, in {mode} mode: derivatives are off by {worst:.3g}\n"
                    f"finite differences:\n{reference}\nderivatives:\n{matrix}"
                )


def gradgradcheck(
    func: Callable[..., Any], inputs: Any, grad_outputs: Any = None, *, eps: float = 1e-6, atol: float = 1e-5,
    rtol: float = 1e-3, gen_non_contig_grad_outputs: bool = False, raise_exception: bool = True,
    nondet_tol: float = 0.0, check_undefined_grad: bool = True, check_grad_dtypes: bool = False,
    check_batched_grad: bool = False, check_fwd_over_rev: bool = False, check_rev_over_rev: bool = True,
    fast_mode: bool = False, masked: bool = False,
) -> bool:  # fmt: skip
    """As `gradcheck`, of the gradients: second derivatives against differences of first ones.

    `grad_outputs` are what the results are weighted with; random numbers by default.
    """
    given = _tuple(inputs)
    places = [k for k, x in enumerate(given) if isinstance(x, Tensor) and x.requires_grad]

    def forward(*arguments: Any) -> tuple[Tensor, ...]:
        return tuple(r for r in _tuple(func(*arguments)) if isinstance(r, Tensor) and r.dtype.differentiable)

    if grad_outputs is None:
        with no_grad():
            likes = forward(*given)
        grad_outputs = [FUNCTIONS["randn_like"](r) for r in likes]
    weights = [w.detach().requires_grad_() for w in _tuple(grad_outputs)]

    def slopes(*everything: Any) -> tuple[Tensor, ...]:
        arguments, cotangents = everything[: len(given)], everything[len(given) :]

        def of_places(*chosen: Tensor) -> tuple[Tensor, ...]:
            own = list(arguments)
            for k, x in zip(places, chosen, strict=True):
                own[k] = x
            return forward(*own)

        pullback = transforms.vjp(of_places, *(arguments[k] for k in places))[1]
        return pullback(tuple(cotangents))

    return gradcheck(
        slopes, (*given, *weights), eps=eps, atol=atol, rtol=rtol, raise_exception=raise_exception,
        check_forward_ad=check_fwd_over_rev, check_backward_ad=check_rev_over_rev,
    )  # fmt: skip
