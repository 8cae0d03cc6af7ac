"""Images to learn from: the handwritten digits in the package, and folders in the format of MNIST."""

from __future__ import annotations

import gzip
import math
import zlib
from pathlib import Path
from typing import IO, TypeAlias, cast

import numpy as np
from numpy.typing import NDArray

from ..graph.errors import ArgumentError

Images: TypeAlias = NDArray[np.float32]
Labels: TypeAlias = NDArray[np.int64]
Split: TypeAlias = tuple[tuple[Images, Labels], tuple[Images, Labels]]

_HERE = Path(__file__).parent
_IDX_TYPES = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
_MOST_DIMENSIONS = 8
_PIECE = 1 << 20
_DIGITS_FULL_SCALE = 16
_DIGITS_FOLD = 5


class DataError(ArgumentError):
    """A data file is missing, damaged or not what its name says."""


def digits() -> Split:
    """The bundled handwritten digits: `(x_train, y_train), (x_test, y_test)`.

    Images are float32 of shape (n, 8, 8) between 0 and 1, labels int64 of shape (n,) between 0 and 9. The division is
    fixed: of each class, every fifth image in the order of the data set is a test image, which gives 1,442 training
    and 355 test images. Both parts hold digits of the same writers.

    Source and licence: E. Alpaydin and C. Kaynak, *Optical Recognition of Handwritten Digits*, UCI Machine Learning
    Repository, 1998, CC BY 4.0; see the README beside this file.
    """
    images = read_idx(_HERE / "digits-images-idx3-ubyte.gz")
    labels = read_idx(_HERE / "digits-labels-idx1-ubyte.gz").astype(np.int64)
    rank_in_class = np.empty_like(labels)
    for label in range(10):
        chosen = labels == label
        rank_in_class[chosen] = np.arange(chosen.sum())
    test = rank_in_class % _DIGITS_FOLD == _DIGITS_FOLD - 1
    scaled = images.astype(np.float32) / _DIGITS_FULL_SCALE
    return (scaled[~test], labels[~test]), (scaled[test], labels[test])


def idx_folder(path: str | Path) -> Split:
    """MNIST, Fashion-MNIST or another data set of that form: `(x_train, y_train), (x_test, y_test)`.

    The folder holds `train-images-idx3-ubyte`, `train-labels-idx1-ubyte`, `t10k-images-idx3-ubyte` and
    `t10k-labels-idx1-ubyte`, each as it is or compressed (`.gz`). Images are float32 of shape (n, height, width)
    between 0 and 1, labels int64 of shape (n,).

    Raises DataError, naming the file, if one is missing, damaged or does not fit the others.
    """
    folder = Path(path)
    train, test = _labelled_images(folder, "train"), _labelled_images(folder, "t10k")
    if train[0].shape[1:] != test[0].shape[1:]:
        raise DataError(
            f"{folder}: expected training and test images of one size. "
            f"Received: {train[0].shape[1:]} and {test[0].shape[1:]}"
        )
    return train, test


def read_idx(path: str | Path) -> NDArray[np.generic]:
    """The array in an idx file, compressed or not, in the machine's byte order.

    The format: two zero bytes, a byte for the type, a byte for the number of dimensions, each size as a big-endian
    32-bit integer, then the values, big-endian. Nothing is allocated on the word of a header: the bytes that are there
    must be exactly those that it announces.

    Raises DataError, naming the file, if it is missing or is not such a file.
    """
    file = Path(path)
    try:
        with gzip.open(file) if file.suffix == ".gz" else file.open("rb") as stream:
            return _parse_idx(file, cast(IO[bytes], stream))
    except FileNotFoundError:
        raise DataError(f"{file}: expected an idx file. Received: no such file") from None
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{file}: expected a readable idx file. Received: {error}") from error


def _parse_idx(file: Path, stream: IO[bytes]) -> NDArray[np.generic]:
    magic = stream.read(4)
    if len(magic) < 4 or magic[:2] != b"\0\0" or magic[2] not in _IDX_TYPES or not 1 <= magic[3] <= _MOST_DIMENSIONS:
        known = ", ".join(f"{code:02x}" for code in _IDX_TYPES)
        raise DataError(
            f"{file}: expected the first bytes of an idx file, 00 00, a type ({known}) and a number of dimensions. "
            f"Received: {magic.hex(' ') or 'an empty file'}"
        )
    dtype, rank = np.dtype(_IDX_TYPES[magic[2]]), magic[3]
    header = stream.read(4 * rank)
    if len(header) < 4 * rank:
        raise DataError(f"{file}: expected {rank} sizes after the first four bytes. Received: {len(header)} bytes")
    shape = tuple(int(size) for size in np.frombuffer(header, ">u4"))
    if 0 in shape:
        raise DataError(f"{file}: expected sizes of at least 1. Received: the shape {shape}")
    expected = math.prod(shape) * dtype.itemsize
    values = _read_at_most(stream, expected + 1)  # one more tells that there are too many
    if len(values) != expected:
        received = "more" if len(values) > expected else f"{len(values):,}"
        raise DataError(f"{file}: expected {expected:,} bytes of values for the shape {shape}. Received: {received}")
    return np.frombuffer(values, dtype).reshape(shape).astype(dtype.newbyteorder("="))


def _read_at_most(stream: IO[bytes], count: int) -> bytes:
    """Up to `count` bytes, piece by piece: `read(count)` would allocate what a false header asks for."""
    pieces = []
    while count > 0 and (piece := stream.read(min(count, _PIECE))):
        pieces.append(piece)
        count -= len(piece)
    return b"".join(pieces)


def _labelled_images(folder: Path, part: str) -> tuple[Images, Labels]:
    images_file, images = _read_member(folder, f"{part}-images-idx3-ubyte", rank=3)
    labels_file, labels = _read_member(folder, f"{part}-labels-idx1-ubyte", rank=1)
    if len(images) != len(labels):
        raise DataError(
            f"{labels_file}: expected {len(images)} labels, one an image of {images_file.name}. Received: {len(labels)}"
        )
    return np.divide(images, 255, dtype=np.float32), labels.astype(np.int64)


def _read_member(folder: Path, name: str, rank: int) -> tuple[Path, NDArray[np.uint8]]:
    compressed = folder / f"{name}.gz"
    file = compressed if compressed.exists() else folder / name
    if not file.exists():
        raise DataError(f"{folder}: expected a file {name} or {name}.gz. Received: {_contents(folder)}")
    values = read_idx(file)
    if values.dtype != np.uint8 or values.ndim != rank:
        raise DataError(f"{file}: expected uint8 values in {rank} dimensions. Received: {values.dtype}, {values.shape}")
    return file, cast(NDArray[np.uint8], values)


def _contents(folder: Path) -> str:
    if not folder.is_dir():
        return "no such folder"
    names = sorted(entry.name for entry in folder.iterdir())
    shown = ", ".join(names[:6])
    return f"a folder with {shown}{', …' if len(names) > 6 else ''}" if names else "an empty folder"
