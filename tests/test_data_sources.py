"""Reading the bundled digits and idx files, whole and damaged."""

from __future__ import annotations

import gzip
import struct
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from duograph.data.sources import DataError, digits, idx_folder, read_idx


def idx_bytes(array: np.ndarray, code: int = 0x08) -> bytes:
    header = struct.pack(">HBB", 0, code, array.ndim) + struct.pack(f">{array.ndim}I", *array.shape)
    return header + array.astype(array.dtype.newbyteorder(">")).tobytes()


def write_folder(folder: Path, compress: bool = True, **replaced: bytes) -> None:
    rng = np.random.default_rng(0)
    for part, count in (("train", 7), ("t10k", 3)):
        images = rng.integers(0, 256, (count, 4, 5), dtype=np.uint8)
        labels = rng.integers(0, 10, (count,), dtype=np.uint8)
        for kind, values in (("images_idx3", images), ("labels_idx1", labels)):
            data = replaced.get(f"{part}_{kind}", idx_bytes(values))
            name = f"{part}-{kind.replace('_', '-')}-ubyte"
            (folder / (f"{name}.gz" if compress else name)).write_bytes(gzip.compress(data) if compress else data)


def test_the_digits() -> None:
    (x_train, y_train), (x_test, y_test) = digits()
    assert (x_train.shape, y_train.shape) == ((1442, 8, 8), (1442,))
    assert (x_test.shape, y_test.shape) == ((355, 8, 8), (355,))
    assert x_train.dtype == x_test.dtype == np.float32
    assert y_train.dtype == y_test.dtype == np.int64
    assert (x_train.min(), x_train.max()) == (0, 1)
    # the published number of images of each class
    counts = np.bincount(y_train) + np.bincount(y_test)
    assert counts.tolist() == [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]
    assert (np.bincount(y_test) == counts // 5).all()


def test_the_digits_show_digits() -> None:
    """A one is a stroke in the middle, a zero has a hole there: the images belong to the labels."""
    (x_train, y_train), _ = digits()
    middle = x_train[:, 3:5, 3:5].mean((1, 2))
    assert middle[y_train == 0].mean() < 0.1 < 0.6 < middle[y_train == 1].mean()


@pytest.mark.parametrize("compress", [True, False])
def test_a_folder(tmp_path: Path, compress: bool) -> None:
    write_folder(tmp_path, compress)
    (x_train, y_train), (x_test, y_test) = idx_folder(tmp_path)
    assert (x_train.shape, x_test.shape) == ((7, 4, 5), (3, 4, 5))
    expected = np.random.default_rng(0).integers(0, 256, (7, 4, 5), dtype=np.uint8)
    np.testing.assert_array_equal(x_train, expected.astype(np.float32) / np.float32(255))
    assert y_train.dtype == y_test.dtype == np.int64


@pytest.mark.parametrize(
    ("code", "dtype"), [(0x08, "u1"), (0x09, "i1"), (0x0B, "i2"), (0x0C, "i4"), (0x0D, "f4"), (0x0E, "f8")]
)
def test_every_type_of_idx(tmp_path: Path, code: int, dtype: str) -> None:
    values = np.arange(24).reshape(2, 3, 4).astype(dtype)
    (tmp_path / "values").write_bytes(idx_bytes(values, code))
    result = read_idx(tmp_path / "values")
    assert result.dtype == values.dtype
    np.testing.assert_array_equal(result, values)


WHOLE = idx_bytes(np.zeros((7, 4, 5), np.uint8))


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "Received: an empty file"),
        (b"PK\x03\x04 something else", "Received: 50 4b 03 04"),
        (b"\0\0\x07\x03" + WHOLE[4:], "Received: 00 00 07 03"),
        (b"\0\0\x08\x00", "Received: 00 00 08 00"),
        (b"\0\0\x08\xff" + b"\xff" * 2000, "Received: 00 00 08 ff"),
        (WHOLE[:9], "expected 3 sizes .* Received: 5 bytes"),
        (b"\0\0\x08\x03" + b"\0" * 4 + b"\xff" * 8, r"sizes of at least 1. Received: the shape \(0, 4294967295"),
        (WHOLE[:-1], "expected 140 bytes .* Received: 139"),
        (WHOLE + b"\0", "expected 140 bytes .* Received: more"),
        (
            b"\0\0\x08\x03" + b"\xff" * 12 + b"abc",
            r"expected 79,228,162,458,924,105,385,300,197,375 bytes .* Received: 3",
        ),
        (idx_bytes(np.zeros((7, 4, 5), np.int16), 0x0B), r"expected uint8 values in 3 dimensions. Received: int16"),
        (idx_bytes(np.zeros((7, 20), np.uint8)), r"expected uint8 values in 3 dimensions. Received: uint8, \(7, 20\)"),
    ],
)
@pytest.mark.parametrize("compress", [True, False])
def test_a_damaged_file_is_named(tmp_path: Path, data: bytes, message: str, compress: bool) -> None:
    write_folder(tmp_path, compress, train_images_idx3=data)
    with pytest.raises(DataError, match=f"train-images-idx3-ubyte.*{message}"):
        idx_folder(tmp_path)


def test_a_truncated_compressed_file(tmp_path: Path) -> None:
    write_folder(tmp_path)
    file = tmp_path / "t10k-labels-idx1-ubyte.gz"
    file.write_bytes(file.read_bytes()[:-9])
    with pytest.raises(DataError, match="t10k-labels-idx1-ubyte.gz: expected a readable idx file"):
        idx_folder(tmp_path)


def test_a_file_that_is_not_compressed(tmp_path: Path) -> None:
    write_folder(tmp_path)
    (tmp_path / "t10k-labels-idx1-ubyte.gz").write_bytes(WHOLE)
    with pytest.raises(DataError, match=r"t10k-labels-idx1-ubyte.gz: .*[Nn]ot a gzipped file"):
        idx_folder(tmp_path)


def test_files_that_do_not_fit_each_other(tmp_path: Path) -> None:
    write_folder(tmp_path, train_labels_idx1=idx_bytes(np.zeros(6, np.uint8)))
    with pytest.raises(DataError, match="train-labels-idx1-ubyte.gz: expected 7 labels.*Received: 6"):
        idx_folder(tmp_path)
    write_folder(tmp_path, t10k_images_idx3=idx_bytes(np.zeros((3, 4, 4), np.uint8)))
    with pytest.raises(DataError, match=r"one size. Received: \(4, 5\) and \(4, 4\)"):
        idx_folder(tmp_path)


def test_what_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such folder"):
        idx_folder(tmp_path / "nowhere")
    with pytest.raises(DataError, match="expected a file train-images-idx3-ubyte or .*an empty folder"):
        idx_folder(tmp_path)
    (tmp_path / "notes.txt").touch()
    with pytest.raises(DataError, match="a folder with notes.txt"):
        idx_folder(tmp_path)
    with pytest.raises(DataError, match="no such file"):
        read_idx(tmp_path / "nothing")


@given(st.binary(max_size=64))
def test_no_bytes_do_anything_but_raise_or_parse(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    file = tmp_path_factory.getbasetemp() / "fuzz"
    file.write_bytes(b"\0\0\x08" + data)
    try:
        array = read_idx(file)
    except DataError:
        return
    assert array.nbytes < 64
