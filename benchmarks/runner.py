"""The measurements: who takes part, in which order, and what is recorded of each."""

import itertools
import math
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from .data_pipelines import Pipeline
from .frameworks import MODES
from .keras_programs import RUNS, Program
from .kernels import KERNELS, Kernel
from .process import Worker, WorkerError
from .race import Lane, race
from .workloads import WORKLOADS, Workload

CHECKED_STEPS = 20
TOLERANCE = 1e-3
REFERENCE = ("torch", "eager")
KERAS_ENTRANTS = (("duograph", "compile"), ("tensorflow", "graph"), ("tensorflow", "xla"))
DATA_ENTRANTS = KERAS_ENTRANTS[:2]
KERAS_REFERENCE = ("tensorflow", "graph")
TITLES = {"torch": "PyTorch", "tensorflow": "TensorFlow"}
DIALECT = ("duograph", "torch")
IMPORTS = {
    "duograph": ("duograph", "duograph.torch"),
    "torch": ("torch",),
    "tensorflow": ("tensorflow",),
    "jax": ("jax",),
}

Say = Callable[[str], None]
Entrant = tuple[str, str]  # framework and mode


@dataclass(frozen=True)
class Effort:
    """How much is measured: rounds, and seconds of a sample."""

    rounds: int = 9
    seconds: float = 0.25
    kernel_rounds: int = 5
    kernel_seconds: float = 0.04
    settle: float = 0.2  # for the threads of the one before to go to sleep
    cached: bool = True  # also measure the first step with a filled cache


QUICK = Effort(rounds=3, seconds=0.1, kernel_rounds=3, kernel_seconds=0.02, settle=0.05, cached=False)


def entrants(frameworks: Sequence[str]) -> list[Entrant]:
    """Every framework in each of its modes."""
    return [(framework, mode) for framework in frameworks for mode in MODES[framework]]


def _starters(workload: Workload, frameworks: Sequence[str], results: dict[str, Any]) -> Iterator[Entrant]:
    """The entrants that take part in a workload; of the others the results say why not."""
    for entrant in entrants(frameworks):
        if workload.shapes is None and entrant[0] not in DIALECT:
            results[key(entrant)] = {"absent": "written in PyTorch's dialect alone"}
        else:
            yield entrant


def key(entrant: Entrant) -> str:
    """The name under which an entrant's results stand."""
    return " ".join(entrant)


def train(workload: Workload, frameworks: Sequence[str], threads: int, effort: Effort, say: Say) -> dict[str, Any]:
    """Train one workload on everyone: check the losses, then time steps in interleaved rounds.

    Returns the results by entrant; an entrant that could not run has `error`, one whose losses differ from PyTorch's
    has `mismatch`, and neither has a time.
    """
    results: dict[str, Any] = {}
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        workers: dict[Entrant, Worker] = {}
        for entrant in _starters(workload, frameworks, results):
            say(f"{workload.title}: {key(entrant)}: first {CHECKED_STEPS} steps")
            cache = folder / key(entrant).replace(" ", "-")
            try:
                worker = stack.enter_context(Worker(entrant[0], threads, cache))
                answer = worker.ask("train", workload=workload.name, mode=entrant[1], steps=CHECKED_STEPS)
                workers[entrant] = worker
                results[key(entrant)] = {
                    "losses": answer["losses"],
                    "build_seconds": answer["build_seconds"],
                    "first_step_cold": answer["step_seconds"][0],
                    "second_step_cold": answer["step_seconds"][1],
                }
            except WorkerError as error:
                results[key(entrant)] = {"error": str(error)}
        _compare(results, "losses", workers)
        _race(workers, results, effort, say, workload.title)
        for entrant, worker in workers.items():
            _note(results[key(entrant)], worker, "memory")
            worker.close()
        if effort.cached:
            for entrant in workers:
                say(f"{workload.title}: {key(entrant)}: first step from the cache")
                cache = folder / key(entrant).replace(" ", "-")
                try:
                    with Worker(entrant[0], threads, cache) as worker:
                        answer = worker.ask("train", workload=workload.name, mode=entrant[1], steps=2)
                        results[key(entrant)]["first_step_cached"] = answer["step_seconds"][0]
                except WorkerError as error:
                    results[key(entrant)]["cached_error"] = str(error)
    return results


def infer(
    workload: Workload, batch: int, frameworks: Sequence[str], threads: int, effort: Effort, say: Say
) -> dict[str, Any]:
    """Predict with one workload's model on everyone: check the outputs, then time in interleaved rounds."""
    results: dict[str, Any] = {}
    title = f"{workload.title.split(',')[0]}, inference, batch {batch}"
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        workers: dict[Entrant, Worker] = {}
        for entrant in _starters(workload, frameworks, results):
            say(f"{title}: {key(entrant)}")
            try:
                worker = stack.enter_context(Worker(entrant[0], threads, folder / key(entrant).replace(" ", "-")))
                answer = worker.ask("infer", workload=workload.name, mode=entrant[1], batch=batch)
                workers[entrant] = worker
                results[key(entrant)] = {"outputs": answer["outputs"]}
            except WorkerError as error:
                results[key(entrant)] = {"error": str(error)}
        _compare(results, "outputs", workers)
        _race(workers, results, effort, say, title)
    for result in results.values():
        result.pop("outputs", None)
    return results


def keras(program: Program, frameworks: Sequence[str], threads: int, effort: Effort, say: Say) -> dict[str, Any]:
    """Run a program for Keras on us and on TensorFlow: check the losses, then time what is timed of it.

    Returns by entrant the losses, `first_fit` in seconds, and the times by the names in `RUNS`.
    """
    results: dict[str, Any] = {}
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        workers: dict[Entrant, Worker] = {}
        for entrant in (e for e in KERAS_ENTRANTS if e[0] in frameworks):
            say(f"Keras, {program.title}: {key(entrant)}")
            try:
                cache = folder / key(entrant).replace(" ", "-")
                worker = stack.enter_context(Worker(f"keras_{entrant[0]}", threads, cache))
                results[key(entrant)] = worker.ask("keras", program=program.name, mode=entrant[1])
                workers[entrant] = worker
            except WorkerError as error:
                results[key(entrant)] = {"error": str(error)}
        _compare(results, "losses", workers, KERAS_REFERENCE)
        for name in RUNS:
            lanes = {entrant: Lane(worker, name) for entrant, worker in workers.items()}
            race(lanes, effort.rounds, effort.seconds, effort.settle, 0.5, lambda where, n=name: say(f"{n}: {where}"))
            for entrant, lane in lanes.items():
                summary = lane.summary()
                if name == "fit" and "median" in summary:  # of a step, and not of an epoch
                    summary |= {what: summary[what] / program.steps for what in ("median", "best")}
                results[key(entrant)][name] = summary
    return results


def data(
    pipeline: Pipeline, files: Path, frameworks: Sequence[str], threads: int, effort: Effort, say: Say
) -> dict[str, Any]:
    """Run an input pipeline on us and on TensorFlow, over the same files: check what it gives, then time epochs.

    Returns by framework the times of one sample.
    """
    results: dict[str, Any] = {}
    title = f"data, {pipeline.title}"
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        workers: dict[Entrant, Worker] = {}
        for entrant in (e for e in DATA_ENTRANTS if e[0] in frameworks):
            say(f"{title}: {key(entrant)}")
            try:
                worker = stack.enter_context(Worker(f"keras_{entrant[0]}", threads, folder / entrant[0]))
                results[key(entrant)] = worker.ask("data", pipeline=pipeline.name, folder=str(files))
                workers[entrant] = worker
            except WorkerError as error:
                results[key(entrant)] = {"error": str(error)}
        if not pipeline.is_random:
            _compare(results, "outputs", workers, KERAS_REFERENCE)
        _race(workers, results, effort, say, title)
    for result in results.values():
        result.pop("outputs", None)
        result.update({what: result[what] / pipeline.count for what in ("median", "best") if what in result})
    return results


def kernels(
    chosen: Sequence[int], frameworks: Sequence[str], threads: Sequence[int], effort: Effort, say: Say
) -> Iterator[dict[str, Any]]:
    """Time single kernels on us, PyTorch and, for the memory-bound ones, a plain copy; yield a row for each."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        workers: dict[str, Worker | str] = {}
        for name in (*[f for f in DIALECT if f in frameworks], "floor"):
            try:
                workers[name] = stack.enter_context(Worker(name, max(threads), folder / name))
            except WorkerError as error:
                workers[name] = str(error)
        for index, count in itertools.product(chosen, threads):
            kernel = KERNELS[index]
            say(f"kernels: {kernel.network} {kernel.name}, {count} threads")
            on_floor = getattr(kernel, "operation", "") == "copy"
            names = [name for name in workers if (name == "floor") == on_floor]
            results = _race_kernel({name: workers[name] for name in names}, index, count, effort)
            yield _describe(kernel) | {"threads": count, "work": kernel.work, "results": results}


def _describe(kernel: Kernel) -> dict[str, Any]:
    return {
        "kind": kernel.kind,
        "network": kernel.network,
        "name": kernel.name,
        "direction": getattr(kernel, "direction", ""),
    }


def _race_kernel(workers: dict[str, Worker | str], index: int, threads: int, effort: Effort) -> dict[str, Any]:
    """Time a kernel in every framework's every memory layout; of its layouts a framework's best counts."""
    results: dict[str, Any] = {}
    lanes: dict[tuple[str, str], Lane] = {}
    for name, worker in workers.items():
        try:
            if isinstance(worker, str):
                raise WorkerError(worker)
            for variant in worker.ask("kernel", index=index, threads=threads)["variants"]:
                lanes[name, variant] = Lane(worker, variant)
        except WorkerError as error:
            results[name] = {"error": str(error)}
    race(lanes, effort.kernel_rounds, effort.kernel_seconds, settle=0, pause=0.05)
    for (name, variant), lane in lanes.items():
        summary = lane.summary() | {"variant": variant}
        if name not in results or summary.get("median", math.inf) < results[name].get("median", math.inf):
            results[name] = summary
    return results


def _race(workers: dict[Entrant, Worker], results: dict[str, Any], effort: Effort, say: Say, title: str) -> None:
    lanes = {entrant: Lane(worker) for entrant, worker in workers.items()}
    race(lanes, effort.rounds, effort.seconds, effort.settle, 0.5, lambda where: say(f"{title}: {where}"))
    for entrant, lane in lanes.items():
        results[key(entrant)].update(lane.summary())


def _compare(results: dict[str, Any], what: str, workers: dict[Entrant, Worker], by: Entrant = REFERENCE) -> None:
    """Put out of the race whoever computed something else than the reference did."""
    reference = results.get(key(by), {}).get(what)
    if reference is None:
        return
    expected = np.asarray(reference, np.float64)
    for entrant in list(workers):
        result = results[key(entrant)]
        received = np.asarray(result[what], np.float64)
        scale = np.abs(expected) if what == "losses" else np.abs(expected).max()
        difference = (
            float((np.abs(received - expected) / scale).max()) if received.shape == expected.shape else float("inf")
        )
        result["difference"] = difference
        if not difference <= TOLERANCE:
            result["mismatch"] = f"{what} differ from {TITLES[by[0]]}'s by {difference:.1g}"
            workers.pop(entrant).close()


def _note(result: dict[str, Any], worker: Worker, do: str) -> None:
    try:
        result.update(worker.ask(do))
    except WorkerError as error:
        result[f"{do}_error"] = str(error)


def selected(names: Sequence[str]) -> list[Workload]:
    """The workloads of these names, or all of them."""
    return [w for w in WORKLOADS.values() if not names or w.name in names]
