"""Strings, ragged and sparse tensors, tables, files, records, summaries and printing against TensorFlow."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import duograph.tf as dt
from duograph.tf.records import read_records

from .tf_tools import Case, agree, tensorflow


def example(tf: Any) -> bytes:
    numbers = tf.train.Feature(int64_list=tf.train.Int64List(value=[1, -2]))
    half = tf.train.Feature(float_list=tf.train.FloatList(value=[0.5]))
    text = tf.train.Feature(bytes_list=tf.train.BytesList(value=[b"xy"]))
    features = tf.train.Features(feature={"a": numbers, "f": half, "b": text})
    return tf.train.Example(features=features).SerializeToString()


EXAMPLE = example(dt)

CASES: dict[str, Case] = {}


def add(label: str, case: Any) -> None:
    CASES[label] = case


TEXTS = ["Hello, World!", "  a b  c ", "", "héllo Wörld", "x,y,z"]
for n in ["lower", "upper", "strip", "length", "bytes_split", "split"]:
    add(
        n,
        lambda tf, n=n: (
            [getattr(tf.strings, n)(tf.constant(TEXTS))]
            if n not in ("bytes_split", "split")
            else [getattr(tf.strings, n)(tf.constant(TEXTS)).to_tensor()]
        ),
    )
add("lu", lambda tf: tf.strings.lower(TEXTS, encoding="utf-8"))
add("split1", lambda tf: tf.strings.split("a b c"))
add("split,", lambda tf: tf.strings.split(TEXTS, ",").to_tensor("#"))
add("splitrs", lambda tf: tf.strings.split(TEXTS).row_splits)
add("rr", lambda tf: tf.strings.regex_replace(TEXTS, "[aeo]", "<\\0>"))
add("rr2", lambda tf: tf.strings.regex_replace(TEXTS, r"[[:punct:]]", ""))
add("rr3", lambda tf: tf.strings.regex_replace(tf.constant("ab<br />cd"), "<br />", " "))
add("rfm", lambda tf: tf.strings.regex_full_match(TEXTS, ".*l.*"))
add("join", lambda tf: tf.strings.join([TEXTS, TEXTS, "!"], separator="-"))
add("rj", lambda tf: tf.strings.reduce_join([["a", "b"], ["c", "d"]], axis=1, separator=" "))
add("rj2", lambda tf: tf.strings.reduce_join([["a", "b"], ["c", "d"]]))
add("rj3", lambda tf: tf.strings.reduce_join([["a", "b"], ["c", "d"]], axis=0, keepdims=True))
add("sub", lambda tf: tf.strings.substr(["hello", "world"], 1, 3))
add("sub2", lambda tf: tf.strings.substr(["hello", "world"], [-2, -3], [1, 2]))
add("num", lambda tf: tf.strings.to_number(["1.5", "2"]))
add("numi", lambda tf: tf.strings.to_number(["15", "2"], tf.int64))
for v in ([1, 2], [1.5, 2.25], [True, False]):
    add(f"as{v}", lambda tf, v=v: tf.strings.as_string(tf.constant(v)))
add("asp", lambda tf: tf.strings.as_string([3.14159], precision=2))
add("asw", lambda tf: tf.strings.as_string([3, 12], width=4, fill="0"))
add("us", lambda tf: tf.strings.unicode_split(TEXTS, "UTF-8").to_tensor())
add("ud", lambda tf: tf.strings.unicode_decode(TEXTS, "UTF-8").to_tensor(-1))
add("us1", lambda tf: tf.strings.unicode_split("héy", "UTF-8"))
add("ue", lambda tf: tf.strings.unicode_encode([[104, 233], [65, 66]], "UTF-8"))
add("ulen", lambda tf: tf.strings.length(TEXTS, unit="UTF8_CHAR"))
add("ng", lambda tf: tf.strings.ngrams(["a", "b", "c"], 2))
add("fmt", lambda tf: tf.strings.format("x={} y={}", (tf.constant([1, 2]), tf.constant(1.5))))
add("eq", lambda tf: tf.constant(TEXTS) == "x,y,z")
add("eq2", lambda tf: tf.equal(tf.constant(TEXTS), "x,y,z"))
add("cat", lambda tf: tf.concat([tf.constant(TEXTS), tf.constant(["q"])], 0))
add("stack", lambda tf: tf.stack([tf.constant("a"), tf.constant("b")]))
add("gather", lambda tf: tf.gather(tf.constant(TEXTS), [4, 0]))
add("resh", lambda tf: tf.reshape(tf.constant(["a", "b"]), [2, 1]))
add("where", lambda tf: tf.where([True, False], tf.constant(["a", "b"]), tf.constant(["c", "d"])))
add("shape", lambda tf: tf.shape(tf.constant(TEXTS)))
add("sz", lambda tf: tf.size(tf.constant(TEXTS)))
add("plus", lambda tf: tf.constant("a") + "b")
add("tile", lambda tf: tf.tile(tf.constant(["a"]), [3]))
add("fill", lambda tf: tf.fill([2], "a"))
add("rc", lambda tf: tf.ragged.constant([[1, 2], [], [3]]).to_tensor())
add("rc2", lambda tf: tf.ragged.constant([[[1], [2, 3]], [], [[4, 5, 6]]]).to_tensor(-1))
add("rcs", lambda tf: tf.ragged.constant([["a"], ["b", "c"]]).to_tensor())
add("rl", lambda tf: tf.ragged.constant([[1, 2], [], [3]]).row_lengths())
add("rv", lambda tf: tf.ragged.constant([[1, 2], [], [3]]).value_rowids())
add("rb", lambda tf: tf.ragged.constant([[1, 2], [], [3]]).bounding_shape())
add("ri", lambda tf: tf.ragged.constant([[1, 2], [], [3]])[0])
add("rs", lambda tf: tf.ragged.constant([[1, 2], [], [3, 4, 5]])[:, :2].to_tensor())
add("rs2", lambda tf: tf.ragged.constant([[1, 2], [], [3, 4, 5]])[1:].to_tensor())
add("rft", lambda tf: tf.RaggedTensor.from_tensor([[1, 2, 0], [3, 0, 0]], padding=0).values)
add("rfr", lambda tf: tf.RaggedTensor.from_value_rowids([1, 2, 3], [0, 0, 2]).to_tensor())
add("rr_", lambda tf: tf.ragged.range([3, 0, 2]).to_tensor())
add("rmul", lambda tf: (tf.ragged.constant([[1, 2], [], [3]]) * 2).to_tensor())
add("rmap", lambda tf: tf.ragged.map_flat_values(tf.square, tf.ragged.constant([[1, 2], [], [3]])).to_tensor())
add("rlow", lambda tf: tf.strings.lower(tf.ragged.constant([["A"], ["B", "C"]])).to_tensor())
add(
    "rbm",
    lambda tf: tf.ragged.boolean_mask([[1, 2, 3], [4, 5, 6]], [[True, False, True], [False, False, False]]).to_tensor(),
)
add("rsp", lambda tf: tf.sparse.to_dense(tf.ragged.constant([[1, 2], [], [3]]).to_sparse()))
add("rsh", lambda tf: tf.ragged.constant([[1, 2], [], [3, 4, 5]]).to_tensor(shape=[None, 2]))


def spec(tf: Any) -> dict[str, Any]:
    return {
        "a": tf.io.FixedLenFeature([2], tf.int64),
        "f": tf.io.FixedLenFeature([], tf.float32),
        "b": tf.io.FixedLenFeature([], tf.string),
        "z": tf.io.FixedLenFeature([], tf.float32, 3.0),
    }


add("pse", lambda tf: [tf.io.parse_single_example(EXAMPLE, spec(tf))[k] for k in "afbz"])
add("pe", lambda tf: [tf.io.parse_example([EXAMPLE, EXAMPLE], spec(tf))[k] for k in "afbz"])
add(
    "pv",
    lambda tf: tf.sparse.to_dense(tf.io.parse_example([EXAMPLE, EXAMPLE], {"a": tf.io.VarLenFeature(tf.int64)})["a"]),
)
add("raw", lambda tf: tf.io.decode_raw([b"abcd", b"efgh"], tf.uint8))
add("raw16", lambda tf: tf.io.decode_raw(b"abcd", tf.int16))
add("b64", lambda tf: tf.io.encode_base64(["abcd", "??>"]))
add("db64", lambda tf: tf.io.decode_base64(tf.io.encode_base64(["abcd", "??>"])))
add("csv", lambda tf: tf.io.decode_csv(["1,2.5,x", "3,,y"], [0, 1.5, ""]))
X = tensorflow.io.serialize_tensor(tensorflow.constant([[1.0, 2.0]])).numpy()
add("pt", lambda tf: tf.io.parse_tensor(X, tf.float32))
Y = dt.io.serialize_tensor(dt.constant([[1, 2]])).numpy()
add("pt2", lambda tf: tf.io.parse_tensor(Y, tf.int32))
add(
    "look",
    lambda tf: tf.lookup.StaticHashTable(tf.lookup.KeyValueTensorInitializer(["a", "b"], [1, 2]), -1).lookup(
        tf.constant(["b", "q"])
    ),
)
add(
    "look2",
    lambda tf: tf.lookup.StaticHashTable(tf.lookup.KeyValueTensorInitializer([1, 2], ["x", "y"]), "").lookup(
        tf.constant([2, 7])
    ),
)
add(
    "voc",
    lambda tf: tf.lookup.StaticVocabularyTable(
        tf.lookup.KeyValueTensorInitializer(["a", "b"], [0, 1], value_dtype=tf.int64), 1
    ).lookup(tf.constant(["b", "q"])),
)
add("spfd", lambda tf: (lambda s: [s.indices, s.values, s.dense_shape])(tf.sparse.from_dense([[0, 1], [2, 0]])))
add(
    "spmm",
    lambda tf: tf.sparse.sparse_dense_matmul(tf.sparse.from_dense([[0.0, 1], [2, 0]]), tf.constant([[1.0, 2], [3, 4]])),
)
add(
    "spadd",
    lambda tf: tf.sparse.to_dense(
        tf.sparse.add(tf.sparse.from_dense([[0.0, 1], [2, 0]]), tf.sparse.from_dense([[0.0, 1], [0, 4]]))
    ),
)
add("sprs", lambda tf: tf.sparse.reduce_sum(tf.sparse.from_dense([[0.0, 1], [2, 0]]), axis=1))
add("ed", lambda tf: tf.edit_distance(tf.sparse.from_dense([[1, 2, 3]]), tf.sparse.from_dense([[1, 3, 0]])))
add("spt", lambda tf: tf.sparse.to_dense(tf.sparse.transpose(tf.sparse.from_dense([[0.0, 1], [2, 0]]))))
add("spsl", lambda tf: tf.sparse.to_dense(tf.sparse.slice(tf.sparse.from_dense([[0.0, 1], [2, 0]]), [0, 1], [2, 1])))
add("spcat", lambda tf: tf.sparse.to_dense(tf.sparse.concat(1, [tf.sparse.from_dense([[0.0, 1], [2, 0]])] * 2)))
add("spsm", lambda tf: tf.sparse.softmax(tf.sparse.from_dense([[0.0, 1, 2], [2, 0, 0]])).values)


@pytest.mark.parametrize("label", CASES)
def test_agrees_with_tensorflow(label: str) -> None:
    agree(CASES[label])


def test_examples_are_read_by_both() -> None:
    theirs, ours = tensorflow.train.Example.FromString(EXAMPLE), dt.train.Example.FromString(example(tensorflow))
    for read in (theirs, ours):
        assert list(read.features.feature["a"].int64_list.value) == [1, -2]
        assert list(read.features.feature["f"].float_list.value) == [0.5]
        assert list(read.features.feature["b"].bytes_list.value) == [b"xy"]


@pytest.mark.parametrize("compression", ["", "GZIP", "ZLIB"])
def test_records_are_read_by_both(compression: str, tmp_path: Path) -> None:
    path = str(tmp_path / "records")
    for tf in (dt, tensorflow):
        with tf.io.TFRecordWriter(path, compression) as writer:
            writer.write(b"hello")
            writer.write(b"")
        assert [r.numpy() for r in tensorflow.data.TFRecordDataset(path, compression)] == [b"hello", b""]
        assert list(read_records(path, compression)) == [b"hello", b""]


def test_summaries_are_read_by_tensorflow(tmp_path: Path) -> None:
    with dt.summary.create_file_writer(tmp_path).as_default():
        for step in range(3):
            dt.summary.scalar("loss", step * 0.5, step=step)
        dt.summary.histogram("weights", dt.constant([1.0, 2.0, 3.0]), step=1)
        dt.summary.text("note", "hello", step=2)
    (path,) = tmp_path.iterdir()
    events = list(tensorflow.compat.v1.train.summary_iterator(str(path)))
    found = {(e.step, v.tag): tensorflow.make_ndarray(v.tensor) for e in events for v in e.summary.value}
    assert [float(found[step, "loss"]) for step in range(3)] == [0.0, 0.5, 1.0]
    assert found[1, "weights"].shape == (30, 3)
    assert found[1, "weights"][:, 2].sum() == 3
    assert found[2, "note"][()] == b"hello"


def shown(tf: Any, path: Path, value: Any) -> str:
    path.write_text("")
    tf.print("v", value(tf), output_stream=f"file://{path}")
    return path.read_text()


@pytest.mark.parametrize(
    "value",
    [
        lambda tf: tf.range(10), lambda tf: tf.reshape(tf.range(8), [2, 2, 2]), lambda tf: tf.constant("a"),
        lambda tf: tf.constant(["a", "b"]), lambda tf: {"x": tf.constant(1.5)}, lambda tf: [tf.constant(2), 3],
    ],
)  # fmt: skip
def test_print_shows_the_same(value: Any, tmp_path: Path) -> None:
    assert shown(dt, tmp_path / "ours", value) == shown(tensorflow, tmp_path / "theirs", value)
