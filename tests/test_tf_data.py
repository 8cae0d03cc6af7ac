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
