"""Layers that find out their number of inputs from the first one they see."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ...graph.errors import ShapeError
from ...graph.lines import user_line
from ..module import Module
from ..parameter import UninitializedBuffer, UninitializedParameter, is_lazy
from .convolution import Conv1d, Conv2d, Conv3d, ConvTranspose1d, ConvTranspose2d, ConvTranspose3d
from .linear import Linear
from .normalization import (
    BatchNorm1d,
    BatchNorm2d,
    BatchNorm3d,
    InstanceNorm1d,
    InstanceNorm2d,
    InstanceNorm3d,
)


class LazyModuleMixin:
    """A module whose parameters get their shapes, and their first values, when it is first called.

    A subclass begins with uninitialised parameters and says in `initialize_parameters` what to make of an input.
    The module then becomes one of the class `cls_to_become`.
    """

    cls_to_become: type | None = None
    _buffers: Any
    _parameters: Any
    register_forward_pre_hook: Callable[..., Any]
    reset_parameters: Callable[[], None]

    def _wait(self) -> None:
        """Initialise before the first call."""
        handle = self.register_forward_pre_hook(_initialize, with_kwargs=True)
        object.__setattr__(self, "_waiting", handle)

    def has_uninitialized_params(self) -> bool:
        """Whether the shapes are still to be found out."""
        return any(is_lazy(t) for t in (*self._parameters.values(), *self._buffers.values()))

    def initialize_parameters(self, *args: Any, **kwargs: Any) -> None:
        """Give the parameters their shapes. To be overridden."""
        raise NotImplementedError(f"{type(self).__name__} has no initialize_parameters()")


def _initialize(module: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    """The hook of the first call."""
    if module.has_uninitialized_params():
        module.initialize_parameters(*args, **kwargs)
    module._waiting.remove()
    object.__delattr__(module, "_waiting")
    if module.cls_to_become is not None:
        module.__class__ = module.cls_to_become


class _Lazy(LazyModuleMixin):
    """The size that a layer finds out, and the shapes that follow from it."""

    size: str
    """The attribute that holds the size."""

    def _found(self, input: Any) -> int:
        """The size, read off an input."""
        return input.shape[-1]

    def _shapes(self) -> dict[str, tuple[int, ...]]:
        raise NotImplementedError

    def initialize_parameters(self, input: Any, *args: Any, **kwargs: Any) -> None:
        setattr(self, self.size, self._found(input))
        for name, shape in self._shapes().items():
            tensor = getattr(self, name)
            if tensor is not None and is_lazy(tensor):
                tensor.materialize(shape)
        self.reset_parameters()


class LazyLinear(_Lazy, Linear):
    """A Linear layer whose `in_features` are those of its first input."""

    cls_to_become = Linear
    size = "in_features"

    def __init__(self, out_features: int, bias: bool = True, device: Any = None, dtype: Any = None) -> None:
        Module.__init__(self)
        self.in_features = 0
        self.out_features = out_features
        self.weight = UninitializedParameter(device=device, dtype=dtype)
        self.register_parameter("bias", UninitializedParameter(device=device, dtype=dtype) if bias else None)
        self._wait()

    def _shapes(self) -> dict[str, tuple[int, ...]]:
        return {"weight": (self.out_features, self.in_features), "bias": (self.out_features,)}


class _LazyConv(_Lazy):
    size = "in_channels"
    axes: int
    transposed: bool

    def __init__(self, out_channels: int, *args: Any, bias: bool = True, device: Any = None, dtype: Any = None,
                 **kwargs: Any) -> None:  # fmt: skip
        groups = kwargs.get("groups", 1)
        super().__init__(groups, groups, *args, bias=False, device="meta", **kwargs)  # type: ignore[call-arg]
        self.in_channels = 0
        self.out_channels = out_channels
        self.weight = UninitializedParameter(device=device, dtype=dtype)
        if bias:
            self.bias = UninitializedParameter(device=device, dtype=dtype)
        self._wait()

    def _found(self, input: Any) -> int:
        if input.ndim not in (self.axes + 1, self.axes + 2):
            raise ShapeError(
                f"{type(self).__name__}: expected {self.axes + 2} dimensions, or {self.axes + 1} without batch. "
                f"Received: shape {tuple(input.shape)}"
            ).located(user_line())
        return input.shape[-self.axes - 1]

    def _shapes(self) -> dict[str, tuple[int, ...]]:
        me: Any = self
        first, second = (me.in_channels, me.out_channels) if self.transposed else (me.out_channels, me.in_channels)
        return {"weight": (first, second // me.groups, *me.kernel_size), "bias": (me.out_channels,)}


class _LazyNorm(_Lazy):
    size = "num_features"
    dimensions: tuple[int, ...]
    unbatched = False
    """Whether an input of the fewest dimensions has no axis of samples."""

    def __init__(self, *args: Any, device: Any = None, dtype: Any = None, **kwargs: Any) -> None:
        super().__init__(0, *args, device=device, dtype=dtype, **kwargs)  # type: ignore[call-arg]
        me: Any = self
        for name in ("weight", "bias"):
            if getattr(me, name) is not None:
                setattr(me, name, UninitializedParameter(device=device, dtype=dtype))
        for name in ("running_mean", "running_var"):
            if getattr(me, name) is not None:
                setattr(me, name, UninitializedBuffer(device=device, dtype=dtype))
        self._wait()

    def reset_parameters(self) -> None:
        if not self.has_uninitialized_params() and self.num_features:  # type: ignore[attr-defined]
            super().reset_parameters()

    def _found(self, input: Any) -> int:
        if input.ndim not in self.dimensions:
            raise ShapeError(
                f"{type(self).__name__}: expected {' or '.join(map(str, self.dimensions))} dimensions. "
                f"Received: shape {tuple(input.shape)}"
            ).located(user_line())
        return input.shape[0 if self.unbatched and input.ndim == min(self.dimensions) else 1]

    def _shapes(self) -> dict[str, tuple[int, ...]]:
        shape = (self.num_features,)  # type: ignore[attr-defined]
        return dict.fromkeys(("weight", "bias", "running_mean", "running_var"), shape)


class _LazyInstanceNorm(_LazyNorm):
    unbatched = True

    def __init__(
        self, eps: float = 1e-5, momentum: float = 0.1, affine: bool = True, track_running_stats: bool = True,
        device: Any = None, dtype: Any = None, **kwargs: Any,
    ) -> None:  # fmt: skip
        super().__init__(eps, momentum, affine, track_running_stats, device=device, dtype=dtype, **kwargs)


def _lazy(mixin: type, base: type) -> Any:
    """The lazy form of a layer."""
    doc = f"{base.__name__} that takes its number of channels from its first input."
    return type(f"Lazy{base.__name__}", (mixin, base), {"__doc__": doc, "__module__": __name__, "cls_to_become": base})


LazyConv1d, LazyConv2d, LazyConv3d = (_lazy(_LazyConv, base) for base in (Conv1d, Conv2d, Conv3d))
LazyConvTranspose1d, LazyConvTranspose2d, LazyConvTranspose3d = (
    _lazy(_LazyConv, base) for base in (ConvTranspose1d, ConvTranspose2d, ConvTranspose3d)
)
LazyBatchNorm1d, LazyBatchNorm2d, LazyBatchNorm3d = (
    _lazy(_LazyNorm, base) for base in (BatchNorm1d, BatchNorm2d, BatchNorm3d)
)
LazyInstanceNorm1d, LazyInstanceNorm2d, LazyInstanceNorm3d = (
    _lazy(_LazyInstanceNorm, base) for base in (InstanceNorm1d, InstanceNorm2d, InstanceNorm3d)
)
