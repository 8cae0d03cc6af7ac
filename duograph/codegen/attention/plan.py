"""Plans of attention and of its gradients."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass

from .. import types
from ..contract.machine import Machine
from ..contract.tile import RegisterTile, choose
from ..halves import computed
from ..plan import Plan, Pointer, ceil_div, round_up
from .block import AXES, Mask
from .forward import Attention
from .gradient import AttentionGradient

LINE = 64
"""Bytes of a cache line."""


@dataclass(frozen=True)
class Heads:
    """An operand or result `[outer, head, row, column]` as it lies in memory: strides in elements; columns are
    contiguous, but a mask's may be `column` apart."""

    outer: int
    head: int
    row: int
    column: int = 1

    def slots(self, name: str) -> dict[str, int]:
        """The values of a kernel's slots for it."""
        return {f"{name}_{axis}": getattr(self, axis) for axis in AXES}


@dataclass(frozen=True)
class Problem:
    """Sizes: `group` heads of queries read one head of keys and values."""

    outer: int
    heads: int
    group: int
    queries: int
    keys: int
    features: int
    value_features: int
    scale: float
    causal: bool

    @property
    def shared(self) -> int:
        """Heads of keys and values."""
        return self.heads // self.group


class Areas:
    """The parts of a thread's scratch memory, in elements."""

    def __init__(self, element: str) -> None:
        self.size = 0
        self.item = types.size(element)
        self.slots: dict[str, int] = {}

    def add(self, name: str, elements: int) -> None:
        """One more."""
        self.slots[f"at_{name}"] = self.size
        self.size += round_up(elements, LINE // self.item)

    @property
    def bytes(self) -> int:
        """Of all."""
        return self.size * self.item


def plan_attention(
    machine: Machine, p: Problem, element: str, operands: Mapping[str, Heads], result: Heads, mask: Mask | None = None
) -> Plan:
    """softmax(query @ key.T * scale + mask) @ value, of the roles `"query"`, `"key"`, `"value"`, `"mask"` and the
    result `"c"`.

    Args:
        element: Of operands and result. Halves are computed in float.
        operands: Where each role lies.
    """
    scores = _scores(machine, p, computed(element))
    kernel = Attention(
        element, scores, p.causal, mask, choose(machine, scores.element, scores.columns, p.value_features)
    )
    areas = _areas(p, scores, mask)
    areas.add("shares", scores.columns + kernel.result.rows)
    blocks = ceil_div(p.queries, scores.columns)
    values = _values(p, blocks, operands, areas)
    values |= {"c": Pointer("c"), **result.slots("c")}
    step = kernel.step(chunks=p.outer * p.heads * blocks, **values)
    return Plan((step,), scratch=round_up(areas.bytes, LINE))


def plan_attention_gradient(
    machine: Machine, p: Problem, element: str, operands: Mapping[str, Heads], results: Mapping[str, Heads],
    mask: Mask | None = None,
) -> Plan:  # fmt: skip
    """The gradients of `plan_attention` by the gradient of its result, role `"dy"`: those of `"dquery"`, `"dkey"` and
    `"dvalue"` that are in `results`."""
    scores = _scores(machine, p, computed(element))
    wanted = [name for name in ("query", "key", "value") if f"d{name}" in results]
    tiles = (
        choose(machine, scores.element, scores.columns, p.features),
        _with_rows(machine, scores, p.features),
        _with_rows(machine, scores, p.value_features),
    )
    kernel = AttentionGradient(element, scores, p.causal, mask, tuple(wanted), *tiles)
    areas = _areas(p, scores, mask)
    if kernel.slopes:
        areas.add("dy", round_up(p.value_features, scores.lanes) * scores.columns)
        areas.add("slopes", _rows(p, scores) * scores.columns)
    widths = {}
    for name, tile, features in (("key", kernel.by_key, p.features), ("value", kernel.by_value, p.value_features)):
        if name in wanted:
            widths[f"width_{name}"] = round_up(features, tile.columns)
            areas.add(f"d_{name}", _rows(p, scores) * widths[f"width_{name}"])
    values = _values(p, ceil_div(p.queries, scores.columns), operands, areas)
    for name, heads in results.items():
        values |= {name: Pointer(name), **heads.slots(name)}
    step = kernel.step(chunks=p.outer * p.shared, shared=p.shared, **widths, **values)
    return Plan((step,), scratch=round_up(areas.bytes, LINE))


def _scores(machine: Machine, p: Problem, element: str) -> RegisterTile:
    """The tile of scores."""
    return choose(machine, element, None, 2 * machine.vector_bytes // types.size(element))


def _with_rows(machine: Machine, scores: RegisterTile, columns: int) -> RegisterTile:
    """A tile with as many rows as that of the scores, as wide as registers allow and the result needs."""
    most = max(1, (machine.vector_registers - 2) // (scores.rows + 1))
    tiles = [
        RegisterTile(scores.element, scores.lanes, scores.rows, vectors, scores.fma, scores.half)
        for vectors in range(1, most + 1)
    ]
    return min(tiles, key=lambda tile: (tile.cost(None, columns), tile.vectors))


def _rows(p: Problem, scores: RegisterTile) -> int:
    """Rows of scratch memory for all keys: whole vectors of them, for a mask, and whole register tiles."""
    return round_up(p.keys, max(scores.rows, scores.lanes)) + scores.rows


def _areas(p: Problem, scores: RegisterTile, mask: Mask | None) -> Areas:
    areas = Areas(scores.element)
    areas.add("query", round_up(p.features, scores.lanes) * scores.columns)
    areas.add("scores", _rows(p, scores) * scores.columns)
    if mask and mask.by == "scores":
        areas.add("mask", _rows(p, scores) * scores.columns)
    return areas


def _values(p: Problem, blocks: int, operands: Mapping[str, Heads], areas: Areas) -> dict[str, Pointer | int]:
    values: dict[str, Pointer | int] = {"scratch": Pointer("scratch"), "blocks": blocks, **areas.slots}
    for name, heads in operands.items():
        values |= {name: Pointer(name), **heads.slots(name)}
    if "mask" in operands:
        values["mask_column"] = operands["mask"].column
    values |= {
        "queries": p.queries,
        "keys": p.keys,
        "features": p.features,
        "value_features": p.value_features,
        "heads": p.heads,
        "group": p.group,
        "scale": struct.unpack("<q", struct.pack("<d", p.scale))[0],
    }
    return values


__all__ = ["Heads", "Problem", "plan_attention", "plan_attention_gradient"]
