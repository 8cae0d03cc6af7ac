"""Keras's recurrences as loops: any cell, with masks, states and random numbers, however long the sequences."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import duograph
import duograph.tf as tf
from duograph.graph.errors import GraphError

keras = tf.keras
layers = keras.layers
X = np.random.default_rng(0).standard_normal((3, 7, 4)).astype("float32")
MASK = np.array([[0, 0, 0, 0, 0, 0, 0], [1, 1, 0, 1, 1, 0, 0], [0, 1, 1, 1, 1, 1, 1]], bool)


def outcome(layer: Any, mask: np.ndarray | None = None) -> list[np.ndarray]:
    """Results, and gradients of the inputs and of the weights."""
    rng = np.random.default_rng(3)
    layer.build(X.shape)
    layer.set_weights([0.5 * rng.standard_normal(w.shape).astype("float32") for w in layer.get_weights()])
    x = tf.constant(X)
    with tf.GradientTape() as tape:
        tape.watch(x)
        found = layer(x, mask=None if mask is None else tf.constant(mask))
        results = [tf.convert_to_tensor(r) for r in keras.tree.flatten(found)]
        total = sum(tf.reduce_sum(r * r) for r in results)
    gradients = tape.gradient(total, [x, *layer.trainable_variables])
    return [np.asarray(r) for r in (*results, *gradients)]


@pytest.mark.parametrize("options", [{}, {"return_sequences": True}, {"zero_output_for_mask": True}], ids=str)
@pytest.mark.parametrize("kind", ["LSTM", "GRU", "SimpleRNN"])
def test_a_loop_is_its_steps(kind: str, options: dict[str, bool]) -> None:
    for mask in (None, MASK):
        mine, theirs = (
            outcome(getattr(layers, kind)(5, return_state=True, unroll=unroll, **options), mask)
            for unroll in (False, True)
        )
        for a, b in zip(mine, theirs, strict=True):
            np.testing.assert_allclose(a, b, 1e-4, 1e-5)


class Counting(layers.Layer):
    """A cell with states of two shapes and dtypes, one of them nested, and a result that is none of them."""

    state_size = (4, [1, 2])
    output_size = 4

    def get_initial_state(self, batch_size: int) -> Any:
        return [tf.zeros((batch_size, 4)), [tf.zeros((batch_size, 1)), tf.zeros((batch_size, 2))]]

    def call(self, x: Any, states: Any) -> Any:
        total, (count, pair) = states
        total = total + x
        return total / (count + 1.0), [total, [count + 1.0, pair * 2.0 + 1.0]]


def test_a_cell_of_ones_own() -> None:
    output, total, (count, pair) = layers.RNN(Counting(), return_sequences=True, return_state=True)(X)
    sums = np.cumsum(X, 1)
    np.testing.assert_allclose(output, sums / np.arange(1, 8)[:, None], 1e-5, 1e-6)
    np.testing.assert_allclose(total, sums[:, -1], 1e-5, 1e-6)
    assert np.asarray(count).tolist() == [[7]] * 3
    assert np.asarray(pair).tolist() == [[127, 127]] * 3


class Noisy(layers.Layer):
    """A cell that draws new random numbers in each step."""

    state_size = output_size = 4

    def __init__(self) -> None:
        super().__init__()
        self.dropout = layers.Dropout(0.5, seed=7)

    def call(self, x: Any, states: Any, training: bool = False) -> Any:
        kept = self.dropout(tf.ones_like(x), training=training)
        return kept, [states[0] + kept]


def test_random_numbers_are_others_in_each_step() -> None:
    layer = layers.RNN(Noisy(), return_sequences=True)
    first, second = (np.asarray(layer(X, training=True)) for _ in range(2))
    assert set(first.ravel().tolist()) == {0, 2}
    steps = [*first.swapaxes(0, 1), *second.swapaxes(0, 1)]
    assert len({s.tobytes() for s in steps}) == len(steps)
    again = np.asarray(layers.RNN(Noisy(), return_sequences=True)(X, training=True))
    assert np.array_equal(again, first)


class Reading(layers.Layer):
    """A cell that decides in Python."""

    state_size = output_size = 4

    def call(self, x: Any, states: Any) -> Any:
        new = states[0] + x if float(tf.reduce_sum(x)) > 0 else states[0]
        return new, [new]


def test_a_step_that_reads_values_must_be_unrolled() -> None:
    with pytest.raises(GraphError, match="unroll=True"):
        layers.RNN(Reading())(X)
    received = np.asarray(layers.RNN(Reading(), unroll=True)(X))
    kept = [t for t in range(7) if X[:, t].sum() > 0]
    np.testing.assert_allclose(received, X[:, kept].sum(1), 1e-5, 1e-5)


def test_a_stateful_layer_goes_on() -> None:
    layer = layers.GRU(5, stateful=True, return_sequences=True)
    parts = [np.asarray(layer(X[:, a:b])) for a, b in ((0, 3), (3, 7))]
    layer.reset_state()
    np.testing.assert_allclose(np.concatenate(parts, 1), np.asarray(layer(X)), 1e-5, 1e-6)


def test_a_long_sequence_is_a_short_plan() -> None:
    counts = []
    for steps in (5, 500):
        model = keras.Sequential(
            [
                layers.Input((steps,)),
                layers.Embedding(20, 4, mask_zero=True),
                layers.Bidirectional(layers.LSTM(3, return_sequences=True)),
                layers.GRU(3, dropout=0.2, recurrent_dropout=0.2),
                layers.Dense(1),
            ]
        )
        model.compile("sgd", "mse")
        x, y = np.random.default_rng(0).integers(0, 20, (8, steps)), np.zeros((8, 1), "float32")
        with duograph.debug.plans("plans") as seen:
            model.fit(x, y, batch_size=4, verbose=0)
        counts.append(
            [int(line.split(" nodes")[0].rsplit(" ", 1)[1]) for line in str(seen).splitlines() if "nodes" in line]
        )
    assert max(counts[0]) == max(counts[1])
