"""In which order launches run, which run together, and what memory they share."""

from __future__ import annotations

from collections.abc import Sequence

from ..codegen.launch import ERROR, Address, Launch
from ..codegen.lower import Host, Loop, Step
from ..compiler import memory
from ..compiler.arrays import Block
from ..compiler.check import CompilerError
from ..graph.sizes import is_size

Waves = list[list[Step]]


def is_checked(step: Step) -> bool:
    """Whether a launch, or one within a loop, may refuse its data."""
    if isinstance(step, Loop):
        return any(map(is_checked, step.steps))
    return isinstance(step, Launch) and any(isinstance(a, Address) and a.block is ERROR for a in step.arguments)


def may_refuse(step: Step) -> bool:
    """Whether the run may end at a step with an error: the interpreter's steps raise what they like."""
    return is_checked(step) or isinstance(step, Host)


def preparations(steps: Sequence[Step]) -> list[Launch]:
    """Launches that pack an input which the plan does not overwrite: what they make is kept from run to run, and made
    again only for another input. So a model's weights are packed once, however often it predicts."""
    overwritten = {read for step in steps if isinstance(step, Launch) for _, read in step.replaces}
    return [
        step
        for step in steps
        if isinstance(step, Launch)
        and step.packs
        and not any(is_size(block.nbytes) for block in step.writes)
        and all(block.kind == "input" or block in step.writes for block in step.reads)
        and overwritten.isdisjoint(step.reads)
    ]


def waves(steps: Sequence[Step]) -> Waves:
    """Launches that do not depend on one another run together, as soon as what they need is there.

    A launch that may overwrite an input comes after all that may refuse their data: then nothing is lost.
    """
    levels = _levels(steps, {})
    last_check = max((level for step, level in zip(steps, levels, strict=True) if may_refuse(step)), default=-1)
    if last_check >= 0:
        before = _needed_by_checks(steps)
        bound = {
            k: last_check + 1
            for k, step in enumerate(steps)
            if isinstance(step, Launch) and k not in before and any(w.kind == "output" for w, _ in step.replaces)
        }
        levels = _levels(steps, bound)
    levels = _delayed(steps, levels)
    found: Waves = [[] for _ in range(max(levels, default=-1) + 1)]
    for step, level in zip(steps, levels, strict=True):
        found[level].append(step)
    return [part for wave in found for part in _parts(wave) if part]


def _needed_by_checks(steps: Sequence[Step]) -> set[int]:
    """The steps that may refuse their data, and those that compute what these read."""
    found: set[int] = set()
    needed: set[Block] = set()
    for k in range(len(steps) - 1, -1, -1):
        step = steps[k]
        if may_refuse(step) or not needed.isdisjoint(step.writes):
            found.add(k)
            needed.update(step.reads)
    return found


def _parts(wave: list[Step]) -> Waves:
    """A loop is a wave of its own: its turns have waves themselves."""
    others: list[Step] = [step for step in wave if not isinstance(step, Loop)]
    loops: Waves = [[step] for step in wave if isinstance(step, Loop)]
    return [others, *loops]


def plan_turns(steps: Sequence[Step]) -> None:
    """Decide for each loop what runs together in one turn, and give the turn's temporaries their places."""
    for step in steps:
        if isinstance(step, Loop):
            plan_turns(step.steps)
            step.waves = waves(step.steps)
            step.workspace.nbytes = plan_memory(step.waves)


def _levels(steps: Sequence[Step], bounds: dict[int, int]) -> list[int]:
    """The wave of each step. `bounds` are waves before which some may not run."""
    written: dict[Block, int] = {}
    read: dict[Block, int] = {}
    levels: list[int] = []
    barrier = 0
    for k, step in enumerate(steps):
        level = max(barrier, bounds.get(k, 0))
        for block in step.reads:
            if block in written:
                level = max(level, written[block] + 1)
        for block in step.writes:
            if block in written:
                level = max(level, written[block] + 1)
            if block in read:
                level = max(level, read[block] + 1)
        if isinstance(step, Host):
            level = max(levels, default=-1) + 1
            barrier = level + 1
        levels.append(level)
        for block in step.reads:
            read[block] = max(read.get(block, 0), level)
        for block in step.writes:
            written[block] = level
    return levels


def _delayed(steps: Sequence[Step], levels: list[int]) -> list[int]:
    """What needs no other step runs just before it is needed, while it is still in the caches then: weights are packed
    before their product, not at the plan's beginning."""
    made = {block for step in steps for block in step.writes}
    wanted: dict[Block, int] = {}
    delayed = list(levels)
    for k in range(len(steps) - 1, -1, -1):
        step = steps[k]
        if isinstance(step, Launch) and not is_checked(step):
            users = [wanted[block] for block in step.writes if block in wanted]
            needed = set(step.reads).difference(step.writes)
            if users and made.isdisjoint(needed) and all(block.kind == "temporary" for block in step.writes):
                delayed[k] = max(delayed[k], min(users) - 1)
        for block in (*step.reads, *step.writes):  # a second writer comes after the first, too
            wanted[block] = min(wanted.get(block, 1 << 60), delayed[k])
    return delayed


def _replacements(waves: Waves) -> list[tuple[Block, Block]]:
    """Pairs (written, read) that may share memory: the last use of what is read is where the other is written."""
    for number, wave in enumerate(waves):
        for step in wave:
            for block in (*step.reads, *step.writes):
                block.used(number)
    found = []
    for number, wave in enumerate(waves):
        readers: dict[Block, int] = {}
        for step in wave:
            for block in set(step.reads):
                readers[block] = readers.get(block, 0) + 1
        for step in wave:
            if not isinstance(step, Launch):
                continue
            taken: set[Block] = set()
            # what is made last has the first choice: new parameters and states before gradients, which come and go
            for written, read in sorted(step.replaces, key=lambda pair: -pair[0].position):
                dead = read.last == number and readers.get(read, 0) == 1 and written.first == number
                if dead and written not in taken and read not in taken:
                    taken |= {written, read}
                    found.append((written, read))
    return found


def donations(waves: Waves) -> list[tuple[int, int]]:
    """Outputs, by position, that may be written over an input that nobody needs afterwards."""
    checks = [number for number, wave in enumerate(waves) if any(map(may_refuse, wave))]
    last_check = max(checks, default=-1)
    pairs = _replacements(waves)
    return [
        (written.position, read.position)
        for written, read in pairs
        if written.kind == "output" and read.kind == "input" and written.first > last_check
    ]


def plan_memory(waves: Waves) -> int:
    """Give every temporary its place; the bytes of the arena."""
    owner: dict[Block, Block] = {}
    for written, read in _replacements(waves):
        if written.kind == read.kind == "temporary":
            root = owner.get(read, read)
            owner[written] = root
            root.last = max(root.last, written.last)
    blocks = {
        block: None
        for wave in waves
        for step in wave
        for block in (*step.reads, *step.writes)
        if block.kind == "temporary" and block not in owner
    }
    total = memory.place(blocks)
    for block, root in owner.items():
        block.place = root.place
    return total


def check_memory(waves: Waves) -> None:
    """No two temporaries that are alive in one wave overlap, unless one is written over the other.

    Raises:
        CompilerError: They do.
    """
    for step in (step for wave in waves for step in wave):
        if isinstance(step, Loop):
            check_memory(step.waves)
    shared = {frozenset(p) for wave in waves for step in wave if isinstance(step, Launch) for p in step.replaces}
    uses: dict[Block, list[int]] = {}
    for number, wave in enumerate(waves):
        for step in wave:
            for block in (*step.reads, *step.writes):
                if block.kind == "temporary" and block.nbytes:
                    uses.setdefault(block, []).append(number)
    blocks = sorted(uses, key=lambda block: block.place)
    alive: list[Block] = []
    for block in blocks:
        alive = [other for other in alive if other.place + other.nbytes > block.place]
        for other in alive:
            first = max(min(uses[other]), min(uses[block]))
            last = min(max(uses[other]), max(uses[block]))
            replaced = first == last and frozenset((block, other)) in shared
            if first <= last and not replaced:
                raise CompilerError(f"two temporaries at {other.place} and {block.place} are alive at the same time")
        alive.append(block)
