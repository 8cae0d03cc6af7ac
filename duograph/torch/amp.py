"""`torch.amp`: mixed precision, which is for devices that are not there. What is asked of them is left out, aloud."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable
from typing import Any

from ..graph.errors import NotSupported
from .missing import missing

__all__ = ["GradScaler", "autocast", "custom_bwd", "custom_fwd", "is_autocast_available"]


def is_autocast_available(device_type: str) -> bool:
    """False: see `autocast`."""
    return False


class autocast:
    """A block in which operations choose their precision: on devices that are not there.

    For such a device it warns and does nothing, as PyTorch does without the device. Raises NotSupported for the CPU.
    """

    def __init__(
        self, device_type: str, dtype: Any = None, enabled: bool = True, cache_enabled: bool | None = None
    ) -> None:
        if enabled and device_type == "cpu":
            raise NotSupported("autocast on the CPU is not supported: cast the model, as in model.to(torch.bfloat16)")
        if enabled:
            warnings.warn(f"autocast: no device of type {device_type!r}: nothing is cast", UserWarning, stacklevel=2)

    def __enter__(self) -> autocast:
        return self

    def __exit__(self, *_: Any) -> None:
        return None

    def __call__(self, function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def decorated(*arguments: Any, **keywords: Any) -> Any:
            with self:
                return function(*arguments, **keywords)

        return decorated


def custom_fwd(fwd: Any = None, *, device_type: str, cast_inputs: Any = None) -> Any:
    """Decorator of `Function.forward` under `autocast`, which casts nothing here: the function itself."""
    return (lambda function: function) if fwd is None else fwd


def custom_bwd(bwd: Any = None, *, device_type: str) -> Any:
    """Decorator of `Function.backward` under `autocast`, which casts nothing here: the function itself."""
    return (lambda function: function) if bwd is None else bwd


class GradScaler:
    """Scales losses for gradients in float16 on a device: disabled, as PyTorch's is where there is none."""

    def __init__(self, device: str = "cuda", *_: Any, enabled: bool = True, **__: Any) -> None:
        if enabled:
            warnings.warn(f"GradScaler: no device of type {device!r}: nothing is scaled", UserWarning, stacklevel=2)

    def scale(self, outputs: Any) -> Any:
        """The losses as they are."""
        return outputs

    def unscale_(self, optimizer: Any) -> None:
        """Nothing was scaled."""

    def step(self, optimizer: Any, *arguments: Any, **keywords: Any) -> Any:
        """`optimizer.step()`."""
        return optimizer.step(*arguments, **keywords)

    def update(self, new_scale: Any = None) -> None:
        """There is no scale."""

    def get_scale(self) -> float:
        """1."""
        return 1.0

    def is_enabled(self) -> bool:
        """False."""
        return False

    def state_dict(self) -> dict[str, Any]:
        """Empty, as that of a disabled scaler."""
        return {}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """There is no state."""


__getattr__ = missing(__name__, __all__)
