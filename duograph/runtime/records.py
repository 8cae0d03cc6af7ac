"""Records in memory, found and checked in machine code; `events.records` says how they are framed.

    void duograph_records(ptr block)

The block's slots are `i64`: where the bytes are and how many, where spans go and for how many there is room; and then
what comes of it: the number of records, the bytes that they take, and 0, or 1 if the next one is damaged. A record that
does not end within the bytes is left for another call.

CRC-32C is one instruction for eight bytes, on x86-64 from SSE 4.2 on and on AArch64 with `crc`, and elsewhere a look-up
for each byte.
"""

from __future__ import annotations

import functools
import threading
from collections.abc import Iterator
from typing import Any

import numpy as np

from ..codegen.emitter import Arg, Callee, Function, Module, Reg
from ..events.checksum import BYTES
from ..events.records import MASK, TURN
from . import jit, targets

HEAD, FRAME = 12, 16
"""Bytes before a record's content, and of its frame in all."""
ROOM = 1024
"""Spans of one call."""
BLOCK = 1 << 20
"""Bytes read at once."""


def _checksum(module: Module, target: targets.Target) -> Callee:
    """Define `i32 duograph_checksum(ptr content, i64 size)`."""
    with module.function(
        "duograph_checksum", [Arg("content", "ptr"), Arg("size", "i64")], "i32", linkage="internal"
    ) as f:
        content, size = f.args
        state, place = f.const("i32", -1), f.const("i64", 0)
        if target.has("sse4.2") or target.has("crc"):
            with f.while_([state, place], names=["state", "place"]) as words:
                state, place = words.carried
                words.test(f.compare("le", place + 8, size))
                word = f.load(f.gep(content, place, "i8"), "i64", align=1)
                words.yield_(_with_word(f, module, target, state, word), place + 8)
            state, place = words.results
        table = f.table("table", "i32", BYTES.astype(np.int32).tolist())
        with f.while_([state, place], names=["state", "place"]) as bytes_:
            state, place = bytes_.carried
            bytes_.test(f.lt(place, size))
            byte = f.cast(f.load(f.gep(content, place, "i8"), "i8", align=1), "i32", signed=False)
            row = f.cast((state ^ byte) & 255, "i64", signed=False)
            entry = f.load(f.gep(table, row, "i32"), "i32", align=4)
            bytes_.yield_(entry ^ f.binary("lshr", state, 8), place + 1)
        f.ret(f.invert(bytes_.results[0]))
    return module.declare("duograph_checksum", "i32", ["ptr", "i64"])


def _with_word(f: Function, module: Module, target: targets.Target, state: Reg, word: Reg) -> Reg:
    if target.architecture == "aarch64":
        return f.call(module.declare("llvm.aarch64.crc32cx", "i32", ["i32", "i64"]), state, word)
    step = module.declare("llvm.x86.sse42.crc32.64.64", "i64", ["i64", "i64"])
    return f.cast(f.call(step, f.cast(state, "i64", signed=False), word), "i32")


def _is_right(f: Function, checksum: Callee, content: Reg, size: Reg, found: Reg) -> Reg:
    """Whether the checksum that stands at `found` is that of the content."""
    value = f.call(checksum, content, size)
    masked = (f.binary("lshr", value, TURN) | f.binary("shl", value, 32 - TURN)) + (MASK - (1 << 32))
    return f.eq(masked, f.load(found, "i32", align=1))


def records_ir(target: targets.Target) -> Module:
    """The module that defines `duograph_records`."""
    module = Module("records")
    checksum = _checksum(module, target)
    with module.function("duograph_records", [Arg("block", "ptr")]) as f:
        (block,) = f.args
        content, size, spans, room = (
            f.load(f.gep(block, k, "i64"), type, align=8) for k, type in enumerate(("ptr", "i64", "ptr", "i64"))
        )
        zero = f.const("i64", 0)
        with f.while_([zero, zero, zero], names=["count", "place", "status"]) as loop:
            count, place, status = loop.carried
            loop.test(f.lt(count, room) & f.compare("le", place + HEAD, size) & f.eq(status, 0))
            head = f.gep(content, place, "i8")
            length = f.load(head, "i64", align=1)
            with f.if_(_is_right(f, checksum, head, f.const("i64", 8), f.gep(head, 8, "i8"))) as whole:
                left = size - place - FRAME
                with f.if_(f.compare("ge", length, 0) & f.compare("le", length, left)) as here:
                    body = f.gep(head, HEAD, "i8")
                    right = _is_right(f, checksum, body, length, f.gep(body, length, "i8"))
                    with f.if_(right) as good:
                        span = f.gep(spans, count * 2, "i64")
                        f.store(place + HEAD, span, align=8)
                        f.store(length, f.gep(span, 1, "i64"), align=8)
                        good.yield_(count + 1, place + length + FRAME, zero)
                    with good.else_():
                        good.yield_(count, place, f.const("i64", 1))
                    here.yield_(*good.results)
                with here.else_():  # cut off by the end
                    here.yield_(count, place, f.const("i64", 2))
                whole.yield_(*here.results)
            with whole.else_():
                whole.yield_(count, place, f.const("i64", 1))
            loop.yield_(*whole.results)
        for k, result in enumerate(loop.results):
            f.store(result, f.gep(block, 4 + k, "i64"), align=8)
    return module


@functools.cache
def _image() -> jit.Image:
    return jit.load(records_ir(targets.target()))


class DamagedError(Exception):
    """A record whose frame or checksum is wrong, or that is cut off: it begins at `place`."""

    def __init__(self, place: int) -> None:
        super().__init__(f"a damaged record at {place}")
        self.place = place


_local = threading.local()


def _found(content: bytes) -> tuple[list[int], list[int], int, bool]:
    """Where records begin and end, the bytes they take, and whether the next one is damaged."""
    if not hasattr(_local, "call"):
        _local.spans = np.empty((ROOM, 2), np.int64)
        _local.call, _local.block = jit.entry(_image(), "duograph_records", 7)
    block: Any = _local.block
    memory = np.frombuffer(content, np.uint8)
    block[0:4] = (memory.ctypes.data, len(content), _local.spans.ctypes.data, ROOM)
    _local.call()
    begins, lengths = _local.spans[: block[4]].T
    return begins.tolist(), (begins + lengths).tolist(), block[5], block[6] == 1


def read(stream: Any) -> Iterator[bytes]:
    """The records that a stream of bytes is made of. Raises DamagedError, after the records before that one."""
    content, start, wanted = b"", 0, BLOCK
    while more := stream.read(wanted):
        content += more
        wanted = BLOCK
        while True:
            begins, ends, taken, damaged = _found(content)
            yield from [content[b:e] for b, e in zip(begins, ends, strict=True)]
            content, start = content[taken:], start + taken
            if damaged:
                raise DamagedError(start)
            if len(begins) < ROOM:
                break
        if len(content) >= BLOCK:  # one that is longer than a block: as much again
            wanted = len(content)
    if content:
        raise DamagedError(start)
