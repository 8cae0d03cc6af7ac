"""PyTorch's database of modules against `module_db_expected.json`: some samples of every module that passes.

`python -m tests.peers.module_db --json tests/peers/module_db_expected.json` runs all samples and writes the table anew.
"""

from __future__ import annotations

import json
import warnings
from pathlib import Path

import pytest

pytest.importorskip("torch")

from torch.testing._internal.common_modules import module_db

from tests.peers.module_db import REASONS, check

EXPECTED: dict[str, str] = json.loads(Path(__file__).with_name("module_db_expected.json").read_text("utf-8"))
GROUPS = 8
PASSING = [info for info in module_db if EXPECTED.get(info.name) == "pass"]


def test_the_table_says_enough() -> None:
    """As many modules as ever passed, and a reason for each that fails."""
    assert len(PASSING) >= 113
    failing = {name for name, outcome in EXPECTED.items() if outcome.startswith("fail")}
    assert {name: EXPECTED[name] for name in failing} == {name: f"fail: {REASONS[name]}" for name in failing}


@pytest.mark.parametrize("group", range(GROUPS))
def test_some_samples(group: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every module that passes, in float64 in training and in evaluation: at most four samples each."""
    monkeypatch.setenv("DUOGRAPH_TIER", "interpreted")
    wrong: dict[str, list[str]] = {}
    for info in PASSING[group::GROUPS]:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            outcome, differences = check(info, ("float64",), 4)
        if outcome != "pass":
            wrong[info.name] = differences
    assert not wrong
