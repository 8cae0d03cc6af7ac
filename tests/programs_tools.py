"""Programs as users write them (`examples/torch/`), run in a process of their own, and what they print compared."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
PROGRAMS = sorted((ROOT / "examples" / "torch").glob("*.py"))
LOSS = re.compile(r"(?i)loss\w*:? *(\d+\.\d+)")
NUMBER = re.compile(r"-?\d+\.\d+(?:e[-+]?\d+)?|nan|inf")


def printed(program: Path, *by: str) -> str:
    """What a program prints, run by `python` with arguments `by` before it, such as `-m duograph run`."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, *by, str(program)], env=environment, capture_output=True, text=True, check=False, timeout=240
    )
    assert done.returncode == 0, f"{program.name}: {done.stderr}"
    return done.stdout


def same(ours: str, theirs: str, tolerance: float = 1e-3) -> None:
    """The same text, with numbers within a relative tolerance (1e-4 absolute, the last places that are printed), and
    the first 20 losses within 1e-4 and the last place."""
    assert NUMBER.sub("#", ours) == NUMBER.sub("#", theirs)
    found = [[float(x) for x in NUMBER.findall(text)] for text in (ours, theirs)]
    np.testing.assert_allclose(*found, rtol=tolerance, atol=1e-4)
    losses = [[float(x) for x in LOSS.findall(text)[:20]] for text in (ours, theirs)]
    np.testing.assert_allclose(*losses, rtol=1e-4, atol=1e-6)
