"""`tf.data` pipelines against TensorFlow's: the same elements, dtypes, specs and cardinalities."""

from __future__ import annotations

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import duograph.tf as dt

tensorflow = pytest.importorskip("tensorflow")


def pairs() -> Iterator[tuple[np.ndarray, int]]:
    for i in range(7):
        yield np.arange(i), i


def ragged(tf: Any) -> Any:
    signature = (tf.TensorSpec((None,), tf.int64), tf.TensorSpec((), tf.int32))
    return tf.data.Dataset.from_generator(pairs, output_signature=signature)


def numbers(tf: Any, n: int = 10) -> Any:
    return tf.data.Dataset.range(n)


def table(tf: Any) -> Any:
    columns = {"b": np.arange(5), "a": np.ones((5, 2), np.float32)}
    return tf.data.Dataset.from_tensor_slices((columns, np.array([b"u", b"v", b"w", b"x", b"y"])))


CASES: dict[str, Callable[[Any], Any]] = {
    "range": lambda tf: tf.data.Dataset.range(2, 20, 5),
    "map": lambda tf: numbers(tf).map(lambda x: tf.cast(x, tf.float32) / 3.0),
    "map to a list": lambda tf: numbers(tf, 3).map(lambda x: [x, x + 1]),
    "map of a dictionary": lambda tf: table(tf).map(lambda c, s: {"s": s, "sum": tf.reduce_sum(c["a"])}),
    "batch": lambda tf: numbers(tf).batch(3),
    "batch without remainder": lambda tf: numbers(tf).batch(3, drop_remainder=True),
    "batches of rows": lambda tf: table(tf).skip(1).repeat(2).batch(3),
    "filter": lambda tf: numbers(tf).filter(lambda x: x % 3 == 0),
    "windows": lambda tf: numbers(tf).window(3, 2).flat_map(lambda w: w.batch(3)),
    "strided windows": lambda tf: numbers(tf).window(3, 1, 2, True).flat_map(lambda w: w.batch(3)),
    "parted windows": lambda tf: numbers(tf).window(2, 4).flat_map(lambda w: w.batch(2)),
    "interleave": lambda tf: numbers(tf, 5).interleave(
        lambda x: tf.data.Dataset.from_tensors(x).repeat(3), cycle_length=2, block_length=2
    ),
    "interleave of different lengths": lambda tf: numbers(tf, 6).interleave(
        lambda x: tf.data.Dataset.range(x), cycle_length=3
    ),
    "zip": lambda tf: tf.data.Dataset.zip((numbers(tf), table(tf))),
    "zip of one": lambda tf: (lambda d: tf.data.Dataset.zip((d, d)))(numbers(tf, 3)),
    "concatenate": lambda tf: numbers(tf, 2).concatenate(numbers(tf, 3)),
    "enumerate": lambda tf: numbers(tf, 3).enumerate(5),
    "shard": lambda tf: numbers(tf).shard(3, 1),
    "repeat": lambda tf: numbers(tf, 3).repeat(2),
    "take of repeat": lambda tf: numbers(tf, 3).repeat().take(7),
    "unbatch": lambda tf: table(tf).batch(2).unbatch(),
    "rebatch": lambda tf: numbers(tf).batch(4).rebatch(3),
    "scan": lambda tf: numbers(tf).scan(np.int64(0), lambda s, x: (s + x, s * x)),
    "take_while": lambda tf: numbers(tf).take_while(lambda x: x < 4),
    "unique": lambda tf: numbers(tf).map(lambda x: x % 3).unique(),
    "generator": ragged,
    "padded_batch": lambda tf: ragged(tf).padded_batch(3),
    "padded_batch of given sizes": lambda tf: ragged(tf).padded_batch(
        2, ([8], []), (tf.constant(-1, tf.int64), 0), drop_remainder=True
    ),
    "buckets": lambda tf: ragged(tf).bucket_by_sequence_length(lambda a, _: tf.shape(a)[0], [2, 5], [2, 2, 2]),
    "buckets to their boundary": lambda tf: (
        ragged(tf)
        .take(4)
        .bucket_by_sequence_length(lambda a, _: tf.shape(a)[0], [2, 5], [2, 2, 2], pad_to_bucket_boundary=True)
    ),
    "group_by_window": lambda tf: numbers(tf).group_by_window(lambda x: x % 2, lambda _, d: d.batch(5), 3),
    "choose": lambda tf: tf.data.Dataset.choose_from_datasets(
        [numbers(tf), numbers(tf).map(lambda x: x + 100)], tf.data.Dataset.range(2).repeat(3)
    ),
    "cache": lambda tf: numbers(tf, 3).cache().repeat(2),
    "prefetch": lambda tf: numbers(tf).prefetch(tf.data.AUTOTUNE).batch(4),
    "strings": lambda tf: tf.data.Dataset.from_tensor_slices(["x", "yy", "z"]).batch(2),
    "apply": lambda tf: numbers(tf).apply(lambda d: d.batch(4)),
}


def same(ours: Any, theirs: Any) -> None:
    assert type(ours) is type(theirs) or isinstance(ours, np.ndarray | np.generic)
    if isinstance(ours, tuple):
        assert len(ours) == len(theirs)
        for a, b in zip(ours, theirs, strict=True):
            same(a, b)
    elif isinstance(ours, dict):
        assert sorted(ours) == sorted(theirs)
        for key in ours:
            same(ours[key], theirs[key])
    elif isinstance(ours, bytes):
        assert ours == theirs
    else:
        assert ours.dtype == theirs.dtype
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize("name", CASES)
def test_elements(name: str) -> None:
    ours, theirs = CASES[name](dt), CASES[name](tensorflow)
    first, second = list(ours.as_numpy_iterator()), list(theirs.as_numpy_iterator())
    assert len(first) == len(second)
    for a, b in zip(first, second, strict=True):
        same(a, b)
    assert int(ours.cardinality()) == int(theirs.cardinality())


@pytest.mark.parametrize("name", ["range", "batch", "batch without remainder", "generator", "strings", "enumerate"])
def test_element_spec(name: str) -> None:
    def described(spec: Any) -> Any:
        parts = spec if isinstance(spec, tuple) else (spec,)
        return [(list(p.shape), p.dtype.name) for p in parts]

    assert described(CASES[name](dt).element_spec) == described(CASES[name](tensorflow).element_spec)


def test_files(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text('n,x,s\n1,2.5,"a,b"\n,3.5,c\n')
    with tensorflow.io.TFRecordWriter(str(tmp_path / "r.tfrecord")) as writer:
        for record in (b"one", b"", b"three" * 50):
            writer.write(record)
    (tmp_path / "fixed").write_bytes(b"HaabbccF")

    def all_of(tf: Any) -> list[Any]:
        csv = str(tmp_path / "a.csv")
        return [
            list(dataset.as_numpy_iterator())
            for dataset in (
                tf.data.TextLineDataset([csv, csv]),
                tf.data.TFRecordDataset(str(tmp_path / "r.tfrecord")),
                tf.data.FixedLengthRecordDataset(str(tmp_path / "fixed"), 2, 1, 1),
                tf.data.experimental.CsvDataset(csv, [[7], tf.float32, tf.string], header=True),
                tf.data.Dataset.list_files(str(tmp_path / "*"), shuffle=False),
            )
        ]

    assert all_of(dt) == all_of(tensorflow)
