"""`tf.distribute`: strategies over the one device there is."""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from .missing import missing
from .structure import map_structure
from .tensors import convert_to_tensor

__all__ = [
    "MirroredStrategy", "OneDeviceStrategy", "ReduceOp", "ReplicaContext", "Strategy", "get_replica_context",
    "get_strategy", "has_strategy", "in_cross_replica_context",
]  # fmt: skip


class ReduceOp(enum.Enum):
    """How values of replicas become one."""

    SUM = "SUM"
    MEAN = "MEAN"


class ReplicaContext:
    """Where a replica runs: it is the one replica."""

    replica_id_in_sync_group = 0
    num_replicas_in_sync = 1

    def __init__(self, strategy: Strategy) -> None:
        self.strategy = strategy

    def all_reduce(self, reduce_op: Any, value: Any, options: Any = None) -> Any:
        """The value itself: the sum and the mean over one replica."""
        ReduceOp(getattr(reduce_op, "value", reduce_op))
        return value

    all_gather = all_reduce

    def merge_call(self, merge_fn: Callable[..., Any], args: Any = (), kwargs: Any = None) -> Any:
        """`merge_fn` of the strategy and the arguments."""
        return merge_fn(self.strategy, *args, **(kwargs or {}))


class Strategy:
    """One replica on the one device: what runs under it runs as it would without."""

    num_replicas_in_sync = 1

    def __init__(self, devices: Any = None, cross_device_ops: Any = None) -> None:
        chosen = [devices] if isinstance(devices, str) else list(devices or ())
        if len(chosen) > 1:
            raise ValueError(f"{type(self).__name__}: there is one device, the processor. Received: {chosen}")

    @contextmanager
    def scope(self) -> Iterator[Strategy]:
        """Within it, this strategy is what `get_strategy` gives."""
        _active.append(self)
        try:
            yield self
        finally:
            _active.pop()

    def run(self, fn: Callable[..., Any], args: Any = (), kwargs: Any = None, options: Any = None) -> Any:
        """`fn` of the arguments, in the one replica."""
        _replicas.append(ReplicaContext(self))
        try:
            with self.scope():
                return fn(*args, **(kwargs or {}))
        finally:
            _replicas.pop()

    def reduce(self, reduce_op: Any, value: Any, axis: int | None = None) -> Any:
        """The sum or mean of the one replica's value: itself, or along `axis`."""
        kind = ReduceOp(getattr(reduce_op, "value", reduce_op).upper())
        if axis is None:
            return value
        from .math import reduce_mean, reduce_sum

        along = reduce_sum if kind is ReduceOp.SUM else reduce_mean
        return map_structure(lambda v: along(convert_to_tensor(v), axis), value)

    def gather(self, value: Any, axis: int) -> Any:
        """The one replica's value."""
        return value

    def experimental_local_results(self, value: Any) -> tuple[Any, ...]:
        """The values of the replicas: one."""
        return (value,)

    def experimental_distribute_dataset(self, dataset: Any, options: Any = None) -> Any:
        """The data set itself."""
        return dataset

    def distribute_datasets_from_function(self, dataset_fn: Callable[..., Any], options: Any = None) -> Any:
        """The data set that `dataset_fn` makes for the one pipeline."""
        return dataset_fn(InputContext())

    def experimental_distribute_values_from_function(self, value_fn: Callable[..., Any]) -> Any:
        """The value that `value_fn` makes for the one replica."""
        return value_fn(ReplicaContext(self))

    @property
    def extended(self) -> Strategy:
        return self

    @property
    def cluster_resolver(self) -> None:
        return None


class InputContext:
    """The one input pipeline."""

    num_input_pipelines = 1
    input_pipeline_id = 0
    num_replicas_in_sync = 1

    def get_per_replica_batch_size(self, global_batch_size: int) -> int:
        """The whole batch."""
        return global_batch_size


class MirroredStrategy(Strategy):
    """Replicas on the devices of the machine: one on the processor."""


class OneDeviceStrategy(Strategy):
    """One replica on a device."""

    def __init__(self, device: Any) -> None:
        super().__init__([device])


_default = Strategy()
_active: list[Strategy] = [_default]
_replicas: list[ReplicaContext] = []


def get_strategy() -> Strategy:
    """The strategy whose scope this is, or the default one."""
    return _active[-1]


def has_strategy() -> bool:
    """Whether this is the scope of a strategy."""
    return len(_active) > 1


def experimental_set_strategy(strategy: Strategy | None) -> None:
    """Make a strategy the default one."""
    _active[0] = strategy or _default


def get_replica_context() -> ReplicaContext | None:
    """The one replica; None in the scope of a strategy outside `run`."""
    if _replicas:
        return _replicas[-1]
    return None if has_strategy() else ReplicaContext(get_strategy())


def in_cross_replica_context() -> bool:
    """Whether this is the scope of a strategy outside `run`."""
    return get_replica_context() is None


_ONE = "there is one machine and one device: use tf.distribute.get_strategy() or MirroredStrategy"
__getattr__ = missing(
    __name__,
    globals(),
    dict.fromkeys(
        ("TPUStrategy", "MultiWorkerMirroredStrategy", "ParameterServerStrategy", "cluster_resolver", "Server"), _ONE
    ),
)
