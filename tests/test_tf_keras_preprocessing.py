"""Keras's preprocessing layers on strings and on data sets, against values TensorFlow gave for them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import duograph.tf as tf

WORDS = np.array(["a b c", "b c", "c d e c", "a"])
KEYS = np.array(["x", "y", "x", "z"])
COUNTS = [[0, 1, 1, 1, 0, 0], [0, 1, 1, 0, 0, 0], [0, 2, 0, 0, 1, 1], [0, 0, 0, 1, 0, 0]]
TEXTS = {
    "int": [[4, 3, 2, 0], [3, 2, 0, 0], [2, 6, 5, 2], [4, 0, 0, 0]],
    "multi_hot": np.minimum(COUNTS, 1),
    "count": COUNTS,
    "tf_idf": np.array(COUNTS) * [0, 0.693147, 0.847298, 0.847298, 1.098612, 1.098612],
}


def _batched(array: Any) -> Any:
    return tf.data.Dataset.from_tensor_slices(array).batch(len(array))


@pytest.mark.parametrize("mode", TEXTS)
def test_text_vectorization(mode: str) -> None:
    layer = tf.keras.layers.TextVectorization(output_mode=mode)
    layer.adapt(_batched(WORDS))
    for found in (layer(WORDS), layer(tf.constant(WORDS)), next(iter(_batched(WORDS).map(layer)))):
        np.testing.assert_allclose(found.numpy(), TEXTS[mode], rtol=1e-5)


@pytest.mark.parametrize("mode", ["int", "one_hot", "multi_hot", "count"])
@pytest.mark.parametrize(("kind", "keys"), [("StringLookup", KEYS), ("IntegerLookup", np.array([3, 5, 3, 4]))])
def test_lookup(kind: str, keys: Any, mode: str) -> None:
    layer = getattr(tf.keras.layers, kind)(output_mode=mode)
    layer.adapt(_batched(keys))
    places = [1, 3, 1, 2] if kind == "StringLookup" else [1, 2, 1, 3]
    expected = np.array(places)[:, None] if mode == "int" else np.eye(4)[places]
    for found in (layer(keys[:, None]), layer(tf.constant(keys[:, None]))):
        np.testing.assert_array_equal(found.numpy(), expected)


def test_normalization_of_a_data_set() -> None:
    x = np.array([[1, 2], [2, 4], [5, 10], [9, 18]], "float32")
    layer = tf.keras.layers.Normalization()
    layer.adapt(tf.data.Dataset.from_tensor_slices(x).batch(3))
    np.testing.assert_allclose(layer(x).numpy(), (x - x.mean(0)) / x.std(0), rtol=1e-5)


def test_salted_hashes_are_those_of_tensorflow() -> None:
    found = tf.strings.to_hash_bucket_strong(
        ["", "a", "3", "12345678", "a longer text than that", "é"], 1000003, [133, 137]
    )
    assert found.numpy().tolist() == [953272, 554259, 346977, 100339, 264602, 537347]
    np.testing.assert_array_equal(tf.keras.layers.Hashing(5, salt=133)(np.array([3, 5, 3, 7])).numpy(), [2, 2, 2, 2])


def test_padding_with_a_computed_value_has_a_gradient() -> None:
    x = tf.constant([1.0, 2.0, 6.0])
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = tf.pad(x, [[1, 0]], constant_values=tf.reduce_mean(x))
    np.testing.assert_allclose(y.numpy(), [3, 1, 2, 6])
    np.testing.assert_allclose(tape.gradient(y, x).numpy(), [4 / 3] * 3, rtol=1e-6)
