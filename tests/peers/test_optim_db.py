"""PyTorch's database of optimisers against `optim_db_expected.json`: 20 steps of each with all its arguments.

`python -m tests.peers.optim_db --json tests/peers/optim_db_expected.json` writes the table anew.
"""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch")

from torch.testing._internal.common_optimizers import optim_db

from tests.peers.optim_db import check

EXPECTED: dict[str, str] = json.loads(Path(__file__).with_name("optim_db_expected.json").read_text("utf-8"))


def test_all_are_there() -> None:
    assert {info.name: "pass" for info in optim_db} == EXPECTED


@pytest.mark.parametrize("info", optim_db, ids=lambda info: info.name)
def test_the_parameters_agree(info: Any) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        outcome, differences = check(info)
    assert outcome == EXPECTED[info.name], differences
