"""Programs written for PyTorch print what they printed when they were last compared with it (`tests/peers/`)."""

from __future__ import annotations

import pytest

from tests.programs_tools import ROOT, printed, same

EXPECTED = sorted((ROOT / "tests" / "programs").glob("*.txt"))


@pytest.mark.parametrize("expected", EXPECTED, ids=lambda path: path.stem)
def test_a_program_prints_what_it_did(expected) -> None:  # type: ignore[no-untyped-def]
    program = ROOT / "examples" / "torch" / f"{expected.stem}.py"
    same(printed(program, "-m", "duograph", "run"), expected.read_text())
