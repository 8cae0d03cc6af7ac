"""The base of schedules.

A schedule changes `lr` of the optimiser's groups at each `step()`. Most compute the next rate from the present one, so
that several schedules on one optimiser multiply.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from typing import Any

from ...graph.trace import local
from ...tensor.core import Tensor
from ..optimizer import Optimizer


class LRScheduler:
    """Base of schedules: a subclass says in `get_lr` what the rates of all groups are at `last_epoch`."""

    optimizer: Any

    def __init__(self, optimizer: Optimizer, last_epoch: int = -1) -> None:
        if not isinstance(optimizer, Optimizer):
            raise TypeError(f"{type(self).__name__}: expected an Optimizer. Received: {type(optimizer).__name__}")
        self.optimizer = optimizer
        for k, group in enumerate(optimizer.param_groups):
            if last_epoch == -1:
                group.setdefault("initial_lr", group["lr"])
            elif "initial_lr" not in group:
                raise KeyError(
                    f"{type(self).__name__}: to resume at last_epoch {last_epoch}, group {k} needs 'initial_lr'"
                )
        self.base_lrs = [group["initial_lr"] for group in optimizer.param_groups]
        self.last_epoch = last_epoch
        self._steps_before = optimizer._steps_taken
        self._initial_step()

    def _initial_step(self) -> None:
        self._step_count = 0
        self.step()

    def get_lr(self) -> list[Any]:
        """The rate of each group at `last_epoch`. To be overridden."""
        raise NotImplementedError

    def get_last_lr(self) -> list[Any]:
        """The rates set by the last step."""
        return self._last_lr

    def step(self, epoch: int | None = None) -> None:
        """Go on to the next epoch (or to `epoch`) and set the rates."""
        if self._step_count == 1 and self.optimizer._steps_taken == self._steps_before:
            warnings.warn(
                "lr_scheduler.step() was called before optimizer.step(), so the schedule's first rate is never used: "
                "call optimizer.step() first",
                UserWarning,
                stacklevel=2,
            )
        if local.capture is not None:
            local.capture.spoil("a learning-rate schedule steps inside: call its step() outside")
        self._step_count += 1
        if epoch is None:
            self.last_epoch += 1
            rates = self.get_lr()
        else:
            self.last_epoch = epoch
            closed = getattr(self, "_get_closed_form_lr", None)
            rates = self.get_lr() if closed is None else closed()
        self._set(rates)

    def _set(self, rates: Iterable[Any]) -> None:
        for group, rate in zip(self.optimizer.param_groups, rates, strict=True):
            if isinstance(group["lr"], Tensor):
                group["lr"].fill_(rate)
            else:
                group["lr"] = rate
        self._last_lr = self._rates()

    def _rates(self) -> list[Any]:
        return [g["lr"].clone() if isinstance(g["lr"], Tensor) else g["lr"] for g in self.optimizer.param_groups]

    def _times(self, factor: float) -> list[Any]:
        """The present rates times a factor."""
        return [group["lr"] * factor for group in self.optimizer.param_groups]

    def state_dict(self) -> dict[str, Any]:
        """All there is to know about the schedule but its optimiser."""
        return {name: value for name, value in vars(self).items() if name != "optimizer"}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on where another schedule of this kind was."""
        vars(self).update(state_dict)
