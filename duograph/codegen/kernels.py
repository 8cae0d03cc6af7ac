"""Which kernel computes an operation that no nest computes: plans by the name of the primitive."""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import Any

from ..compiler.arrays import Array
from ..compiler.group import Operation
from ..graph.node import Node
from .attention import lowering
from .contract.machine import Machine
from .index import plan_put, plan_put_along, plan_random_bits, plan_window_max_gradient
from .order import plan_argextreme, plan_argsort, plan_scan, plan_window_max, plan_window_sum, plan_window_sum_gradient
from .plan import Plan

Roles = dict[str, Array]
Lowering = Callable[[Machine, Operation], tuple[Plan, Roles]]


def _around(node: Node) -> dict[str, int]:
    """The input of an operation along one axis, as [outer, size, inner]."""
    shape = node.inputs[0].shape or (1,)
    axis = node["axis"]
    return {"outer": prod(shape[:axis]), "size": shape[axis], "inner": prod(shape[axis + 1 :])}


def _argextreme(machine: Machine, step: Operation) -> tuple[Plan, Roles]:
    (a,) = step.operands
    plan = plan_argextreme(machine, a.dtype, largest=step.node.op.name == "argmax", **_around(step.node))
    return plan, {"a": a, "c": step.result}


def _argsort(machine: Machine, step: Operation) -> tuple[Plan, Roles]:
    (a,) = step.operands
    plan = plan_argsort(machine, a.dtype, descending=step.node["descending"], **_around(step.node))
    return plan, {"a": a, "c": step.result}


def _scan(machine: Machine, step: Operation) -> tuple[Plan, Roles]:
    (a,), node = step.operands, step.node
    plan = plan_scan(machine, a.dtype, operation=node.op.name, reverse=node["reverse"], **_around(node))
    return plan, {"a": a, "c": step.result}


def _window(step: Operation, size: tuple[int, ...]) -> dict[str, Any]:
    """The geometry of a window over the last axes: over [lead, *size, channels] where activations lie channels last,
    over [lead, *size, 1] where not."""
    node = step.node
    arrays = (*step.operands, step.result, *step.also.values())
    lead = step.result.shape[: node.ndim - len(size)]
    last = not all(array.contiguous for array in arrays)
    found: dict[str, Any] = {name: node[name] for name in ("window", "stride", "padding", "dilation")}
    return found | {
        "lead": lead[0] if last else prod(lead),
        "channels": lead[1] if last else 1,
        "size": size,
    }


def _window_max(machine: Machine, step: Operation) -> tuple[Plan, Roles]:
    (a,), node = step.operands, step.node
    size = a.shape[a.ndim - len(node["window"]) :]
    values = node.op.name == "window_max"
    positions = not values or bool(step.also)
    roles = {"a": a}
    if values:
        roles["c"] = step.result
    if positions:
        roles["positions"] = next(iter(step.also.values())) if values else step.result
    return plan_window_max(machine, a.dtype, values=values, positions=positions, **_window(step, size)), roles


def _window_sum(machine: Machine, step: Operation) -> tuple[Plan, Roles]:
    (a,), node = step.operands, step.node
    size = a.shape[a.ndim - len(node["window"]) :]
    return plan_window_sum(machine, a.dtype, **_window(step, size)), {"a": a, "c": step.result}


def _window_sum_gradient(machine: Machine, step: Operation) -> tuple[Plan, Roles]:
    (a,) = step.operands
    plan = plan_window_sum_gradient(machine, a.dtype, **_window(step, step.node["size"]))
    return plan, {"a": a, "c": step.result}


def _window_max_gradient(machine: Machine, step: Operation) -> tuple[Plan, Roles]:
    a, b = step.operands
    plan = plan_window_max_gradient(machine, a.dtype, **_window(step, step.node["size"]))
    return plan, {"a": a, "b": b, "c": step.result}


def _put(machine: Machine, step: Operation) -> tuple[Plan, Roles]:
    (indices, updates), node = step.operands, step.node
    plan = plan_put(machine, node.dtype, indices.dtype, count=prod(indices.shape), mode=node["mode"], **_around(node))
    return plan, {"indices": indices, "updates": updates, "c": step.result}


def _put_along(machine: Machine, step: Operation) -> tuple[Plan, Roles]:
    (indices, updates), node = step.operands, step.node
    plan = plan_put_along(
        machine, node.dtype, indices.dtype, shape=node.shape, indices_shape=indices.shape, axis=node["axis"],
        mode=node["mode"],
    )  # fmt: skip
    return plan, {"indices": indices, "updates": updates, "c": step.result}


def _random_bits(machine: Machine, step: Operation) -> tuple[Plan, Roles]:
    seed, offset = step.operands
    return plan_random_bits(machine, count=step.node.size), {"seed": seed, "offset": offset, "c": step.result}


KERNELS: dict[str, Lowering] = {
    "attention": lowering.attention,
    "attention_query_gradient": lowering.attention_gradient,
    "attention_key_gradient": lowering.attention_gradient,
    "attention_value_gradient": lowering.attention_gradient,
    "argmax": _argextreme,
    "argmin": _argextreme,
    "argsort": _argsort,
    "cumsum": _scan,
    "cumprod": _scan,
    "cummax": _scan,
    "cummin": _scan,
    "window_max": _window_max,
    "window_argmax": _window_max,
    "window_sum": _window_sum,
    "window_sum_gradient": _window_sum_gradient,
    "window_max_gradient": _window_max_gradient,
    "put": _put,
    "put_along": _put_along,
    "random_bits": _random_bits,
}
