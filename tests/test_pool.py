"""The thread pool: every chunk runs once, whoever runs it, and no process hangs or idles hot."""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from duograph.codegen.emitter import Arg, Function, Module, Reg
from duograph.graph.errors import ArgumentError
from duograph.runtime import jit, pool
from duograph.runtime.pool_ir import pool_ir

ROOT = Path(__file__).resolve().parent.parent
SYSTEMS = ["linux", "posix"] if sys.platform == "linux" else [sys.platform]


def jobs() -> Module:
    """`sums(block)`: block = repetitions, chunks, output, chunk length, input, threads seen, nested; each repetition
    adds to output[chunk] the sum of the chunk's part of the input, in order."""
    module = Module("jobs")
    parallel_for = module.declare(pool.PARALLEL_FOR, "void", ["ptr", "ptr", "i64"])

    def slot(f: Function, block: Reg, number: int, type: str) -> Reg:
        return f.load(f.gep(block, number, "i64"), type)

    with module.function(
        "inner", [Arg("block", "ptr"), Arg("chunk", "i64"), Arg("thread", "i64")], linkage="internal"
    ) as f:
        block, chunk, thread = f.args
        length = slot(f, block, 3, "i64")
        part = f.gep(slot(f, block, 4, "ptr"), chunk * length, "float")
        with f.loop(0, length, carried=[f.const("float", 0.0)]) as loop:
            loop.yield_(loop.carried[0] + f.load(f.gep(part, loop.index, "float"), "float"))
        output = f.gep(slot(f, block, 2, "ptr"), chunk, "float")
        f.store(f.load(output, "float") + loop.results[0], output)
        seen = f.gep(slot(f, block, 5, "ptr"), thread, "i64")
        f.store(f.const("i64", 1), seen)
    inner = Reg(f, "@inner", "ptr")
    with module.function("outer", [Arg("block", "ptr"), Arg("chunk", "i64")], linkage="internal") as f:
        f.call(parallel_for, inner, f.args[0], slot(f, f.args[0], 1, "i64"))
    outer = Reg(f, "@outer", "ptr")
    with module.function("sums", [Arg("block", "ptr")]) as f:
        (block,) = f.args
        chunks = slot(f, block, 1, "i64")
        nested = f.ne(slot(f, block, 6, "i64"), 0)
        with f.loop(0, slot(f, block, 0, "i64")):
            with f.if_(nested):
                f.call(parallel_for, outer, block, 1)
            with f.if_(f.eq(slot(f, block, 6, "i64"), 0)):
                f.call(parallel_for, inner, block, chunks)
    return module


class Sums:
    """The job above, on arrays."""

    def __init__(self, image: jit.Image, chunks: int = 37, length: int = 300) -> None:
        self.call, self.block = jit.entry(jit.load(jobs(), using=[image]), "sums", 7)
        self.input = np.random.default_rng(3).standard_normal(chunks * length).astype(np.float32)
        self.output = np.zeros(chunks, np.float32)
        self.seen = np.zeros(64, np.int64)
        self.block[:] = (1, chunks, self.output.ctypes.data, length, self.input.ctypes.data, self.seen.ctypes.data, 0)

    def run(self, repetitions: int = 1) -> np.ndarray:
        self.output[:] = 0
        self.block[0] = repetitions
        self.call()
        return self.output.copy()


@pytest.fixture(params=SYSTEMS)
def workers(request: pytest.FixtureRequest) -> Iterator[pool.Pool]:
    """A pool of its own, sleeping as Linux does or as other POSIX systems do."""
    own = pool.Pool(1, request.param)
    yield own
    own.stop()


def test_results_are_the_same_bits_with_any_number_of_threads(workers: pool.Pool) -> None:
    job = Sums(workers.image)
    expected = np.zeros(37, np.float32)
    for number, part in enumerate(job.input.reshape(37, 300)):
        total = np.float32(0)
        for value in part:
            total += value
        expected[number] = total
    for threads in (1, 2, 5, 3, 1, 2):
        workers.resize(threads)
        assert workers.threads == threads
        for _ in range(20):
            np.testing.assert_array_equal(job.run(), expected)
        assert not job.seen[threads:].any()
        job.seen[:] = 0


def test_many_calls_in_a_row_and_after_pauses(workers: pool.Pool) -> None:
    """Hot workers, workers about to sleep and sleeping workers: each chunk runs once each time."""
    workers.resize(3)
    job = Sums(workers.image, chunks=5, length=2)
    once = job.run()
    np.testing.assert_array_equal(job.run(2000), sum_repeatedly(once, 2000))
    for pause in np.random.default_rng(0).uniform(0, 4e-4, 300):
        np.testing.assert_array_equal(job.run(2), sum_repeatedly(once, 2))
        time.sleep(pause)


def sum_repeatedly(values: np.ndarray, times: int) -> np.ndarray:
    total = np.zeros_like(values)
    for _ in range(times):
        total += values
    return total


def test_work_is_shared(workers: pool.Pool) -> None:
    workers.resize(3)
    job = Sums(workers.image, chunks=200, length=20_000)
    for _ in range(200):  # a busy machine may hold workers back for a while
        job.run(5)
        if job.seen[:3].all():
            break
    assert job.seen[0]
    assert job.seen[1:3].any(), "no worker ever had a chunk"


@pytest.mark.parametrize("chunks", [0, 1])
def test_a_job_without_or_with_one_chunk_starts_nobody(workers: pool.Pool, chunks: int) -> None:
    workers.resize(4)
    job = Sums(workers.image, chunks=chunks, length=3)
    assert len(job.run(3)) == chunks
    assert not workers._workers


def test_a_job_within_a_job_runs_on_its_caller(workers: pool.Pool) -> None:
    workers.resize(3)
    job = Sums(workers.image)
    expected = job.run(2)
    job.block[6] = 1
    np.testing.assert_array_equal(job.run(2), expected)


def test_python_threads_call_at_the_same_time(workers: pool.Pool) -> None:
    workers.resize(3)
    expected = Sums(workers.image).run(50)
    wrong: list[int] = []

    def work(number: int) -> None:
        job = Sums(workers.image)
        wrong.extend(number for _ in range(40) if not np.array_equal(job.run(50), expected))

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for threads_now in (1, 4, 2, 3):  # and the pool changes its size meanwhile
        workers.resize(threads_now)
        time.sleep(0.02)
    for thread in threads:
        thread.join()
    assert not wrong


def test_errors_between_calls_change_nothing(workers: pool.Pool) -> None:
    workers.resize(2)
    job = Sums(workers.image)
    expected = job.run()
    for _ in range(5):
        with pytest.raises(jit.CompileError):
            jit.load("define i64 @broken() { ret i32 4 }")
        with pytest.raises(ArgumentError):
            pool.set_num_threads(-1)
        np.testing.assert_array_equal(job.run(), expected)


def test_idle_workers_sleep(workers: pool.Pool) -> None:
    workers.resize(4)
    job = Sums(workers.image)
    job.run()
    time.sleep(0.05)
    before = time.process_time()
    time.sleep(0.3)
    assert time.process_time() - before < 0.02
    job.run()


@pytest.mark.skipif(
    sys.platform != "linux" or len(os.sched_getaffinity(0)) < 2, reason="there is no other processor to go to"
)
def test_a_worker_leaves_the_caller_s_processor() -> None:
    """The system would wake it there whenever others are busy."""
    own = pool.Pool(2)
    job = Sums(own.image, chunks=200, length=2_000)
    everywhere = os.sched_getaffinity(0)
    here = min(everywhere)
    os.sched_setaffinity(0, {here})
    try:
        job.run(5)
        (worker,) = (thread.native_id for thread in own._workers)
        os.sched_setaffinity(worker, {here})
        time.sleep(0.01)
        os.sched_setaffinity(worker, everywhere)
        for _ in range(500):
            time.sleep(0.001)  # it falls asleep
            job.run(5)
            if processor(worker) != here:
                break
        assert processor(worker) != here
        assert os.sched_getaffinity(worker) == everywhere
    finally:
        os.sched_setaffinity(0, everywhere)
        own.stop()


def processor(thread: int) -> int:
    """On which processor a thread ran last."""
    return int(Path(f"/proc/self/task/{thread}/stat").read_text().rpartition(")")[2].split()[36])


def test_one_chunk_s_thread_is_below_the_number_of_threads(workers: pool.Pool) -> None:
    workers.resize(2)
    job = Sums(workers.image, chunks=64, length=2000)
    job.run(50)
    assert job.seen[0]
    assert not job.seen[2:].any()


# The process's own pool.


@pytest.fixture
def same_threads_afterwards() -> Iterator[None]:
    before = pool.get_num_threads()
    yield
    pool.set_num_threads(before)


@pytest.mark.usefixtures("same_threads_afterwards")
def test_the_number_of_threads_is_set_and_checked() -> None:
    pool.set_num_threads(2)
    assert pool.get_num_threads() == 2
    for wrong in (0, -1, 1.5, True, "2"):
        with pytest.raises(ArgumentError, match="set_num_threads expects a positive integer, received"):
            pool.set_num_threads(wrong)  # type: ignore[arg-type]
    assert pool.get_num_threads() == 2


@pytest.mark.parametrize(("given", "expected"), [("3", 3), (" 1 ", 1), ("0", None), ("-2", None), ("many", None)])
def test_the_environment_says_how_many_threads(
    given: str, expected: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DUOGRAPH_NUM_THREADS", given)
    if expected is None:
        with pytest.raises(ArgumentError, match="DUOGRAPH_NUM_THREADS must be a positive integer, received"):
            pool.default_num_threads()
    else:
        assert pool.default_num_threads() == expected


PROGRAM = """
    import atexit, ctypes, os, signal, sys, threading, time
    sys.path.insert(0, "tests")
    import importlib.util
    specification = importlib.util.spec_from_file_location("test_pool", "tests/test_pool.py")
    test_pool = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(test_pool)
    from duograph.runtime import pool
    pool.set_num_threads(3)
    job = test_pool.Sums(pool.image())
    expected = job.run(3)
    workers = pool._pool()._workers
"""


def python(program: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", textwrap.dedent(PROGRAM) + textwrap.dedent(program)],
        cwd=ROOT,
        env={**os.environ, "PYTHONFAULTHANDLER": "1"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize("ending", ["", "time.sleep(0.1)", "sys.exit(0)", "atexit.register(job.run)"])
def test_the_interpreter_leaves_at_once(ending: str) -> None:
    """With workers spinning, with workers asleep, by exit, and with work even at exit."""
    start = time.perf_counter()
    run = python(f"print(len(workers))\n{ending}")
    assert (run.returncode, run.stdout, run.stderr) == (0, "2\n", "")
    assert time.perf_counter() - start < 20


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_child_starts_workers_of_its_own() -> None:
    run = python("""
        def check(name):
            for _ in range(50):
                assert (job.run(3) == expected).all()
            print(name, len(pool._pool()._workers), flush=True)
            assert all(worker.is_alive() for worker in pool._pool()._workers)

        stop = threading.Event()
        other = test_pool.Sums(pool.image())
        def hammer():
            while not stop.is_set():
                other.run(10)
        hammering = threading.Thread(target=hammer)
        hammering.start()  # so that forks happen while a job is under way
        for _ in range(5):
            child = os.fork()
            if child == 0:
                check("child")
                grandchild = os.fork()
                if grandchild == 0:
                    check("grandchild")
                    os._exit(0)
                os._exit(os.waitstatus_to_exitcode(os.waitpid(grandchild, 0)[1]))
            assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        stop.set()
        hammering.join()
        check("parent")
    """)
    assert run.returncode == 0, run.stderr
    assert run.stdout.split("\n") == [*["child 2", "grandchild 2"] * 5, "parent 2", ""]


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
def test_ctrl_c_leaves_the_process_usable() -> None:
    run = python("""
        signal.signal(signal.SIGINT, signal.default_int_handler)  # jobs in a shell's background ignore it
        for _ in range(5):
            threading.Timer(0.05, os.kill, (os.getpid(), signal.SIGINT)).start()
            try:
                while True:
                    job.run(100)
            except KeyboardInterrupt:
                print("interrupted", (job.run(3) == expected).all())
    """)
    assert (run.returncode, run.stderr) == (0, "")
    assert run.stdout == "interrupted True\n" * 5


def test_a_thread_that_cannot_start_is_done_without(monkeypatch: pytest.MonkeyPatch) -> None:
    own = pool.Pool(4)
    job = Sums(own.image)
    expected = job.run()
    own.stop()

    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", refuse)
        np.testing.assert_array_equal(job.run(), expected)
    assert own.threads == 1
    own.resize(2)
    np.testing.assert_array_equal(job.run(), expected)
    own.stop()


@pytest.mark.parametrize(
    ("triple", "system", "architecture"),
    [
        ("x86_64-unknown-linux-gnu", "linux", "x86_64"),
        ("aarch64-unknown-linux-gnu", "linux", "aarch64"),
        ("arm64-apple-macosx", "darwin", "aarch64"),
        ("riscv64-unknown-linux-gnu", "linux", "riscv64"),
    ],
)
def test_the_code_of_the_pool_compiles_for_other_machines(triple: str, system: str, architecture: str) -> None:
    import llvmlite.binding as llvm

    llvm.initialize_all_targets()
    llvm.initialize_all_asmprinters()
    with (
        llvm.Target.from_triple(triple).create_target_machine(reloc="pic", codemodel="default") as machine,
        llvm.create_context() as context,
        llvm.parse_assembly(pool_ir(system, architecture), context) as module,
    ):
        module.verify()
        assembly = machine.emit_assembly(module)
    assert ("pthread_cond_wait" in assembly) == (system != "linux" or architecture == "riscv64")
    assert pool.PARALLEL_FOR in assembly


def test_the_state_of_a_pool_is_where_python_looks_for_it() -> None:
    own = pool.Pool(2)
    assert ctypes.c_int64.from_address(own.image["duograph_pool_wanted"]).value == 1
    assert 100 < own._variable("spins").value < 10_000_000
