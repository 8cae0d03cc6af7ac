"""TensorFlow's names beside Keras: the page says what is so, and values that need no TensorFlow to be known."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import duograph.tf as tf
from duograph.events.records import crc32c
from duograph.tf.records import read_records
from tests import tf_names


def test_the_page_is_up_to_date() -> None:
    assert tf_names.PAGE.read_text("utf-8") == tf_names.page(), "run: python -m tests.tf_names"


@pytest.mark.parametrize("name", [name for name in tf_names.names() if not tf_names.is_there(name)])
def test_each_missing_name_says_what_to_do(name: str) -> None:
    assert tf_names.instead(name)


# -- strings -----------------------------------------------------------------------------------------------------------
def test_strings_are_tensors() -> None:
    x = tf.constant([["a", "b"], ["c", "d"]])
    assert x.dtype == tf.string
    assert tuple(x.shape) == (2, 2)
    assert x[1, 0].numpy() == b"c"
    assert (x == "c").numpy().tolist() == [[False, False], [True, False]]
    assert tf.transpose(x).numpy().tolist() == [[b"a", b"c"], [b"b", b"d"]]
    assert tf.concat([x[0], ["e"]], 0).numpy().tolist() == [b"a", b"b", b"e"]
    assert tf.strings.join([x, "!"]).numpy().tolist() == [[b"a!", b"b!"], [b"c!", b"d!"]]


def test_strings_keep_zeros_at_their_end() -> None:
    assert tf.constant(b"a\0").numpy() == b"a\0"
    assert tf.constant([b"a\0", b"b"]).numpy().tolist() == [b"a\0", b"b"]


def test_strings_do_not_enter_computations() -> None:
    with pytest.raises(tf.errors.InvalidArgumentError, match="host data"):
        tf.sqrt(tf.constant("4"))
    with pytest.raises(tf.errors.InvalidArgumentError, match="to_number"):
        tf.constant(["1"], dtype=tf.float32)


def test_split_gives_rows() -> None:
    rows = tf.strings.split(["a b", "", "c"])
    assert rows.to_list() == [[b"a", b"b"], [], [b"c"]]
    assert rows.row_lengths().numpy().tolist() == [2, 0, 1]
    assert rows.to_tensor("-").numpy().tolist() == [[b"a", b"b"], [b"-", b"-"], [b"c", b"-"]]


def test_hash_buckets_are_the_same_each_time() -> None:
    found = tf.strings.to_hash_bucket(["a", "b", "a"], 1000).numpy()
    assert found[0] == found[2] != found[1]
    assert found.max() < 1000


# -- ragged, sparse, tables --------------------------------------------------------------------------------------------
def test_ragged_rows() -> None:
    x = tf.ragged.constant([[1, 2], [], [3, 4, 5]])
    assert x.shape == (3, None)
    assert (x * 2).to_list() == [[2, 4], [], [6, 8, 10]]
    assert x[2].numpy().tolist() == [3, 4, 5]
    with pytest.raises(ValueError, match="row splits"):
        tf.RaggedTensor.from_row_splits([1, 2], [0, 3])


def test_gradients_flow_through_ragged_and_sparse_values() -> None:
    v = tf.Variable([1.0, 2.0, 3.0])
    with tf.GradientTape() as tape:
        dense = tf.RaggedTensor.from_row_splits(v, [0, 2, 3]).to_tensor()
        sparse = tf.sparse.to_dense(tf.SparseTensor([[0, 1], [1, 0], [1, 1]], v, [2, 2]))
        loss = tf.reduce_sum(dense * dense) + tf.reduce_sum(3.0 * sparse)
    np.testing.assert_allclose(tape.gradient(loss, v).numpy(), [5.0, 7.0, 9.0])


def test_sparse_order_is_checked() -> None:
    x = tf.SparseTensor([[1, 0], [0, 1]], [1.0, 2.0], [2, 2])
    with pytest.raises(tf.errors.InvalidArgumentError, match="reorder"):
        tf.sparse.to_dense(x)
    assert tf.sparse.to_dense(tf.sparse.reorder(x)).numpy().tolist() == [[0, 2], [1, 0]]


def test_tables() -> None:
    pairs = tf.lookup.KeyValueTensorInitializer(["a", "b"], [1, 2])
    table = tf.lookup.StaticHashTable(pairs, default_value=-1)
    assert table.lookup(tf.constant(["b", "x"])).numpy().tolist() == [2, -1]
    with pytest.raises(TypeError, match="keys of string"):
        table.lookup(tf.constant([1]))
    changing = tf.lookup.experimental.MutableHashTable(tf.string, tf.int64, -1)
    changing.insert(["a"], [7])
    assert changing.lookup(["a", "b"]).numpy().tolist() == [7, -1]
    with pytest.raises(tf.errors.FailedPreconditionError, match="two values"):
        tf.lookup.StaticHashTable(tf.lookup.KeyValueTensorInitializer(["a", "a"], [1, 2]), -1)


# -- files -------------------------------------------------------------------------------------------------------------
def test_files(tmp_path: Path) -> None:
    path = str(tmp_path / "deep" / "file.txt")
    tf.io.write_file(path, "text")
    assert tf.io.read_file(tf.constant(path)).numpy() == b"text"
    assert tf.io.gfile.glob(str(tmp_path / "*" / "*.txt")) == [path]
    with tf.io.gfile.GFile(path) as file:
        assert file.read() == "text"
    with pytest.raises(tf.errors.NotFoundError, match="no such file"):
        tf.io.read_file(path + "x")
    with pytest.raises(tf.errors.UnimplementedError, match="local files"):
        tf.io.gfile.exists("gs://bucket/file")


def test_checksum() -> None:
    assert crc32c(b"123456789") == 0xE3069283  # the check value of CRC-32C


def test_damaged_records_are_found(tmp_path: Path) -> None:
    path = tmp_path / "records"
    with tf.io.TFRecordWriter(path) as writer:
        writer.write(b"content")
    data = bytearray(path.read_bytes())
    assert list(read_records(path)) == [b"content"]
    for place in (0, 14, len(data) - 1):
        damaged = bytearray(data)
        damaged[place] ^= 1
        path.write_bytes(damaged)
        with pytest.raises(tf.errors.DataLossError, match="corrupted"):
            list(read_records(path))
    path.write_bytes(data[:-3])
    with pytest.raises(tf.errors.DataLossError, match="corrupted"):
        list(read_records(path))


def test_examples_come_back() -> None:
    feature = {
        "n": tf.train.Feature(int64_list=tf.train.Int64List(value=[1, -(2**62)])),
        "x": tf.train.Feature(float_list=tf.train.FloatList(value=[0.5])),
    }
    data = tf.train.Example(features=tf.train.Features(feature=feature)).SerializeToString()
    spec = {"n": tf.io.VarLenFeature(tf.int64), "x": tf.io.FixedLenFeature([], tf.float32)}
    read = tf.io.parse_single_example(data, spec)
    assert read["n"].values.numpy().tolist() == [1, -(2**62)]
    assert read["x"].numpy() == 0.5
    with pytest.raises(tf.errors.InvalidArgumentError, match="missing"):
        tf.io.parse_single_example(data, {"y": tf.io.FixedLenFeature([], tf.float32)})
    with pytest.raises(tf.errors.InvalidArgumentError, match="int64_list"):
        tf.io.parse_single_example(data, {"x": tf.io.FixedLenFeature([], tf.int64)})


# -- numbers drawn -----------------------------------------------------------------------------------------------------
def test_stateless_numbers_are_functions_of_their_seed() -> None:
    first, again, other = (tf.random.stateless_normal([1000], seed).numpy() for seed in ([1, 2], [1, 2], [2, 1]))
    np.testing.assert_array_equal(first, again)
    assert abs(np.corrcoef(first, other)[0, 1]) < 0.1


def test_generators_have_states() -> None:
    g = tf.random.Generator.from_seed(1)
    state = g.state
    first, second = g.normal([4]).numpy(), g.normal([4]).numpy()
    assert not np.array_equal(first, second)
    g.reset(state)
    np.testing.assert_array_equal(g.normal([4]).numpy(), first)


def test_distributions() -> None:
    tf.random.set_seed(0)
    gamma = tf.random.gamma([20000], alpha=[3.0], beta=[2.0]).numpy()
    assert abs(gamma.mean() - 1.5) < 0.03
    assert abs(gamma.var() - 0.75) < 0.05
    assert abs(tf.random.poisson([20000], 4.0).numpy().mean() - 4) < 0.1


# -- images ------------------------------------------------------------------------------------------------------------
def test_random_changes_of_images() -> None:
    x = tf.reshape(tf.range(24, dtype=tf.float32), [2, 4, 3])
    flipped = [tf.image.random_flip_left_right(x).numpy() for _ in range(40)]
    kinds = {f.tobytes() for f in flipped}
    assert kinds == {x.numpy().tobytes(), np.ascontiguousarray(x.numpy()[:, ::-1]).tobytes()}
    crop = tf.image.random_crop(x, [1, 2, 3]).numpy()
    assert any(np.array_equal(crop, x.numpy()[r : r + 1, c : c + 2]) for r in range(2) for c in range(3))
    np.testing.assert_array_equal(
        tf.image.stateless_random_crop(x, [1, 2, 3], [3, 4]).numpy(),
        tf.image.stateless_random_crop(x, [1, 2, 3], [3, 4]).numpy(),
    )


def test_resize_has_gradients() -> None:
    v = tf.Variable(tf.ones([4, 4, 1]))
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(tf.image.resize(v, [2, 2], method="area"))
    np.testing.assert_allclose(tape.gradient(loss, v).numpy(), np.full((4, 4, 1), 0.25), rtol=1e-6)


def test_image_files_need_an_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "PIL.Image", None)
    with pytest.raises(ImportError, match=r"duograph\[image\]"):
        tf.io.decode_png(b"")


# -- the rest ----------------------------------------------------------------------------------------------------------
def test_one_device() -> None:
    assert tf.config.list_physical_devices("GPU") == []
    strategy = tf.distribute.MirroredStrategy()
    with strategy.scope(), tf.device("/GPU:0"):
        assert tf.distribute.get_strategy() is strategy
    assert strategy.reduce("SUM", strategy.run(lambda x: x + 1, args=(tf.constant(1),)), axis=None).numpy() == 2
    with pytest.raises(AttributeError, match="one machine"):
        _ = tf.distribute.TPUStrategy


def test_host_functions() -> None:
    assert tf.numpy_function(lambda a: a * 2, [tf.constant([1.0])], tf.float32).numpy().tolist() == [2.0]
    stream = io.StringIO()
    tf.print("x", tf.constant([1, 2]), output_stream=stream)
    assert stream.getvalue() == "x [1 2]\n"


def test_error_classes_and_codes() -> None:
    errors: Any = tf.errors
    assert errors.NotFoundError(None, None, "text").message == "text"
    assert errors.OutOfRangeError("text").error_code == errors.OUT_OF_RANGE == 11
    with pytest.raises(errors.InvalidArgumentError, match="one dtype"):
        tf.add(tf.constant(1), tf.constant(1.0))


def test_shapes() -> None:
    shape = tf.TensorShape([None, 2])
    assert shape.as_list() == [None, 2]
    assert shape.is_compatible_with([5, 2])
    assert shape.merge_with([5, None]).as_list() == [5, 2]
    with pytest.raises(ValueError, match="incompatible"):
        shape.merge_with([1, 3])


def test_arrays_of_tensors_and_maps() -> None:
    array = tf.TensorArray(tf.float32, size=2, dynamic_size=True)
    x = tf.Variable(2.0)
    with tf.GradientTape() as tape:
        for i in tf.range(3):
            array = array.write(i, x * float(i))
        total = tf.reduce_sum(array.stack())
    assert float(tape.gradient(total, x)) == 3.0
    rows = tf.constant([[1.0, 2.0], [3.0, 4.0]])
    np.testing.assert_array_equal(tf.vectorized_map(lambda r: tf.reduce_sum(r * r), rows).numpy(), [5, 25])
    assert float(tf.foldr(lambda a, r: a * 2 + r, tf.constant([1.0, 2.0, 4.0]))) == 21.0


def test_python_control_flow_in_a_function() -> None:
    @tf.function
    def collatz(n: Any) -> Any:
        steps = 0
        while n > 1:
            n = n // 2 if n % 2 == 0 else 3 * n + 1
            steps += 1
        return steps

    assert [int(collatz(tf.constant(n))) for n in (6, 7, 6, 27)] == [8, 16, 8, 111]


def test_outside_a_graph_functions_compute() -> None:
    with tf.Graph().as_default():
        assert not isinstance(tf.constant(1.0) + 1, tf.Tensor)
    assert isinstance(tf.constant(1.0) + 1, tf.Tensor)


def test_reductions_and_joins_of_ragged_tensors() -> None:
    x = tf.ragged.constant([[1, 2], [3]])
    assert tf.reduce_sum(x, axis=1).numpy().tolist() == [3, 3]
    assert tf.reduce_max(x).numpy() == 3
    assert tf.concat([x, tf.ragged.constant([[4, 5, 6]])], axis=0).to_list() == [[1, 2], [3], [4, 5, 6]]
    with pytest.raises(NotImplementedError, match="axis 1"):
        tf.reduce_sum(x, axis=0)


def test_shapes_can_be_set_as_they_are() -> None:
    x = tf.ones([2, 3])
    x.set_shape([None, 3])
    assert x.get_shape() == [2, 3]
    with pytest.raises(ValueError, match="set_shape"):
        x.set_shape([3, 3])


def test_data_sets_of_strings_and_numbers_give_strings() -> None:
    rows = tf.data.Dataset.from_tensor_slices((["a", "b"], [1, 2]))
    found = list(rows.map(lambda s, n: (tf.strings.upper(s), n)))
    assert [(s.numpy(), int(n)) for s, n in found] == [(b"A", 1), (b"B", 2)]
