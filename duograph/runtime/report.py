"""What there is to say about a compiled plan: one text for each stage of `log.STAGES`."""

from __future__ import annotations

import io
import os
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from ..codegen.launch import Launch
from ..codegen.lower import Host, Loop, Step
from ..codegen.repeat import launches_of
from ..compiler.affine import VIEWS
from ..compiler.arrays import Array, Block
from ..compiler.group import Group
from ..compiler.layout import channels_last
from ..graph.node import Node
from ..graph.text import write
from . import code
from .peak import Speed, speed
from .profile import ONCE, Runs, named_waves

if TYPE_CHECKING:
    from .log import Journal
    from .native import Native

WIDTH = 120
"""Columns of a table."""

LONGEST_TITLE, MOST_NAMES = 40, 4
"""Letters and names that a cell of a table has at most."""


class Report:
    """One plan, for people.

    Args:
        native: The plan.
        number: Which plan of this process it is.
        journal: How long the stages took.
    """

    def __init__(self, native: Native, number: int, journal: Journal) -> None:
        self.native = native
        self.drawing = native.drawn()
        self.number = number
        self.journal = journal
        self.lines = {**self.drawing.simple.lines, **native.graph.lines}
        for loop in _loops(self.drawing.launches):
            self.lines |= loop.graph.lines
        self.steps = [(name, step) for name, wave in named_waves(native) for step in wave]
        self.launches = [(name, step) for name, step in self.steps if not isinstance(step, Host)]

    def text(self, stage: str) -> str:
        """What a stage has to say, but for `profile`."""
        found: str = getattr(self, stage)()
        return found

    # Stages.

    def plans(self) -> str:
        """One line."""
        native, journal = self.native, self.journal
        names = {launch.kernel.name for launch in launches_of([step for _, step in self.launches])}
        fresh = names - journal.known
        compiled = len(fresh & code.compiled)
        stages = ", ".join(f"{stage} {1e3 * seconds:.1f}" for stage, seconds in journal.seconds.items())
        hosts, once = len(self.steps) - len(self.launches), len(self.drawing.preparations)
        others = f", {counted(hosts, 'step')} of the interpreter" if hosts else ""
        others += f", {once} before them and kept" if once else ""
        kept = f" and {sized(self.drawing.draft.kept)} kept" if self.drawing.draft.kept else ""
        nodes, drawing = len(native.graph.nodes()), self.drawing
        if native.symbols is not None:
            pattern = native.symbols.pattern
            others += f", for other sizes too ({counted(len(pattern.places), 'symbol')}, here as compiled)"
        return (
            f"duograph: plan {self.number}{self._from()}: {nodes} nodes, "
            f"{len(drawing.simple.nodes())} simplified; {counted(len(self.launches) - once, 'launch', 'launches')} "
            f"in {counted(len(drawing.waves), 'wave')}{others}; "
            f"{counted(len(names), 'kernel')} ({compiled} new, {len(fresh) - compiled} from disk, "
            f"{len(names) - len(fresh)} in memory); arena {sized(self.drawing.draft.arena)}{kept}; "
            f"{1e3 * sum(journal.seconds.values()):.1f} ms ({stages})"
        )

    def graph(self) -> str:
        """GraphDL before and after the first pass."""
        native = self.native
        return (
            f"{self._head('graph as recorded')}\n{write(native.graph)}"
            f"{self._head('graph simplified')}\n{write(self.drawing.simple)}".rstrip()
        )

    def fusion(self) -> str:
        """Each launch with what it computes, and what stayed out of the nests of its operands."""
        text = [self._head(f"fusion: {counted(len(self.steps), 'launch', 'launches')}")]
        for name, step in self.steps:
            text += self._fused(step, "  once: " if name == ONCE else f"  wave {name}: ")
        apart = self._apart()
        if apart:
            text.append("  apart from what they need:")
            text += [f"    {spelled(node)}: {reason}{self._at(node)}" for node, reason in apart]
        return "\n".join(text)

    def _fused(self, step: Step, head: str) -> list[str]:
        """A launch with what it computes; a loop with its launches."""
        margin = " " * (len(head) - len(head.lstrip()))
        if isinstance(step, Loop):
            text = [f"{head}{counted(step.turns, 'turn')} of"]
            for number, wave in enumerate(step.waves):
                for inner in wave:
                    text += self._fused(inner, f"{margin}  wave {number}: ")
            return text
        text = [f"{head}{title_of(step)}"]
        for line, names in self._by_line(nodes_of(step)):
            text.append(f"{margin}  {names}{f'  <- {short(line)}' if line else ''}")
        return text

    def layout(self) -> str:
        """The activations that do not lie row-major, and all copies."""
        schedule = self.drawing.schedule
        text = [self._head("layout: values that do not lie in row-major order")]
        for node, array in schedule.arrays.items():
            if not array.contiguous and node.size:
                what = f"output {array.block.position} " if array.block.kind == "output" else ""
                text.append(f"  {what}{spelled(node)} in {order_name(array)}{self._at(node)}")
        writers = {block: step for _, step in self.steps for block in step.writes}
        copies = []
        for (node, _), array in schedule.copies.items():
            how = self._how(writers.get(array.block))
            copies.append(f"    {spelled(node)} into {order_name(array)}, {how}{self._at(node)}")
        for block, node in zip(schedule.blocks_of_outputs, self.drawing.simple.outputs, strict=True):
            base = schedule.base(node)
            own = schedule.arrays.get(base)
            if node.size and (own is None or own.block is not block):
                how = self._how(writers.get(block))
                copies.append(f"    output {block.position}, {spelled(node)}, {how}{self._at(node)}")
        text.append(f"  copies: {len(copies)}")
        return "\n".join([*text, *copies])

    def memory(self) -> str:
        """Temporaries and their places, and which outputs may be written over which inputs."""
        blocks = dict.fromkeys(
            block for _, step in self.steps for block in (*step.reads, *step.writes) if block.kind == "temporary"
        )
        used = self._used(blocks)
        temporaries = sorted(blocks, key=lambda block: used[block])
        names = {block: f"t{k}" for k, block in enumerate(temporaries)}
        writers: dict[Block, str] = {}
        for _, step in self.steps:
            for block in step.writes:
                writers.setdefault(block, title_of(step))
        simple, draft = self.drawing.simple, self.drawing.draft
        text = [
            self._head(
                f"memory: inputs {sized(sum(n.nbytes for n in simple.inputs))}, "
                f"outputs {sized(sum(n.nbytes for n in simple.outputs))}, "
                f"{counted(len(blocks), 'temporary', 'temporaries')} of {sized(sum(b.nbytes for b in blocks))} "
                f"in an arena of {sized(draft.arena)}, kept from run to run {sized(draft.kept)}"
            )
        ]
        rows = []
        for block in temporaries:
            first, last = used[block]
            over = [
                names[other] + (" in place" if used[other][1] == first else "")
                for other in temporaries
                if other is not block and used[other] < used[block] and overlap(block, other)
            ]
            more = f" and {len(over) - MOST_NAMES} more" if len(over) > MOST_NAMES else ""
            rows.append((names[block], cut(writers.get(block, "")), sized(block.nbytes), f"{block.place}",
                         f"{first} to {last}", ", ".join(over[-MOST_NAMES:]) + more))  # fmt: skip
        if rows:
            text.append(table(("", "written by", ">bytes", ">place", "waves", "memory of"), rows))
        for k, j in self.drawing.draft.donations:
            text.append(
                f"  output {k} may be written over input {j}, {spelled(simple.inputs[j])}{self._at(simple.outputs[k])}"
            )
        return "\n".join(text)

    def kernels(self) -> str:
        """A table of launches and what they take at least."""
        machine = speed()
        rows = []
        for name, step in self.launches:
            floor, bound = floor_of([step], machine)
            rows.append((name, cut(step.title), f"{step.chunks}", sized(step.bytes), scaled(step.operations),
                         f"{1e6 * floor:.2f}", bound, self._line_of(step)))  # fmt: skip
        launches = [step for name, step in self.launches if name != ONCE]
        total = sum(floor_of([step], machine)[0] for step in launches)
        moved, operations = sum(s.bytes for s in launches), sum(s.operations for s in launches)
        chunks = sum(s.chunks for s in launches)
        rows.append(("", "all", f"{chunks}", sized(moved), scaled(operations), f"{1e6 * total:.2f}", "", ""))
        heads = (">wave", "launch", ">chunks", ">bytes", ">operations", ">floor us", "bound by", "line")
        return f"{self._head(f'kernels, {described(machine)}')}\n{table(heads, rows)}"

    def profile(self, runs: Runs) -> str:
        """A table of waves by the time they take."""
        if runs.complaint:
            return f"{self._head('profile')}\n  the plan cannot be run again on its own results: {runs.complaint}"
        machine = speed()
        total = sum(run.seconds for run in runs.waves if run.wave != ONCE)
        rows = []
        for run in sorted(runs.waves, key=lambda run: -run.seconds):
            launches = [step for step in run.steps if not isinstance(step, Host)]
            operations, moved = sum(s.operations for s in launches), sum(s.bytes for s in launches)
            floor, _ = floor_of(launches, machine)
            titles = Counter(cut(title_of(step)) for step in run.steps)
            line = next((line for step in run.steps if (line := self._line_of(step))), "")
            rows.append((
                run.wave, ", ".join(f"{n} x {t}" if n > 1 else t for t, n in titles.items()),
                f"{1e6 * run.seconds:.1f}", "" if run.wave == ONCE else f"{100 * run.seconds / total:.1f}",
                f"{1e-9 * operations / run.seconds:.2f}", f"{1e-9 * moved / run.seconds:.2f}",
                f"{100 * floor / run.seconds:.0f}", line,
            ))  # fmt: skip
        heads = (">wave", "launches", ">us", ">% of all", ">GFLOP/s", ">GB/s", ">% of floor", "line")
        head = self._head(
            f"profile: {1e6 * total:.1f} us wave by wave, {1e6 * runs.seconds:.1f} us as a whole; {described(machine)}"
        )
        return f"{head}\n{table(heads, rows)}"

    # Parts of them.

    def _head(self, what: str) -> str:
        return f"duograph: plan {self.number}: {what}"

    def _from(self) -> str:
        """The user's line of what was recorded last."""
        lines = self.native.graph.lines
        line = next((lines[node] for node in reversed(self.native.graph.nodes()) if lines.get(node)), "")
        return f" ({short(line)})" if line else ""

    def _at(self, node: Node) -> str:
        line = self.lines.get(node)
        return f"  <- {short(line)}" if line else ""

    def _line_of(self, step: Step) -> str:
        """Where in the user's program most nodes of a launch come from: file and line."""
        lines = Counter(line for node in nodes_of(step) if (line := self.lines.get(node)))
        return place_of(lines.most_common(1)[0][0]) if lines else ""

    def _by_line(self, nodes: Iterable[Node]) -> list[tuple[str, str]]:
        """The user's lines and the operations that stem from each."""
        found: dict[str, Counter[str]] = {}
        for node in nodes:
            found.setdefault(self.lines.get(node) or "", Counter())[node.op.name] += 1
        return [
            (line, ", ".join(f"{count} x {name}" if count > 1 else name for name, count in names.items()))
            for line, names in found.items()
        ]

    def _apart(self) -> list[tuple[Node, str]]:
        """Nodes that another nest computes than the one of what they need, and why."""
        schedule = self.drawing.schedule
        found = []
        for node, reason in schedule.notes.items():
            home = schedule.home.get(node)
            needed = [schedule.home.get(schedule.base(operand)) for operand in node.inputs]
            if home is not None and any(isinstance(step, Group) and step is not home for step in needed):
                found.append((node, reason))
        return found

    def _used(self, blocks: Iterable[Block]) -> dict[Block, tuple[int, int]]:
        """The first and the last wave that uses each block; a block knows those of all that share its memory."""
        found = dict.fromkeys(blocks, (1 << 60, -1))
        for number, wave in enumerate(self.drawing.waves):
            for block in (block for step in wave for block in (*step.reads, *step.writes)):
                if block in found:
                    first, last = found[block]
                    found[block] = (min(first, number), max(last, number))
        return found

    def _how(self, step: Step | None) -> str:
        if step is None:
            return "with what is computed"
        return "by a copy" if not nodes_of(step) else f"written by {title_of(step)}"


def nodes_of(step: Step) -> Sequence[Node]:
    """What a step computes, views left out."""
    return tuple(step.results) if isinstance(step, Host) else [node for node in step.nodes if node.op.name not in VIEWS]


def _loops(steps: Iterable[Step]) -> Iterator[Loop]:
    """All loops, those within loops too."""
    for step in steps:
        if isinstance(step, Loop):
            yield step
            yield from _loops(step.steps)


def title_of(step: Step) -> str:
    """A step's name for people."""
    if isinstance(step, Host):
        return f"{step.node.op.name} by {'the host' if step.is_control else 'the interpreter'}"
    return step.title


def cut(title: str) -> str:
    """A title that fits a cell."""
    return title if len(title) <= LONGEST_TITLE else title[: LONGEST_TITLE - 1] + "…"


def overlap(one: Block, other: Block) -> bool:
    """Whether two temporaries have memory in common."""
    return one.place < other.place + other.nbytes and other.place < one.place + one.nbytes


def spelled(node: Node) -> str:
    """A node's operation and type: `convolution float32[32, 16, 14, 14]`."""
    return f"{node.op.name} {node.dtype.name}{list(node.shape)}"


def order_name(array: Array) -> str:
    """In which order the axes of an array lie."""
    if array.contiguous:
        return "row-major order"
    last = " (channels last)" if array.ndim > 2 and array.order == channels_last(array.ndim) else ""
    return f"order {', '.join(map(str, array.order))}{last}"


def floor_of(launches: Iterable[Launch | Loop], machine: Speed) -> tuple[float, str]:
    """The seconds that launches take at least, and what does not let them be quicker.

    Doubles are half as many in a vector. One operation is counted for each element of an elementwise node, which an
    exponential is not; and what lies in a cache is quicker there than memory is.
    """
    computing = moving = 0.0
    for launch in launches:
        sizes = [node.dtype.itemsize for node in launch.nodes if node.dtype.is_floating_point]
        computing += launch.operations * max([4, *sizes]) / 4 / machine.operations
        moving += launch.bytes / machine.bytes
    return max(computing, moving), "memory" if moving >= computing else "operations"


def described(machine: Speed) -> str:
    """What a floor is made of."""
    return (
        f"at most {1e-9 * machine.operations:.0f} GFLOP/s and {1e-9 * machine.bytes:.1f} GB/s "
        f"with {counted(machine.threads, 'thread')}"
    )


def counted(count: int, one: str, many: str = "") -> str:
    """`1 wave`, `2 waves`."""
    return f"{count} {one if count == 1 else many or one + 's'}"


def sized(nbytes: int) -> str:
    """A number of bytes, to read."""
    size = float(nbytes)
    for unit in ("B", "KiB", "MiB"):
        if size < 1000:
            return f"{size:.0f} {unit}" if unit == "B" or size >= 100 else f"{size:.1f} {unit}"
        size /= 1024
    return f"{size:.2f} GiB"


def scaled(count: int) -> str:
    """A number of operations, to read."""
    number = float(count)
    for unit in ("", " k", " M"):
        if number < 1000:
            return f"{number:.0f}{unit}" if not unit or number >= 100 else f"{number:.1f}{unit}"
        number /= 1000
    return f"{number:.2f} G"


def short(line: str) -> str:
    """`path/file.py:12: source` without the path's folders."""
    path, number, source = _parts(line)
    return f"{path}:{number}{f': {source}' if source else ''}"


def place_of(line: str) -> str:
    """`file.py:12` of `path/file.py:12: source`."""
    return "{}:{}".format(*_parts(line))


def _parts(line: str) -> tuple[str, str, str]:
    found = re.match(r"(.*?):(\d+)(?:: (.*))?$", line, re.DOTALL)
    if found is None:
        return line, "", ""
    return os.path.basename(found[1]), found[2], found[3] or ""


def table(heads: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    """Rows under heads; a head that begins with `>` is of a column of numbers."""
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    made = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    for head in heads:
        justify: Any = "right" if head.startswith(">") else "left"
        made.add_column(Text(head.removeprefix(">")), justify=justify, no_wrap=justify == "right", overflow="fold")
    for row in rows:
        made.add_row(*(Text(str(cell)) for cell in row))
    console = Console(file=io.StringIO(), width=WIDTH, color_system=None, force_terminal=False)
    console.print(made)
    text: str = console.file.getvalue()  # type: ignore[attr-defined]
    return "\n".join(line.rstrip() for line in text.splitlines() if line.strip())
