"""`torch.distributed` of one process, so that programs which can run on many run here on one.

A group has one member, whose rank is 0; what the members would exchange is what the one has.
"""

from __future__ import annotations

import enum
import os
from typing import Any

from ...graph.errors import ArgumentError, NotSupported
from ...tensor.core import Tensor
from ..missing import missing

__all__ = [
    "Backend", "GroupMember", "ProcessGroup", "ReduceOp", "Work", "all_gather", "all_gather_into_tensor",
    "all_gather_object", "all_reduce", "all_to_all", "all_to_all_single", "barrier", "broadcast",
    "broadcast_object_list", "destroy_process_group", "gather", "gather_object", "get_backend",
    "get_default_backend_for_device", "get_global_rank", "get_group_rank", "get_node_local_rank",
    "get_process_group_ranks", "get_rank", "get_world_size", "group", "init_process_group", "is_available",
    "is_backend_available", "is_gloo_available", "is_initialized", "is_mpi_available", "is_nccl_available",
    "is_torchelastic_launched", "is_ucc_available", "is_xccl_available", "monitored_barrier", "new_group", "reduce",
    "reduce_scatter", "reduce_scatter_tensor", "scatter", "scatter_object_list",
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
is_ucc_available = is_xccl_available = is_nccl_available


class ProcessGroup:
    """The group of this process."""

    def rank(self) -> int:
        """0."""
        return 0

    def size(self) -> int:
        """1."""
        return 1


class GroupMember:
    """What stands for groups: `WORLD` is the one that there is."""

    WORLD: ProcessGroup | None = None
    NON_GROUP_MEMBER = -100


group = GroupMember


class Backend(str):
    """The name of a way to exchange tensors, in small letters."""

    __slots__ = ()
    UNDEFINED, GLOO, NCCL, UCC, MPI, XCCL = "undefined", "gloo", "nccl", "ucc", "mpi", "xccl"

    def __new__(cls, name: str) -> Backend:
        if not isinstance(name, str):
            raise ArgumentError(f"Backend: expected a name. Received: {name!r}")
        return super().__new__(cls, name.lower())


def is_backend_available(backend: str) -> bool:
    """Whether a group of one process takes this name: "gloo"."""
    return backend.lower() == "gloo"


def get_default_backend_for_device(device: Any) -> str:
    """ "gloo", for the CPU."""
    return "gloo"


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
    GroupMember.WORLD = ProcessGroup()


def destroy_process_group(group: Any = None) -> None:
    """Undo `init_process_group`."""
    global _backend
    _group()
    _backend = None
    GroupMember.WORLD = None


def new_group(ranks: Any = None, timeout: Any = None, backend: Any = None, **_: Any) -> ProcessGroup | int:
    """A group of the only member, or what stands for none if it is not among `ranks`.

    Raises ArgumentError (a ValueError) for ranks that there are not.
    """
    _group()
    chosen = [0] if ranks is None else list(ranks)
    if any(rank != 0 for rank in chosen):
        raise ArgumentError(f"new_group: expected ranks below the world's size, 1. Received: {chosen}")
    return ProcessGroup() if chosen else GroupMember.NON_GROUP_MEMBER


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


def all_gather_into_tensor(
    output_tensor: Tensor, input_tensor: Tensor, group: Any = None, async_op: bool = False
) -> Work | None:
    """Copy the tensor into the other, of its shape or with an axis of size 1 in front."""
    output_tensor.copy_(input_tensor.reshape(output_tensor.shape))
    return _done(async_op)


def gather(
    tensor: Tensor, gather_list: list[Tensor] | None = None, dst: int | None = None, group: Any = None,
    async_op: bool = False, group_dst: int | None = None,
) -> Work | None:  # fmt: skip
    """Copy the tensor into the only one of the list. Raises ArgumentError (a ValueError) for another rank than 0."""
    _only("gather", dst)
    if gather_list is None:
        raise ArgumentError("gather: expected a list of one tensor at the destination rank. Received: None")
    return all_gather(gather_list, tensor, group, async_op)


def gather_object(obj: Any, object_gather_list: list[Any] | None = None, dst: int | None = None, group: Any = None,
                  group_dst: int | None = None) -> None:  # fmt: skip
    """Put the object into the list. Raises ArgumentError (a ValueError) for another rank than 0, or without a list."""
    _only("gather_object", dst)
    if object_gather_list is None:
        raise ArgumentError("gather_object: expected a list at the destination rank. Received: None")
    all_gather_object(object_gather_list, obj)


def scatter(
    tensor: Tensor, scatter_list: list[Tensor] | None = None, src: int | None = None, group: Any = None,
    async_op: bool = False, group_src: int | None = None,
) -> Work | None:  # fmt: skip
    """Copy the only tensor of the list into the tensor. Raises ArgumentError (a ValueError) for another rank than 0."""
    _only("scatter", src)
    if scatter_list is None or len(scatter_list) != 1:
        raise ArgumentError(f"scatter: expected a list of one tensor. Received: {scatter_list!r}")
    tensor.copy_(scatter_list[0])
    return _done(async_op)


def scatter_object_list(
    scatter_object_output_list: list[Any], scatter_object_input_list: list[Any] | None = None, src: int | None = None,
    group: Any = None, group_src: int | None = None,
) -> None:  # fmt: skip
    """Put the only object of one list into the other."""
    _only("scatter_object_list", src)
    _group()
    scatter_object_output_list[0] = (scatter_object_input_list or [None])[0]


def reduce_scatter(
    output: Tensor, input_list: list[Tensor], op: Any = ReduceOp.SUM, group: Any = None, async_op: bool = False
) -> Work | None:
    """Copy the only tensor of the list into the tensor."""
    return scatter(output, input_list, 0, group, async_op)


def reduce_scatter_tensor(
    output: Tensor, input: Tensor, op: Any = ReduceOp.SUM, group: Any = None, async_op: bool = False
) -> Work | None:
    """Copy a tensor into the other, of as many elements."""
    output.copy_(input.reshape(output.shape))
    return _done(async_op)


def all_to_all(
    output_tensor_list: list[Tensor], input_tensor_list: list[Tensor], group: Any = None, async_op: bool = False
) -> Work | None:
    """Copy the only tensor of one list into the only one of the other."""
    (into,), (given,) = output_tensor_list, input_tensor_list
    into.copy_(given)
    return _done(async_op)


def all_to_all_single(
    output: Tensor, input: Tensor, output_split_sizes: Any = None, input_split_sizes: Any = None, group: Any = None,
    async_op: bool = False,
) -> Work | None:  # fmt: skip
    """Copy a tensor into the other."""
    output.copy_(input)
    return _done(async_op)


def monitored_barrier(group: Any = None, timeout: Any = None, wait_all_ranks: bool = False) -> None:
    """Wait for all members: there is one."""
    _group()


def get_process_group_ranks(group: Any = None) -> list[int]:
    """[0]."""
    _group()
    return [0]


def get_global_rank(group: Any, group_rank: int) -> int:
    """0. Raises ArgumentError (a ValueError) for another rank."""
    _only("get_global_rank", group_rank)
    return 0


get_group_rank = get_global_rank


def get_node_local_rank(fallback_rank: int | None = None) -> int:
    """What the environment's LOCAL_RANK says, or the fallback. Raises RuntimeError without either."""
    if "LOCAL_RANK" in os.environ:
        return int(os.environ["LOCAL_RANK"])
    if fallback_rank is None:
        raise RuntimeError("LOCAL_RANK is not in the environment. Pass fallback_rank=, or start with torchrun")
    return fallback_rank


__getattr__ = missing(__name__, __all__)
