"""`python -m benchmarks`: Duograph beside PyTorch, TensorFlow and JAX, in one session, on this machine."""

import argparse
import compileall
import json
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.console import Console

from . import data_pipelines, machine, runner
from .frameworks import MODES, PEERS
from .keras_programs import PROGRAMS
from .kernels import KERNELS
from .process import ROOT
from .report import show, tables
from .workloads import WORKLOADS

WIDTH = 190  # of a table that goes into a file
PARTS = ("training", "inference", "kernels", "keras", "data", "installation")


def _names(allowed: tuple[str, ...]) -> Any:
    """A comma-separated list of these names."""

    def parse(text: str) -> list[str]:
        names = [name for name in text.split(",") if name]
        for name in names:
            if name not in allowed:
                raise argparse.ArgumentTypeError(f"expected names among {', '.join(allowed)}; received {name!r}")
        return names

    return parse


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--peers", type=_names(PEERS), default=list(PEERS), help="beside whom (default: all)")
    parser.add_argument("--only", type=_names(tuple(WORKLOADS)), default=[], help="these workloads")
    parser.add_argument("--parts", type=_names(PARTS), default=list(PARTS), help=f"of {', '.join(PARTS)}")
    parser.add_argument("--network", default="", help="kernels of this network only, such as ResNet-18")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--quick", action="store_true", help="fewer and shorter rounds")
    parser.add_argument("--without-us", action="store_true", help="the peers alone")
    parser.add_argument("--json", type=Path, help="write the results to this file")
    parser.add_argument("--plot", type=Path, help="draw them into this PNG file")
    parser.add_argument("--markdown", type=Path, help="write the tables to this file")
    parser.add_argument("--from", dest="source", type=Path, help="measure nothing: show the results in this JSON file")
    return parser.parse_args()


def measure(arguments: argparse.Namespace, console: Console) -> dict[str, Any]:
    """Run everything that was asked for. The results are written after each part, so that none is lost."""
    frameworks = [f for f in MODES if f in arguments.peers or (f == "duograph" and not arguments.without_us)]
    effort = runner.QUICK if arguments.quick else runner.Effort()
    workloads = runner.selected(arguments.only)
    data: dict[str, Any] = {
        "machine": machine.describe(),
        "threads": arguments.threads,
        "frameworks": frameworks,
        "effort": asdict(effort),
    }

    def keep() -> None:
        if arguments.json:
            arguments.json.write_text(json.dumps(data, indent=1))

    compileall.compile_dir(ROOT / "duograph", quiet=1)  # as pip does for a package that it installs, such as the peers
    with console.status("") as status:
        if "training" in arguments.parts:
            for workload in (w for w in workloads if w.trained):
                results = runner.train(workload, frameworks, arguments.threads, effort, status.update)
                data.setdefault("training", {})[workload.name] = results
                keep()
        if "inference" in arguments.parts:
            for workload in workloads:
                for batch in workload.inference:
                    results = runner.infer(workload, batch, frameworks, arguments.threads, effort, status.update)
                    data.setdefault("inference", {})[f"{workload.name}/{batch}"] = results
                    keep()
        if "kernels" in arguments.parts:
            chosen = [i for i, k in enumerate(KERNELS) if arguments.network in ("", k.network)]
            counts = sorted({1, arguments.threads})
            data["kernels"] = []
            for row in runner.kernels(chosen, frameworks, counts, effort, status.update):
                data["kernels"].append(row)
                keep()
        if "keras" in arguments.parts:
            for program in (p for p in PROGRAMS.values() if not arguments.only or p.name in arguments.only):
                results = runner.keras(program, frameworks, arguments.threads, effort, status.update)
                data.setdefault("keras", {})[program.name] = results
                keep()
        if "data" in arguments.parts:
            with tempfile.TemporaryDirectory() as files:
                data_pipelines.prepare(Path(files))
                for pipeline in data_pipelines.PIPELINES.values():
                    results = runner.data(pipeline, Path(files), frameworks, arguments.threads, effort, status.update)
                    data.setdefault("data", {})[pipeline.name] = results
                    keep()
        if "installation" in arguments.parts:
            modules = [module for f in frameworks for module in runner.IMPORTS[f]]
            data["installation"] = {
                "imports": machine.import_times(modules, 2 if arguments.quick else 5, status.update),
                "bytes": {f: machine.installed_bytes(f) for f in frameworks},
            }
            keep()
    return data


def main() -> None:
    arguments, console = _arguments(), Console()
    if not console.is_terminal:
        console = Console(width=WIDTH)
    data = json.loads(arguments.source.read_text()) if arguments.source else measure(arguments, console)
    show(data, console)
    if arguments.markdown:
        arguments.markdown.write_text("\n\n".join(table.markdown() for table in tables(data)) + "\n")
    if arguments.plot:
        from .plot import draw

        draw(data, arguments.plot)


if __name__ == "__main__":
    main()
