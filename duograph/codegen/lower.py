"""From the compiler's steps to launches of kernels."""

from __future__ import annotations

from collections.abc import Callable, Sequence, Set
from math import prod
from typing import Any

from ..compiler import check
from ..compiler.affine import inner_product
from ..compiler.arrays import Array, Block, ordered_strides, reshaped_strides
from ..compiler.epilogue import NUMBER, TILE, Reach, reach, result_order
from ..compiler.group import Group, Operation
from ..compiler.kernels import CONTRACTIONS
from ..compiler.nest import Builder, Nest
from ..compiler.schedule import Schedule
from ..graph.check import enabled as checks
from ..graph.node import Node
from ..graph.sizes import always_equal, hint
from . import storage
from .contract import (
    Geometry,
    Machine,
    Matrix,
    Weight,
    plan_convolution,
    plan_input_gradient,
    plan_matmul,
    plan_weight_gradient,
)
from .contract.add_taps import AddTaps
from .contract.outer import AddParts
from .contract.pack_pairs import PackPairs
from .fused import Fused
from .kernels import KERNELS
from .launch import ERROR, SCRATCH, Address, Launch
from .loops import plan_nest
from .plan import Plan, Pointer
from .plan import Step as PlanStep
from .repeat import Host, Loop, Step, lower_loop


def lower(machine: Machine, schedule: Schedule) -> list[Step]:
    """The launches of a schedule, in their order."""
    packings: dict[Any, Block] = {}
    found: list[Step] = []
    for step in schedule.steps:
        if isinstance(step, Group):
            if step.root is None and step.stores:
                nest = Builder(schedule, step).nest()
                if checks():
                    check.check_nest(nest)
                found += plan_nest(machine, nest)
        elif isinstance(step, Operation):
            if step.node.op.name in CONTRACTIONS and step.epilogue is not None:
                found += _contraction(machine, schedule, step, packings)
            elif step.node.op.name == "scan":
                found += lower_loop(machine, schedule, step, lower)
            elif step.node.op.kind == "control":
                found.append(Host(step.node, step.operands, step.result, also=step.also))
            elif any(node.size for node in (step.node, *step.also)) or step.node.op.name in ("put", "put_along"):
                found += _operation(machine, step)
    return found


def _operation(machine: Machine, step: Operation) -> list[Launch | Host]:
    lowering = KERNELS.get(step.node.op.name)
    if lowering is None:
        return [Host(step.node, step.operands, step.result)]
    plan, roles = lowering(machine, step)
    found = launches(plan, roles, step.node)
    if found:
        found[-1].operations = _products(step.node) or _visits(step.node)
        found[-1].nodes = (step.node, *step.also)
    return list(found)


def _products(node: Node) -> int:
    """Floating-point operations of attention, and of its gradients, of which all are counted."""
    if node.op.kind != "attention":
        return 0
    query, key, value = (x.shape for x in node.inputs[:3])
    terms = query[3] + value[3] if node.op.name == "attention" else 3 * query[3] + 2 * value[3]
    return max(1, 2 * prod(query[:3]) * key[2] * terms // (2 if node["is_causal"] else 1))


def _visits(node: Node) -> int:
    """Elements that an operation with a kernel of its own looks at: one operation each."""
    window = prod(node["window"]) if "window" in node.op.attributes else 1
    return max(map(hint, (node.size * window, *(operand.size for operand in node.inputs), 1)))


def launches(plan: Plan, roles: dict[str, Array], node: Node, packings: dict[Any, Block] | None = None) -> list[Launch]:
    """The steps of a plan with addresses for roles."""
    blocks: dict[str, Block] = {}
    if plan.workspace:
        blocks["workspace"] = Block(plan.workspace, "temporary")
    packing = plan.packing
    if plan.packed:
        key: Any = None
        if packings is not None:
            b = roles["b"]
            key = (b.block, b.offset, b.strides, packing)
            known = packings.get(key)
            if known is not None:
                packing = ()
            blocks["packed"] = packings[key] = known or Block(plan.packed, "temporary")
        else:
            blocks["packed"] = Block(plan.packed, "temporary")
    found = [_launch(step, roles, blocks, node, {"packed"}) for step in packing]
    for launch in found:
        launch.packs = True
    steps = [_launch(step, roles, blocks, node, WRITTEN) for step in plan.steps]
    for launch in steps:
        launch.scratch = plan.scratch
    return found + steps


WRITTEN = frozenset(("c", "positions", "workspace", "dquery", "dkey", "dvalue"))
"""Roles that the steps of a plan write, and may read."""


def _launch(step: PlanStep, roles: dict[str, Array], blocks: dict[str, Block], node: Node, written: Set[str]) -> Launch:
    arguments: list[int | Address] = []
    launch = Launch(step.kernel, (), step.chunks, step.kernel.title, nodes=(node,))
    moved: dict[Block, int] = {}
    for value in step.arguments:
        if not isinstance(value, Pointer):
            arguments.append(value)
            continue
        if value.role == "error":
            arguments.append(Address(ERROR, value.offset))
            continue
        if value.role == "scratch":
            arguments.append(Address(SCRATCH, value.offset))
            continue
        array = roles.get(value.role)
        block = array.block if array is not None else blocks[value.role]
        start = array.offset * array.dtype.itemsize if array is not None else 0
        arguments.append(Address(block, start + value.offset))
        launch.reads.append(block)
        if value.role in written:
            launch.writes.append(block)
        # the operands of an epilogue are arrays without a shape: they lie as the result does
        size = prod(array.shape) * array.dtype.itemsize if array is not None and array.shape else block.nbytes
        moved[block] = max(moved.get(block, 0), min(hint(size), hint(block.nbytes)))
    launch.arguments = tuple(arguments)
    launch.bytes = sum(moved.values())
    return launch


def _contraction(
    machine: Machine, schedule: Schedule, step: Operation, packings: dict[Any, Block]
) -> list[Launch | Host]:
    node, group = step.node, step.epilogue
    assert group is not None
    if not group.stores:
        return []
    epilogue, primary, extra = _epilogue(schedule, group, step.result)
    roles: dict[str, Array] = {"a": step.operands[0], "b": step.operands[1], "c": primary, **extra}
    plan = PLANS[node.op.name](machine, node, step.operands, primary, epilogue)
    found = launches(plan, roles, node, packings)
    stored = {array.block for _, array in group.stores}
    for launch in found[-len(plan.steps) :] if plan.steps else ():
        launch.nodes = tuple(group.maps)
        reads = set(launch.reads)  # only those that run the epilogue have its arrays
        launch.writes += [array.block for array in extra.values() if array.block in stored & reads]
    if epilogue is not None and len(plan.steps) > 0:
        operands = {array.block for array in step.operands}
        pairs = _replaceable(epilogue, primary, extra)
        found[-1].replaces = [(written, read) for written, read in pairs if read not in operands]
    if plan.steps:
        _share_out(work(node), found[-len(plan.steps) :])
        found[-1].title = "+".join([found[-1].title, *dict.fromkeys(n.op.name for n in list(group.maps)[1:])])
    return list(found)


def _share_out(operations: int, launches: Sequence[Launch]) -> None:
    """Say which launch of a contraction does how much of its work: those that multiply, by their chunks."""
    multiplying = [launch for launch in launches if not isinstance(launch.kernel, AddParts | AddTaps | PackPairs)]
    chunks = sum(launch.chunks for launch in multiplying)
    for launch in multiplying:
        launch.operations = operations * launch.chunks // chunks


def work(node: Node) -> int:
    """Floating-point operations of a contraction."""
    if node.op.name == "matmul":
        return 2 * node.size * node.inputs[0].shape[-1]
    x, w = node.inputs
    if node.op.name == "convolution":
        return 2 * node.size * prod(w.shape[1:])
    if node.op.name == "convolution_input_gradient":
        return 2 * x.size * prod(w.shape[1:])
    return 2 * w.size * prod(node.shape[1:])


def _lies_alike(group: Group, node: Node, array: Array) -> bool:
    """Whether the contraction itself can write a node of its epilogue there."""
    return reach(group, inner_product(group.maps[node], array.strides)) in (TILE, NUMBER)


def _epilogue(schedule: Schedule, group: Group, result: Array) -> tuple[Fused | None, Array, dict[str, Array]]:
    """The epilogue, the array that the contraction writes itself, and the arrays of its other operands."""
    root = group.root
    assert root is not None
    if len(group.stores) == 1 and group.stores[0][0] is root and _lies_alike(group, *group.stores[0]):
        return None, group.stores[0][1], {}
    builder = Builder(schedule, group)
    if not any(_lies_alike(group, node, array) for node, array in group.stores):
        group.stores.insert(0, (root, result))  # a contraction writes a result of its own, wanted or not
    for node, array in group.stores:
        builder.store(array, group.maps[node], builder.value(node, group.maps[node], None))
    stores = [k for k, i in enumerate(builder.instructions) if i.op == "store"]
    alike = [k for k, pair in zip(stores, group.stores, strict=True) if _lies_alike(group, *pair)]
    primary = next((k for k in alike if group.stores[stores.index(k)][0] is root), alike[0])
    own = group.stores[stores.index(primary)][1]
    # what it writes may be a view of the result; it lies as the result does, whose axes the kernels know
    own = Array(own.block, own.dtype, root.shape, ordered_strides(root.shape, result_order(root)), own.offset)
    reaches: list[Reach] = []
    extra: dict[str, Array] = {}
    for number, (form, access) in enumerate(builder.forms):
        assert access.block is not None
        dtype = next(i.dtype for i in builder.instructions if i.number == number)
        found = reach(group, form)
        assert found is not None
        reaches.append(found)
        extra[f"x{number}"] = Array(access.block, dtype, (), (), access.offset // dtype.itemsize)
    fused = Fused(tuple(builder.instructions), tuple(reaches), primary)
    return fused, own, {name: extra[name] for name in fused.operands}


def _replaceable(epilogue: Fused, primary: Array, extra: dict[str, Array]) -> list[tuple[Block, Block]]:
    """Pairs (written, read) of an epilogue: what it reads and writes in the same place."""
    arrays = {**extra}
    own = epilogue.instructions[epilogue.primary].number
    reads: list[Array] = []
    writes: list[Array] = []
    for i in epilogue.instructions:
        if i.op in ("load", "store") and epilogue.reaches[i.number] == TILE:
            array = primary if i.number == own and i.op == "store" else arrays[f"x{i.number}"]
            (writes if i.op == "store" else reads).append(array)
    return [
        (w.block, r.block)
        for w in writes
        for r in reads
        if w.block is not r.block
        and w.dtype.itemsize == r.dtype.itemsize
        and always_equal(w.block.nbytes, r.block.nbytes)
        and w.offset == r.offset == 0
    ]


# Contractions.


def _matmul(machine: Machine, node: Node, operands: Sequence[Array], c: Array, epilogue: Fused | None) -> Plan:
    a, b = operands
    *batch, m, n = node.shape
    k = a.shape[-1]
    wide = storage.stored(node.dtype)
    sizes = [a.strides[:-2], b.strides[:-2]]
    rows = reshaped_strides((*batch, m), a.strides[:-1], (prod(batch) * m,))
    if batch and rows is not None and not any(s for s, size in zip(b.strides, batch, strict=False) if size != 1):
        m, batch, sizes = m * prod(batch), [], [(), ()]
        a_row = rows[0]
    else:
        a_row = a.strides[-2]
    if len(batch) > 2:
        merged = [reshaped_strides(tuple(batch), strides, (prod(batch),)) for strides in sizes]
        assert merged[0] is not None and merged[1] is not None
        sizes, batch = [merged[0], merged[1]], [prod(batch)]
    while len(batch) < 2:
        batch, sizes = [1, *batch], [(0, *strides) for strides in sizes]
    outer, inner = batch
    return (
        plan_matmul(
            machine,
            Matrix(storage.stored(a.dtype), a_row, a.strides[-1], *sizes[0]),
            Matrix(storage.stored(b.dtype), b.strides[-2], b.strides[-1], *sizes[1]),
            Matrix(storage.stored(c.dtype), n, 1, m * n * inner, m * n),
            m=m,
            n=n,
            k=k,
            batch=(outer, inner),
            epilogue=epilogue,
        )
        if wide
        else Plan()
    )


def _geometry(
    node: Node, x: Array | Any, filters: int, size: tuple[int, ...], channels: int, images: int, kernel: Any
) -> Geometry:
    return Geometry(
        images,
        channels,
        filters,
        size,
        tuple(kernel),
        node["stride"],
        node["padding"],
        node["dilation"],
        node["groups"],
    )


def _weight(array: Array) -> Weight:
    taps = array.shape[2:]
    tap = reshaped_strides(taps, array.strides[2:], (prod(taps),))
    assert tap is not None
    return Weight(storage.stored(array.dtype), tap[0], array.strides[1], array.strides[0])


def _convolution(machine: Machine, node: Node, operands: Sequence[Array], c: Array, epilogue: Fused | None) -> Plan:
    x, w = operands
    geometry = _geometry(node, x, node.shape[1], x.shape[2:], x.shape[1], x.shape[0], w.shape[2:])
    return plan_convolution(machine, geometry, storage.stored(x.dtype), _weight(w), storage.stored(c.dtype), epilogue)


def _input_gradient(machine: Machine, node: Node, operands: Sequence[Array], c: Array, epilogue: Fused | None) -> Plan:
    dy, w = operands
    geometry = _geometry(node, dy, dy.shape[1], node.shape[2:], node.shape[1], node.shape[0], w.shape[2:])
    return plan_input_gradient(
        machine, geometry, storage.stored(dy.dtype), _weight(w), storage.stored(c.dtype), epilogue
    )


def _weight_gradient(machine: Machine, node: Node, operands: Sequence[Array], c: Array, epilogue: Fused | None) -> Plan:
    x, dy = operands
    geometry = _geometry(node, x, dy.shape[1], x.shape[2:], x.shape[1], x.shape[0], node.shape[2:])
    return plan_weight_gradient(
        machine, geometry, storage.stored(x.dtype), storage.stored(dy.dtype), _weight(c), epilogue
    )


PLANS: dict[str, Callable[..., Plan]] = {
    "matmul": _matmul,
    "convolution": _convolution,
    "convolution_input_gradient": _input_gradient,
    "convolution_weight_gradient": _weight_gradient,
}

__all__ = ["Host", "Loop", "Nest", "Step", "lower"]
