"""Files made to run code or to fill the memory get an error that names what was refused, and do nothing."""

from __future__ import annotations

import io
import os
import pickle
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import duograph.torch as torch
from duograph.graph.dtype import float32
from duograph.graph.errors import ArgumentError, NotSupported

RAN: list[object] = []


def mark(*arguments: object) -> str:
    RAN.append(arguments)
    return "ran"


class Reduces:
    """Pickles as a call of any function."""

    def __init__(self, function: Any, *arguments: Any) -> None:
        self.call = (function, arguments)

    def __reduce__(self) -> Any:
        return self.call


class Sets:
    """Pickles as an object whose state is set."""

    def __reduce__(self) -> Any:
        return mark, (), {"x": 1}


def archive(pickled: bytes, records: dict[str, bytes] | None = None, compress: int = zipfile.ZIP_STORED) -> io.BytesIO:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", compress) as made:
        made.writestr("a/data.pkl", pickled)
        for name, content in (records or {}).items():
            made.writestr(name, content)
    file.seek(0)
    return file


def legacy(pickled: bytes, rest: bytes = b"") -> io.BytesIO:
    head = pickle.dumps(0x1950A86A20F9469CFC6C, 2) + pickle.dumps(1001, 2) + pickle.dumps({"little_endian": True}, 2)
    return io.BytesIO(head + pickled + rest)


def tensor_pickle(count: int, offset: int, size: str, stride: str, kind: str = "FloatStorage", key: str = "0") -> bytes:
    """A tensor, as PyTorch writes it, in pickle's text form."""
    pid = f"(S'storage'\nctorch\n{kind}\nS'{key}'\nS'cpu'\nI{count}\nt"
    call = f"ctorch._utils\n_rebuild_tensor_v2\n({pid}QI{offset}\n{size}{stride}I00\nccollections\nOrderedDict\n(tRtR."
    return call.encode()


FOUR = "(I4\nt", "(I1\nt"
CONTENT = {"a/data/0": np.arange(4, dtype=np.float32).tobytes()}


def test_the_pickle_of_these_tests_is_a_good_one() -> None:
    assert torch.load(archive(tensor_pickle(4, 0, *FOUR), CONTENT)).tolist() == [0, 1, 2, 3]
    rest = pickle.dumps(["0"], 2) + (4).to_bytes(8, "little") + CONTENT["a/data/0"]
    assert torch.load(legacy(tensor_pickle(4, 0, *FOUR), rest)).tolist() == [0, 1, 2, 3]


CALLS = {
    "os.system": (Reduces(os.system, "touch ran"), r"(posix|nt)\.system"),
    "eval": (Reduces(eval, "mark()"), r"eval"),
    "exec": (Reduces(exec, "mark()"), r"exec"),
    "getattr": (Reduces(getattr, "", "join"), r"getattr"),
    "import": (Reduces(__import__, "os"), r"__import__"),
    "ours": (Reduces(mark, 1), r"mark"),
    "state": (Sets(), r"mark"),
    "a class of ours": (Reduces(torch.nn.Linear, 2, 2), r"Linear"),
    "bytearray": (Reduces(bytearray, 10**12), r"bytearray"),
    "numpy": (np.float64(3), r"numpy.*item\(\)"),
}


@pytest.mark.parametrize("container", [archive, legacy])
@pytest.mark.parametrize("protocol", [0, 2, 4, 5])
@pytest.mark.parametrize("name", CALLS)
def test_names_that_could_run_code(name: str, protocol: int, container: Any, tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.chdir(tmp_path)
    content, says = CALLS[name]
    with pytest.raises(NotSupported, match=says):
        torch.load(container(pickle.dumps({"x": content}, protocol)), weights_only=False)
    assert not RAN and not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("pickled", "says"),
    [
        (b"cbuiltins\ngetattr\n(cbuiltins\n__import__\nS'os'\ntR.", "getattr"),
        (b"c__builtin__\neval\n(S'1'\ntR.", "eval"),
        (b"ctorch\nSize.__init__\n.", r"Size\.__init__"),
        (b"\x80\x04\x8c\x08builtins\x8c\x04eval\x93.", "eval"),  # STACK_GLOBAL
        (b"(S'x'\nios\nsystem\n.", "INST"),
        (b"(cbuiltins\nset\nS'x'\no.", "OBJ"),
        (b"cbuiltins\nset\n)\x81.", "NEWOBJ"),
        (b"\x82\x01.", "EXT1"),
        (b"\x96\x00\x00\x00\x00\x00\x10\x00\x00.", "BYTEARRAY8"),
        (b"\x97.", "NEXT_BUFFER"),
        (b"ctorch\nfloat32\n}S'itemsize'\nI1\nsb.", "state of a DType"),
        (b"ctorch\nfloat32\n(S'itemsize'\nI1\ntR.", "calls a DType"),
        (b"cbuiltins\nset\n(S'x'\nS'y'\nu.", "puts items into a function"),
        (b"]S'x'\nS'y'\ns.", "puts items into a list"),
        (b"ctorch._utils\n_rebuild_sparse_tensor\n.", "dense"),
        (b"ctorch\nComplexHalfStorage\n.", "dtype that is not here"),
        (b"c__main__\nNet\n.", "state_dict"),
        (b"ctorch.nn.modules.linear\nLinear\n.", "state_dict"),
    ],
)
def test_tricks_of_pickle(pickled: bytes, says: str) -> None:
    with pytest.raises(NotSupported, match=says):
        torch.load(archive(pickled))
    assert float32.itemsize == 4


@pytest.mark.parametrize(
    "pickled",
    [
        b"",
        b"\x80\x02",
        b"(" * 1000,
        b"t.",
        b"g5\n.",
        b"r\xff\xff\xff\xff.",  # a memo place that C's unpickler would make four thousand million of
        b"\x8a\xff.",
        b"X\xff\xff\xff\x7f.",
        b"(S'storage'\ntQ.",
        b"ccollections\nCounter\n(I1000000000\ntR.",
        b"ctorch\ndevice\n(I1\ntR.",
        b"c_codecs\nencode\n(S'x'\nS'rot13'\ntR.",
        tensor_pickle(-4, 0, *FOUR),
        tensor_pickle(4, -1, *FOUR),
        tensor_pickle(4, 1, *FOUR),
        tensor_pickle(4, 0, "(I5\nt", "(I1\nt"),
        tensor_pickle(4, 0, "(I4\nt", "(I2\nt"),
        tensor_pickle(4, 0, "(I4\nt", "(I-1\nt"),
        tensor_pickle(4, 0, "(I4\nt", "(t"),
        tensor_pickle(4, 0, "(I0\nI1000000000000000000000\nt", "(I1\nI1\nt"),
        tensor_pickle(4, 0, "(I1000000000000\nt", "(I0\nt"),  # expanded
        tensor_pickle(5, 0, *FOUR),
        tensor_pickle(10**12, 0, *FOUR),
        tensor_pickle(4, 0, *FOUR, kind="DoubleStorage"),
        tensor_pickle(4, 0, *FOUR, key="1"),
        tensor_pickle(4, 0, *FOUR, key="../../data"),
    ],
)
@pytest.mark.parametrize("container", [archive, legacy])
def test_sizes_that_lie(pickled: bytes, container: Any) -> None:
    tail = pickle.dumps(["0"], 2) + (4).to_bytes(8, "little") + CONTENT["a/data/0"]
    with pytest.raises((ArgumentError, NotSupported)):
        torch.load(archive(pickled, CONTENT) if container is archive else legacy(pickled, tail))


def test_archives_that_are_bombs() -> None:
    big = {"a/data/0": bytes(1 << 20)}
    with pytest.raises(ArgumentError, match="claim more than"):
        torch.load(archive(tensor_pickle(1 << 18, 0, *FOUR), big, zipfile.ZIP_DEFLATED))
    small = {"a/data/0": np.random.default_rng(0).bytes(16)}
    with pytest.raises(NotSupported, match="compressed"):
        torch.load(archive(tensor_pickle(4, 0, *FOUR), small, zipfile.ZIP_DEFLATED))
    with pytest.raises(ArgumentError, match="data.pkl"):
        torch.load(_elsewhere())
    with pytest.raises(NotSupported, match="TorchScript"):
        torch.load(archive(b".", {"a/constants.pkl": b""}))
    with pytest.raises(NotSupported, match="big-endian"):
        torch.load(archive(b"N.", {"a/byteorder": b"big"}))
    damaged = bytearray(archive(tensor_pickle(4, 0, *FOUR), CONTENT).getvalue())
    place = damaged.find(CONTENT["a/data/0"])
    damaged[place] ^= 1
    with pytest.raises(ArgumentError, match="CRC"):
        torch.load(io.BytesIO(damaged))


def _elsewhere() -> io.BytesIO:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as made:
        made.writestr("../../../etc/passwd", b"x")
    file.seek(0)
    return file


def test_every_truncation_of_an_old_file() -> None:
    tail = pickle.dumps(["0"], 2) + (4).to_bytes(8, "little") + CONTENT["a/data/0"]
    whole = legacy(tensor_pickle(4, 0, *FOUR), tail).getvalue()
    for keep in range(len(whole)):
        with pytest.raises((ArgumentError, NotSupported)):
            torch.load(io.BytesIO(whole[:keep]))


def test_storages_by_themselves_are_not_loaded() -> None:
    with pytest.raises(NotSupported, match="save tensors"):
        torch.load(archive(b"(S'storage'\nctorch\nFloatStorage\nS'0'\nS'cpu'\nI4\ntQ.", CONTENT))
