"""The benchmarks' workloads: one source, two imports, the same losses and outputs."""

import numpy as np
import pytest

from benchmarks.frameworks import load
from benchmarks.workloads import WORKLOADS

pytest.importorskip("torch")


@pytest.mark.parametrize("name", ["mlp", "mlp-1", "mnist-cnn", "gpt", "lstm", "vit-tiny", "vae", "dcgan", "lstm-lm"])
def test_losses_are_those_of_pytorch(name):
    """1e-5: float32 rounding, carried through three steps of Adam; twice that where two networks play a game."""
    ours, theirs = (load(framework).trainer(WORKLOADS[name], "eager") for framework in ("duograph", "torch"))
    for i in range(3):
        assert ours(i).item() == pytest.approx(theirs(i).item(), rel=2e-5 if name == "dcgan" else 1e-5)


@pytest.mark.parametrize("name", ["mlp", "mnist-cnn", "resnet18", "resnet50", "mobilenetv2"])
def test_outputs_are_those_of_pytorch(name):
    ours, theirs = (load(framework).predictor(WORKLOADS[name], "eager", 2)(0) for framework in ("duograph", "torch"))
    np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-5 * np.abs(theirs).max())
