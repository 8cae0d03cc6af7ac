"""The child process: one framework in a clean process, told what to do by JSON lines on its standard input.

`python -m benchmarks.worker FRAMEWORK` answers each line with one JSON line. Whatever the framework itself prints goes
to the standard error, so that the answers stay readable. A command that fails answers {"error": reason}.
"""

import json
import os
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

from .data_pipelines import PIPELINES
from .keras_programs import PROGRAMS
from .kernels import KERNELS
from .measure import calls_for, peak_memory, take_sample
from .workloads import WORKLOADS

WARMING = 10
"""Calls of a kernel before it is timed: a compiled function knows after a few that it does the same each time."""


class Session:
    """What the process holds between commands: the things that can be timed, by name."""

    def __init__(self, framework: str) -> None:
        from .frameworks import load

        start = time.perf_counter()
        self.framework = load(framework)
        self.import_seconds = time.perf_counter() - start
        self.runs: dict[str, Callable[[int], object]] = {}
        self.calls: dict[str, int] = {}
        self.clock = time.perf_counter

    def hello(self, threads: int) -> dict[str, Any]:
        self.framework.set_threads(threads)
        return {"import_seconds": self.import_seconds}

    def train(self, workload: str, mode: str, steps: int) -> dict[str, Any]:
        """Build the model and train `steps` steps, reading each loss."""
        start = time.perf_counter()
        step = self.framework.trainer(WORKLOADS[workload], mode)
        build = time.perf_counter() - start
        losses, seconds = [], []
        for i in range(steps):
            start = time.perf_counter()
            losses.append(float(step(i)))
            seconds.append(time.perf_counter() - start)

        def run(calls: int) -> None:
            loss = None
            for i in range(calls):
                loss = step(i)
            float(loss if loss is not None else 0)  # waits for what is still being computed

        self.runs = {"": run}
        self.calls.clear()
        return {"losses": losses, "step_seconds": seconds, "build_seconds": build}

    def infer(self, workload: str, mode: str, batch: int) -> dict[str, Any]:
        """Build the model and predict once."""
        predict = self.framework.predictor(WORKLOADS[workload], mode, batch)
        outputs = predict(0)

        def run(calls: int) -> None:
            for i in range(calls):
                predict(i)

        self.runs = {"": run}
        self.calls.clear()
        return {"outputs": outputs.tolist()}

    def kernel(self, index: int, threads: int) -> dict[str, Any]:
        """Prepare a kernel, in every memory layout the framework has for it.

        One thread is timed by the processor time of its thread, which a busy machine disturbs less than the clock.
        """
        self.framework.set_threads(threads)
        self.clock = time.thread_time if threads == 1 else time.perf_counter
        variants = self.framework.kernels(KERNELS[index])
        self.runs = {name: _repeated(call) for name, call in variants.items()}
        self.calls.clear()
        for run in self.runs.values():
            run(WARMING)
        return {"variants": list(self.runs)}

    def keras(self, program: str, mode: str) -> dict[str, Any]:
        """Train the first steps of a program for Keras, and prepare what is timed of it."""
        answer, self.runs = PROGRAMS[program].start(self.framework.keras, **self.framework.OPTIONS[mode])
        self.calls.clear()
        return answer

    def data(self, pipeline: str, folder: str) -> dict[str, Any]:
        """Run an epoch of an input pipeline, and prepare to time others."""
        answer, run = PIPELINES[pipeline].start(self.framework.tf, Path(folder))
        self.runs = {"": run}
        self.calls.clear()
        return answer

    def sample(self, seconds: float, variant: str = "") -> dict[str, Any]:
        """Time what was prepared, in a sample of about `seconds`."""
        run = self.runs[variant]
        if variant not in self.calls:
            run(2)
            self.calls[variant] = calls_for(run, seconds)
        sample = take_sample(run, self.calls[variant], self.clock)
        return {"seconds": sample.seconds, "disturbance": sample.disturbance}

    def memory(self) -> dict[str, Any]:
        return {"peak_bytes": peak_memory()}


def _repeated(call: Callable[[], object]) -> Callable[[int], None]:
    def run(calls: int) -> None:
        for _ in range(calls):
            call()

    return run


def main() -> None:
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    session: Session | None = None
    for line in sys.stdin:
        command = json.loads(line)
        try:
            session = session or Session(sys.argv[1])
            answer = getattr(session, command.pop("do"))(**command)
        except Exception as error:  # whatever goes wrong in a framework is a result to report
            traceback.print_exc()
            answer = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(answer), file=answers, flush=True)


if __name__ == "__main__":
    main()
