"""Every name of PyTorch that Keras's PyTorch backend uses is there, as read off the installed Keras."""

from __future__ import annotations

import ast
import importlib.util
from pathlib import Path

import pytest

pytest.importorskip("keras")

import duograph.torch as torch

NOT_BUILT = {"torch.export", "torch.export.Dim", "torch.export.export"}
"""Files of graphs: Duograph amends what Keras does with them."""


def names() -> set[str]:
    """The dotted names that begin with `torch`, whatever they were imported as."""
    spec = importlib.util.find_spec("keras")
    assert spec is not None and spec.origin is not None
    found: set[str] = set()
    for file in (Path(spec.origin).parent / "src" / "backend" / "torch").rglob("*.py"):
        if file.stem.endswith("_test"):
            continue
        tree, known = ast.parse(file.read_text("utf-8")), {}
        for node in ast.walk(tree):
            if isinstance(node, ast.Import):
                known |= {a.asname or "torch": a.name if a.asname else "torch" for a in node.names
                          if a.name.split(".")[0] == "torch"}  # fmt: skip
            elif isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "torch":
                known |= {a.asname or a.name: f"{node.module}.{a.name}" for a in node.names}
        found |= set(known.values()) - {"torch"}
        for node in ast.walk(tree):
            parts: list[str] = []
            inner: ast.AST = node
            while isinstance(inner, ast.Attribute):
                parts.append(inner.attr)
                inner = inner.value
            if parts and isinstance(inner, ast.Name) and inner.id in known:
                found.add(".".join([known[inner.id], *reversed(parts)]))
    return found


def is_there(name: str) -> bool:
    found: object = torch
    for part in name.split(".")[1:]:
        try:
            found = getattr(found, part)
        except AttributeError:
            return False
    return True


def test_the_names_are_there() -> None:
    used = names()
    assert len(used) > 350
    assert {name for name in used if not is_there(name)} == NOT_BUILT & used
