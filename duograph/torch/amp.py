"""`torch.amp`: mixed precision: `autocast` chooses that of each operation, `GradScaler` keeps gradients in range."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable, Iterable
from typing import Any

from ..autograd import no_grad
from ..autograd.autocast import casts, switched
from ..graph.dtype import DType, bfloat16, dtype, float16
from ..graph.errors import ArgumentError
from ..graph.trace import local
from ..tensor.core import Tensor, cast
from ..tree import flatten
from .missing import missing

__all__ = [
    "GradScaler", "autocast", "custom_bwd", "custom_fwd", "get_autocast_dtype", "is_autocast_available",
    "is_autocast_enabled",
]  # fmt: skip


def is_autocast_available(device_type: str) -> bool:
    """Whether operations on a device of this type can be cast: those on the CPU."""
    return device_type == "cpu"


def is_autocast_enabled(device_type: str | None = None) -> bool:
    """Whether operations on a device are cast here; without a type, those on "cuda", as in PyTorch."""
    return device_type == "cpu" and local.autocast is not None


def get_autocast_dtype(device_type: str) -> DType:
    """The half precision of `autocast` on a device: that of the block that we are in, or the default."""
    if device_type != "cpu":
        return float16
    return bfloat16 if local.autocast is None else local.autocast.dtype


def get_autocast_cpu_dtype() -> DType:
    """`get_autocast_dtype("cpu")`."""
    return get_autocast_dtype("cpu")


def get_autocast_gpu_dtype() -> DType:
    """`get_autocast_dtype("cuda")`."""
    return get_autocast_dtype("cuda")


def is_autocast_cpu_enabled() -> bool:
    """`is_autocast_enabled("cpu")`."""
    return is_autocast_enabled("cpu")


def is_autocast_cache_enabled() -> bool:
    """True: a tensor that is cast twice is cast once in the graph."""
    return True


class autocast(switched):
    """A block in which each operation is given its operands in the precision that suits it; also a decorator.

    Products and convolutions run in `dtype` (bfloat16 by default, or float16), losses in float32: see
    `duograph/autograd/autocast.py`. For a device that is not there it warns and does nothing, as PyTorch does without
    the device.

    Raises ArgumentError for another dtype.
    """

    def __init__(
        self, device_type: str, dtype: Any = None, enabled: bool = True, cache_enabled: bool | None = None
    ) -> None:
        half = get_autocast_dtype("cpu") if dtype is None else _half(dtype)
        if enabled and device_type != "cpu":
            warnings.warn(f"autocast: no device of type {device_type!r}: nothing is cast", UserWarning, stacklevel=2)
        self.device = device_type
        super().__init__(casts(half) if enabled and device_type == "cpu" else None)

    def __enter__(self) -> autocast:
        if self.device != "cpu":
            self.to = local.autocast  # nothing changes
        super().__enter__()
        return self


def _half(given: Any) -> DType:
    found = dtype(given)
    if found not in (bfloat16, float16):
        raise ArgumentError(f"autocast: dtype: expected bfloat16 or float16. Received: {found.name}")
    return found


def custom_fwd(fwd: Any = None, *, device_type: str, cast_inputs: Any = None) -> Any:
    """Decorator of `Function.forward` under `autocast`: with `cast_inputs`, floating point tensors come in that dtype
    and nothing is cast within. `custom_bwd` on its `backward` restores the state of the forward pass."""
    if fwd is None:
        return functools.partial(custom_fwd, device_type=device_type, cast_inputs=cast_inputs)

    @functools.wraps(fwd)
    def forward(ctx: Any, *arguments: Any, **keywords: Any) -> Any:
        is_on = is_autocast_enabled(device_type)
        ctx._autocast = local.autocast if cast_inputs is None or not is_on else None
        if cast_inputs is None or not is_on:
            return fwd(ctx, *arguments, **keywords)
        to = dtype(cast_inputs)
        taken = [cast(a, to) if isinstance(a, Tensor) and a.dtype.is_floating_point else a for a in arguments]
        with switched(None):
            return fwd(ctx, *taken, **keywords)

    return forward


def custom_bwd(bwd: Any = None, *, device_type: str) -> Any:
    """Decorator of `Function.backward`: it runs under the `autocast` of the forward pass, see `custom_fwd`."""
    if bwd is None:
        return functools.partial(custom_bwd, device_type=device_type)

    @functools.wraps(bwd)
    def backward(ctx: Any, *arguments: Any) -> Any:
        with switched(getattr(ctx, "_autocast", None)):
            return bwd(ctx, *arguments)

    return backward


class GradScaler:
    """Multiplies losses so that gradients in float16 do not vanish, and leaves out steps whose gradients overflow.

    `scaler.scale(loss).backward(); scaler.step(optimizer); scaler.update()`. The scale grows by `growth_factor` after
    `growth_interval` steps without overflow and shrinks by `backoff_factor` after each with one.

    For a device that is not there it warns and is disabled, as PyTorch's is: losses and steps are left as they are.

    Raises ArgumentError for factors that do not grow or do not shrink.
    """

    def __init__(
        self, device: str = "cuda", init_scale: float = 2.0**16, growth_factor: float = 2.0,
        backoff_factor: float = 0.5, growth_interval: int = 2000, enabled: bool = True,
    ) -> None:  # fmt: skip
        if enabled and device != "cpu":
            warnings.warn(f"GradScaler: no device of type {device!r}: nothing is scaled", UserWarning, stacklevel=2)
        if growth_factor <= 1:
            raise ArgumentError(f"GradScaler: growth_factor: expected more than 1. Received: {growth_factor}")
        if not 0 < backoff_factor < 1:
            raise ArgumentError(f"GradScaler: backoff_factor: expected between 0 and 1. Received: {backoff_factor}")
        self._enabled = enabled and device == "cpu"
        self._scale = float(init_scale)
        self._growth_factor, self._backoff_factor = growth_factor, backoff_factor
        self._growth_interval, self._growth_tracker = growth_interval, 0
        self._overflowed: dict[int, bool] = {}  # of optimizers whose gradients were unscaled since the last update
        self._stepped: set[int] = set()

    def scale(self, outputs: Any) -> Any:
        """Losses, or nested lists and dictionaries of them, times the scale."""
        if not self._enabled:
            return outputs
        leaves, rebuild = flatten(outputs)
        return rebuild([leaf * self._scale if isinstance(leaf, Tensor) else leaf for leaf in leaves])

    @no_grad()
    def unscale_(self, optimizer: Any) -> None:
        """Divide the gradients of an optimizer's parameters by the scale: before they are clipped, for example.

        Raises RuntimeError if that was done since the last `update`, or after `step`.
        """
        if not self._enabled:
            return
        if id(optimizer) in self._stepped:
            raise RuntimeError("unscale_() is being called after step().")
        if id(optimizer) in self._overflowed:
            raise RuntimeError("unscale_() has already been called on this optimizer since the last update().")
        finite: Tensor | None = None
        for gradient in _gradients(optimizer):
            gradient.mul_(1.0 / self._scale)
            is_finite = gradient.isfinite().all()
            finite = is_finite if finite is None else finite & is_finite
        if finite is None:
            raise AssertionError("No inf checks were recorded for this optimizer: it has no gradients.")
        self._overflowed[id(optimizer)] = not finite

    def step(self, optimizer: Any, *arguments: Any, **keywords: Any) -> Any:
        """`optimizer.step()` with gradients that are not scaled, unless one of them is infinite or NaN: then None.

        Raises RuntimeError if the optimizer stepped since the last `update`.
        """
        if not self._enabled:
            return optimizer.step(*arguments, **keywords)
        if "closure" in keywords:
            raise RuntimeError("Closure use is not currently supported if GradScaler is enabled.")
        if id(optimizer) in self._stepped:
            raise RuntimeError("step() has already been called since the last update().")
        if id(optimizer) not in self._overflowed:
            self.unscale_(optimizer)
        self._stepped.add(id(optimizer))
        return None if self._overflowed[id(optimizer)] else optimizer.step(*arguments, **keywords)

    def update(self, new_scale: Any = None) -> None:
        """Let the scale grow or shrink by what the steps since the last update found, or set it."""
        if not self._enabled:
            return
        if new_scale is not None:
            self._scale = float(new_scale)
        elif not self._overflowed:
            raise AssertionError("No inf checks were recorded prior to update.")
        elif any(self._overflowed.values()):
            self._scale *= self._backoff_factor
            self._growth_tracker = 0
        else:
            self._growth_tracker += 1
            if self._growth_tracker == self._growth_interval:
                self._scale *= self._growth_factor
                self._growth_tracker = 0
        self._overflowed.clear()
        self._stepped.clear()

    def get_scale(self) -> float:
        """The scale; 1 if disabled."""
        return self._scale if self._enabled else 1.0

    def get_growth_factor(self) -> float:
        """By what the scale grows."""
        return self._growth_factor

    def get_backoff_factor(self) -> float:
        """By what the scale shrinks."""
        return self._backoff_factor

    def get_growth_interval(self) -> int:
        """After how many steps without overflow the scale grows."""
        return self._growth_interval

    def is_enabled(self) -> bool:
        """Whether losses are scaled."""
        return self._enabled

    def state_dict(self) -> dict[str, Any]:
        """The scale and what decides about it; empty if disabled."""
        if not self._enabled:
            return {}
        return {
            "scale": self._scale,
            "growth_factor": self._growth_factor,
            "backoff_factor": self._backoff_factor,
            "growth_interval": self._growth_interval,
            "_growth_tracker": self._growth_tracker,
        }

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over a state. Raises RuntimeError for an empty one, which is that of a disabled scaler."""
        if not self._enabled:
            return
        if not state_dict:
            raise RuntimeError("load_state_dict: expected the state of a GradScaler that is enabled. Received: {}")
        self._scale = float(state_dict["scale"])
        self._growth_factor = state_dict["growth_factor"]
        self._backoff_factor = state_dict["backoff_factor"]
        self._growth_interval = state_dict["growth_interval"]
        self._growth_tracker = state_dict["_growth_tracker"]


def _gradients(optimizer: Any) -> Iterable[Tensor]:
    for group in optimizer.param_groups:
        for parameter in group["params"]:
            if parameter.grad is not None:
                yield parameter.grad


__getattr__: Callable[[str], Any] = missing(__name__, __all__)
