"""Where tensors live."""

from __future__ import annotations

from typing import Any

from ..graph.errors import DeviceError


class Device:
    """A device: `cpu`, or `meta`, on which tensors have a shape and a dtype but no content.

    `with` it, tensors are made there where no device is named.
    """

    __slots__ = ("index", "type")

    def __init__(self, spec: Any = "cpu", index: int | None = None) -> None:
        if isinstance(spec, Device):
            spec, index = spec.type, spec.index
        name, _, number = str(spec).partition(":")
        if name not in ("cpu", "meta"):
            raise DeviceError(
                f"device not available: expected 'cpu' or 'meta'. Received: {spec!r}. "
                "Write device-agnostic code as 'cuda' if torch.cuda.is_available() else 'cpu'"
            )
        if number and not number.isdigit():
            raise DeviceError(f"device index: expected a number after ':'. Received: {spec!r}")
        self.type: str = name
        self.index: int | None = int(number) if number else index

    def __repr__(self) -> str:
        return (
            f"device(type='{self.type}')" if self.index is None else f"device(type='{self.type}', index={self.index})"
        )

    def __str__(self) -> str:
        return self.type if self.index is None else f"{self.type}:{self.index}"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Device) and self.type == other.type and (self.index or 0) == (other.index or 0)

    def __hash__(self) -> int:
        return hash((self.type, self.index or 0))

    def __reduce__(self) -> tuple[Any, ...]:
        return Device, (self.type, self.index)

    def __enter__(self) -> Device:
        defaults.append(device(self))
        return self

    def __exit__(self, *_: object) -> None:
        defaults.pop()


CPU = Device("cpu")
META = Device("meta")
defaults = [CPU]
"""Where tensors are made when no device is named: the last; those before are of the `with` blocks around."""


def device(spec: Any) -> Device:
    """The device that `spec` (a Device, a name such as "cpu", or None for the default) stands for."""
    if spec is None:
        return CPU
    found = spec if isinstance(spec, Device) else Device(spec)
    return META if found.type == "meta" else CPU if found == CPU else found
