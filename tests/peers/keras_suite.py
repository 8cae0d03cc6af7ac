"""Keras's own tests on Duograph, and for comparison on PyTorch.

    python -m tests.peers.keras_suite                                all of them on both engines, and what differs
    python -m tests.peers.keras_suite layers/core losses             some folders or files of `keras/src`
    python -m tests.peers.keras_suite --engine duograph metrics      one engine, beside the stored outcome of PyTorch
    python -m tests.peers.keras_suite --log DIR [--update]           go on where DIR ends; write the tables anew

A case counts as good on Duograph if it passes there or does not pass on PyTorch either. What passes on PyTorch is kept
in `keras_suite_torch.json`, and what is known to fail here, by reason, in `keras_suite_expected.json`.

Each folder is a process of its own, which imports Keras on one engine and runs pytest there. Outcomes are written as
they come: where a process crashes or stands still, the case it was in is to blame, and another process goes on after
it.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import importlib.util
import json
import os
import subprocess
import sys
import tempfile
import time
import types
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

REPOSITORY = Path(__file__).resolve().parents[2]
ENGINES = ("duograph", "torch")
TORCH_TABLE = Path(__file__).with_name("keras_suite_torch.json")
EXPECTED_TABLE = Path(__file__).with_name("keras_suite_expected.json")
UNKNOWN = "to be looked at"
"""The reason of a failure that is new."""
PATIENCE = 400
"""Seconds for one case; after that its process is ended."""
OPTIONS = [
    "-q", "--no-header", "--tb=line", "--assert=plain", "--show-capture=no", "-rN", "--noconftest",
    "-p", "no:cacheprovider", "-W", "ignore", "-c", os.devnull, "-o", "python_files=*_test.py",
    "--continue-on-collection-errors",
]  # fmt: skip


class Outcome(NamedTuple):
    kind: str
    """passed, failed, skipped or, for a case that was begun and never ended, running."""
    error: str = ""
    seconds: float = 0.0


Outcomes = dict[str, Outcome]
"""By case: `layers/core/dense_test.py::DenseTest::test_dense_sparse`."""


def keras_source() -> Path:
    """The folder `keras/src` of the installed package, found without importing it."""
    spec = importlib.util.find_spec("keras")
    if spec is None or spec.origin is None:
        sys.exit("keras is not installed")
    return Path(spec.origin).parent / "src"


# -- in the process that runs the tests --------------------------------------------------------------------------------
class Recorder:
    """A pytest plugin that writes the outcome of each case, and leaves out the cases that have one."""

    def __init__(self, path: str) -> None:
        self._known = read_log(Path(path))
        self._log = open(path, "a", encoding="utf-8", buffering=1)  # noqa: SIM115 - as long as the process lives
        self._source = str(keras_source())

    def pytest_collection_modifyitems(self, items: list[Any]) -> None:
        items[:] = [item for item in items if self._name(item.nodeid) not in self._known]

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        self._write(nodeid, "running")

    def pytest_runtest_logreport(self, report: Any) -> None:
        if report.when == "call" or report.outcome != "passed":
            self._report(report, report.duration)

    def pytest_collectreport(self, report: Any) -> None:
        if report.failed:
            self._report(report, 0.0)

    def _report(self, report: Any, seconds: float) -> None:
        crash = getattr(report.longrepr, "reprcrash", None)
        text = crash.message if crash is not None else str(report.longrepr or "")
        first = next((line for line in text.splitlines() if line.strip()), "") if report.failed else ""
        self._write(report.nodeid, report.outcome, first[:300], round(seconds, 3))

    def _write(self, nodeid: str, *outcome: Any) -> None:
        print(json.dumps([self._name(nodeid), *outcome]), file=self._log)

    @staticmethod
    def _name(nodeid: str) -> str:
        return nodeid.partition("keras/src/")[2] or nodeid


def read_log(path: Path) -> Outcomes:
    """The last outcome of each case."""
    if not path.exists():
        return {}
    lines = (json.loads(line) for line in path.read_text("utf-8").splitlines())
    return {name: Outcome(*outcome) for name, *outcome in lines}


def work(engine: str, log: str, paths: list[str]) -> None:
    """In a process of its own: run the tests of `paths` on one engine, and write the outcomes."""
    import pytest

    if engine == "duograph":
        import duograph.tf
        import duograph.tf.keras as keras

        for file in keras_source().rglob("*_test.py"):
            if not (file.parent / "__init__.py").exists():  # a module at the top, for all that Keras's finder knows
                duograph.tf.allow_on_keras(file.stem)
    else:
        os.environ["KERAS_BACKEND"] = "torch"
        import keras
    conftest = types.ModuleType("conftest")  # what a few test files import from the root of Keras's repository
    conftest.skip_if_backend = lambda backend, reason: pytest.mark.skipif(
        keras.backend.backend() == backend, reason=reason
    )
    sys.modules["conftest"] = conftest
    root = str(keras_source().parent.parent)
    sys.exit(pytest.main([*OPTIONS, "--rootdir", root, *paths], plugins=[Recorder(log)]))


# -- in the process that starts them -----------------------------------------------------------------------------------
def rooms(paths: Iterable[str]) -> Iterator[str]:
    """The folders (of layers: those below) and files that `paths`, relative to `keras/src`, consist of."""
    source = keras_source()
    for path in paths:
        whole = source / path
        if path in ("", ".", "layers"):
            below = (p for p in sorted(whole.iterdir()) if any(p.rglob("*_test.py")) or p.name.endswith("_test.py"))
            yield from rooms(str(p.relative_to(source)) for p in below)
        else:
            yield path


def run(engine: str, paths: list[str], folder: Path, jobs: int = 1) -> Outcomes:
    """The outcome of each case; those that `folder` has already are not run again."""
    folder.mkdir(parents=True, exist_ok=True)

    def run_room(room: str) -> Outcomes:
        return run_together(engine, [room], folder / f"{engine}-{room.replace('/', '.')}.jsonl")

    with ThreadPoolExecutor(jobs) as pool:
        return {name: outcome for found in pool.map(run_room, rooms(paths)) for name, outcome in found.items()}


def run_together(engine: str, paths: list[str], log: Path) -> Outcomes:
    """The outcome of each case of `paths`, run in one process, and in another where it does not come to its end."""
    while not _run_once(engine, paths, log):
        pass
    return read_log(log)


def _run_once(engine: str, paths: list[str], log: Path) -> bool:
    """Run what has no outcome yet; False if the process ended before the tests did."""
    with tempfile.TemporaryDirectory() as home:
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "KERAS_HOME": home, "PYTHONPATH": str(REPOSITORY)}
        command = [sys.executable, "-m", "tests.peers.keras_suite", "--work", str(log), "--engine", engine]
        before = log.stat().st_size if log.exists() else 0
        with tempfile.TemporaryFile("w+") as printed:
            process = subprocess.Popen(
                [*command, *(str(keras_source() / path) for path in paths)],
                cwd=REPOSITORY, env=environment, stdout=printed, stderr=subprocess.STDOUT,
            )  # fmt: skip
            seen, since = before, time.monotonic()
            while process.poll() is None:
                time.sleep(0.2)
                size = log.stat().st_size if log.exists() else 0
                if size != seen:
                    seen, since = size, time.monotonic()
                elif time.monotonic() - since > PATIENCE:
                    process.kill()
            if process.returncode in (0, 1, 5):  # pytest's: all passed, some failed, none left to run
                return True
            if not log.exists() or log.stat().st_size == before:
                printed.seek(0)
                sys.exit(f"{' '.join(paths)} on {engine} ended without results:\n{printed.read()[-4000:]}")
            return False


# -- the tables --------------------------------------------------------------------------------------------------------
def passing_on_torch() -> dict[str, Any]:
    """`keras_suite_torch.json`: Keras's version, and by file how many cases pass and the names of those that do not."""
    return json.loads(TORCH_TABLE.read_text("utf-8"))


def expected_failures() -> dict[str, str]:
    """The reason for each case that passes on PyTorch and not here."""
    table = json.loads(EXPECTED_TABLE.read_text("utf-8"))
    return {name: reason for reason, names in table.items() for name in names}


def by_file(outcomes: Outcomes) -> dict[str, dict[str, Any]]:
    files: dict[str, dict[str, Any]] = defaultdict(lambda: {"passed": 0, "not": []})
    for name, outcome in sorted(outcomes.items()):
        file, _, case = name.partition("::")
        if outcome.kind == "passed":
            files[file]["passed"] += 1
        else:
            files[file]["not"].append(case)
    return dict(files)


def compare(ours: Outcomes, torch_files: dict[str, Any]) -> tuple[int, int, Outcomes]:
    """How many of the cases in the files of `ours` pass on PyTorch, how many of those here, and the outcomes of the
    others. Cases that are not there at all, since their file could not be collected, stand under the file's name."""
    on_torch = kept = 0
    worse: Outcomes = {}
    for file in sorted({name.partition("::")[0] for name in ours} & torch_files.keys()):
        table = torch_files[file]
        not_on_torch = {f"{file}::{case}" if case else file for case in table["not"]}
        here = {name: o for name, o in ours.items() if name.partition("::")[0] == file and name not in not_on_torch}
        on_torch += table["passed"]
        kept += sum(outcome.kind == "passed" for outcome in here.values())
        worse |= {name: outcome for name, outcome in here.items() if outcome.kind != "passed"}
        if (missing := table["passed"] - len(here)) > 0:
            worse[file] = Outcome("failed", f"{missing} cases are missing")
    return on_torch, kept, worse


def count(outcomes: Outcomes) -> str:
    counts = Counter(outcome.kind for outcome in outcomes.values())
    return ", ".join(f"{number} {kind}" for kind, number in counts.most_common())


def _written(table: Any) -> str:
    return json.dumps(table, indent=0, sort_keys=True) + "\n"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("paths", nargs="*", default=[""])
    parser.add_argument("--engine", choices=ENGINES, help="one engine instead of both")
    parser.add_argument("--work", metavar="FILE", help=argparse.SUPPRESS)
    parser.add_argument("--log", metavar="DIR", type=Path, help="keep outcomes there; what is there is not run again")
    parser.add_argument("--jobs", type=int, default=1, help="processes at a time")
    parser.add_argument("--update", action="store_true", help="write both tables (of the whole suite) anew")
    arguments = parser.parse_args()
    if arguments.work:
        work(arguments.engine, arguments.work, arguments.paths)
    with tempfile.TemporaryDirectory() as temporary:
        folder = arguments.log or Path(temporary)
        engines = [arguments.engine] if arguments.engine else ENGINES
        outcomes = {engine: run(engine, arguments.paths, folder, arguments.jobs) for engine in engines}
    for engine, found in outcomes.items():
        print(f"{engine:9} {count(found)}")
    if "duograph" not in outcomes:
        return 0
    files = by_file(outcomes["torch"]) if "torch" in outcomes else passing_on_torch()["files"]
    on_torch, kept, worse = compare(outcomes["duograph"], files)
    known = expected_failures()
    for name, outcome in sorted(worse.items()):
        print(f"  {name}\n      {known.get(name, outcome.kind + ': ' + outcome.error)}")
    print(f"of {on_torch} cases that pass on PyTorch, {kept} pass on Duograph ({100 * kept / max(on_torch, 1):.2f} %)")
    if arguments.update and "torch" in outcomes:
        table = {"keras": importlib.metadata.version("keras"), "files": files}
        TORCH_TABLE.write_text(_written(table), "utf-8")
        reasons = defaultdict(list)
        for name in sorted(worse):
            reasons[known.get(name, UNKNOWN)].append(name)
        EXPECTED_TABLE.write_text(_written(reasons), "utf-8")
    return bool(worse.keys() - known.keys())


if __name__ == "__main__":
    sys.exit(main())
