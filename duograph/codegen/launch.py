"""A kernel and what it is given: addresses in blocks of memory, and numbers."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from ..compiler.arrays import Block
from ..graph.node import Node
from .plan import Failure, Kernel, Scratch

ERROR = Block(Failure.BYTES, "kept")
"""Stands for the place where a launch tells that its data are refused: each has its own."""

SCRATCH = Block(Scratch.HEADER, "kept")
"""Stands for the memory that threads have to themselves, which all launches of a run share: see `Scratch`."""


class Address(NamedTuple):
    """A place in a block, in bytes."""

    block: Block
    offset: int = 0


@dataclass(eq=False)
class Launch:
    """One kernel over all its chunks.

    Attributes:
        title: For people.
        packs: Whether it lays an operand out anew for the launches that follow, and does nothing else.
        replaces: Pairs (written, read) of blocks that may share memory.
        scratch: Bytes of memory that each thread needs to itself.
        bytes, operations: What it moves and computes, by count of the graph.
    """

    kernel: Kernel
    arguments: tuple[int | Address, ...]
    chunks: int
    title: str
    reads: list[Block] = field(default_factory=list)
    writes: list[Block] = field(default_factory=list)
    packs: bool = False
    replaces: list[tuple[Block, Block]] = field(default_factory=list)
    nodes: tuple[Node, ...] = ()
    scratch: int = 0
    bytes: int = 0
    operations: int = 0
