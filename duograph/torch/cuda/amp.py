"""`torch.cuda.amp`: mixed precision on a device that is not here, so off."""

from __future__ import annotations

from typing import Any

from .. import amp


class autocast(amp.autocast):
    """`torch.amp.autocast("cuda")`: off."""

    def __init__(self, enabled: bool = True, dtype: Any = None, cache_enabled: bool = True) -> None:
        super().__init__("cuda", dtype, enabled, cache_enabled)


class GradScaler(amp.GradScaler):
    """`torch.amp.GradScaler("cuda")`: off."""

    def __init__(self, *arguments: Any, enabled: bool = True, **keywords: Any) -> None:
        super().__init__("cuda", *arguments, enabled=enabled, **keywords)


__all__ = ["GradScaler", "autocast"]
