"""The programs of `examples/keras/` print the same, unmodified, with TensorFlow and with `duograph run`."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("tensorflow", exc_type=ImportError)

from tests.programs_tools import ROOT, printed, same

PROGRAMS = sorted(p for p in (ROOT / "examples" / "keras").glob("*.py") if p.stem != "shared")


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda p: p.stem)
def test_a_program_prints_the_same(program: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KERAS_BACKEND", "tensorflow")
    monkeypatch.setenv("TF_CPP_MIN_LOG_LEVEL", "3")
    same(printed(program, "-m", "duograph", "run"), printed(program), tolerance=1e-4)
