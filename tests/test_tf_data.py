"""`tf.data`: orders and seeds, threads, errors, files, and Keras reading from it."""

from __future__ import annotations

import itertools
import threading
import time
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import duograph.tf as tf
from duograph.events.checksum import crc32c

Dataset = tf.data.Dataset


def listed(dataset: Any) -> list[Any]:
    return [x.tolist() if isinstance(x, np.ndarray | np.generic) else x for x in dataset.as_numpy_iterator()]


def test_map_is_traced_and_replayed() -> None:
    calls = []

    def double(x: Any) -> Any:
        calls.append(1)
        return x * 2

    assert listed(Dataset.range(100).map(double)) == list(range(0, 200, 2))
    assert len(calls) < 10


def test_random_numbers_in_a_mapped_function_differ() -> None:
    drawn = listed(Dataset.range(50).map(lambda x: tf.random.uniform(())))
    assert len(set(drawn)) == 50


def test_shuffle_is_fixed_by_its_seed() -> None:
    def orders(**keywords: Any) -> list[list[int]]:
        dataset = Dataset.range(20).shuffle(8, **keywords)
        return [listed(dataset), listed(dataset)]

    first, second = orders(seed=1)
    assert sorted(first) == sorted(second) == list(range(20))
    assert first != second
    assert [first, second] == orders(seed=1)
    same = orders(seed=1, reshuffle_each_iteration=False)
    assert same[0] == same[1]
    tf.random.set_seed(5)
    given = orders()
    tf.random.set_seed(5)
    assert given == orders()


def test_shuffle_draws_from_a_buffer() -> None:
    order = listed(Dataset.range(1000).shuffle(10, seed=0))
    assert sorted(order) == list(range(1000))
    assert all(value <= place + 9 for place, value in enumerate(order))


def test_shuffle_with_a_full_buffer_is_uniform() -> None:
    firsts = [next(Dataset.range(4).shuffle(4, seed=s).as_numpy_iterator()) for s in range(400)]
    assert np.bincount(firsts, minlength=4).min() > 60


def test_writing_to_an_element_changes_nothing_else() -> None:
    source = np.zeros((4, 2), np.float32)
    kept = Dataset.from_tensor_slices(source).cache()
    for dataset in (Dataset.from_tensor_slices(source), kept, kept, Dataset.from_tensors(source)):
        for element in dataset:
            element += 1.0
            element.numpy()
    assert not source.any()
    assert not np.array(listed(kept)).any()


def test_prefetch_works_ahead_in_a_thread_that_ends() -> None:
    made: list[int] = []

    def count() -> Iterator[int]:
        for i in itertools.count():
            made.append(i)
            yield i

    before = threading.active_count()
    iterator = iter(Dataset.from_generator(count, output_types=tf.int32).prefetch(3))
    assert int(next(iterator)) == 0
    deadline = time.monotonic() + 5
    while len(made) < 4 and time.monotonic() < deadline:
        time.sleep(0.01)
    assert 4 <= len(made) <= 6
    del iterator
    while threading.active_count() > before and time.monotonic() < deadline:
        time.sleep(0.01)
    assert threading.active_count() == before


def test_host_code_is_called_by_threads_and_keeps_its_order() -> None:
    threads = set()

    def slow(x: np.ndarray) -> np.ndarray:
        threads.add(threading.get_ident())
        time.sleep(0.002)
        return x + 1

    dataset = Dataset.range(40).map(lambda x: tf.numpy_function(slow, [x], tf.int64), num_parallel_calls=4)
    assert listed(dataset) == list(range(1, 41))
    assert len(threads) > 1


@pytest.mark.parametrize("ahead", [0, 2])
def test_an_error_shows_the_line_of_the_function(ahead: int) -> None:
    def broken(x: Any) -> Any:
        return tf.reshape(x, (2, 3))

    with pytest.raises(Exception) as caught:  # noqa: PT011
        list(Dataset.range(3).map(broken).prefetch(ahead))
    assert "tf.reshape(x, (2, 3))" in "".join(traceback.format_exception(caught.value))


def test_batches_of_different_shapes_are_refused() -> None:
    rows = Dataset.from_generator(lambda: iter([np.zeros(2), np.zeros(3)]), output_types=tf.float64)
    with pytest.raises(tf.errors.InvalidArgumentError, match="padded_batch"):
        list(rows.batch(2))


def test_generators_are_checked() -> None:
    spec = tf.TensorSpec((2,), tf.float32)
    with pytest.raises(TypeError, match="shape"):
        list(Dataset.from_generator(lambda: iter([[1.0, 2.0, 3.0]]), output_signature=spec))
    with pytest.raises(TypeError):
        list(Dataset.from_generator(lambda: iter([(1.0, 2.0)]), output_types=(tf.float32, tf.float32, tf.int32)))


def test_lengths() -> None:
    assert len(Dataset.range(10).batch(3)) == 4
    with pytest.raises(TypeError, match="infinite"):
        len(Dataset.range(3).repeat())
    with pytest.raises(ValueError, match="one length"):
        Dataset.from_tensor_slices((np.zeros(2), np.zeros(3)))
    with pytest.raises(tf.errors.OutOfRangeError):
        iter(Dataset.range(0)).get_next()


def test_samples_follow_the_weights() -> None:
    ones, twos = (Dataset.from_tensors(n).repeat() for n in (1, 2))
    drawn = listed(Dataset.sample_from_datasets([ones, twos], [0.2, 0.8], seed=3).take(500))
    assert 60 < drawn.count(1) < 140


def test_cache_and_save_in_files(tmp_path: Path) -> None:
    made = []

    def rows() -> Iterator[Any]:
        made.append(1)
        yield from ((i, {"s": f"t{i}"}) for i in range(3))

    spec = (tf.TensorSpec((), tf.int32), {"s": tf.TensorSpec((), tf.string)})
    source = Dataset.from_generator(rows, output_signature=spec)
    expected = list(source.as_numpy_iterator())
    made.clear()
    for _ in range(2):
        assert list(source.cache(str(tmp_path / "kept")).as_numpy_iterator()) == expected
    assert len(made) == 1
    source.save(str(tmp_path / "saved"))
    assert list(Dataset.load(str(tmp_path / "saved")).as_numpy_iterator()) == expected
    (tmp_path / "saved" / "elements.safetensors").write_bytes(b"no such thing")
    with pytest.raises(tf.errors.DataLossError):
        Dataset.load(str(tmp_path / "saved"))


def test_keras_fits_evaluates_and_predicts() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(128, 8)).astype(np.float32)
    y = (x.sum(1) > 0).astype(np.int32)
    rows = Dataset.from_tensor_slices((x, y))
    batches = rows.shuffle(128, seed=1).map(lambda a, b: (a * 2.0, b)).batch(32).prefetch(2)
    tf.keras.utils.set_random_seed(0)
    model = tf.keras.Sequential([tf.keras.layers.Dense(16, activation="relu"), tf.keras.layers.Dense(1, "sigmoid")])
    model.compile(tf.keras.optimizers.Adam(0.02), "binary_crossentropy", metrics=["accuracy"])
    history = model.fit(batches, epochs=15, validation_data=batches, verbose=0, class_weight={0: 1.0, 1: 2.0}).history
    assert history["loss"][-1] < history["loss"][0] / 2
    assert model.evaluate(batches, verbose=0)[1] > 0.9
    assert model.predict(rows.map(lambda a, _: a * 2.0).batch(50), verbose=0).shape == (128, 1)
    model.fit(batches.repeat(), epochs=2, steps_per_epoch=3, verbose=0)


# -- functions of many elements at once --------------------------------------------------------------------------------
def pixels(n: int = 300) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    return rng.integers(0, 256, (n, 4, 3), np.uint8), rng.integers(0, 10, n)


def test_a_pure_function_is_called_for_many_elements_at_once() -> None:
    images, labels = pixels()
    calls = []

    def scaled(x: Any, y: Any) -> Any:
        calls.append(1)
        return {"x": tf.cast(x, tf.float32) / 255.0, "y": tf.one_hot(y, 10)}

    dataset = tf.data.Dataset.from_tensor_slices((images, labels)).map(scaled)
    for _ in range(2):
        found = list(dataset.as_numpy_iterator())
        np.testing.assert_array_equal(np.stack([e["x"] for e in found]), images.astype(np.float32) / np.float32(255))
        np.testing.assert_array_equal(np.stack([e["y"] for e in found]), np.eye(10, dtype=np.float32)[labels])
    assert len(calls) < 12
    assert found[100]["x"].base is None  # in memory of its own: it keeps no chunk alive


def test_results_that_draw_or_read_state_are_made_one_by_one() -> None:
    images, labels = pixels()
    scale = tf.Variable(1.0)
    dataset = tf.data.Dataset.from_tensor_slices(images).map(lambda x: tf.cast(x, tf.float32) * scale)
    found = []
    for place, x in enumerate(dataset):
        found.append(float(x[0, 0]))
        scale.assign(float(place + 2))
    np.testing.assert_allclose(found, images[:, 0, 0] * np.arange(1, len(images) + 1), rtol=1e-6)
    noisy = tf.data.Dataset.from_tensor_slices(labels).map(
        lambda y: tf.random.uniform([]) + 0.0 * tf.cast(y, "float32")
    )
    assert len({float(x) for x in noisy}) > 290


def test_generators_are_not_read_ahead() -> None:
    taken = []

    def numbers() -> Any:
        for i in range(200):
            taken.append(i)
            yield i

    dataset = tf.data.Dataset.from_generator(numbers, output_signature=tf.TensorSpec((), tf.int32))
    for place, x in enumerate(dataset.map(lambda x: x * 2)):
        assert int(x) == 2 * place
        assert len(taken) == place + 1


def test_elements_of_different_shapes_are_mapped_in_parallel() -> None:
    def rows() -> Any:
        for i in range(200):
            yield np.arange(i % 3 + 1, dtype=np.float32)

    dataset = tf.data.Dataset.from_generator(rows, output_signature=tf.TensorSpec((None,), tf.float32))
    found = list(dataset.map(lambda x: 2.0 * x, num_parallel_calls=tf.data.AUTOTUNE).as_numpy_iterator())
    for place, x in enumerate(found):
        np.testing.assert_array_equal(x, 2 * np.arange(place % 3 + 1, dtype=np.float32))


def test_errors_come_at_their_element() -> None:
    images = np.ones((300, 2), np.float32)
    images[150] = np.nan
    dataset = tf.data.Dataset.from_tensor_slices(images).map(lambda x: tf.debugging.check_numerics(x, "here"))
    count = 0
    with pytest.raises(tf.errors.InvalidArgumentError, match="here"):
        for _ in dataset:
            count += 1
    assert count == 150


# -- records -----------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("length", [0, 1, 5, 63, 64, 65, 1023, 1024, 1025, 3000])
def test_checksums_of_all_lengths(length: int) -> None:
    def by_bits(data: bytes) -> int:
        value = 0xFFFFFFFF
        for byte in data:
            value ^= byte
            for _ in range(8):
                value = value >> 1 ^ (0x82F63B78 if value & 1 else 0)
        return value ^ 0xFFFFFFFF

    data = np.random.default_rng(length).bytes(length)
    assert crc32c(data) == by_bits(data)


def example(**features: Any) -> bytes:
    kinds = {bytes: "bytes_list", float: "float_list", int: "int64_list"}
    lists = {"bytes_list": tf.train.BytesList, "float_list": tf.train.FloatList, "int64_list": tf.train.Int64List}
    made = {}
    for key, values in features.items():
        kind = kinds[type(values[0])]
        made[key] = tf.train.Feature(**{kind: lists[kind](value=values)})
    return tf.train.Example(features=tf.train.Features(feature=made)).SerializeToString()


def test_examples_of_one_length_and_different_layouts() -> None:
    """Their layouts are recognised by what stands between the values: one of the same length may differ there."""
    description = {"a": tf.io.VarLenFeature(tf.int64), "b": tf.io.FixedLenFeature([], tf.string, "none")}
    contents: list[dict[str, Any]] = [
        {"a": [1, 2, 3], "b": [b"xy"]}, {"a": [1, 2], "b": [b"xyz"]}, {"a": [300, 4], "b": [b"xy"]},
        {"b": [b"xyz"], "a": [7, 8]}, {"a": [-1], "b": [b""]}, {"a": [2**62, 5], "c": [b"xyz"]},
    ]  # fmt: skip
    for _ in range(2):
        for content in contents:
            read = tf.io.parse_single_example(example(**content), description)
            assert read["a"].values.numpy().tolist() == content["a"]
            assert read["b"].numpy() == content.get("b", [b"none"])[0]
    batch = tf.io.parse_example([example(**content) for content in contents], description)
    assert batch["a"].values.numpy().tolist() == [n for content in contents for n in content["a"]]
    assert batch["b"].numpy().tolist() == [content.get("b", [b"none"])[0] for content in contents]


@pytest.mark.parametrize("damage", [lambda d: d[:-1], lambda d: d[:5] + b"\xff" + d[6:], lambda d: b"\x0a\xff" + d])
def test_damaged_examples_are_invalid(damage: Any) -> None:
    good = example(x=[1.0, 2.0])
    description = {"x": tf.io.FixedLenFeature([2], tf.float32)}
    tf.io.parse_single_example(good, description)
    with pytest.raises(tf.errors.InvalidArgumentError):
        tf.io.parse_single_example(damage(good), description)
