"""Unmodified programs print the same with PyTorch and with `duograph run`."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("torch")

from tests.programs_tools import PROGRAMS, printed, same

WRONG = {"gpt": "the compiled plan of a step with clip_grad_norm_ and AdamW makes NaN of mlp.c_proj.weight's gradient"}
"""What the compiled tier gets wrong; DUOGRAPH_TIER=interpreted agrees."""


@pytest.mark.parametrize(
    "program",
    [
        pytest.param(p, marks=pytest.mark.xfail(reason=WRONG[p.stem]) if p.stem in WRONG else (), id=p.stem)
        for p in PROGRAMS
    ],
)
def test_a_program_prints_the_same(program: Path) -> None:
    same(printed(program, "-m", "duograph", "run"), printed(program))
