"""The errors of PyTorch's databases against `error_inputs_expected.json`.

`python -m tests.peers.error_inputs --json tests/peers/error_inputs_expected.json` writes the table anew.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

pytest.importorskip("torch")

from tests.peers.error_inputs import REASONS, check, sources

EXPECTED: dict[str, str] = json.loads(Path(__file__).with_name("error_inputs_expected.json").read_text("utf-8"))
GROUPS = 6
COUNTS = {name: tuple(map(int, re.findall(r"\d+", outcome)[:2])) for name, outcome in EXPECTED.items()}


def test_the_table_says_enough() -> None:
    """Nearly all are refused, and a reason for each that is not."""
    refused, wanted = map(sum, zip(*COUNTS.values(), strict=True))
    assert refused >= 830 and wanted <= refused + 3
    lacking = {name for name, (refused, wanted) in COUNTS.items() if refused < wanted}
    assert all(EXPECTED[name].endswith(f": {REASONS[name]}") for name in lacking)


@pytest.mark.parametrize("group", range(GROUPS))
def test_they_are_refused(group: int) -> None:
    wrong = {}
    for name, cases in list(sources())[group::GROUPS]:
        count, differences = check(cases())
        if name in COUNTS and (count - len(differences), count) < COUNTS[name]:
            wrong[name] = differences
    assert not wrong
