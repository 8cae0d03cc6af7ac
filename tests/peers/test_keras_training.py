"""Keras's `fit`, `evaluate` and `predict` give the numbers here that they give on PyTorch, from the same weights."""

from __future__ import annotations

import ast
import json
import math
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch")
REPOSITORY = Path(__file__).resolve().parents[2]
SOURCE = Path(__file__).with_name("keras_training.py")
PROGRAMS = [
    node.name
    for node in ast.parse(SOURCE.read_text("utf-8")).body
    if isinstance(node, ast.FunctionDef)
    and any(isinstance(d, ast.Name) and d.id == "program" for d in node.decorator_list)
]
RELATIVE, ABSOLUTE = 3e-4, 2e-5
HALF = 0.02
"""For programs that compute in 16 bits."""


@pytest.fixture(scope="module")
def numbers(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """By engine: the numbers of each program, from a process of its own."""
    folder = tmp_path_factory.mktemp("keras")
    found = {}
    for engine in ("duograph", "torch"):
        output = folder / f"{engine}.json"
        done = subprocess.run(
            [sys.executable, "-W", "ignore", "-m", "tests.peers.keras_training", engine, str(output)],
            cwd=REPOSITORY,
            env={**os.environ, "PYTHONPATH": str(REPOSITORY), "KERAS_HOME": str(folder)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr[-3000:]
        found[engine] = json.loads(output.read_text("utf-8"))
    return found


def differences(ours: Any, theirs: Any, relative: float, absolute: float, path: str = "") -> Iterator[str]:
    if isinstance(theirs, dict) and isinstance(ours, dict) and ours.keys() == theirs.keys():
        for key in theirs:
            yield from differences(ours[key], theirs[key], relative, absolute, f"{path}.{key}")
    elif isinstance(theirs, list) and isinstance(ours, list) and len(ours) == len(theirs):
        for k, (one, other) in enumerate(zip(ours, theirs, strict=True)):
            yield from differences(one, other, relative, absolute, f"{path}[{k}]")
    elif isinstance(theirs, float) and isinstance(ours, float):
        same = (math.isnan(ours) and math.isnan(theirs)) or math.isclose(
            ours, theirs, rel_tol=relative, abs_tol=absolute
        )
        if not same:
            yield f"{path}: {ours} and {theirs}"
    elif ours != theirs:
        yield f"{path}: {ours} and {theirs}"


@pytest.mark.parametrize("name", PROGRAMS)
def test_numbers_agree(name: str, numbers: dict[str, Any]) -> None:
    tolerance = (HALF, HALF) if "float16" in name else (RELATIVE, ABSOLUTE)
    assert list(differences(numbers["duograph"][name], numbers["torch"][name], *tolerance)) == []
