"""Averages of weights along the way (Izmailov et al. 2018; Polyak)."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from copy import deepcopy
from typing import Any

from ..autograd import no_grad
from ..graph.dtype import int64
from ..graph.errors import ArgumentError
from ..nn.layers.normalization import _BatchNorm
from ..nn.module import Module
from ..ops.creation import zeros
from ..tensor.core import Tensor
from .lr_scheduler import LRScheduler
from .optimizer import Optimizer


class AveragedModel(Module):
    """A copy of a model whose parameters are averages: equal ones, or what `avg_fn` or `multi_avg_fn` says."""

    def __init__(
        self, model: Module, device: Any = None, avg_fn: Callable[..., Any] | None = None,
        multi_avg_fn: Callable[..., Any] | None = None, use_buffers: bool = False,
    ) -> None:  # fmt: skip
        super().__init__()
        if avg_fn is not None and multi_avg_fn is not None:
            raise ArgumentError("AveragedModel: expected one of avg_fn and multi_avg_fn. Received: both")
        self.module = deepcopy(model)
        if device is not None:
            self.module = self.module.to(device)
        self.register_buffer("n_averaged", zeros((), dtype=int64, device=device))
        self.avg_fn = avg_fn
        self.multi_avg_fn = multi_avg_fn
        self.use_buffers = use_buffers

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        return self.module(*args, **kwargs)

    def _tensors(self, module: Module) -> list[Any]:
        return [*module.parameters(), *(module.buffers() if self.use_buffers else ())]

    @no_grad()
    def update_parameters(self, model: Module) -> None:
        """Take a model's present weights into the averages."""
        mine, theirs = self._tensors(self.module), self._tensors(model)
        if int(self.n_averaged) == 0:
            for average, new in zip(mine, theirs, strict=True):
                average.copy_(new)
        elif self.multi_avg_fn is not None:
            self.multi_avg_fn(mine, theirs, self.n_averaged)
        else:
            count = self.n_averaged
            for average, new in zip(mine, theirs, strict=True):
                if self.avg_fn is not None:
                    average.copy_(self.avg_fn(average, new, count))
                elif average.is_floating_point():
                    average.add_((new - average) / (count + 1).to(average.dtype))
                else:
                    average.copy_(new)
        if not self.use_buffers:
            for average, new in zip(self.module.buffers(), model.buffers(), strict=True):
                average.copy_(new)
        self.n_averaged.add_(1)


def get_ema_avg_fn(decay: float = 0.999) -> Callable[..., Any]:
    """An `avg_fn`: the exponential moving average."""
    _check_decay(decay)
    return lambda average, new, count: average * decay + new * (1 - decay)


def get_ema_multi_avg_fn(decay: float = 0.999) -> Callable[..., Any]:
    """A `multi_avg_fn`: the exponential moving average."""
    _check_decay(decay)

    def average(averages: list[Any], models: list[Any], count: Any) -> None:
        for old, new in zip(averages, models, strict=True):
            if old.is_floating_point():
                old.lerp_(new, 1 - decay)
            else:
                old.copy_(new)

    return average


def get_swa_avg_fn() -> Callable[..., Any]:
    """An `avg_fn`: the mean."""
    return lambda average, new, count: average + (new - average) / (count + 1)


def get_swa_multi_avg_fn() -> Callable[..., Any]:
    """A function that adds models to plain means, in place: of lists of tensors, and how many models there were."""

    def average(averages: list[Any], models: list[Any], count: Any) -> None:
        with no_grad():
            for mean, new in zip(averages, models, strict=True):
                mean.add_((new - mean) / (count + 1))

    return average


def _check_decay(decay: float) -> None:
    if not 0 <= decay <= 1:
        raise ArgumentError(f"decay: expected a number in [0, 1]. Received: {decay}")


@no_grad()
def update_bn(loader: Iterable[Any], model: Module, device: Any = None) -> None:
    """Compute the running statistics of all batch norms anew, as means over the batches of `loader`."""
    norms: list[Any] = [m for m in model.modules() if isinstance(m, _BatchNorm)]
    if not norms:
        return
    momenta = [m.momentum for m in norms]
    training = model.training
    for module in norms:
        module.reset_running_stats()
        module.momentum = None
    model.train()
    for batch in loader:
        x: Any = batch[0] if isinstance(batch, list | tuple) else batch
        model(x if device is None else x.to(device))
    for module, momentum in zip(norms, momenta, strict=True):
        module.momentum = momentum
    model.train(training)


class SWALR(LRScheduler):
    """From the present rate to `swa_lr` in `anneal_epochs`, where it stays."""

    def __init__(
        self, optimizer: Optimizer, swa_lr: Any, anneal_epochs: int = 10, anneal_strategy: str = "cos",
        last_epoch: int = -1,
    ) -> None:  # fmt: skip
        if anneal_strategy not in ("cos", "linear"):
            raise ArgumentError(f"SWALR: anneal_strategy: expected 'cos' or 'linear'. Received: {anneal_strategy!r}")
        if not isinstance(anneal_epochs, int) or anneal_epochs < 0:
            raise ArgumentError(f"SWALR: anneal_epochs: expected an integer of at least 0. Received: {anneal_epochs}")
        groups = optimizer.param_groups
        rates = list(swa_lr) if isinstance(swa_lr, list | tuple) else [swa_lr] * len(groups)
        for rate, group in zip(rates, groups, strict=True):
            group["swa_lr"] = float(rate) if isinstance(rate, Tensor) else rate
        self.anneal_strategy = anneal_strategy
        self.anneal_epochs = anneal_epochs
        super().__init__(optimizer, last_epoch)

    def _share(self, t: float) -> float:
        """How far the rate has gone at a share `t` of the time."""
        return t if self.anneal_strategy == "linear" else (1 - math.cos(math.pi * t)) / 2

    def get_lr(self) -> list[Any]:
        step = self._step_count - 1
        length = max(1, self.anneal_epochs)
        if self.anneal_epochs == 0:
            step = max(1, step)
        before, now = (self._share(max(0.0, min(1.0, k / length))) for k in (step - 1, step))
        rates = []
        for group in self.optimizer.param_groups:
            # the first rate follows from the present one, so that other schedules may have changed it
            first = group["swa_lr"] if before == 1 else (group["lr"] - before * group["swa_lr"]) / (1 - before)
            rates.append(group["swa_lr"] * now + first * (1 - now))
        return rates
