"""PyTorch's operator database against `op_db_expected.json`: some samples of every operator that passes.

`python -m tests.peers.op_db --json tests/peers/op_db_expected.json` runs all samples in all dtypes, for some minutes,
and writes the table anew.
"""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch")

from torch.testing._internal.common_methods_invocations import op_db

from tests.peers.op_db import REASONS, check

EXPECTED: dict[str, str] = json.loads(Path(__file__).with_name("op_db_expected.json").read_text("utf-8"))
GROUPS = 16


def key(op: Any) -> str:
    return f"{op.name}/{op.variant_test_name}" if op.variant_test_name else op.name


PASSING = [op for op in op_db if EXPECTED.get(key(op)) == "pass"]


def test_the_table_says_enough() -> None:
    """As many operators as ever passed, and a reason for each that fails."""
    assert len({op.name for op in PASSING}) >= 598
    failing = {name for name, outcome in EXPECTED.items() if outcome.startswith("fail")}
    assert {name: EXPECTED[name] for name in failing} == {name: f"fail: {REASONS[name]}" for name in failing}


@pytest.mark.parametrize("group", range(GROUPS))
def test_some_samples(group: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every operator that passes, with gradients where it has them: at most four samples each in float64, and two in
    complex128."""
    monkeypatch.setenv("DUOGRAPH_TIER", "interpreted")
    wrong: dict[str, list[str]] = {}
    for op in PASSING[group::GROUPS]:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            for dtype, most in (("float64", 4), ("complex128", 2)):
                outcome, differences = check(op, (dtype,), most)
                if outcome == "fail":
                    wrong[f"{key(op)} in {dtype}"] = differences
    assert not wrong
