"""The results as one picture: how fast each framework is beside PyTorch eager, and each kernel beside PyTorch's."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from .report import best_peer, microseconds
from .runner import REFERENCE, entrants, key
from .workloads import WORKLOADS

Results = Mapping[str, Any]
INK, FAINT = "#22272e", "#d0d7de"
COLOURS = {
    "duograph eager": "#d1495b",
    "duograph compile": "#edae49",
    "torch eager": "#30638e",
    "torch compile": "#7fa7c9",
    "tensorflow graph": "#5f7a61",
    "tensorflow xla": "#a9bfa9",
    "jax jit": "#8d6a9f",
}


def draw(data: Results, path: Path) -> None:
    """Write the picture of these results to `path`."""
    panels = [
        ("Training step", {WORKLOADS[n].title: r for n, r in data.get("training", {}).items()}),
        ("Inference", {_inference_title(n): r for n, r in data.get("inference", {}).items()}),
    ]
    panels = [(title, groups) for title, groups in panels if groups]
    racers = [key(entrant) for entrant in entrants(data["frameworks"])]
    rows = [row for row in data.get("kernels", ()) if row["kind"] != "streaming" and _rates(row)]
    if not panels and not rows:
        raise ValueError("there is nothing to draw: no training, inference or kernel results were given")
    heights = [0.14 * len(racers) * max(len(groups) for _, groups in panels) + 1.2] if panels else []
    heights += [4.0] if rows else []
    figure = Figure(figsize=(15, sum(heights) + 0.8), layout="constrained")
    grid = figure.add_gridspec(len(heights), 1, height_ratios=heights)
    if panels:
        columns = grid[0].subgridspec(1, len(panels))
        for column, (title, groups) in enumerate(panels):
            _bars(figure.add_subplot(columns[column]), f"{title}: times as fast as PyTorch eager", groups, racers)
        handles = [Patch(color=COLOURS[racer]) for racer in racers]
        figure.legend(handles, racers, ncols=len(racers), frameon=False, loc="outside lower center")
    if rows:
        _cloud(figure.add_subplot(grid[-1]), rows)
    machine = data["machine"]
    versions = ", ".join(f"{n} {v}" for n, v in machine["versions"].items() if n in ("torch", "tensorflow-cpu", "jax"))
    figure.suptitle(f"{machine['processor']}, {data['threads']} threads, float32. {versions}", fontsize=9, color=INK)
    figure.savefig(path, dpi=130)


def _inference_title(name: str) -> str:
    workload, batch = name.split("/")
    return f"{WORKLOADS[workload].title.split(',')[0]}, batch {batch}"


def _bars(axis: Axes, title: str, groups: Mapping[str, Results], racers: Sequence[str]) -> None:
    """A group of bars a workload, one bar a framework and mode: faster than the reference to the right, slower left."""
    thickness = 0.86 / len(racers)
    axis.set_xscale("log", base=2)
    for place, results in enumerate(groups.values()):
        reference = results.get(key(REFERENCE), {}).get("median")
        best = best_peer(results)
        for position, racer in enumerate(racers):
            y = place + (position - (len(racers) - 1) / 2) * thickness
            result = results.get(racer, {})
            seconds = None if "error" in result or "mismatch" in result else result.get("median")
            if seconds is None or reference is None:
                reason = "wrong result" if "mismatch" in result else "did not run"
                if seconds is not None:
                    reason = f"{seconds * 1e6:,.0f} µs, and no {key(REFERENCE)} to compare with"
                axis.text(1.02, y, f"{racer}: {reason}", va="center", fontsize=7, color=INK, alpha=0.6)
                continue
            speed = reference / seconds
            axis.barh(y, speed - 1, thickness * 0.92, left=1, color=COLOURS[racer])
            if racer == key(REFERENCE):
                axis.plot([1, 1], [y - thickness / 2, y + thickness / 2], color=COLOURS[racer], linewidth=4)
            text = f"{microseconds(seconds)} µs" + (" (best peer)" if best and best[0] == racer else "")
            side = {"x": speed * 1.04, "ha": "left"} if speed >= 1 else {"x": speed / 1.03, "ha": "right"}
            axis.text(s=text, y=y, va="center", fontsize=7, color=INK, **side)
    axis.axvline(1, color=INK, linewidth=0.8)
    axis.set_yticks(range(len(groups)), [name.replace(", ", ",\n", 1) for name in groups], fontsize=8)
    axis.set_ylim(len(groups) - 0.5, -0.5)
    low, high = axis.get_xlim()
    axis.set_xlim(low / 1.6, high * 1.8)
    axis.xaxis.set_major_formatter(lambda value, _: f"{value:g}×")
    axis.set_title(title, loc="left", fontsize=11, fontweight="bold", color=INK)
    _clean(axis)


def _rates(row: Results) -> dict[str, float]:
    return {name: row["work"] / r["median"] / 1e9 for name, r in row["results"].items() if "median" in r}


def _cloud(axis: Axes, rows: Sequence[Results]) -> None:
    """Kernels by size of their work: the rate of every framework, full circles with the most threads."""
    most = max(row["threads"] for row in rows)
    for name, colour in (("torch", COLOURS["torch eager"]), ("duograph", COLOURS["duograph eager"])):
        for threads, alpha in ((1, 0.35), (most, 0.9)):
            points = [
                (row["work"], _rates(row)[name]) for row in rows if row["threads"] == threads and name in _rates(row)
            ]
            if points:
                plural = "s" if threads > 1 else ""
                label = f"{name}, {threads} thread{plural}"
                work, rates = zip(*points, strict=True)
                axis.scatter(work, rates, s=22, color=colour, alpha=alpha, linewidths=0, label=label)
    axis.set_xscale("log")
    axis.set_ylim(0)
    axis.set_xlabel("floating-point operations of the kernel", color=INK)
    axis.set_ylabel("GFLOP/s", color=INK)
    axis.set_title("Matrix products and convolutions", loc="left", fontsize=11, fontweight="bold", color=INK)
    axis.legend(fontsize=8, frameon=False, loc="upper left")
    _clean(axis)


def _clean(axis: Axes) -> None:
    axis.spines[["top", "right"]].set_visible(False)
    axis.spines[["left", "bottom"]].set_color(FAINT)
    axis.tick_params(colors=INK, length=0)
    axis.grid(axis="x", color=FAINT, linewidth=0.6)
    axis.set_axisbelow(True)
