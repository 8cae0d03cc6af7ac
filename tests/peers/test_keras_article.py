"""The article's Keras program prints the losses that Keras itself computes, from the same weights."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")
REPOSITORY = Path(__file__).resolve().parents[2]

SAVE_WEIGHTS = """
import runpy, sys, numpy as np
import duograph.tf as tf
net = tf.keras.Sequential([tf.keras.Input((64,)), tf.keras.layers.Dense(64, activation="relu"),
                           tf.keras.layers.Dense(10, activation="softmax")])
np.savez(sys.argv[1], *net.get_weights())
"""

OURS = """
import re, sys, numpy as np
source = open("examples/keras_article.py").read()
load = '''
net(x_train[:1])
with np.load(sys.argv[1]) as file:
    net.set_weights([file[name] for name in file.files])
'''
exec(compile(source.replace("net = Net()\\n", "net = Net()\\n" + load), "keras_article.py", "exec"))
"""

THEIRS = """
import sys, numpy as np, keras
from duograph.data.sources import digits
(x, y), _ = digits()
x = x.reshape(len(x), 64)
net = keras.Sequential([keras.Input((64,)), keras.layers.Dense(64, activation="relu"),
                        keras.layers.Dense(10, activation="softmax")])
with np.load(sys.argv[1]) as file:
    net.set_weights([file[name] for name in file.files])
net.compile(keras.optimizers.Adam(), keras.losses.SparseCategoricalCrossentropy())
for epoch in range(100):
    loss = net.train_on_batch(x, y)
    if epoch % 10 == 0:
        print(f"Epoch {epoch}: Loss {loss}")
"""


def losses(program: str, weights: Path, home: Path, **environment: str) -> np.ndarray:
    """The losses a program prints, run in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", program, str(weights)],
        cwd=REPOSITORY,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY), "KERAS_HOME": str(home), **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return np.array([float(number) for number in re.findall(r"Loss (\S+)", done.stdout)])


def test_losses_agree_with_keras(tmp_path: Path) -> None:
    weights = tmp_path / "weights.npz"
    losses(SAVE_WEIGHTS, weights, tmp_path)
    ours = losses(OURS, weights, tmp_path)
    theirs = losses(THEIRS, weights, tmp_path, KERAS_BACKEND="torch")
    assert len(ours) == len(theirs) == 10
    assert ours[-1] < 0.5 * ours[0]
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-5)
