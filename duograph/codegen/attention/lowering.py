"""From the compiler's steps to plans of attention."""

from __future__ import annotations

from ...compiler.arrays import Array
from ...compiler.group import Operation
from ...graph.primitives.attention import GRADIENTS
from .. import storage
from ..contract.machine import Machine
from ..plan import Plan
from .block import OPERANDS, Mask
from .plan import Heads, Problem, plan_attention, plan_attention_gradient

Roles = dict[str, Array]


def attention(machine: Machine, step: Operation) -> tuple[Plan, Roles]:
    """softmax(query @ key.T * scale + mask) @ value."""
    roles, mask = _operands(step, OPERANDS)
    operands = {name: _heads(array) for name, array in roles.items()}
    element = storage.stored(step.result.dtype)
    plan = plan_attention(machine, _problem(step), element, operands, _heads(step.result), mask)
    return plan, {**roles, "c": step.result}


def attention_gradient(machine: Machine, step: Operation) -> tuple[Plan, Roles]:
    """Those of its gradients that the step has results for."""
    roles, mask = _operands(step, (*OPERANDS, "dy"))
    operands = {name: _heads(array) for name, array in roles.items()}
    found = {node.op.name: array for node, array in ((step.node, step.result), *step.also.items()) if node.size}
    results = {f"d{x}": found[name] for x, name in zip(OPERANDS, GRADIENTS, strict=True) if name in found}
    element = storage.stored(step.result.dtype)
    places = {name: _heads(array) for name, array in results.items()}
    return plan_attention_gradient(machine, _problem(step), element, operands, places, mask), roles | results


def _operands(step: Operation, names: tuple[str, ...]) -> tuple[Roles, Mask | None]:
    roles = dict(zip((*names, "mask"), step.operands, strict=False))
    if "mask" not in roles:
        return roles, None
    array = roles["mask"]
    return roles, Mask(storage.stored(array.dtype), "keys" if array.shape[2] == 1 else "scores")


def _heads(array: Array) -> Heads:
    """How an array lies; of an axis of one element there is nothing to step along."""
    return Heads(*(0 if size == 1 else stride for size, stride in zip(array.shape, array.strides, strict=True)))


def _problem(step: Operation) -> Problem:
    query, key, value = (array.shape for array in step.operands[:3])
    return Problem(
        outer=query[0],
        heads=query[1],
        group=query[1] // key[1],
        queries=query[2],
        keys=key[2],
        features=query[3],
        value_features=value[3],
        scale=step.node["scale"],
        causal=step.node["is_causal"],
    )


__all__ = ["attention", "attention_gradient"]
