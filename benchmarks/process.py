"""The parent's side of a worker: start it in a clean environment, ask, and never wait for ever."""

import json
import os
import queue
import signal
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

ROOT = Path(__file__).resolve().parent.parent


class WorkerError(Exception):
    """The worker could not do it; the message is the reason, fit for a table's cell."""


class Worker:
    """A process that runs one framework. `cache` is the folder in which the framework may keep what it compiles."""

    def __init__(self, framework: str, threads: int, cache: Path, patience: float = 300) -> None:
        self.framework = framework
        self.patience = patience
        cache.mkdir(parents=True, exist_ok=True)
        self._log = cache / "worker.log"
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-W", "ignore", "-m", "benchmarks.worker", framework],
                cwd=ROOT,
                env=_environment(threads, cache),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                encoding="utf-8",
                start_new_session=True,  # with it go the processes it starts
            )
        self._answers: queue.Queue[str | None] = queue.Queue()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        try:
            self.ask("hello", threads=threads)
        except WorkerError:
            self.close()
            raise

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._answers.put(line)
        self._answers.put(None)

    def ask(self, do: str, **arguments: Any) -> dict[str, Any]:
        """Send a command and return its answer.

        Raises:
            WorkerError: it failed, died, or took longer than `patience`.
        """
        assert self._process.stdin is not None
        if self._process.stdin.closed:
            raise WorkerError("the process was ended before")
        try:
            self._process.stdin.write(json.dumps({"do": do, **arguments}) + "\n")
            self._process.stdin.flush()
            line = self._answers.get(timeout=self.patience)
        except queue.Empty:
            self.close()
            raise WorkerError(f"no answer within {self.patience:.0f} s") from None
        except BrokenPipeError:
            line = None
        if line is None:
            raise WorkerError(self._cause_of_death())
        answer = json.loads(line)
        if "error" in answer:
            raise WorkerError(answer["error"])
        return answer

    def _cause_of_death(self) -> str:
        code = self._process.wait()
        last = (self._log.read_text(errors="replace").strip().splitlines() or ["no message"])[-1]
        how = f"signal {signal.Signals(-code).name}" if code < 0 else f"exit status {code}"
        return f"the process ended with {how}: {last}"

    def close(self) -> None:
        """End the process and whatever it started."""
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        self._reader.join()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe:
                with suppress(BrokenPipeError):  # what was not sent yet is lost with the process
                    pipe.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _environment(threads: int, cache: Path) -> dict[str, str]:
    """The same number of threads for every library, and every compiler's cache in a folder of its own."""
    count = str(threads)
    return os.environ | {
        "OMP_NUM_THREADS": count,
        "MKL_NUM_THREADS": count,
        "OPENBLAS_NUM_THREADS": count,
        "TF_CPP_MIN_LOG_LEVEL": "3",
        "TF_XLA_FLAGS": f"--tf_xla_persistent_cache_directory={cache}/xla",
        "TORCHINDUCTOR_CACHE_DIR": f"{cache}/inductor",
        "JAX_PLATFORMS": "cpu",
        "JAX_COMPILATION_CACHE_DIR": f"{cache}/jax",
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
        "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "0",
        "DUOGRAPH_NUM_THREADS": count,
        "DUOGRAPH_CACHE": f"{cache}/duograph",
    }
