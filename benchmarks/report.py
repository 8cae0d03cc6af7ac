"""From results to tables: plain text in rows, drawn in a terminal or written as Markdown."""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from rich.console import Console
from rich.table import Table as RichTable
from rich.text import Text

from .data_pipelines import PIPELINES
from .keras_programs import PROGRAMS
from .measure import ENOUGH
from .runner import DATA_ENTRANTS, IMPORTS, KERAS_ENTRANTS, REFERENCE, Entrant, entrants, key
from .workloads import WORKLOADS

Results = Mapping[str, Any]
FIRST_STEP_GOALS = {"resnet18": (3.0, 0.5), "mlp": (0.3, 0.05)}  # seconds: cold, from the disk cache
MEMORY_GOAL = 0.7  # of PyTorch's
IMPORT_GOAL = 0.15  # seconds
KERNEL_GOAL = 0.95  # of PyTorch's speed, on each shape
STREAMING_GOAL = 0.85  # of a plain copy's bandwidth
KERAS_GOALS = {"predict": 5.0, "call": 5.0, "first_fit": 1.0}  # times TensorFlow's speed; that of `fit` is by program
DATA_GOAL = 1.0  # times TensorFlow's speed
OURS = "duograph"
DISTURBED = "~: other processes disturbed nearly every sample; do not rely on the number"
MET, MISSED, UNCLEAR = "yes", "no", "?"


@dataclass
class Table:
    """Cells of text. `notes` say why a cell has no number; the cell refers to them by number."""

    title: str
    columns: Sequence[str]
    rows: list[list[str]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def note(self, reason: str) -> str:
        """The cell that stands for a missing number, with the reason noted below the table."""
        reason = " ".join(reason.split())
        reason = reason if len(reason) <= 200 else reason[:197] + "..."
        if reason not in self.notes:
            self.notes.append(reason)
        return f"[{self.notes.index(reason) + 1}]"

    def markdown(self) -> str:
        """As Markdown: title, table, notes."""
        lines = [f"**{self.title}**", "", _line(self.columns), _line("---" for _ in self.columns)]
        lines += [_line(row) for row in self.rows]
        if self.notes:
            lines += ["", *(f"[{number}] {note}  " for number, note in enumerate(self.notes, start=1))]
        return "\n".join(lines)

    def rich(self) -> RichTable:
        """For a terminal."""
        caption = "\n".join(f"[{number}] {note}" for number, note in enumerate(self.notes, start=1))
        table = RichTable(title=self.title, title_justify="left", caption=Text(caption), caption_justify="left")
        for position, column in enumerate(self.columns):
            table.add_column(column, justify="left" if position == 0 else "right")
        for row in self.rows:
            table.add_row(*(Text(cell, style={MET: "green", MISSED: "red"}.get(cell, "")) for cell in row))
        return table


def _line(cells: Iterable[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def show(data: Results, console: Console) -> None:
    """Print all tables."""
    machine = data["machine"]
    console.print(f"{machine['processor']}, {data['threads']} threads; {machine['system']}", highlight=False)
    console.print(DISTURBED)
    for table in tables(data):
        console.print(table.rich())
        console.print()


def tables(data: Results) -> list[Table]:
    """Every table for which there are results."""
    racers = entrants(data["frameworks"])
    made: list[Table] = []
    if training := data.get("training"):
        made += [_training(training, racers), _first_steps(training, racers), _memory(training, racers)]
    if inference := data.get("inference"):
        made.append(_inference(inference, racers))
    if rows := data.get("kernels"):
        made += [_contractions(rows), _streaming(rows)]
    if keras := data.get("keras"):
        made.append(_keras(keras))
    if pipelines := data.get("data"):
        made.append(_data(pipelines))
    if installation := data.get("installation"):
        made.append(_installation(installation, data["frameworks"]))
    return [table for table in made if table.rows]


def best_peer(results: Results) -> tuple[str, float] | None:
    """The fastest entrant that is not ours, and its seconds."""
    times = {name: r["median"] for name, r in results.items() if not name.startswith(OURS) and _raced(r)}
    return min(times.items(), key=lambda item: item[1]) if times else None


def _raced(result: Results) -> bool:
    return "median" in result and "error" not in result and "mismatch" not in result


def _disturbed(result: Results) -> bool:
    """Whether others used the machine during nearly all of the samples."""
    return result.get("quiet", ENOUGH) < ENOUGH


def _ours(racers: Sequence[Entrant]) -> list[Entrant]:
    return [entrant for entrant in racers if entrant[0] == OURS]


def _number(table: Table, result: Results | None, field: str, form: Callable[[float], str]) -> str:
    """The number, or why there is none."""
    if result is None:
        return table.note("not measured")
    if "absent" in result:
        return "– " + table.note(result["absent"])
    if "error" in result:
        return table.note(result["error"])
    if "mismatch" in result:
        return "FAILED " + table.note(result["mismatch"])
    if field not in result:
        return "–"
    return ("~" if field == "median" and _disturbed(result) else "") + form(result[field])


def microseconds(seconds: float) -> str:
    """Three significant digits of microseconds, with separators."""
    value = seconds * 1e6
    digits = max(0, 2 - math.floor(math.log10(value)))
    return f"{value:,.{digits}f}" if value < 1000 else f"{round(value, 2 - math.floor(math.log10(value))):,.0f}"


def _times(ratio: float) -> str:
    return f"{ratio:.2f}×"


def _seconds(seconds: float) -> str:
    return f"{seconds:.2f}" if seconds >= 0.1 else f"{seconds:.3f}"


def _race_columns(racers: Sequence[Entrant]) -> list[str]:
    ours = [f"{mode} / best peer" for _, mode in _ours(racers)]
    return [*map(key, racers), "best peer", *ours, *(["eager / torch eager", "goal", "met"] if ours else [])]


def _race_cells(table: Table, results: Results, racers: Sequence[Entrant], goals: Mapping[str, float]) -> list[str]:
    """Medians of everyone, then how many times as fast we are, and whether that is the goal. Goals are by our mode."""
    cells = [_number(table, results.get(key(racer)), "median", microseconds) for racer in racers]
    best = best_peer(results)
    cells.append(best[0] if best else "–")
    ratios: dict[str, float] = {}
    for _, mode in _ours(racers):
        result = results.get(f"{OURS} {mode}", {})
        if best and _raced(result):
            ratios[mode] = best[1] / result["median"]
        cells.append(_times(ratios[mode]) if mode in ratios else "–")
    if not _ours(racers):
        return cells
    reference, eager = results.get(key(REFERENCE), {}), results.get(f"{OURS} eager", {})
    both = _raced(reference) and _raced(eager)
    cells.append(_times(reference["median"] / eager["median"]) if both else "–")
    cells.append(" / ".join(f"{goal:g}×" for goal in dict.fromkeys(goals.values())) or "–")
    judged = [results.get(f"{OURS} {mode}", {}) for mode in goals] + ([results[best[0]]] if best else [])
    met = all(ratios.get(mode, 0) >= goal for mode, goal in goals.items())
    cells.append(_verdict(met, *judged) if goals else "–")
    return cells


def _verdict(met: bool, *results: Results) -> str:
    """Whether the goal is met; unclear if one of the results it rests on was disturbed."""
    return UNCLEAR if any(map(_disturbed, results)) else MET if met else MISSED


def _training(training: Results, racers: Sequence[Entrant]) -> Table:
    table = Table("Training step: forward, loss, backward, Adam; median µs", ["workload", *_race_columns(racers)])
    for name, results in training.items():
        goal = WORKLOADS[name].goal
        goals = {"eager": goal.eager, "compile": goal.compiled} if goal else {}
        table.rows.append([WORKLOADS[name].title, *_race_cells(table, results, racers, goals)])
    return table


def _inference(inference: Results, racers: Sequence[Entrant]) -> Table:
    table = Table("Inference: one batch in, a NumPy array out; median µs", ["model", *_race_columns(racers)])
    for name, results in inference.items():
        workload, batch = name.split("/")
        goal = WORKLOADS[workload].inference.get(int(batch))
        title = f"{WORKLOADS[workload].title.split(',')[0]}, batch {batch}"
        table.rows.append([title, *_race_cells(table, results, racers, {"eager": goal} if goal else {})])
    return table


def _first_steps(training: Results, racers: Sequence[Entrant]) -> Table:
    table = Table(
        "First training step, read as a number; seconds with an empty / a filled compiler cache",
        ["workload", *map(key, racers), *(["goal", "met"] if _ours(racers) else [])],
    )
    for name, results in training.items():

        def both(result: Results) -> str:
            cold = _number(table, result, "first_step_cold", _seconds)
            return f"{cold} / {_seconds(result['first_step_cached'])}" if "first_step_cached" in result else cold

        row = [WORKLOADS[name].title, *(both(results.get(key(racer), {"error": "not measured"})) for racer in racers)]
        if _ours(racers):
            goals = FIRST_STEP_GOALS.get(name)
            result = results.get(f"{OURS} eager", {})
            fields = ("first_step_cold", "first_step_cached")
            if goals is None or not all(name in result for name in fields):
                verdict = "–"
            else:
                verdict = _verdict(all(result[name] <= most for name, most in zip(fields, goals, strict=True)))
            row += [f"{goals[0]:g} / {goals[1]:g}" if goals else "–", verdict]
        table.rows.append(row)
    return table


def _memory(training: Results, racers: Sequence[Entrant]) -> Table:
    table = Table(
        "Peak memory of a training process, MB",
        ["workload", *map(key, racers), *(["eager / torch eager", "goal", "met"] if _ours(racers) else [])],
    )
    for name, results in training.items():
        cells = [
            _number(table, results.get(key(racer)), "peak_bytes", lambda size: f"{size / 1e6:.0f}") for racer in racers
        ]
        if _ours(racers):
            sizes = [results.get(who, {}).get("peak_bytes") for who in (f"{OURS} eager", key(REFERENCE))]
            ratio = sizes[0] / sizes[1] if all(sizes) else None
            cells += [
                f"{ratio:.2f}" if ratio else "–",
                f"≤ {MEMORY_GOAL}",
                _verdict(ratio <= MEMORY_GOAL) if ratio else "–",
            ]
        table.rows.append([WORKLOADS[name].title, *cells])
    return table


def _keras(keras: Results) -> Table:
    """A row for each thing that is timed of each program."""
    racers = [key(racer) for racer in KERAS_ENTRANTS]
    table = Table(
        "Keras programs beside TensorFlow; µs, median, but for the first call of fit (one step, once)",
        ["program", *racers, "best peer / ours", "goal", "met"],
    )
    titles = {"fit": "a step of fit", "predict": "predict, 1 sample", "call": "model(x), 1 sample"}
    for name, by_racer in keras.items():
        program = PROGRAMS[name]
        for what, title in {**titles, "first_fit": "first fit"}.items():
            results = {who: _keras_result(result, what) for who, result in by_racer.items()}
            cells = [_number(table, results.get(who), "median", microseconds) for who in racers]
            best, ours = best_peer(results), results.get(f"{OURS} compile", {})
            goal = KERAS_GOALS.get(what, program.goal)
            ratio = best[1] / ours["median"] if best and _raced(ours) else None
            verdict = _verdict(ratio >= goal, ours, results[best[0]]) if ratio and best else "–"
            row = [f"{program.title}: {title}", *cells, _times(ratio) if ratio else "–", f"{goal:g}×", verdict]
            table.rows.append(row)
    return table


def _data(pipelines: Results) -> Table:
    racers = [key(racer) for racer in DATA_ENTRANTS]
    table = Table(
        "Input pipelines beside TensorFlow; samples per second, median of epochs",
        ["pipeline", *racers, "ratio", "goal", "met"],
    )
    for name, results in pipelines.items():
        cells = [_number(table, results.get(who), "median", lambda seconds: f"{1 / seconds:,.0f}") for who in racers]
        ours, theirs = (results.get(who, {}) for who in racers)
        ratio = theirs["median"] / ours["median"] if _raced(ours) and _raced(theirs) else None
        verdict = _verdict(ratio >= DATA_GOAL, ours, theirs) if ratio else "–"
        row = [PIPELINES[name].title, *cells, _times(ratio) if ratio else "–", f"{DATA_GOAL:g}×", verdict]
        table.rows.append(row)
    return table


def _keras_result(result: Results, what: str) -> Results:
    """What stands of one thing that was timed: its summary, or why there is none."""
    if "error" in result or "mismatch" in result:
        return result
    found = result.get(what, {})
    return {"median": found} if isinstance(found, float) else found


def _contractions(rows: Sequence[Results]) -> Table:
    """A row a kernel, with the numbers for every count of threads side by side."""
    rows = [row for row in rows if row["kind"] != "streaming"]
    counts = sorted({row["threads"] for row in rows})
    columns = [f"{what}, {n} thread{'s' * (n > 1)}" for n in counts for what in ("torch", "duograph", "ratio")]
    table = Table(
        f"Matrix products and convolutions, GFLOP/s, taps on padding counted; goal: ratio ≥ {KERNEL_GOAL}, mean > 1",
        ["kernel", "direction", *columns, "met"],
    )
    by_kernel: dict[tuple[str, str, str], dict[int, Results]] = {}
    for row in rows:
        by_kernel.setdefault((row["network"], row["name"], row["direction"]), {})[row["threads"]] = row
    ratios: list[float] = []
    for (network, name, direction), measured in by_kernel.items():
        cells: list[str] = []
        found = []
        for count in counts:
            row = measured[count]
            rates, ratio = _rates(table, row), _ratio(row["results"])
            found += [ratio] if ratio is not None else []
            cells += [rates.get("torch", "–"), rates.get("duograph", "–"), f"{ratio:.2f}" if ratio else "–"]
        ratios += found
        judged = [result for row in measured.values() for result in row["results"].values()]
        met = _verdict(len(found) == len(counts) and min(found) >= KERNEL_GOAL, *judged) if found else "–"
        table.rows.append([f"{network}: {name}", direction, *cells, met])
    if ratios:
        mean = math.exp(sum(map(math.log, ratios)) / len(ratios))
        blank = [""] * (len(columns) - 1)
        table.rows.append(["geometric mean of all ratios", "", *blank, f"{mean:.2f}", _verdict(mean > 1)])
    return table


def _rates(table: Table, row: Results) -> dict[str, str]:
    work = row["work"]
    return {
        name: _number(table, result, "median", lambda seconds: f"{work / seconds / 1e9:.1f}")
        for name, result in row["results"].items()
    }


def _ratio(results: Results) -> float | None:
    """Our speed over PyTorch's."""
    ours, theirs = results.get("duograph", {}), results.get("torch", {})
    return theirs["median"] / ours["median"] if _raced(ours) and _raced(theirs) else None


def _streaming(rows: Sequence[Results]) -> Table:
    table = Table(
        "Memory-bound kernels, GB/s, beside a plain copy",
        ["kernel", "threads", "copy", "duograph", "torch", "duograph / copy", "goal", "met"],
    )
    rows = [row for row in rows if row["kind"] == "streaming"]
    copies = {
        row["threads"]: row["work"] / row["results"]["floor"]["median"]
        for row in rows
        if _raced(row["results"].get("floor", {}))
    }
    for row in rows:
        if "floor" in row["results"]:
            continue
        copy, rate, ours = copies.get(row["threads"]), _rates(table, row), row["results"].get("duograph", {})
        share = row["work"] / ours["median"] / copy if copy and _raced(ours) else None
        table.rows.append(
            [
                row["name"],
                str(row["threads"]),
                f"{copy / 1e9:.1f}" if copy else "–",
                rate.get("duograph", "–"),
                rate.get("torch", "–"),
                f"{share:.2f}" if share else "–",
                f"{STREAMING_GOAL}",
                _verdict(share >= STREAMING_GOAL, ours) if share else "–",
            ]
        )
    return table


def _installation(installation: Results, frameworks: Sequence[str]) -> Table:
    table = Table("Import and installation", ["", "import, s", "goal", "met", "installed with requirements, MB"])
    for framework in frameworks:
        for module in IMPORTS[framework]:
            imported = installation["imports"].get(module)
            seconds = (imported or {}).get("seconds")
            verdict = _verdict(seconds <= IMPORT_GOAL) if framework == OURS and seconds is not None else "–"
            size = installation["bytes"].get(framework)
            table.rows.append(
                [
                    f"import {module}",
                    _number(table, imported, "seconds", "{:.3f}".format),
                    f"{IMPORT_GOAL}" if framework == OURS else "–",
                    verdict,
                    f"{size / 1e6:,.0f}" if size else "–",
                ]
            )
    return table
