"""Keras's own tests on Duograph, and for comparison on PyTorch.

    python -m tests.peers.keras_suite layers/core losses            both engines, and what differs
    python -m tests.peers.keras_suite --engine duograph metrics     one engine

Paths are files or folders of `keras/src` (all of it if none is given). For each engine one process imports Keras on it
and runs pytest; a case counts as good on Duograph if it passes there or does not pass on PyTorch either.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import subprocess
import sys
import tempfile
import types
from collections import Counter
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parents[2]
ENGINES = ("duograph", "torch")


def keras_source() -> Path:
    """The folder `keras/src` of the installed package, found without importing it."""
    spec = importlib.util.find_spec("keras")
    if spec is None or spec.origin is None:
        sys.exit("keras is not installed")
    return Path(spec.origin).parent / "src"


class Recorder:
    """A pytest plugin that notes the outcome of each case, with the last line of its error."""

    def __init__(self) -> None:
        self.outcomes: dict[str, tuple[str, str]] = {}

    def pytest_runtest_logreport(self, report: Any) -> None:
        if report.when == "call" or report.outcome != "passed":
            self._note(report, report.nodeid.partition("keras/src/")[2] or report.nodeid)

    def pytest_collectreport(self, report: Any) -> None:
        if report.failed:
            self._note(report, str(report.nodeid).partition("keras/src/")[2] or str(report.nodeid))

    def _note(self, report: Any, name: str) -> None:
        crash = getattr(report.longrepr, "reprcrash", None)
        text = crash.message if crash is not None else str(report.longrepr or "")
        first = next((line for line in text.strip().splitlines() if line.strip()), "")
        self.outcomes[name] = (report.outcome, first[:300] if report.failed else "")


def work(engine: str, output: str, paths: list[str]) -> None:
    """In a process of its own: run the tests of `paths` on one engine, and write the outcomes."""
    import pytest

    if engine == "duograph":
        import duograph.tf.keras as keras
    else:
        os.environ["KERAS_BACKEND"] = "torch"
        import keras
    conftest = types.ModuleType("conftest")  # what a few test files import from the root of Keras's repository
    conftest.skip_if_backend = lambda backend, reason: pytest.mark.skipif(
        keras.backend.backend() == backend, reason=reason
    )
    sys.modules["conftest"] = conftest
    recorder = Recorder()
    options = [
        "-q",
        "--no-header",
        "--tb=line",
        "-p",
        "no:cacheprovider",
        "--assert=plain",
        "-W",
        "ignore",
        "-c",
        os.devnull,
    ]
    options += [
        "-o",
        "python_files=*_test.py",
        "--rootdir",
        str(keras_source().parent.parent),
        "--show-capture=no",
        "-rN",
    ]
    pytest.main([*options, *paths], plugins=[recorder])
    Path(output).write_text(json.dumps(recorder.outcomes))


def run(engine: str, paths: list[str]) -> dict[str, tuple[str, str]]:
    """The outcome of each case, from a fresh process."""
    with tempfile.TemporaryDirectory() as folder:
        output = os.path.join(folder, "outcomes.json")
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "KERAS_HOME": folder, "PYTHONPATH": str(REPOSITORY)}
        command = [sys.executable, "-m", "tests.peers.keras_suite", "--work", output, "--engine", engine, *paths]
        done = subprocess.run(
            command,
            cwd=REPOSITORY,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        if not os.path.exists(output):
            sys.exit(f"the run on {engine} ended without results:\n{done.stdout[-4000:]}")
        return {name: tuple(outcome) for name, outcome in json.loads(Path(output).read_text()).items()}


def count(outcomes: dict[str, tuple[str, str]]) -> str:
    counts = Counter(outcome for outcome, _ in outcomes.values())
    return ", ".join(f"{counts[kind]} {kind}" for kind in ("passed", "failed", "skipped"))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("paths", nargs="*")
    parser.add_argument("--engine", choices=ENGINES, help="one engine instead of both")
    parser.add_argument("--work", metavar="FILE", help=argparse.SUPPRESS)
    parser.add_argument("--json", metavar="FILE", help="write all outcomes there")
    arguments = parser.parse_args()
    if arguments.work:
        work(arguments.engine, arguments.work, arguments.paths)
        return 0
    source = keras_source()
    paths = [str(source / path) for path in arguments.paths] or [str(source)]
    outcomes = {engine: run(engine, paths) for engine in ([arguments.engine] if arguments.engine else ENGINES)}
    for engine, found in outcomes.items():
        print(f"{engine:9} {count(found)}")
    if arguments.json:
        Path(arguments.json).write_text(json.dumps(outcomes, indent=1))
    ours = outcomes.get("duograph", {})
    good = {
        name
        for name, (outcome, _) in outcomes.get("torch", outcomes.get("duograph", {})).items()
        if outcome == "passed"
    }
    failed = {
        name: text
        for name, (outcome, text) in ours.items()
        if outcome == "failed" and (name in good or "torch" not in outcomes)
    }
    for name, text in sorted(failed.items()):
        print(f"  {name}\n      {text}")
    if "torch" in outcomes and ours and good:
        kept = sum(ours.get(name, ("missing", ""))[0] == "passed" for name in good)
        print(f"of {len(good)} cases that pass on PyTorch, {kept} pass on Duograph ({100 * kept / len(good):.1f} %)")
    return bool(failed)


if __name__ == "__main__":
    sys.exit(main())
