"""The benchmarks' own machinery: no timing is judged here."""

import json
from pathlib import Path

import numpy as np
import pytest

from benchmarks.frameworks import load
from benchmarks.kernels import DIRECTIONS, Convolution, Matmul, Streaming
from benchmarks.layouts import channels_last
from benchmarks.measure import Sample, summarise
from benchmarks.process import Worker, WorkerError
from benchmarks.report import best_peer, microseconds, tables
from benchmarks.runner import Effort, _compare, _starters
from benchmarks.workloads import WORKLOADS


@pytest.mark.parametrize("workload", WORKLOADS.values(), ids=lambda w: w.name)
def test_workload_gives_the_same_numbers_every_time(workload):
    shapes = {"conv.weight": (4, 3, 2, 2), "conv.bias": (4,)}  # for those that have none of their own
    for first, second in zip(workload.weights(shapes).values(), workload.weights(shapes).values(), strict=True):
        assert first.dtype == np.float32
        np.testing.assert_array_equal(first, second)
    for array, again in zip(workload.batches(1)[0], workload.batches(2)[0], strict=True):
        np.testing.assert_array_equal(array, again)
        assert array.dtype in (np.float32, np.int64)


def test_known_sizes():
    assert WORKLOADS["mlp"].parameters == 50_890
    assert WORKLOADS["mnist-cnn"].parameters == 1_199_882
    assert WORKLOADS["resnet18"].parameters == 11_173_962


def test_channels_last_computes_the_same():
    """The first dense layer on a flattened image, in both orders of its axes."""
    workload = WORKLOADS["mnist-cnn"]
    image = np.random.default_rng(0).normal(size=workload.flattened["hidden.weight"])
    ours, theirs = workload.weights()["hidden.weight"], channels_last(workload)["hidden.weight"]
    np.testing.assert_allclose(ours @ image.reshape(-1), image.transpose(1, 2, 0).reshape(-1) @ theirs, rtol=1e-6)


def test_work_of_kernels():
    assert Matmul("", 2, 3, 5, batch=7).work == 2 * 7 * 2 * 3 * 5
    assert Convolution("", 2, 4, 8, 6, 3, stride=2).work == 2 * (2 * 6 * 4 * 4) * (4 * 3 * 3)
    assert Convolution("", 1, 8, 4, 8, 3, groups=8).work == 2 * (8 * 4 * 4) * 9
    assert Streaming("", "sum", (10,)).work == 40


def test_summary_prefers_quiet_samples():
    samples = [Sample(s, d) for s, d in ((1.0, 0.0), (2.0, 0.0), (3.0, 0.01), (100.0, 0.9), (0.5, 0.9))]
    summary = summarise(samples)
    assert (summary.median, summary.best, summary.samples, summary.quiet) == (2.0, 0.5, 5, 3)
    assert summarise(samples[2:]).median == 3.0  # too few quiet ones: all count


def test_microseconds():
    assert [microseconds(s) for s in (1.234e-6, 56.78e-6, 549e-6, 0.0418, 0.5463)] == [
        "1.23",
        "56.8",
        "549",
        "41,800",
        "546,000",
    ]


def test_our_loop_learns():
    """The workload that is written in the PyTorch dialect, on us."""
    step = load("duograph").trainer(WORKLOADS["mlp"], "eager")
    losses = [float(step(i)) for i in range(10)]
    assert losses[-1] < 0.6 * losses[0]


def test_who_cannot_take_part_is_not_failed():
    """A workload in PyTorch's dialect alone: the others are left out, and the table says why."""
    results = {}
    assert {framework for framework, _ in _starters(WORKLOADS["vae"], ["duograph", "torch", "jax"], results)} == {
        "duograph",
        "torch",
    }
    assert list(_starters(WORKLOADS["mlp"], ["jax"], {})) == [("jax", "jit")]
    results |= {"duograph eager": {"median": 1e-3}, "torch eager": {"median": 2e-3}}
    training = tables({"frameworks": ["duograph", "torch", "jax"], "training": {"vae": results}})[0]
    row = dict(zip(training.columns, training.rows[0], strict=True))
    assert row["jax jit"].startswith("– [")
    assert row["eager / best peer"] == "2.00×"
    assert any("dialect alone" in note for note in training.notes)


@pytest.mark.parametrize("direction", DIRECTIONS)
def test_a_convolution_is_timed_alone(direction):
    """Each direction gives a result of its own shape, from channels last, however often it is called."""
    kernel = Convolution("", 2, 4, 8, 6, 3, stride=2, direction=direction)
    n, c, h, w = kernel.input_shape
    m, f, p, q = kernel.output_shape
    shapes = dict(zip(DIRECTIONS, [(m, p, q, f), (n, h, w, c), kernel.weight_shape], strict=True))
    (call,) = load("duograph").kernels(kernel).values()
    assert {tuple(call().shape) for _ in range(8)} == {shapes[direction]}


class _Closed:
    closed = False

    def close(self):
        self.closed = True


def test_a_fast_wrong_answer_is_out_of_the_race():
    workers = {("torch", "eager"): _Closed(), ("jax", "jit"): _Closed(), ("duograph", "eager"): _Closed()}
    wrong = workers["duograph", "eager"]
    results = {
        "torch eager": {"losses": [2.0, 1.0]},
        "jax jit": {"losses": [2.0, 1.0005]},
        "duograph eager": {"losses": [2.0, 1.01]},
    }
    _compare(results, "losses", workers)
    assert set(workers) == {("torch", "eager"), ("jax", "jit")}
    assert wrong.closed
    assert "differ" in results["duograph eager"]["mismatch"]


def _results():
    return {
        "machine": {"processor": "a processor", "system": "a system", "versions": {}},
        "threads": 2,
        "frameworks": ["duograph", "torch", "jax"],
        "training": {
            "mlp": {
                "duograph eager": {"median": 1e-4, "first_step_cold": 0.2, "peak_bytes": 1e8},
                "duograph compile": {"error": "NotImplementedError: not yet"},
                "torch eager": {"median": 5e-4, "first_step_cold": 0.1, "peak_bytes": 3e8},
                "torch compile": {"mismatch": "losses differ from PyTorch's by 0.5", "median": 1e-9},
                "jax jit": {"median": 4e-4, "first_step_cold": 0.5, "peak_bytes": 2e8},
            }
        },
        "kernels": [
            {
                "kind": "matmul",
                "network": "square",
                "name": "a · b",
                "direction": "",
                "threads": 1,
                "work": 2e9,
                "results": {"duograph": {"median": 0.01}, "torch": {"median": 0.02}},
            }
        ],
        "installation": {"imports": {"duograph": {"seconds": 0.1}}, "bytes": {"duograph": 5e7}},
    }


def test_tables_show_ratios_and_reasons():
    training = tables(_results())[0]
    row = dict(zip(training.columns, training.rows[0], strict=True))
    assert row["duograph eager"] == "100"
    assert row["eager / best peer"] == "4.00×"
    assert row["eager / torch eager"] == "5.00×"
    assert row["best peer"] == "jax jit"  # the mismatched one is faster, and does not count
    assert row["torch compile"].startswith("FAILED")
    assert row["met"] == "no"  # for `compile` did not run
    assert "NotImplementedError: not yet" in training.notes
    assert best_peer(_results()["training"]["mlp"]) == ("jax jit", 4e-4)


def test_tables_render():
    made = tables(_results())
    assert len(made) == 5
    for table in made:
        assert table.rich().row_count == len(table.rows)
        assert all(len(row) == len(table.columns) for row in table.rows)
        assert table.markdown().count("\n") >= len(table.rows)


def test_plot_is_drawn(tmp_path: Path):
    pytest.importorskip("matplotlib")
    from benchmarks.plot import draw

    draw(_results(), tmp_path / "plot.png")
    assert (tmp_path / "plot.png").stat().st_size > 10_000


def test_worker_answers_and_reports_errors(tmp_path: Path):
    from benchmarks.kernels import KERNELS

    copy = next(i for i, kernel in enumerate(KERNELS) if kernel.name.startswith("copy"))
    with Worker("floor", 1, tmp_path) as worker:
        assert worker.ask("kernel", index=copy, threads=1) == {"variants": [""]}
        sample = Sample(**worker.ask("sample", seconds=0.001))
        assert sample.seconds > 0
        assert json.dumps(worker.ask("memory"))
        with pytest.raises(WorkerError, match="the floor is a copy"):
            worker.ask("kernel", index=0, threads=1)
    with pytest.raises(WorkerError, match="ModuleNotFoundError"):
        Worker("nothing", 1, tmp_path)


def test_quick_is_quicker():
    from benchmarks.runner import QUICK

    assert QUICK.rounds < Effort().rounds


def test_a_program_for_keras_learns():
    """From the weights that everybody starts with, and its table has a row for each thing that is timed."""
    from benchmarks.keras_programs import CHECKED_STEPS, PROGRAMS, RUNS

    answer, runs = PROGRAMS["mlp"].start(load("keras_duograph").keras)
    assert tuple(runs) == RUNS
    assert len(answer["losses"]) == CHECKED_STEPS
    runs["call"](1)
    summary = {"median": 0.25, "quiet": 9}
    ours = answer | dict.fromkeys(RUNS, summary)
    theirs = {"first_fit": 100.0} | dict.fromkeys(RUNS, summary | {"median": 1.0})
    results = {"duograph compile": ours, "tensorflow graph": theirs, "tensorflow xla": {"error": "none"}}
    (table,) = tables({"frameworks": ["duograph", "tensorflow"], "keras": {"mlp": results}})
    assert [row[-1] for row in table.rows] == ["yes", "no", "no", "yes"]
    assert table.rows[0][1:] == ["250,000", "1,000,000", "[1]", "4.00×", "4×", "yes"]


def test_a_pipeline_gives_all_samples(tmp_path: Path):
    """From files that the parent writes; and its table has the ratio of what is timed."""
    import numpy as np

    from benchmarks import data_pipelines

    images, labels = data_pipelines._digits(data_pipelines.RECORDS)
    data_pipelines.write_records(tmp_path / "raw.tfrecord", [image.tobytes() for image in images], labels)
    tf = load("keras_duograph").tf
    for name in ("records", "batched-records"):
        answer, run = data_pipelines.PIPELINES[name].start(tf, tmp_path)
        np.testing.assert_allclose(answer["outputs"][:2], [len(images), images.mean() / 255], rtol=1e-6)
        run(1)
    results = {"duograph compile": {"median": 1e-5, "quiet": 9}, "tensorflow graph": {"median": 4e-5, "quiet": 9}}
    (table,) = tables({"frameworks": ["duograph", "tensorflow"], "data": {"png": results}})
    assert table.rows == [["PNG of 32×32", "100,000", "25,000", "4.00×", "1×", "yes"]]
