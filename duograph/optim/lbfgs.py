"""Limited-memory BFGS, with an optional line search."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from ..autograd import enable_grad, no_grad
from ..graph.errors import ArgumentError
from ..ops import FUNCTIONS
from ..ops.complex import view_as_real
from ..tensor.core import Tensor
from .optimizer import Optimizer, defaults


def _flat(x: Tensor) -> Tensor:
    """A vector of all numbers, of complex ones the parts."""
    return (view_as_real(x) if x.dtype.is_complex else x).reshape(-1)


class LBFGS(Optimizer):
    """Quasi-Newton steps from the last `history_size` differences of gradients (Nocedal 1980).

    `step` needs a closure that clears the gradients, computes the loss and its gradients and returns it; it is called
    several times. One group of parameters only.
    """

    def __init__(
        self, params: Any = None, lr: Any = 1, max_iter: int = 20, max_eval: int | None = None,
        tolerance_grad: float = 1e-7, tolerance_change: float = 1e-9, history_size: int = 100,
        line_search_fn: str | None = None,
    ) -> None:  # fmt: skip
        if line_search_fn not in (None, "strong_wolfe"):
            raise ArgumentError(f"LBFGS: line_search_fn: expected None or 'strong_wolfe'. Received: {line_search_fn!r}")
        super().__init__(params, defaults(
            "LBFGS", lr=lr, max_iter=max_iter, max_eval=max_iter * 5 // 4 if max_eval is None else max_eval,
            tolerance_grad=tolerance_grad, tolerance_change=tolerance_change, history_size=history_size,
            line_search_fn=line_search_fn,
        ))  # fmt: skip
        if len(self.param_groups) != 1:
            raise ArgumentError(f"LBFGS: expected one group of parameters. Received: {len(self.param_groups)}")
        self._params: list[Any] = self.param_groups[0]["params"]

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        self._params = self.param_groups[0]["params"]

    def _gradient(self) -> Any:
        """All gradients as one vector."""
        parts = [_flat(p.grad if p.grad is not None else p.new_zeros(p.shape)) for p in self._params]
        return FUNCTIONS["cat"](parts).detach()

    def _place(self, start: list[Tensor], t: float, direction: Any) -> None:
        """Put the parameters `t` steps from `start`."""
        offset = 0
        for parameter, first in zip(self._params, start, strict=True):
            place = view_as_real(parameter) if parameter.dtype.is_complex else parameter
            count = place.numel()
            moved = _flat(first) + direction[offset : offset + count] * t
            place.copy_(moved.reshape(place.shape))
            offset += count

    @no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Up to `max_iter` iterations. Returns the first loss."""
        if closure is None:
            raise TypeError("LBFGS.step: expected a closure that computes the loss and its gradients. Received: None")
        group = self.param_groups[0]
        state = self.state[self._params[0]]
        for name in ("func_evals", "n_iter"):
            state.setdefault(name, 0)
        evaluations = 0

        def evaluate() -> tuple[float, Any]:
            nonlocal evaluations
            evaluations += 1
            state["func_evals"] += 1
            with enable_grad():
                value = closure()
            return float(value), self._gradient()

        with enable_grad():
            first_loss = closure()
        evaluations, state["func_evals"] = 1, state["func_evals"] + 1
        loss, gradient = float(first_loss), self._gradient()
        tolerance, least = group["tolerance_grad"], group["tolerance_change"]
        if float(gradient.abs().max()) <= tolerance:
            return first_loss
        for iteration in range(1, group["max_iter"] + 1):
            state["n_iter"] += 1
            direction = self._direction(state, gradient, group["history_size"])
            state["prev_flat_grad"], state["prev_loss"] = gradient, loss
            lr = float(group["lr"])
            t = min(1.0, 1.0 / float(gradient.abs().sum())) * lr if state["n_iter"] == 1 else lr
            slope = float(gradient.dot(direction))
            state["d"], state["t"] = direction, t
            if slope > -least:
                break
            start = [p.detach().clone() for p in self._params]
            if group["line_search_fn"] == "strong_wolfe":

                def at(t: float, start: Any = start, direction: Any = direction) -> Point:
                    self._place(start, t, direction)
                    value, vector = evaluate()
                    return Point(t, value, vector, float(vector.dot(direction)))

                found = strong_wolfe(at, Point(0.0, loss, gradient, slope), t, float(direction.abs().max()))
                t, loss, gradient = found.t, found.loss, found.gradient
                self._place(start, t, direction)
                state["t"] = t
            else:
                self._place(start, t, direction)
                if iteration != group["max_iter"]:
                    loss, gradient = evaluate()
            flat = float(gradient.abs().max()) <= tolerance
            moved = float(direction.abs().max()) * abs(t)
            if evaluations >= group["max_eval"] or flat or moved <= least or abs(loss - state["prev_loss"]) < least:
                break
        return first_loss

    def _direction(self, state: dict[str, Any], gradient: Any, history: int) -> Any:
        """Minus the gradient, multiplied by the estimated inverse of the Hessian."""
        if state["n_iter"] == 1:
            state.update(old_dirs=[], old_stps=[], ro=[], H_diag=1.0)
            return -gradient
        change, moved = gradient - state["prev_flat_grad"], state["d"] * state["t"]
        curvature = float(change.dot(moved))
        changes, moves, ro = state["old_dirs"], state["old_stps"], state["ro"]
        if curvature > 1e-10:
            if len(changes) == history:
                for memory in (changes, moves, ro):
                    memory.pop(0)
            changes.append(change)
            moves.append(moved)
            ro.append(1.0 / curvature)
            state["H_diag"] = curvature / float(change.dot(change))
        q = -gradient
        shares = []
        for y, s, r in zip(reversed(changes), reversed(moves), reversed(ro), strict=True):
            share = s.dot(q) * r
            shares.append(share)
            q = q - y * share
        q = q * state["H_diag"]
        for y, s, r, share in zip(changes, moves, ro, reversed(shares), strict=True):
            q = q + s * (share - y.dot(q) * r)
        return q


class Point(NamedTuple):
    """What is known at one place of the line."""

    t: float
    loss: float
    gradient: Any
    slope: float


def _cubic_minimum(a: Point, b: Point, bounds: tuple[float, float] | None = None) -> float:
    """Where the cubic through two values and slopes is least, within bounds (the two places, if not given)."""
    low, high = bounds or (min(a.t, b.t), max(a.t, b.t))
    if b.t == a.t:
        return (low + high) / 2
    d1 = a.slope + b.slope - 3 * (a.loss - b.loss) / (a.t - b.t)
    square = d1**2 - a.slope * b.slope
    if square < 0:
        return (low + high) / 2
    d2 = square**0.5
    if a.t <= b.t:
        t = b.t - (b.t - a.t) * ((b.slope + d2 - d1) / (b.slope - a.slope + 2 * d2))
    else:
        t = a.t - (a.t - b.t) * ((a.slope + d2 - d1) / (a.slope - b.slope + 2 * d2))
    return min(max(t, low), high)


def strong_wolfe(
    at: Callable[[float], Point], start: Point, t: float, longest: float, c1: float = 1e-4, c2: float = 0.9,
    least: float = 1e-9, most: int = 25,
) -> Point:  # fmt: skip
    """A place that satisfies the strong Wolfe conditions: first bracketed, then narrowed down by cubics.

    Nocedal and Wright, Numerical Optimization (2006), algorithms 3.5 and 3.6.
    """
    before, now = start, at(t)
    rounds = 0
    bracket: list[Point] = []
    while rounds < most:
        if now.loss > start.loss + c1 * now.t * start.slope or (rounds > 1 and now.loss >= before.loss):
            bracket = [before, now]
            break
        if abs(now.slope) <= -c2 * start.slope:
            return now
        if now.slope >= 0:
            bracket = [before, now]
            break
        step = _cubic_minimum(before, now, (now.t + 0.01 * (now.t - before.t), now.t * 10))
        before, now = now, at(step)
        rounds += 1
    if not bracket:
        bracket = [start, now]
    low, high = (0, 1) if bracket[0].loss <= bracket[1].loss else (1, 0)
    stuck = False
    while rounds < most and abs(bracket[1].t - bracket[0].t) * longest >= least:
        t = _cubic_minimum(bracket[0], bracket[1])
        left, right = min(p.t for p in bracket), max(p.t for p in bracket)
        margin = 0.1 * (right - left)
        if min(right - t, t - left) < margin:  # too near an end: a second time in a row, move inside
            if stuck or t >= right or t <= left:
                t = right - margin if abs(t - right) < abs(t - left) else left + margin
                stuck = False
            else:
                stuck = True
        else:
            stuck = False
        now = at(t)
        rounds += 1
        if now.loss > start.loss + c1 * t * start.slope or now.loss >= bracket[low].loss:
            bracket[high] = now
            low, high = (0, 1) if bracket[0].loss <= bracket[1].loss else (1, 0)
        else:
            done = abs(now.slope) <= -c2 * start.slope
            if not done and now.slope * (bracket[high].t - bracket[low].t) >= 0:
                bracket[high] = bracket[low]
            bracket[low] = now
            if done:
                break
    return bracket[low]
