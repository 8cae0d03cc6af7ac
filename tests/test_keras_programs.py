"""The programs of `examples/keras/` print what TensorFlow printed when they were last compared with it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.programs_tools import ROOT, same

PROGRAMS = ROOT / "examples" / "keras"
EXPECTED = sorted((ROOT / "tests" / "keras_programs_expected").glob("*.txt"), key=lambda p: "tensorflow1" in p.stem)
"""The program of TensorFlow 1 is last: it turns the rest of its process into a graph."""
RUN_ALL = """
import runpy, sys
from duograph.run import install
install()
for program in sys.argv[1:]:
    print("==", program)
    try:
        runpy.run_path(program, run_name="__main__")
    except Exception as error:
        print(f"{type(error).__name__}: {error}")
"""


@pytest.fixture(scope="module")
def printed() -> dict[str, str]:
    """What each program prints. One process runs them all, since importing Keras takes longer than most of them."""
    programs = [str(PROGRAMS / f"{expected.stem}.py") for expected in EXPECTED]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(PROGRAMS)])}
    done = subprocess.run(
        [sys.executable, "-c", RUN_ALL, *programs],
        env=environment,
        capture_output=True,
        text=True,
        timeout=400,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    sections = [section.split("\n", 1) for section in done.stdout.split("== ")[1:]]
    return {Path(program).stem: text for program, text in sections}


@pytest.mark.parametrize("expected", EXPECTED, ids=lambda path: path.stem)
def test_a_program_prints_what_it_did(expected: Path, printed: dict[str, str]) -> None:
    same(printed[expected.stem], expected.read_text(), tolerance=1e-4)


def test_every_program_has_its_expected_output() -> None:
    assert {p.stem for p in PROGRAMS.glob("*.py")} - {"shared"} == {p.stem for p in EXPECTED}
