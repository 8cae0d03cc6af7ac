"""Schedules that rise and fall, of the rate and of momentum."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from ...graph.errors import ArgumentError
from ..optimizer import Optimizer
from .base import LRScheduler


def _check_cycled(name: str, optimizer: Optimizer) -> bool:
    """Whether momentum is called "betas". Raises ArgumentError for an optimiser that has neither."""
    if "momentum" not in optimizer.defaults and "betas" not in optimizer.defaults:
        raise ArgumentError(
            f"{name}: cycle_momentum: expected an optimizer with momentum or betas. Received: one without"
        )
    return "betas" in optimizer.defaults


def _set_momentum(group: dict[str, Any], momentum: float) -> None:
    if "betas" in group:
        group["betas"] = (momentum, *group["betas"][1:])
    else:
        group["momentum"] = momentum


def _per_group(name: str, optimizer: Optimizer, argument: str, value: Any) -> list[Any]:
    groups = len(optimizer.param_groups)
    values = list(value) if isinstance(value, list | tuple) else [value] * groups
    if len(values) != groups:
        raise ArgumentError(f"{name}: {argument}: expected one value or {groups}. Received: {len(values)}")
    return values


class CyclicLR(LRScheduler):
    """The rate goes up and down between two bounds (Smith 2017); momentum, if cycled, the other way."""

    def __init__(
        self, optimizer: Optimizer, base_lr: Any, max_lr: Any, step_size_up: int = 2000,
        step_size_down: int | None = None, mode: str = "triangular", gamma: float = 1.0,
        scale_fn: Callable[[float], float] | None = None, scale_mode: str = "cycle", cycle_momentum: bool = True,
        base_momentum: Any = 0.8, max_momentum: Any = 0.9, last_epoch: int = -1,
    ) -> None:  # fmt: skip
        if mode not in ("triangular", "triangular2", "exp_range") and scale_fn is None:
            raise ArgumentError(
                "CyclicLR: mode: expected 'triangular', 'triangular2' or 'exp_range', or a scale_fn. "
                f"Received: {mode!r}"
            )
        base_lrs = _per_group("CyclicLR", optimizer, "base_lr", base_lr)
        if last_epoch == -1:
            for group, rate in zip(optimizer.param_groups, base_lrs, strict=True):
                group["lr"] = group["initial_lr"] = rate
        self.max_lrs = _per_group("CyclicLR", optimizer, "max_lr", max_lr)
        down = step_size_up if step_size_down is None else step_size_down
        self.total_size = float(step_size_up + down)
        self.step_ratio = step_size_up / self.total_size
        self.mode = mode
        self.gamma = gamma
        self.scale_fn = scale_fn
        self.scale_mode = scale_mode if scale_fn is not None else "iterations" if mode == "exp_range" else "cycle"
        self.cycle_momentum = cycle_momentum
        if cycle_momentum:
            _check_cycled("CyclicLR", optimizer)
            self.base_momentums = _per_group("CyclicLR", optimizer, "base_momentum", base_momentum)
            self.max_momentums = _per_group("CyclicLR", optimizer, "max_momentum", max_momentum)
            if last_epoch == -1:
                for group, momentum in zip(optimizer.param_groups, self.max_momentums, strict=True):
                    _set_momentum(group, momentum)
        super().__init__(optimizer, last_epoch)
        self.base_lrs = base_lrs

    def _scale(self, x: float) -> float:
        if self.scale_fn is not None:
            return self.scale_fn(x)
        return {"triangular": 1.0, "triangular2": 1 / 2.0 ** (x - 1), "exp_range": self.gamma**x}[self.mode]

    def get_lr(self) -> list[Any]:
        cycle = math.floor(1 + self.last_epoch / self.total_size)
        x = 1.0 + self.last_epoch / self.total_size - cycle
        height = x / self.step_ratio if x <= self.step_ratio else (x - 1) / (self.step_ratio - 1)
        scale = self._scale(cycle if self.scale_mode == "cycle" else self.last_epoch)
        if self.cycle_momentum:
            bounds = zip(self.optimizer.param_groups, self.base_momentums, self.max_momentums, strict=True)
            for group, base, most in bounds:
                _set_momentum(group, most - (most - base) * height * scale)
        return [base + (most - base) * height * scale for base, most in zip(self.base_lrs, self.max_lrs, strict=True)]


class OneCycleLR(LRScheduler):
    """One rise of the rate and a long fall far below its first value (Smith and Topin 2018)."""

    def __init__(
        self, optimizer: Optimizer, max_lr: Any, total_steps: int | None = None, epochs: int | None = None,
        steps_per_epoch: int | None = None, pct_start: float = 0.3, anneal_strategy: str = "cos",
        cycle_momentum: bool = True, base_momentum: Any = 0.85, max_momentum: Any = 0.95, div_factor: float = 25.0,
        final_div_factor: float = 1e4, three_phase: bool = False, last_epoch: int = -1,
    ) -> None:  # fmt: skip
        if total_steps is None:
            if epochs is None or steps_per_epoch is None:
                raise ArgumentError(
                    "OneCycleLR: expected total_steps, or both epochs and steps_per_epoch. Received: neither"
                )
            total_steps = epochs * steps_per_epoch
        if total_steps <= 0 or not isinstance(total_steps, int):
            raise ArgumentError(f"OneCycleLR: total_steps: expected an integer of at least 1. Received: {total_steps}")
        if not 0 <= pct_start <= 1:
            raise ArgumentError(f"OneCycleLR: pct_start: expected a number in [0, 1]. Received: {pct_start}")
        if anneal_strategy not in ("cos", "linear"):
            raise ArgumentError(
                f"OneCycleLR: anneal_strategy: expected 'cos' or 'linear'. Received: {anneal_strategy!r}"
            )
        self.total_steps = total_steps
        self.anneal_strategy = anneal_strategy
        rise = float(pct_start * total_steps) - 1
        end = total_steps - 1
        if three_phase:
            back = float(2 * pct_start * total_steps) - 2
            self._phases = [
                (rise, "initial_lr", "max_lr", "max_momentum", "base_momentum"),
                (back, "max_lr", "initial_lr", "base_momentum", "max_momentum"),
                (end, "initial_lr", "min_lr", "max_momentum", "max_momentum"),
            ]
        else:
            self._phases = [
                (rise, "initial_lr", "max_lr", "max_momentum", "base_momentum"),
                (end, "max_lr", "min_lr", "base_momentum", "max_momentum"),
            ]
        rates = _per_group("OneCycleLR", optimizer, "max_lr", max_lr)
        self.cycle_momentum = cycle_momentum
        if cycle_momentum:
            self.use_beta1 = _check_cycled("OneCycleLR", optimizer)
        if last_epoch == -1:
            for group, most in zip(optimizer.param_groups, rates, strict=True):
                group["initial_lr"] = most / div_factor
                group["max_lr"] = most
                group["min_lr"] = group["initial_lr"] / final_div_factor
            if cycle_momentum:
                low = _per_group("OneCycleLR", optimizer, "base_momentum", base_momentum)
                high = _per_group("OneCycleLR", optimizer, "max_momentum", max_momentum)
                for group, base, most in zip(optimizer.param_groups, low, high, strict=True):
                    _set_momentum(group, most)
                    group["base_momentum"], group["max_momentum"] = base, most
        super().__init__(optimizer, last_epoch)

    def _between(self, start: float, end: float, share: float) -> float:
        if self.anneal_strategy == "linear":
            return (end - start) * share + start
        return end + (start - end) / 2.0 * (math.cos(math.pi * share) + 1)

    def get_lr(self) -> list[Any]:
        step = self.last_epoch
        if step > self.total_steps:
            raise ArgumentError(
                f"OneCycleLR: expected at most total_steps = {self.total_steps} steps. Received: {step}"
            )
        start = 0.0
        for phase in self._phases:
            if step <= phase[0] or phase is self._phases[-1]:
                break
            start = phase[0]
        end, lr_from, lr_to, momentum_from, momentum_to = phase
        share = (step - start) / (end - start)
        if self.cycle_momentum:
            for group in self.optimizer.param_groups:
                _set_momentum(group, self._between(group[momentum_from], group[momentum_to], share))
        return [self._between(g[lr_from], g[lr_to], share) for g in self.optimizer.param_groups]
