"""Keras's recurrent layers, each one loop here, against the same layers on PyTorch: outputs, states and gradients."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")
REPOSITORY = Path(__file__).resolve().parents[2]

THEIRS = "import keras, torch"
OURS = "import duograph.keras as keras, duograph.torch as torch"
PROGRAM = """
import itertools, sys
import numpy as np

layers = keras.layers
x = np.random.default_rng(0).standard_normal((3, 7, 4)).astype("float32")
mask = np.random.default_rng(1).random((3, 7)) > 0.4
mask[0], mask[1, -2:] = False, False
found = {}


def run(name, layer, x=x, mask=None):
    layer.build(x.shape)
    rng = np.random.default_rng(3)
    layer.set_weights([0.5 * rng.standard_normal(w.shape).astype("float32") for w in layer.get_weights()])
    given = torch.tensor(x, requires_grad=True)
    results = keras.tree.flatten(layer(given, **({} if mask is None else {"mask": torch.tensor(mask)})))
    total = sum((r * r).sum() for r in results)
    gradients = torch.autograd.grad(total, [given, *(v.value for v in layer.trainable_variables)], allow_unused=True)
    for k, result in enumerate([*results, *gradients]):
        if result is not None:
            found[f"{name} {k}"] = result.detach().numpy()


for kind in (layers.LSTM, layers.GRU, layers.SimpleRNN):
    for sequences, backwards, masked, zeros in itertools.product((False, True), repeat=4):
        options = {"zero_output_for_mask": True} if zeros else {}
        layer = kind(5, return_sequences=sequences, go_backwards=backwards, return_state=True, **options)
        run(f"{kind.__name__} {sequences} {backwards} {masked} {zeros}", layer, mask=mask if masked else None)
run("reset before", layers.GRU(5, reset_after=False, return_sequences=True))
run("bidirectional", layers.Bidirectional(layers.LSTM(5, return_sequences=True)), mask=mask)
run("last of both", layers.Bidirectional(layers.GRU(5)))
cells = [layers.LSTMCell(4), layers.GRUCell(3)]
run("stacked", layers.RNN(cells, return_sequences=True, return_state=True), mask=mask)
run("other activations", layers.LSTM(5, activation="relu", recurrent_activation="hard_sigmoid", use_bias=False))
rows = np.random.default_rng(5).standard_normal((2, 4, 6, 3)).astype("float32")
run("of rows", layers.ConvLSTM1D(3, 2, return_sequences=True), rows)
images = np.random.default_rng(5).standard_normal((2, 4, 5, 5, 3)).astype("float32")
run("of images", layers.ConvLSTM2D(2, 3, padding="same"), images)
np.savez(sys.argv[1], **found)
"""


def test_layers_agree(tmp_path: Path) -> None:
    found = []
    for engine in (THEIRS, OURS):
        path = tmp_path / f"{len(found)}.npz"
        environment = {**os.environ, "KERAS_BACKEND": "torch", "PYTHONPATH": str(REPOSITORY)}
        command = [sys.executable, "-c", f"{engine}\n{PROGRAM}", str(path)]
        done = subprocess.run(command, check=False, env=environment, capture_output=True, text=True, timeout=600)
        assert done.returncode == 0, done.stderr[-3000:]
        with np.load(path) as file:
            found.append({name: file[name] for name in file.files})
    theirs, ours = found
    assert len(ours) > 300
    assert ours.keys() == theirs.keys()
    for name, expected in theirs.items():
        np.testing.assert_allclose(ours[name], expected, 1e-4, 1e-5, err_msg=name)
