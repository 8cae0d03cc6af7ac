"""Files cross over: PyTorch reads what we write (weights_only=True), we read what it writes."""

from __future__ import annotations

from collections import Counter, OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import duograph.torch as ours
from duograph.graph.errors import NotSupported

torch = pytest.importorskip("torch")


def test_pytorch_reads_ours(tmp_path: Path) -> None:
    state = {"w": ours.arange(6.0).reshape(2, 3), "n": ours.tensor(3), "h": ours.ones(2, dtype=ours.bfloat16), "e": 5}
    ours.save(state, tmp_path / "ours.pt")
    loaded = torch.load(tmp_path / "ours.pt", weights_only=True)
    assert loaded["e"] == 5 and loaded["h"].dtype is torch.bfloat16 and loaded["n"].item() == 3
    np.testing.assert_array_equal(loaded["w"].numpy(), state["w"].numpy())


def state(f: Any) -> dict[str, Any]:
    """What a training program keeps, made with either framework."""
    base = f.arange(12.0).reshape(3, 4)
    numbers = [0, 1, 2]
    names = [
        "bool",
        "uint8",
        "uint16",
        "uint32",
        "uint64",
        "int8",
        "int16",
        "int32",
        "int64",
        "float16",
        "bfloat16",
        "float32",
        "float64",
    ]
    return {
        "dtypes": {name: f.tensor(numbers, dtype=getattr(f, name)) for name in names},
        "dtype": f.bfloat16,
        "views": [base, base.t(), base[1], base[:, 1], base[1:, ::2], f.ones(1).expand(3, 2), f.tensor(3)],
        "part": f.arange(100.0)[10:14],
        "empty": f.zeros(0, 3),
        "leaf": f.ones(2, requires_grad=True),
        "parameter": f.nn.Parameter(f.ones(2)),
        "frozen": f.nn.Parameter(f.ones(2, dtype=f.int64), requires_grad=False),
        "size": f.Size([2, 3]),
        "device": f.device("cpu"),
        "plain": OrderedDict(a=[1, 2.5, None, True, "x", b"bytes", 1 + 2j], b=(1, (2,)), c={1, 2}, d=2**70),
        "counter": Counter({3: 1, 9: 2}),
    }


def trained(f: Any) -> tuple[Any, Any]:
    net = f.nn.Sequential(f.nn.Linear(3, 4), f.nn.BatchNorm1d(4), f.nn.LSTM(4, 2))
    optimizer = f.optim.AdamW(net.parameters(), lr=0.1, amsgrad=True)
    net(f.arange(15.0).reshape(5, 3))[0].sum().backward()
    optimizer.step()
    return net, optimizer


def same(a: Any, b: Any) -> None:
    """Equal structures of equal tensors, whichever framework each is of."""
    if hasattr(a, "numpy") and hasattr(a, "shape"):
        assert str(a.dtype).partition(".")[2] == str(b.dtype).partition(".")[2]
        assert tuple(a.shape) == tuple(b.shape) and a.requires_grad == b.requires_grad
        assert type(a).__name__ == type(b).__name__
        assert (
            a.detach().to(float).tolist() == b.detach().to(float).tolist()
            if "float" in str(a.dtype)
            else (a.tolist() == b.tolist())
        )
    elif isinstance(a, dict):
        assert list(a) == list(b) and type(a).__name__ == type(b).__name__
        for key in a:
            same(a[key], b[key])
    elif isinstance(a, list | tuple):
        assert len(a) == len(b) and type(a).__name__ == type(b).__name__
        for x, y in zip(a, b, strict=True):
            same(x, y)
    else:
        assert a == b or str(a).partition(".")[2] == str(b).partition(".")[2] != ""


@pytest.mark.parametrize("new", [True, False], ids=["zip", "legacy"])
@pytest.mark.parametrize("protocol", [2, 4])
def test_we_read_pytorchs(tmp_path: Path, new: bool, protocol: int) -> None:
    content = state(torch)
    torch.save(content, tmp_path / "x.pt", _use_new_zipfile_serialization=new, pickle_protocol=protocol)
    loaded = ours.load(tmp_path / "x.pt")
    del content["device"], loaded["device"]
    same(content, loaded)
    base, transposed, row = loaded["views"][:3]
    base[1, 2] = -1  # memory that was shared is shared
    assert transposed[2, 1].item() == row[2].item() == -1
    assert ours.load(tmp_path / "x.pt", map_location=ours.device("meta"))["leaf"].is_meta
    ours.load(tmp_path / "x.pt", map_location=lambda storage, location: storage)


@pytest.mark.parametrize("new", [True, False], ids=["zip", "legacy"])
def test_training_goes_on_in_the_other_framework(tmp_path: Path, new: bool) -> None:
    net, optimizer = trained(torch)
    torch.save(
        {"net": net.state_dict(), "optimizer": optimizer.state_dict()}, tmp_path / "theirs.pt",
        _use_new_zipfile_serialization=new,
    )  # fmt: skip
    loaded = ours.load(tmp_path / "theirs.pt", weights_only=True)
    same({"net": net.state_dict(), "optimizer": optimizer.state_dict()}, loaded)
    mine, my_optimizer = trained(ours)
    mine.load_state_dict(loaded["net"])
    my_optimizer.load_state_dict(loaded["optimizer"])
    ours.save({"net": mine.state_dict(), "optimizer": my_optimizer.state_dict()}, tmp_path / "ours.pt")
    back = torch.load(tmp_path / "ours.pt", weights_only=True)
    for key, value in net.state_dict().items():
        torch.testing.assert_close(back["net"][key], value)
    again, again_optimizer = trained(torch)
    again.load_state_dict(back["net"])
    again_optimizer.load_state_dict(back["optimizer"])
    again_optimizer.step()


def test_pytorch_reads_all_of_ours(tmp_path: Path) -> None:
    content = state(ours)
    ours.save(content, tmp_path / "ours.pt")
    loaded = torch.load(tmp_path / "ours.pt", weights_only=True)
    del content["device"], loaded["device"]
    same(content, loaded)


def test_tied_weights_are_written_once(tmp_path: Path) -> None:
    weight = ours.nn.Parameter(ours.ones(1000, 100))
    ours.save({"a": weight.detach(), "b": weight.detach()}, tmp_path / "tied.pt")
    assert (tmp_path / "tied.pt").stat().st_size < 500_000
    loaded = torch.load(tmp_path / "tied.pt", weights_only=True)
    assert loaded["a"].data_ptr() == loaded["b"].data_ptr()


@pytest.mark.filterwarnings("ignore:ComplexHalf support is experimental:UserWarning")
def test_what_we_refuse_of_pytorchs(tmp_path: Path) -> None:
    for name, content, says in [
        ("module", torch.nn.Linear(2, 2), r"torch.nn.modules.linear.Linear.*state_dict"),
        ("complex", torch.ones(2, dtype=torch.complex32), r"complex32"),
        ("sparse", torch.eye(3).to_sparse(), r"to_dense"),
        ("storage", torch.ones(2).untyped_storage(), r"tensors, not storages"),
        ("meta", torch.ones(2, device="meta"), r"_rebuild_meta_tensor"),
        ("array", {"x": np.ones(2)}, r"from_numpy"),
    ]:
        for new in (True, False) if name != "meta" else (True,):
            torch.save(content, tmp_path / name, _use_new_zipfile_serialization=new)
            with pytest.raises(NotSupported, match=says):
                ours.load(tmp_path / name)
