"""`.keras`, `.weights.h5` and `.h5` files written by Keras on TensorFlow and by Keras here, each read by the other."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("tensorflow", exc_type=ImportError)

from tests.programs_tools import ROOT


def _do(task: str, side: str, folder: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "KERAS_BACKEND": "tensorflow", "TF_CPP_MIN_LOG_LEVEL": "3"}
    program = ROOT / "tests" / "peers" / "tf_files.py"
    done = subprocess.run(
        [sys.executable, str(program), task, side, str(folder)],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]


@pytest.mark.parametrize(("writer", "reader"), [("tensorflow", "duograph"), ("duograph", "tensorflow")])
def test_files_written_by_one_are_read_by_the_other(writer: str, reader: str, tmp_path: Path) -> None:
    _do("write", writer, tmp_path)
    _do("read", reader, tmp_path)
