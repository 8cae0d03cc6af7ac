"""The pictures: what is drawn where, and what is refused."""

from __future__ import annotations

import io
import subprocess
import sys
from typing import Any

import numpy as np
import pytest

from duograph.show import Layer, Run, learning_curves, network, samples

LAYERS = [
    Layer("Input", (1, 8, 8)),
    Layer("Conv2d", (16, 8, 8), 160),
    Layer("ReLU", (16, 8, 8)),
    Layer("MaxPool2d", (16, 4, 4)),
    Layer("Flatten", (256,)),
    Layer("Linear", (256,), 65_792),
]


def png(figure: Any) -> bytes:
    stream = io.BytesIO()
    figure.savefig(stream, format="png")
    return stream.getvalue()


def words(figure: Any) -> str:
    from matplotlib.text import Text

    return "\n".join(text.get_text() for text in figure.findobj(Text))


def test_learning_curves_draw_what_each_run_said() -> None:
    runs = [Run("one", [1.0, 0.5, 0.25], [0.5, 0.75, 0.9]), Run("two", [2.0], [0.25])]
    figure = learning_curves(runs, "Two runs")
    loss, accuracy = figure.axes
    assert [line.get_label() for line in loss.lines[::2]] == ["one", "two"]
    np.testing.assert_array_equal(loss.lines[0].get_xydata(), [[1, 1], [2, 0.5], [3, 0.25]])
    np.testing.assert_array_equal(accuracy.lines[2].get_xydata(), [[1, 0.25]])
    assert "Two runs" in words(figure)
    assert png(figure).startswith(b"\x89PNG")


def test_learning_curves_need_an_epoch() -> None:
    with pytest.raises(ValueError, match="at least one run with an epoch"):
        learning_curves([Run("empty")])


def test_samples_mark_what_is_wrong() -> None:
    images, labels = np.zeros((3, 8, 8)), np.array([0, 1, 2])
    right, wrong = np.eye(4)[[0, 1, 2]], np.eye(4)[[0, 3, 2]]
    figure = samples(images, labels, {"right": right, "wrong": wrong}, classes=["zero", "one", "two", "three"])
    assert "one / three, is one" in words(figure)
    assert words(figure).count(", is") == 1
    bars = figure.axes[1].patches
    np.testing.assert_array_equal([bar.get_width() for bar in bars], [1, 0, 0, 0, 1, 0, 0, 0])
    assert png(figure).startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("images", "labels", "probabilities", "message"),
    [
        ((3, 64), (3,), (3, 10), r"images of shape \(n, height, width\). Received: \(3, 64\)"),
        ((0, 8, 8), (0,), (0, 10), r"Received: \(0, 8, 8\)"),
        ((3, 8, 8), (2,), (3, 10), r"expected 3 labels"),
        ((3, 8, 8), (3,), (4, 10), r"probabilities of shape \(3, classes\)"),
    ],
)
def test_samples_refuse_what_does_not_fit(images: Any, labels: Any, probabilities: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        samples(np.zeros(images), np.zeros(labels, int), {"model": np.zeros(probabilities)})


def test_samples_need_all_names() -> None:
    with pytest.raises(ValueError, match="a name for each of 10 classes. Received: 2 names"):
        samples(np.zeros((1, 8, 8)), np.zeros(1, int), {"model": np.zeros((1, 10))}, classes=["a", "b"])


def test_a_network_names_shapes_and_counts() -> None:
    figure = network(LAYERS, "A network")
    text = words(figure)
    for expected in ("A network", "65,952 parameters", "Conv2d", "16 × 8 × 8\n160 learnt\nReLU", "256\n65,792 learnt"):
        assert expected in text
    assert png(figure).startswith(b"\x89PNG")


def test_a_layer_that_keeps_the_shape_is_still_a_stage_if_it_computes() -> None:
    """Linear(256 → 256) after Flatten(256) stands for itself; ReLU does not."""
    drawn = words(network(LAYERS)).split("\n")
    assert "Linear" in drawn
    assert network([Layer("Input", (5, 12)), Layer("Embedding", (5, 12), 60)]) is not None


def test_a_network_has_layers() -> None:
    with pytest.raises(ValueError, match="at least one layer"):
        network([])


def test_without_matplotlib_the_extra_is_named() -> None:
    program = (
        "import importlib.util\n"
        "importlib.util.find_spec = lambda name: None\n"
        "from duograph.show import Layer, MissingExtra, network\n"
        "try: network([Layer('Input', (1,))])\n"
        "except MissingExtra as error: print(error)"
    )
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "drawing needs Matplotlib: pip install 'duograph[plot]'"
