"""Files cross over: PyTorch reads what we write (weights_only=True), we read what it writes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import duograph.torch as ours

torch = pytest.importorskip("torch")


def test_pytorch_reads_ours(tmp_path: Path) -> None:
    state = {"w": ours.arange(6.0).reshape(2, 3), "n": ours.tensor(3), "h": ours.ones(2, dtype=ours.bfloat16), "e": 5}
    ours.save(state, tmp_path / "ours.pt")
    loaded = torch.load(tmp_path / "ours.pt", weights_only=True)
    assert loaded["e"] == 5 and loaded["h"].dtype is torch.bfloat16 and loaded["n"].item() == 3
    np.testing.assert_array_equal(loaded["w"].numpy(), state["w"].numpy())


def test_we_read_pytorchs(tmp_path: Path) -> None:
    net = torch.nn.Sequential(
        torch.nn.Conv2d(3, 4, 3), torch.nn.BatchNorm2d(4), torch.nn.Flatten(), torch.nn.Linear(16, 2)
    )
    optimizer = torch.optim.Adam(net.parameters())
    net(torch.randn(2, 3, 4, 4)).sum().backward()
    optimizer.step()
    base = torch.arange(10.0)
    content = {"net": net.state_dict(), "optimizer": optimizer.state_dict(), "shared": [base[2:5], base.view(2, 5).t()],
               "dtypes": [torch.ones(2, dtype=d) for d in (torch.int8, torch.bool, torch.float64, torch.bfloat16)],
               "parameter": torch.nn.Parameter(torch.ones(2))}  # fmt: skip
    torch.save(content, tmp_path / "theirs.pt")
    loaded = ours.load(tmp_path / "theirs.pt")
    for key, value in content["net"].items():
        np.testing.assert_array_equal(loaded["net"][key].numpy(), value.numpy())
    for mine, theirs in zip(loaded["shared"], content["shared"], strict=True):
        np.testing.assert_array_equal(mine.numpy(), theirs.numpy())
    for mine, theirs in zip(loaded["dtypes"], content["dtypes"], strict=True):
        assert mine.float().tolist() == theirs.float().tolist()
    assert loaded["optimizer"]["param_groups"][0]["lr"] == 1e-3 and loaded["parameter"].requires_grad
