"""What users see when something is wrong: the argument, what was expected, what came, and their own line."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

import duograph.torch as torch
import duograph.torch.nn as nn
import duograph.torch.nn.functional as F
from duograph.graph.errors import DuographError


def wrong_shape_in_a_layer() -> None:
    nn.Linear(4, 2)(torch.zeros(3, 5))


def wrong_channels_in_a_convolution() -> None:
    nn.Conv2d(3, 8, 3)(torch.zeros(1, 1, 8, 8))


def float_targets() -> None:
    F.cross_entropy(torch.zeros(2, 3), torch.zeros(2))


def mixed_devices() -> None:
    torch.zeros(2) + torch.zeros(2, device="meta")


def freed_graph() -> None:
    x = torch.ones(2, requires_grad=True)
    y = (x * x).sum()
    y.backward()
    y.backward()


def overwritten_value() -> None:
    x = torch.ones(2, requires_grad=True)
    y = x.exp()
    y.zero_()
    z = x.exp()
    w = z * z
    z.add_(1)
    w.sum().backward()


def unknown_dtype() -> None:
    torch.zeros(2, dtype="float31")


def shapes_that_do_not_broadcast() -> None:
    torch.zeros(2, 3) + torch.zeros(4)


def index_out_of_range() -> None:
    nn.Embedding(4, 2)(torch.tensor([7])).sum().item()


def optimiser_without_parameters() -> None:
    torch.optim.Adam()


CASES: list[tuple[Callable[[], None], str]] = [
    (wrong_shape_in_a_layer, r"last axis of 4[\s\S]*Received: float32\[3, 5\]"),
    (wrong_channels_in_a_convolution, r"channels[\s\S]*Received"),
    (float_targets, r"target: expected class indices[\s\S]*Received: float32\[2\]"),
    (mixed_devices, r"one device[\s\S]*Received: meta and cpu|one device[\s\S]*Received: cpu and meta"),
    (freed_graph, r"retain_graph=True"),
    (overwritten_value, r"modified by an in-place operation"),
    (unknown_dtype, r"expected one of bool[\s\S]*Received: 'float31'"),
    (shapes_that_do_not_broadcast, r"\(2, 3\) and \(4,\)[\s\S]*expected equal sizes or 1"),
    (index_out_of_range, r"7[\s\S]*4"),
]


@pytest.mark.parametrize(("program", "message"), CASES, ids=lambda c: getattr(c, "__name__", ""))
def test_errors_say_what_and_where(program: Callable[[], None], message: str) -> None:
    with pytest.raises(DuographError, match=message) as caught:
        program()
    text = str(caught.value)
    assert text.count("\n  at ") == 1, "the user's line, once"
    assert re.search(r"at .*test_errors\.py:\d+: \S", text), text


def test_an_optimiser_without_parameters_says_what_to_pass() -> None:
    with pytest.raises(TypeError, match=r"parameters\(\)"):
        optimiser_without_parameters()


def test_a_truncated_file_names_the_file(tmp_path: Path) -> None:
    path = tmp_path / "net.safetensors"
    torch.save(nn.Linear(4, 2).state_dict(), path)
    path.write_bytes(path.read_bytes()[:-3])
    with pytest.raises(
        DuographError, match=r"net\.safetensors: expected a whole safetensors file. Received: \d+ bytes"
    ) as caught:
        torch.load(path)
    assert "test_errors.py" in str(caught.value)


def test_keys_that_do_not_fit_are_named() -> None:
    with pytest.raises(RuntimeError, match=r"weight[\s\S]*\[3, 4\]|weight[\s\S]*\(3, 4\)"):
        nn.Linear(4, 2).load_state_dict({"weight": torch.zeros(3, 4), "bias": torch.zeros(2)})
