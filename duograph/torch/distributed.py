"""`torch.distributed` of one process, so that programs which can run on many run here on one.

A group has one member, whose rank is 0; what the members would exchange is what the one has.
"""

from __future__ import annotations

import enum
import os
from typing import Any

from ..graph.errors import ArgumentError, NotSupported
from ..tensor.core import Tensor
from .missing import missing

__all__ = [
    "ReduceOp", "Work", "all_gather", "all_gather_object", "all_reduce", "barrier", "broadcast",
    "broadcast_object_list", "destroy_process_group", "get_backend", "get_rank", "get_world_size", "init_process_group",
    "is_available", "is_gloo_available", "is_initialized", "is_mpi_available", "is_nccl_available",
    "is_torchelastic_launched", "reduce",
]  # fmt: skip


class ReduceOp(enum.Enum):
    """How what the members have would be combined; of one member it is what it has."""

    SUM, PRODUCT, MIN, MAX, AVG, BAND, BOR, BXOR = range(8)


class Work:
    """An exchange that was begun; it is complete."""

    def wait(self, timeout: Any = None) -> bool:
        """True."""
        return True

    def is_completed(self) -> bool:
        """True."""
        return True


_backend: str | None = None


def is_available() -> bool:
    """True: a group of one process can be made."""
    return True


def is_initialized() -> bool:
    """Whether `init_process_group` has been called."""
    return _backend is not None


def is_nccl_available() -> bool:
    """False."""
    return False


is_mpi_available = is_gloo_available = is_torchelastic_launched = is_nccl_available


def init_process_group(
    backend: str | None = None, init_method: str | None = None, timeout: Any = None, world_size: int = -1,
    rank: int = -1, **_: Any,
) -> None:  # fmt: skip
    """Make the group of this process. Its size is `world_size`, or what the environment's WORLD_SIZE says, or 1.

    Raises NotSupported for another size than 1, ArgumentError (a ValueError) if there is a group.
    """
    global _backend
    size = world_size if world_size > 0 else int(os.environ.get("WORLD_SIZE", "1"))
    if size != 1:
        raise NotSupported(
            f"init_process_group: expected world_size 1. Received: {size}. One process trains a model here, on all "
            "processors: start one"
        )
    if _backend is not None:
        raise ArgumentError("init_process_group: expected no group. Received: there is one; destroy_process_group()")
    _backend = backend or "gloo"


def destroy_process_group(group: Any = None) -> None:
    """Undo `init_process_group`."""
    global _backend
    _group()
    _backend = None


def _group() -> str:
    if _backend is None:
        raise ArgumentError("torch.distributed: there is no group: call init_process_group() first")
    return _backend


def get_backend(group: Any = None) -> str:
    """The name that was given to `init_process_group`."""
    return _group()


def get_rank(group: Any = None) -> int:
    """0. Raises ArgumentError (a ValueError) without a group."""
    _group()
    return 0


def get_world_size(group: Any = None) -> int:
    """1. Raises ArgumentError (a ValueError) without a group."""
    _group()
    return 1


def _done(async_op: bool) -> Work | None:
    _group()
    return Work() if async_op else None


def barrier(group: Any = None, async_op: bool = False, device_ids: Any = None) -> Work | None:
    """Wait for all members: there is one."""
    return _done(async_op)


def all_reduce(tensor: Tensor, op: Any = ReduceOp.SUM, group: Any = None, async_op: bool = False) -> Work | None:
    """The tensor stays what it is: it is that of the only member."""
    return _done(async_op)


def _only(what: str, rank: Any) -> None:
    if rank not in (0, None):
        raise ArgumentError(f"{what}: expected rank 0, the only one. Received: {rank}")


def broadcast(tensor: Tensor, src: int | None = None, group: Any = None, async_op: bool = False) -> Work | None:
    """The tensor stays what it is. Raises ArgumentError (a ValueError) for another rank than 0."""
    _only("broadcast", src)
    return _done(async_op)


def reduce(
    tensor: Tensor, dst: int | None = None, op: Any = ReduceOp.SUM, group: Any = None, async_op: bool = False
) -> Work | None:
    """The tensor stays what it is. Raises ArgumentError (a ValueError) for another rank than 0."""
    _only("reduce", dst)
    return _done(async_op)


def broadcast_object_list(
    object_list: list[Any], src: int | None = None, group: Any = None, device: Any = None
) -> None:
    """The list stays what it is. Raises ArgumentError (a ValueError) for another rank than 0."""
    _only("broadcast_object_list", src)
    _group()


def all_gather(tensor_list: list[Tensor], tensor: Tensor, group: Any = None, async_op: bool = False) -> Work | None:
    """Copy the tensor into the only one of the list."""
    _group()
    (into,) = tensor_list
    into.copy_(tensor)
    return _done(async_op)


def all_gather_object(object_list: list[Any], obj: Any, group: Any = None) -> None:
    """Put the object into the list of one place."""
    _group()
    object_list[:] = [obj]


__getattr__ = missing(__name__, __all__)
