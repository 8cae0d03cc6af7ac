"""Normalisation layers."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ...functional import normalization as norms
from ...graph import trace as tracing
from ...graph.dtype import int64
from ...graph.errors import ArgumentError, ShapeError
from ...graph.node import PRIMITIVES
from ...graph.trace import record
from ...ops.creation import empty, ones, zeros
from ...tensor.core import Tensor, apply
from ...tensor.views import overwrite
from .. import functional as F
from .. import init
from ..module import Module
from ..parameter import Parameter

_ONE = tracing.constant(1, int64)


class _Norm(Module):
    """Weights and running statistics for each channel."""

    _version = 2

    def __init__(
        self, num_features: int, eps: float, momentum: float | None, affine: bool, track_running_stats: bool,
        device: Any, dtype: Any, bias: bool,
    ) -> None:  # fmt: skip
        super().__init__()
        if eps <= 0:
            raise ArgumentError(f"{type(self).__name__}: eps: expected a number above 0. Received: {eps}")
        self.num_features = num_features
        self.eps = eps
        self.momentum = momentum
        self.affine = affine
        self.track_running_stats = track_running_stats
        for name, present in (("weight", affine), ("bias", affine and bias)):
            parameter = Parameter(empty(num_features, device=device, dtype=dtype)) if present else None
            self.register_parameter(name, parameter)
        tracked = track_running_stats
        self.register_buffer("running_mean", zeros(num_features, device=device, dtype=dtype) if tracked else None)
        self.register_buffer("running_var", ones(num_features, device=device, dtype=dtype) if tracked else None)
        self.register_buffer("num_batches_tracked", zeros((), device=device, dtype=int64) if tracked else None)
        self.reset_parameters()

    def reset_running_stats(self) -> None:
        """Forget the batches seen."""
        if self.track_running_stats:
            self.running_mean.zero_()
            self.running_var.fill_(1)
            self.num_batches_tracked.zero_()

    def reset_parameters(self) -> None:
        """Weights 1, biases 0, no batches seen."""
        self.reset_running_stats()
        if self.weight is not None:
            init.ones_(self.weight)
        if self.bias is not None:
            init.zeros_(self.bias)

    def extra_repr(self) -> str:
        return (
            f"{self.num_features}, eps={self.eps}, momentum={self.momentum}, affine={self.affine}, "
            f"bias={self.bias is not None}, track_running_stats={self.track_running_stats}"
        )

    def _load_from_state_dict(
        self, state_dict: dict[str, Any], prefix: str, local_metadata: dict[str, Any], *report: Any
    ) -> None:
        if (local_metadata.get("version") or 1) < 2 and self.track_running_stats:  # did not count batches yet
            mine = self.num_batches_tracked
            unknown = mine is None or mine.is_meta
            state_dict.setdefault(prefix + "num_batches_tracked", zeros((), dtype=int64) if unknown else mine)
        super()._load_from_state_dict(state_dict, prefix, local_metadata, *report)


class _BatchNorm(_Norm):
    dimensions: tuple[int, ...]

    def __init__(
        self, num_features: int, eps: float = 1e-5, momentum: float | None = 0.1, affine: bool = True,
        track_running_stats: bool = True, device: Any = None, dtype: Any = None, *, bias: bool = True,
    ) -> None:  # fmt: skip
        super().__init__(num_features, eps, momentum, affine, track_running_stats, device, dtype, bias)

    def forward(self, input: Tensor) -> Tensor:
        if len(input._value.shape) not in self.dimensions:
            raise ShapeError(
                f"{type(self).__name__}: expected {' or '.join(map(str, self.dimensions))} dimensions. "
                f"Received: shape {tuple(input.shape)}"
            )
        mean, var, count = self.running_mean, self.running_var, self.num_batches_tracked
        if self.training:
            if count is not None:
                overwrite((count,), (record(PRIMITIVES["add"], (count._value, _ONE)),))
            if not self.track_running_stats:
                mean = var = None
            batches = count if self.momentum is None else None
            return F.batch_norm(input, mean, var, self.weight, self.bias, True, self.momentum, self.eps, batches)
        return F.batch_norm(input, mean, var, self.weight, self.bias, mean is None, 0.0, self.eps)


class BatchNorm1d(_BatchNorm):
    """Each channel of [N, C] or [N, C, L] normalised by the statistics of the batch, or of all batches in use."""

    dimensions = (2, 3)


class BatchNorm2d(_BatchNorm):
    """Each channel of [N, C, H, W] normalised by the statistics of the batch, or of all batches in use."""

    dimensions = (4,)


class BatchNorm3d(_BatchNorm):
    """Each channel of [N, C, D, H, W] normalised by the statistics of the batch, or of all batches in use."""

    dimensions = (5,)


class SyncBatchNorm(_BatchNorm):
    """BatchNorm of any number of axes; in one process there is nothing to synchronise."""

    dimensions = (2, 3, 4, 5)

    def __init__(
        self, num_features: int, eps: float = 1e-5, momentum: float | None = 0.1, affine: bool = True,
        track_running_stats: bool = True, process_group: Any = None, device: Any = None, dtype: Any = None, *,
        bias: bool = True,
    ) -> None:  # fmt: skip
        super().__init__(num_features, eps, momentum, affine, track_running_stats, device, dtype, bias=bias)
        self.process_group = process_group

    @classmethod
    def convert_sync_batchnorm(cls, module: Module, process_group: Any = None) -> Module:
        """`module` with every batch norm below it replaced by one of this class."""
        if isinstance(module, _BatchNorm) and not isinstance(module, cls):
            made = cls(
                module.num_features, module.eps, module.momentum, module.affine, module.track_running_stats,
                process_group, bias=module.bias is not None,
            )  # fmt: skip
            for name in ("weight", "bias", "running_mean", "running_var", "num_batches_tracked"):
                setattr(made, name, getattr(module, name))
            return made.train(module.training)
        for name, child in module.named_children():
            setattr(module, name, cls.convert_sync_batchnorm(child, process_group))
        return module


class _InstanceNorm(_Norm):
    dimensions: tuple[int, int]

    def __init__(
        self, num_features: int, eps: float = 1e-5, momentum: float = 0.1, affine: bool = False,
        track_running_stats: bool = False, device: Any = None, dtype: Any = None, *, bias: bool = True,
    ) -> None:  # fmt: skip
        super().__init__(num_features, eps, momentum, affine, track_running_stats, device, dtype, bias)

    def forward(self, input: Any) -> Tensor:
        unbatched, batched = self.dimensions
        if input.ndim not in self.dimensions:
            raise ShapeError(
                f"{type(self).__name__}: expected {batched} dimensions, or {unbatched} without batch. "
                f"Received: shape {tuple(input.shape)}"
            )
        x = input if input.ndim == batched else input.unsqueeze(0)
        own = self.training or not self.track_running_stats
        y = F.instance_norm(
            x, self.running_mean, self.running_var, self.weight, self.bias, own, self.momentum or 0.0, self.eps
        )
        return y if input.ndim == batched else y.squeeze(0)


class InstanceNorm1d(_InstanceNorm):
    """Each channel of each sample of [N, C, L] normalised for itself."""

    dimensions = (2, 3)


class InstanceNorm2d(_InstanceNorm):
    """Each channel of each sample of [N, C, H, W] normalised for itself."""

    dimensions = (3, 4)


class InstanceNorm3d(_InstanceNorm):
    """Each channel of each sample of [N, C, D, H, W] normalised for itself."""

    dimensions = (4, 5)


def _sizes(normalized_shape: Any) -> tuple[int, ...]:
    several = isinstance(normalized_shape, Iterable)
    return tuple(normalized_shape) if several else (int(normalized_shape),)


class LayerNorm(Module):
    """The last axes, of sizes `normalized_shape`, normalised together."""

    def __init__(
        self, normalized_shape: Any, eps: float = 1e-5, elementwise_affine: bool = True, bias: bool = True,
        device: Any = None, dtype: Any = None,
    ) -> None:  # fmt: skip
        super().__init__()
        self.normalized_shape = _sizes(normalized_shape)
        self.eps = eps
        self.elementwise_affine = elementwise_affine
        for name, present in (("weight", elementwise_affine), ("bias", elementwise_affine and bias)):
            made = Parameter(empty(self.normalized_shape, device=device, dtype=dtype)) if present else None
            self.register_parameter(name, made)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Weights 1, biases 0."""
        if self.weight is not None:
            init.ones_(self.weight)
        if self.bias is not None:
            init.zeros_(self.bias)

    def forward(self, input: Tensor) -> Tensor:
        attributes = (("normalized_shape", self.normalized_shape), ("eps", self.eps))
        return apply(norms.layer_norm, (input, self.weight, self.bias), attributes)

    def extra_repr(self) -> str:
        return (
            f"{self.normalized_shape}, eps={self.eps}, elementwise_affine={self.elementwise_affine}, "
            f"bias={self.bias is not None}"
        )


class RMSNorm(Module):
    """The last axes, of sizes `normalized_shape`, divided by their root mean square."""

    def __init__(
        self, normalized_shape: Any, eps: float | None = None, elementwise_affine: bool = True, device: Any = None,
        dtype: Any = None,
    ) -> None:  # fmt: skip
        super().__init__()
        self.normalized_shape = _sizes(normalized_shape)
        self.eps = eps
        self.elementwise_affine = elementwise_affine
        made = Parameter(empty(self.normalized_shape, device=device, dtype=dtype)) if elementwise_affine else None
        self.register_parameter("weight", made)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Weights 1."""
        if self.weight is not None:
            init.ones_(self.weight)

    def forward(self, input: Tensor) -> Tensor:
        return F.rms_norm(input, self.normalized_shape, self.weight, self.eps)

    def extra_repr(self) -> str:
        return f"{self.normalized_shape}, eps={self.eps}, elementwise_affine={self.elementwise_affine}"


class GroupNorm(Module):
    """The channels of [N, C, ...] normalised in groups of neighbours."""

    def __init__(
        self, num_groups: int, num_channels: int, eps: float = 1e-5, affine: bool = True, device: Any = None,
        dtype: Any = None, *, bias: bool = True,
    ) -> None:  # fmt: skip
        super().__init__()
        if num_channels % num_groups:
            raise ArgumentError(
                f"GroupNorm: num_groups: expected a divisor of num_channels {num_channels}. Received: {num_groups}"
            )
        self.num_groups = num_groups
        self.num_channels = num_channels
        self.eps = eps
        self.affine = affine
        for name, present in (("weight", affine), ("bias", affine and bias)):
            made = Parameter(empty(num_channels, device=device, dtype=dtype)) if present else None
            self.register_parameter(name, made)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Weights 1, biases 0."""
        if self.weight is not None:
            init.ones_(self.weight)
        if self.bias is not None:
            init.zeros_(self.bias)

    def forward(self, input: Tensor) -> Tensor:
        return F.group_norm(input, self.num_groups, self.weight, self.bias, self.eps)

    def extra_repr(self) -> str:
        return (
            f"{self.num_groups}, {self.num_channels}, eps={self.eps}, affine={self.affine}, "
            f"bias={self.bias is not None}"
        )


class LocalResponseNorm(Module):
    """Each channel divided by a power of the mean square of its neighbours."""

    def __init__(self, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0) -> None:
        super().__init__()
        self.size = size
        self.alpha = alpha
        self.beta = beta
        self.k = k

    def forward(self, input: Tensor) -> Tensor:
        return F.local_response_norm(input, self.size, self.alpha, self.beta, self.k)

    def extra_repr(self) -> str:
        return f"{self.size}, alpha={self.alpha}, beta={self.beta}, k={self.k}"


class CrossMapLRN2d(LocalResponseNorm):
    """The old name of LocalResponseNorm for images."""

    def __init__(self, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1) -> None:
        super().__init__(size, alpha, beta, k)
