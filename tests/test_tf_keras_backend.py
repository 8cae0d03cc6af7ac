"""What Duograph changes in Keras's backend: shapes without computing, random numbers, attention, what tests replace."""

from __future__ import annotations

import builtins
import io
from typing import Any

import numpy as np
import pytest

import duograph.tf as tf
from duograph.graph import trace as tracing

keras = tf.keras
layers = keras.layers


@pytest.fixture
def computed(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many values each computation gave, as they come."""
    counts: list[int] = []
    realise = tracing.realiser

    def counting(trace: Any, *arguments: Any) -> None:
        counts.append(sum(1 for r in trace.pending if (v := r()) is not None and v.buffer is None))
        realise(trace, *arguments)

    monkeypatch.setattr(tracing, "realiser", counting)
    return counts


def test_building_a_model_computes_nothing(computed: list[int]) -> None:
    inputs = keras.Input((16, 16, 3))
    x = layers.RandomFlip()(layers.Conv2D(8, 3, activation="relu")(inputs))
    x = layers.MaxPooling2D()(layers.DepthwiseConv2D(3)(layers.BatchNormalization()(x)))
    x = layers.Reshape((-1, 8))(layers.Dropout(0.1)(x))
    x = layers.LSTM(6, return_sequences=True)(layers.MultiHeadAttention(2, 4)(x, x))
    x = layers.LayerNormalization()(layers.Bidirectional(layers.GRU(4))(x))
    model = keras.Model(inputs, layers.Dense(3, kernel_regularizer="l2")(x))
    model.compile("adam", "mse")
    assert model.compute_output_shape((None, 16, 16, 3)) == model.output_shape == (None, 3)
    assert not any(computed)
    assert model.layers[1].kernel.numpy().std() > 0  # and only now are the weights drawn
    assert any(computed)


def test_shapes_are_inferred_apart_from_what_is_recorded() -> None:
    x = tf.constant([1.0, 2.0]) * 2
    shape = keras.ops.matmul(keras.KerasTensor((None, 3)), keras.KerasTensor((3, 5))).shape
    assert shape == (None, 5) and (x + 1).numpy().tolist() == [3, 5]


@pytest.mark.parametrize("alpha", [0.1, 0.7, 1.0, 4.5])
def test_gamma_numbers(alpha: float) -> None:
    drawn = keras.random.gamma((20_000,), alpha, seed=3).numpy()
    assert drawn.dtype == np.float32 and (drawn >= 0).all()
    np.testing.assert_allclose([drawn.mean(), drawn.var()], [alpha, alpha], rtol=0.08)
    third = ((drawn - alpha) ** 3).mean()
    np.testing.assert_allclose(third, 2 * alpha, rtol=0.3)


@pytest.mark.parametrize(("a", "b"), [(0.02, 0.02), (0.5, 2.0), (6.0, 3.0)])
def test_beta_numbers(a: float, b: float) -> None:
    drawn = keras.random.beta((20_000,), a, b, seed=3).numpy()
    assert ((drawn >= 0) & (drawn <= 1)).all()
    variance = a * b / ((a + b) ** 2 * (a + b + 1))
    np.testing.assert_allclose([drawn.mean(), drawn.var()], [a / (a + b), variance], rtol=0.05)


def test_binomial_numbers_and_seeds() -> None:
    drawn = keras.random.binomial((20_000,), 10.0, 0.3, seed=3).numpy()
    np.testing.assert_allclose([drawn.mean(), drawn.var()], [3, 2.1], rtol=0.05)
    assert np.isin(drawn, np.arange(11)).all()
    seed = keras.random.SeedGenerator(5)
    for draw in (
        lambda seed: keras.random.gamma((3,), 2.0, seed=seed),
        lambda seed: keras.random.beta((3,), 2.0, 1.0, seed=seed),
        lambda seed: keras.random.binomial((3,), 1000.0, 0.5, seed=seed),
    ):
        assert draw(7).numpy().tolist() == draw(7).numpy().tolist() != draw(8).numpy().tolist()
        assert draw(seed).numpy().tolist() != draw(seed).numpy().tolist()
    assert keras.random.beta((2, 3), 1.0, 2.0, dtype="float16", seed=1).dtype is tf.float16


def test_attention_with_a_bias_and_causal() -> None:
    rng = np.random.default_rng(0)
    query, key, value = (rng.standard_normal((2, 4, 3, 5)).astype("float32") for _ in range(3))
    bias = rng.standard_normal((1, 1, 4, 4)).astype("float32")
    found = keras.ops.dot_product_attention(query, key, value, bias=bias, is_causal=True).numpy()
    scores = np.einsum("bqhd,bkhd->bhqk", query, key) / np.sqrt(5) + bias
    scores = np.where(np.tril(np.ones((4, 4), bool)), scores, -np.inf)
    weights = np.exp(scores - scores.max(-1, keepdims=True))
    weights /= weights.sum(-1, keepdims=True)
    np.testing.assert_allclose(found, np.einsum("bhqk,bkhd->bqhd", weights, value), rtol=1e-5, atol=1e-6)


def test_builtins_that_are_replaced_are_replaced_inside_keras(monkeypatch: pytest.MonkeyPatch) -> None:
    from keras.src.utils.io_utils import ask_to_proceed_with_overwrite

    monkeypatch.setattr(builtins, "input", lambda *_: "y")
    assert ask_to_proceed_with_overwrite("a path") is True
    monkeypatch.setattr(builtins, "input", lambda *_: "n")
    assert ask_to_proceed_with_overwrite("a path") is False


def test_a_stateful_layer_trains_and_keeps_its_state() -> None:
    """Two batches of a stateful layer are one sequence of twice the length, without gradients across."""
    x = np.random.default_rng(1).standard_normal((3, 8, 2)).astype("float32")
    layer = layers.LSTM(4, stateful=True, return_sequences=True)
    inputs = keras.Input(batch_shape=(3, 4, 2))
    model = keras.Model(inputs, layers.Dense(1)(layer(inputs)))
    model.compile(keras.optimizers.SGD(0.0), "mse")
    parts = [model.predict(x[:, k : k + 4], batch_size=3, verbose=0) for k in (0, 4)]
    whole = layers.LSTM(4, return_sequences=True)
    again = keras.Sequential([keras.Input((8, 2)), whole, layers.Dense(1)])
    again.set_weights([w for w in model.get_weights() if w.shape != (3, 4)])
    np.testing.assert_allclose(np.concatenate(parts, 1), again.predict(x, verbose=0), rtol=1e-5, atol=1e-6)
    layer.reset_states()
    y = np.zeros((3, 4, 1), "float32")
    losses = [model.train_on_batch(x[:, k : k + 4], y) for k in (0, 4)]
    np.testing.assert_allclose(losses, [(p**2).mean() for p in parts], rtol=1e-5)

    # with the state as an input, which is a constant for the gradient as well
    states = [np.array(s) for s in layer.states]
    given = [keras.Input(batch_shape=(3, 4)) for _ in states]
    same = layers.LSTM(4, return_sequences=True)
    free = keras.Model([inputs, *given], layers.Dense(1)(same(inputs, initial_state=given)))
    free.set_weights(again.get_weights())
    for one in (model, free):
        one.compile(keras.optimizers.SGD(0.5), "mse")
    for _ in range(4):  # recorded, and then replayed
        states = [np.array(s) for s in layer.states]
        assert free.train_on_batch([x[:, :4], *states], y) == pytest.approx(model.train_on_batch(x[:, :4], y), rel=1e-5)
    for one, other in zip(free.trainable_weights, model.trainable_weights, strict=True):
        np.testing.assert_allclose(one.numpy(), other.numpy(), rtol=1e-4, atol=1e-6)


def test_errors_when_the_version_does_not_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    from duograph.tf import keras_import

    monkeypatch.delitem(__import__("sys").modules, "keras")
    monkeypatch.setattr("importlib.metadata.version", lambda name: "3.9.1")
    with pytest.raises(ImportError, match=r"3\.9\.1"):
        keras_import._check()


def test_messages_go_where_print_goes(monkeypatch: pytest.MonkeyPatch) -> None:
    shown = io.StringIO()
    monkeypatch.setattr("sys.stdout", shown)
    keras.Sequential([keras.Input((2,)), layers.Dense(1)]).summary()
    assert "dense" in shown.getvalue()
