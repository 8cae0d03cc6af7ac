"""Files: round trips, damage, hostile content, atomic replacement."""

from __future__ import annotations

import contextlib
import io
import os
import pickle
import zipfile
from collections import OrderedDict
from pathlib import Path

import numpy as np
import pytest

import duograph.torch as torch
from duograph.checkpoint import load_file, replace_file, save_file
from duograph.graph import dtype as dtypes
from duograph.graph.errors import ArgumentError, NotSupported

STATE = OrderedDict(
    weight=torch.arange(6.0).reshape(2, 3), count=torch.tensor(3), half=torch.ones(2, dtype=torch.bfloat16),
    empty=torch.zeros(0, 4), mask=torch.tensor([True, False]),
)  # fmt: skip


def same(a: torch.Tensor, b: torch.Tensor) -> None:
    assert a.dtype is b.dtype and a.shape == b.shape
    np.testing.assert_array_equal(a.to(torch.float64).numpy(), b.to(torch.float64).numpy())


@pytest.mark.parametrize("name", ["state.safetensors", "state.pt"])
def test_round_trip(tmp_path: Path, name: str) -> None:
    torch.save(STATE, tmp_path / name)
    loaded = torch.load(tmp_path / name)
    assert sorted(loaded) == sorted(STATE)
    for key, value in STATE.items():
        same(loaded[key], value)


def test_nested_containers_and_views(tmp_path: Path) -> None:
    x = torch.arange(12.0).reshape(3, 4)
    content = {"epoch": 3, "lr": 1e-3, "names": ["a", None], "views": (x.t(), x[1]), "flag": True}
    torch.save(content, tmp_path / "nested.pt")
    loaded = torch.load(tmp_path / "nested.pt")
    assert loaded["epoch"] == 3 and loaded["names"] == ["a", None] and loaded["flag"] is True
    same(loaded["views"][0], x.t())
    buffer = io.BytesIO()
    torch.save(x, buffer)
    buffer.seek(0)
    same(torch.load(buffer), x)


@pytest.mark.parametrize("dtype", [d for d in dtypes.ALL if d is not dtypes.complex128], ids=lambda d: d.name)
def test_every_dtype_in_safetensors(tmp_path: Path, dtype: dtypes.DType) -> None:
    save_file({"x": torch.tensor([0, 1, 3], dtype=dtype)}, tmp_path / "x.safetensors")
    same(load_file(tmp_path / "x.safetensors")["x"], torch.tensor([0, 1, 3], dtype=dtype))


@pytest.mark.parametrize("keep", [0, 4, 30, 150, -1])
@pytest.mark.parametrize("name", ["state.safetensors", "state.pt"])
def test_truncated_files_name_the_file_and_what_came(tmp_path: Path, name: str, keep: int) -> None:
    path = tmp_path / name
    torch.save(STATE, path)
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(ArgumentError, match="bytes"):
        torch.load(path)


def test_random_damage_never_crashes_or_runs_anything(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for name in ("state.safetensors", "state.pt"):
        torch.save(STATE, tmp_path / name)
        content = bytearray((tmp_path / name).read_bytes())
        for _ in range(200):
            broken = bytearray(content)
            for place in rng.integers(0, len(broken), 3):
                broken[place] = rng.integers(0, 256)
            (tmp_path / name).write_bytes(broken)
            with contextlib.suppress(ArgumentError, NotSupported):
                torch.load(tmp_path / name)


class _Hostile:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.system, ("touch hostile-ran",)


def test_a_hostile_pickle_runs_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with zipfile.ZipFile("evil.pt", "w") as archive:
        archive.writestr("archive/data.pkl", pickle.dumps({"w": _Hostile()}, protocol=2))
    with pytest.raises(NotSupported, match="could run code"):
        torch.load("evil.pt")
    assert not Path("hostile-ran").exists()
    with pytest.raises(NotSupported, match="state_dict"):
        torch.save({"model": object()}, "model.pt")
    assert not Path("model.pt").exists()


def test_a_failing_write_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(b"old")

    def interrupted() -> None:
        with replace_file(path) as file:
            file.write(b"half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert path.read_bytes() == b"old" and [p.name for p in tmp_path.iterdir()] == ["x"]
