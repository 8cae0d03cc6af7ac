"""docs/torch.md says of PyTorch's names what is so, and a name that is not there says what to do instead."""

from __future__ import annotations

from typing import Any

import pytest

import duograph.torch as torch
from tests import torch_names

ALL = torch_names.NAMES.read_text("utf-8").split("\n")[:-1]


def test_the_page_is_up_to_date() -> None:
    assert torch_names.PAGE.read_text("utf-8") == torch_names.page(), "run: python -m tests.torch_names"


@pytest.mark.parametrize("name", [name for name in ALL if not torch_names.is_there(name)])
def test_each_missing_name_has_an_alternative(name: str) -> None:
    assert torch_names.instead(name)


@pytest.mark.parametrize("name", ["export.export", "linalg.ldl_solve", "distributed.rpc"])
def test_the_error_says_so(name: str) -> None:
    with pytest.raises(AttributeError, match="not built here. Instead: "):
        found: Any = torch
        for part in name.split("."):
            found = getattr(found, part)


def test_an_unknown_name_gives_the_nearest_ones() -> None:
    with pytest.raises(AttributeError, match=r"The nearest names that are: .*softmax"):
        _ = torch.sotfmax
