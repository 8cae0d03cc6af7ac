"""Event files of `torch.utils.tensorboard`, parsed by TensorFlow's own message classes."""

from __future__ import annotations

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import duograph.torch as dt
from duograph.torch.utils.tensorboard import SummaryWriter

tensorflow = pytest.importorskip("tensorflow")


def read(folder: Path) -> list[Any]:
    (path,) = folder.glob("events.out.tfevents.*")
    return list(tensorflow.compat.v1.train.summary_iterator(str(path)))


def test_tensorflow_reads_every_kind_of_summary(tmp_path: Path) -> None:
    x = dt.randn(100)
    picture = dt.rand(3, 4, 5)
    with SummaryWriter(tmp_path) as writer:
        writer.add_scalar("loss", 0.25, 3, walltime=8.0)
        writer.add_scalar("exact", 0.1, new_style=True, double_precision=True)
        writer.add_histogram("weights", x, 4)
        writer.add_image("picture", picture)
        writer.add_text("note", "hello")
        writer.add_audio("tone", dt.zeros(1, 20))
        writer.add_hparams({"lr": 0.1}, {"accuracy": 0.5}, run_name="run")
    found = {value.tag: (event, value) for event in read(tmp_path) for value in event.summary.value}
    event, value = found["loss"]
    assert (event.step, event.wall_time, value.simple_value) == (3, 8.0, 0.25)
    assert tensorflow.make_ndarray(found["exact"][1].tensor) == 0.1
    assert tensorflow.make_ndarray(found["note/text_summary"][1].tensor).tolist() == [b"hello"]
    histogram = found["weights"][1].histo
    array = x.numpy().astype(np.float64)
    for name, expected in (("min", array.min()), ("max", array.max()), ("num", 100), ("sum_squares", (array**2).sum())):
        np.testing.assert_allclose(getattr(histogram, name), expected)
    counts = [(array <= limit).sum() for limit in histogram.bucket_limit]
    np.testing.assert_array_equal(np.cumsum(histogram.bucket), counts)
    image = found["picture"][1].image
    decoded = tensorflow.io.decode_png(image.encoded_image_string).numpy()
    np.testing.assert_array_equal(decoded, (picture.numpy().transpose(1, 2, 0) * 255).astype(np.uint8))
    sound, rate = tensorflow.audio.decode_wav(found["tone"][1].audio.encoded_audio_string)
    assert sound.shape == (20, 1) and rate == 44100
    hparams = {
        value.tag: value.metadata.plugin_data.plugin_name for e in read(tmp_path / "run") for value in e.summary.value
    }
    assert hparams["_hparams_/session_start_info"] == "hparams" and "accuracy" in hparams


def test_tensorflow_reads_graphs(tmp_path: Path) -> None:
    with SummaryWriter(tmp_path) as writer:
        writer.add_graph(dt.nn.Linear(3, 2), dt.ones(1, 3))
    graph = tensorflow.compat.v1.GraphDef()
    graph.ParseFromString(next(event.graph_def for event in read(tmp_path) if event.graph_def))
    nodes = {node.name: node for node in graph.node}
    assert {"weight", "bias", "input/0", "output/0"} <= set(nodes)
    sizes = nodes["weight"].attr["_output_shapes"].list.shape[0].dim
    assert [axis.size for axis in sizes] == [2, 3]
