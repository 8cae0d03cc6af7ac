"""The demonstration on a small task: both dialects learn, and what they leave behind."""

from __future__ import annotations

import re
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from duograph.data.sources import digits
from duograph.demo.task import GARMENTS, DataSet, accuracy, load
from duograph.graph.errors import ArgumentError

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="module")
def small_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Some of the digits as a folder of idx files."""
    folder = tmp_path_factory.mktemp("idx")
    (x_train, y_train), (x_test, y_test) = digits()
    for part, images, labels in (("train", x_train[:320], y_train[:320]), ("t10k", x_test[:70], y_test[:70])):
        pixels = np.round(images * 255).astype(np.uint8)
        (folder / f"{part}-images-idx3-ubyte").write_bytes(struct.pack(">4I", 0x803, *images.shape) + pixels.tobytes())
        values = labels.astype(np.uint8)
        (folder / f"{part}-labels-idx1-ubyte").write_bytes(struct.pack(">2I", 0x801, len(labels)) + values.tobytes())
    return folder


def test_the_program(small_folder: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "duograph", "demo", "--data", "mnist", "--folder", str(small_folder)]
    command += ["--epochs", "4", "--out", str(tmp_path / "out")]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    last = run.stdout.splitlines()[-2:]
    for line, dialect in zip(last, ("torch", "keras"), strict=True):
        match = re.fullmatch(rf"{dialect} dialect: test accuracy (\d+\.\d) %", line)
        assert match, line
        assert float(match[1]) > 50
    files = {file.name for file in (tmp_path / "out").iterdir()}
    assert files == {
        "torch-dialect.safetensors",
        "keras-dialect.keras",
        "learning-curves.png",
        "predictions.png",
        "network.png",
    }
    for picture in (tmp_path / "out").glob("*.png"):
        assert picture.read_bytes().startswith(b"\x89PNG")


def test_the_tasks(small_folder: Path) -> None:
    task = load(DataSet.DIGITS, None, None, 0)
    assert (task.epochs, task.batch_size, task.steps) == (12, 16, 91)
    task = load(DataSet.FASHION_MNIST, small_folder, 3, 0)
    assert (task.epochs, task.classes, len(task.x_train)) == (3, GARMENTS, 320)


def test_a_folder_is_wanted_or_not() -> None:
    with pytest.raises(ArgumentError, match="expected no folder"):
        load(DataSet.DIGITS, Path("somewhere"), None, 0)
    with pytest.raises(ArgumentError, match="--folder"):
        load(DataSet.MNIST, None, None, 0)


def test_accuracy() -> None:
    scores = np.array([[0.1, 0.9], [0.8, 0.2], [0.3, 0.7]], np.float32)
    assert accuracy(scores, np.array([1, 0, 0])) == pytest.approx(2 / 3)
