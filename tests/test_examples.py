"""The programs in examples/ run as they stand, and learn."""

from __future__ import annotations

import itertools
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PROGRAMS = sorted((ROOT / "examples").glob("*.py"))

SEEDED = """
import runpy, sys
import duograph.torch
duograph.torch.manual_seed(0)
runpy.run_path(sys.argv[1], run_name="__main__")
"""
"""The programs draw their first weights; here, the same ones each time."""


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.stem)
def test_an_example_learns(program: Path, tmp_path: Path) -> None:
    run = subprocess.run(
        [sys.executable, "-c", SEEDED, str(program)],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "error"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    losses = [float(loss) for loss in re.findall(r"Loss ([\d.e+-]+)", run.stdout)]
    assert len(losses) >= 5
    assert losses[-1] < 0.9 * losses[0]
    assert sum(after < before for before, after in itertools.pairwise(losses)) > 0.7 * len(losses)
