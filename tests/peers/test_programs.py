"""Unmodified programs print the same with PyTorch and with `duograph run`."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("torch")

from tests.programs_tools import PROGRAMS, printed, same


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda p: p.stem)
def test_a_program_prints_the_same(program: Path) -> None:
    same(printed(program, "-m", "duograph", "run"), printed(program))
