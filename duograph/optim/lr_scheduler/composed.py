"""Schedules made of schedules."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from typing import Any

from ...graph.errors import ArgumentError
from ..optimizer import Optimizer
from .base import LRScheduler


class SequentialLR(LRScheduler):
    """Schedules one after another, each from its milestone on."""

    def __init__(
        self, optimizer: Optimizer, schedulers: list[LRScheduler], milestones: list[int], last_epoch: int = -1
    ) -> None:
        if not schedulers or any(s.optimizer is not optimizer for s in schedulers):
            raise ArgumentError("SequentialLR: schedulers: expected schedules of the optimizer given")
        if len(milestones) != len(schedulers) - 1:
            raise ArgumentError(
                f"SequentialLR: milestones: expected one less than schedulers ({len(schedulers)}). "
                f"Received: {len(milestones)}"
            )
        self._schedulers = schedulers
        self._milestones = milestones
        self.last_epoch = last_epoch + 1
        self.optimizer = optimizer
        for group in optimizer.param_groups:  # take back what the first steps of all schedules did, then do the first's
            group["lr"] = group["initial_lr"]
        for scheduler in schedulers:
            scheduler.last_epoch -= 1
        schedulers[0]._initial_step()
        self._last_lr = schedulers[0].get_last_lr()

    def step(self) -> None:  # type: ignore[override]
        """Go on to the next epoch."""
        self.last_epoch += 1
        which = bisect_right(self._milestones, self.last_epoch)
        scheduler = self._schedulers[which]
        if which > 0 and self._milestones[which - 1] == self.last_epoch:
            scheduler.step(0)
        else:
            scheduler.step()
        self._last_lr = scheduler.get_last_lr()

    def state_dict(self) -> dict[str, Any]:
        return _nested_state(self)

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        _load_nested(self, state_dict)


class ChainedScheduler(LRScheduler):
    """Several schedules at once: each changes what the one before it set."""

    def __init__(self, schedulers: Sequence[LRScheduler], optimizer: Optimizer | None = None) -> None:
        if not schedulers:
            raise ArgumentError("ChainedScheduler: schedulers: expected at least one. Received: none")
        optimizer = optimizer or schedulers[0].optimizer
        if any(s.optimizer is not optimizer for s in schedulers):
            raise ArgumentError("ChainedScheduler: schedulers: expected schedules of one optimizer")
        self._schedulers = list(schedulers)
        self.optimizer = optimizer
        self._last_lr = self._rates()

    def step(self) -> None:  # type: ignore[override]
        """Go on to the next epoch."""
        for scheduler in self._schedulers:
            scheduler.step()
        self._last_lr = self._rates()

    def state_dict(self) -> dict[str, Any]:
        return _nested_state(self)

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        _load_nested(self, state_dict)


def _nested_state(scheduler: Any) -> dict[str, Any]:
    state = {name: value for name, value in vars(scheduler).items() if name not in ("optimizer", "_schedulers")}
    return state | {"_schedulers": [s.state_dict() for s in scheduler._schedulers]}


def _load_nested(scheduler: Any, state_dict: dict[str, Any]) -> None:
    state = dict(state_dict)
    for inner, held in zip(scheduler._schedulers, state.pop("_schedulers"), strict=True):
        inner.load_state_dict(held)
    vars(scheduler).update(state)
