"""Programs that say `import torch`, `import tensorflow` or `import keras`, run as they stand."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import duograph.tf
import duograph.torch

ROOT = Path(__file__).resolve().parent.parent

PROGRAM = """\
import multiprocessing
import sys

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader

from beside import ones


class Adds:
    def __call__(self, x):
        return ones(3).sum().item() + x


if __name__ == "__main__":
    print(sys.argv[1:], __name__, __spec__, __file__ == sys.argv[0], sys.path[0])
    print(torch.__name__, F is torch.nn.functional, nn is torch.nn, torch.utils.data.DataLoader is DataLoader)
    if "spawn" in sys.argv:
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            print(pool.map(Adds(), [1, 2]))
    if "fail" in sys.argv:
        nn.Linear(2, 3)(ones(4))
    sys.exit(7)
"""


def run(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "error"}
    return subprocess.run(
        [sys.executable, "-m", "duograph", "run", *arguments], cwd=cwd, env=environment, capture_output=True, text=True,
        check=False, timeout=240,
    )  # fmt: skip


@pytest.fixture
def program(tmp_path: Path) -> Path:
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "program.py").write_text(PROGRAM)
    (folder / "beside.py").write_text("from torch import ones\n")
    return tmp_path


def test_a_program_sees_what_python_would_show_it(program: Path) -> None:
    done = run("folder/program.py", "--help", "-x", "spawn", cwd=program)
    assert done.stderr == "" and done.returncode == 7
    assert done.stdout.splitlines() == [
        f"['--help', '-x', 'spawn'] __main__ None True {program / 'folder'}",
        "duograph.torch True True True",
        "[4.0, 5.0]",
    ]


def test_a_module_is_run_as_python_runs_it(tmp_path: Path) -> None:
    package = tmp_path / "package"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "near.py").write_text("import torch\n\n\ndef double(x):\n    return (torch.tensor(x) * 2).item()\n")
    program = (
        "import multiprocessing, os, sys\nfrom .near import double\n"
        "if __name__ == '__main__':\n"
        "    print(sys.argv == [__file__, '-m', 'x'], sys.path[0] == os.getcwd(), __package__, __spec__.name)\n"
        "    with multiprocessing.get_context('spawn').Pool(1) as pool:\n        print(pool.map(double, [1, 2]))\n"
    )
    for name in ("program", "__main__"):
        (package / f"{name}.py").write_text(program)
    for name, module in (("package.program", "package.program"), ("package", "package.__main__")):
        done = run("-m", name, "-m", "x", cwd=tmp_path)
        assert done.stdout.splitlines() == [f"True True package {module}", "[2, 4]"], done.stderr
    assert run("-m", "package.nothing", cwd=tmp_path).returncode == 1


def test_a_traceback_begins_at_the_program(program: Path) -> None:
    done = run("folder/program.py", "fail", cwd=program)
    lines = done.stderr.splitlines()
    assert done.returncode == 1 and "ShapeError" in done.stderr
    assert lines[0].startswith("Traceback") and lines[1].startswith('  File "folder/program.py", line 25, in <module>')


def test_programs_that_do_not_start(tmp_path: Path) -> None:
    done = run("nothing.py", cwd=tmp_path)
    assert done.returncode == 2 and "can't open file" in done.stderr
    (tmp_path / "broken.py").write_text("x = = 1\n")
    done = run("broken.py", cwd=tmp_path)
    assert done.returncode == 1 and done.stderr.startswith('  File "broken.py", line 1')
    (tmp_path / "interrupted.py").write_text("raise KeyboardInterrupt\n")
    assert run("interrupted.py", cwd=tmp_path).returncode == 130


def test_keras_and_tensorflow_mean_duograph(tmp_path: Path) -> None:
    (tmp_path / "program.py").write_text(
        "import keras\nimport tensorflow as tf\nfrom keras import layers\nfrom tensorflow import keras as k\n"
        "from tensorflow.keras.layers import Dense\nimport torch\n"
        "print(tf.__name__, Dense is layers.Dense is k.layers.Dense)\n"
        "print(type(layers.Dense(2)(torch.ones(1, 3))) is torch.Tensor)\n"
    )
    done = run("program.py", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == ["duograph.tf True", "True"]


@pytest.mark.parametrize(
    ("statement", "says"),
    [
        ("import torch.onnx.operators", r"No module named 'torch.onnx'.*state_dict"),
        ("from torch import onnx", r"state_dict"),
        ("from torch.nn import Liner", r"Linear"),
        ("import torch.nn.Linear", r"from torch.nn import Linear"),
        ("from torch.ao.quantization import prepare", r"bfloat16"),
        ("from torchvision import transforms", r"torchvision.*NumPy"),
        ("import tensorflow_datasets", r"tf.data.TFRecordDataset"),
        ("from tensorflow.python.keras import layers", r"public in tf and tf.keras"),
        ("import tensorflow.experimental.numpy as tnp", r"tf.keras.ops"),
        ("import tensorflow.lite", r"model.keras"),
        ("from tensorflow.contrib import rnn", r"tf.keras.layers"),
        ("import tensorflow.saved_model", r"load_model"),
    ],
)
def test_what_is_missing_is_explained(statement: str, says: str) -> None:
    duograph.torch.install()
    duograph.tf.install()
    try:
        with pytest.raises(ModuleNotFoundError, match=says):
            exec(statement)
    finally:
        duograph.tf.uninstall()
        duograph.torch.uninstall()


def test_installing_twice_is_once_and_uninstalling_leaves_nothing() -> None:
    before = list(sys.meta_path)
    assert "torch" not in sys.modules, "this test needs a process without PyTorch"
    duograph.torch.install()
    duograph.torch.install()
    import torch.nn.functional as F

    assert F is duograph.torch.nn.functional and sys.modules["torch"] is duograph.torch
    assert duograph.torch.nn.__spec__.name == "duograph.torch.nn"
    duograph.torch.uninstall()
    assert sys.meta_path == before and not any(m == "torch" or m.startswith("torch.") for m in sys.modules)


def test_a_framework_that_is_there_already_is_not_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", sys)
    with pytest.raises(ImportError, match="already been imported"):
        duograph.torch.install()
    monkeypatch.setitem(sys.modules, "tensorflow", sys)
    with pytest.raises(ImportError, match="duograph run"):
        duograph.tf.install()


def test_the_usual_imports_of_tensorflow_and_keras_work(tmp_path: Path) -> None:
    (tmp_path / "program.py").write_text(
        "import tensorflow as tf\nimport tensorflow.keras as keras\nimport tensorflow.keras.backend as K\n"
        "import tensorflow.compat.v1 as tf1\nfrom tensorflow.data import Dataset\nfrom tensorflow.io import gfile\n"
        "from tensorflow.keras.models import Model, Sequential, load_model\nimport tensorflow.keras.layers as L\n"
        "from tensorflow.keras.optimizers import Adam\nfrom tensorflow.keras.callbacks import EarlyStopping\n"
        "from tensorflow.keras.utils import to_categorical\nfrom tensorflow.keras.datasets import mnist\n"
        "from tensorflow.keras.preprocessing.image import ImageDataGenerator\nfrom tensorflow.keras import ops\n"
        "from keras.applications import MobileNetV2\nfrom tensorflow.keras.regularizers import l2\n"
        "print(keras.Model is Model, L.Dense is keras.layers.Dense, Dataset is tf.data.Dataset, K.epsilon())\n"
    )
    done = run("program.py", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["True", "True", "True", "1e-07"]
