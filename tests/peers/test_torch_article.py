"""The article's program in PyTorch's dialect prints PyTorch's losses when started from the same weights."""

from __future__ import annotations

import itertools
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import duograph.torch

torch = pytest.importorskip("torch")
SOURCE = (Path(__file__).parents[2] / "examples" / "torch_article.py").read_text()


def losses(module: Any, capsys: pytest.CaptureFixture[str]) -> list[float]:
    """What the program prints, run with `module` for torch and weights that do not depend on it."""
    rng = np.random.default_rng(0)
    start = [rng.normal(0, 0.1, (10, 64)).astype(np.float32), np.zeros(10, np.float32)]
    lines = [line for line in SOURCE.splitlines() if not line.startswith("import duograph.torch")]
    head, tail = "\n".join(lines).split("net = Net()")
    names: dict[str, Any] = {"torch": module, "nn": module.nn, "optim": module.optim}
    exec(compile(head + "net = Net()", "article", "exec"), names)
    with module.no_grad():
        for parameter, value in zip(names["net"].parameters(), start, strict=True):
            parameter.copy_(module.tensor(value))
    exec(compile(tail, "article", "exec"), names)
    return [float(x) for x in re.findall(r"Loss (\S+)", capsys.readouterr().out)]


def test_printed_losses_agree(capsys: pytest.CaptureFixture[str]) -> None:
    ours, theirs = losses(duograph.torch, capsys), losses(torch, capsys)
    assert len(ours) == 10 and all(b < a for a, b in itertools.pairwise(ours))
    np.testing.assert_allclose(ours, theirs, rtol=1e-5)
