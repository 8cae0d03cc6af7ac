"""Keras's layers, optimisers, losses and metrics on Duograph: each builds, trains, and comes back from its file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import duograph.tf as tf

keras = tf.keras
layers = keras.layers
SEQUENCE, IMAGE, VOLUME = (9, 4), (8, 9, 4), (6, 5, 7, 2)
SPATIAL = {1: SEQUENCE, 2: IMAGE, 3: VOLUME}


@keras.saving.register_keras_serializable("tests")
class SelfAttention(keras.layers.Layer):
    def __init__(self, **keywords: Any) -> None:
        super().__init__(**keywords)
        self.attention = layers.MultiHeadAttention(2, 3)

    def build(self, shape: Any) -> None:
        self.attention.build(shape, shape)

    def call(self, x: Any) -> Any:
        return self.attention(x, x, use_causal_mask=True)


CASES: dict[str, tuple[Any, tuple[int, ...]]] = {
    "Dense": (lambda: layers.Dense(3, activation="relu"), (5,)),
    "Dense on sequences": (lambda: layers.Dense(3), SEQUENCE),
    "EinsumDense": (lambda: layers.EinsumDense("abc,cd->abd", output_shape=(None, 5), bias_axes="d"), SEQUENCE),
    "Conv1D causal": (lambda: layers.Conv1D(3, 3, padding="causal", dilation_rate=2), SEQUENCE),
    "Conv2D in groups": (lambda: layers.Conv2D(6, 3, groups=2), IMAGE),
    "Conv2D channels first": (lambda: layers.Conv2D(3, 3, data_format="channels_first"), (4, 8, 9)),
    "BatchNormalization": (layers.BatchNormalization, IMAGE),
    "BatchNormalization of vectors": (lambda: layers.BatchNormalization(scale=False), (5,)),
    "LayerNormalization": (layers.LayerNormalization, SEQUENCE),
    "LayerNormalization over two axes": (lambda: layers.LayerNormalization(axis=[1, 2]), SEQUENCE),
    "GroupNormalization": (lambda: layers.GroupNormalization(2), IMAGE),
    "RMSNormalization": (layers.RMSNormalization, SEQUENCE),
    "UnitNormalization": (layers.UnitNormalization, SEQUENCE),
    "SpectralNormalization": (lambda: layers.SpectralNormalization(layers.Dense(3)), (5,)),
    "Dropout": (lambda: layers.Dropout(0.5), SEQUENCE),
    "SpatialDropout2D": (lambda: layers.SpatialDropout2D(0.5), IMAGE),
    "GaussianNoise": (lambda: layers.GaussianNoise(0.5), SEQUENCE),
    "GaussianDropout": (lambda: layers.GaussianDropout(0.5), SEQUENCE),
    "AlphaDropout": (lambda: layers.AlphaDropout(0.5), SEQUENCE),
    "ActivityRegularization": (lambda: layers.ActivityRegularization(0.1, 0.1), SEQUENCE),
    "Flatten": (layers.Flatten, IMAGE),
    "Reshape": (lambda: layers.Reshape((4, -1)), SEQUENCE),
    "Permute": (lambda: layers.Permute((2, 1)), SEQUENCE),
    "RepeatVector": (lambda: layers.RepeatVector(3), (5,)),
    "Cropping2D": (lambda: layers.Cropping2D(((1, 2), (0, 1))), IMAGE),
    "ZeroPadding2D": (lambda: layers.ZeroPadding2D(((1, 2), (0, 1))), IMAGE),
    "UpSampling2D": (lambda: layers.UpSampling2D(2), IMAGE),
    "UpSampling2D bilinear": (lambda: layers.UpSampling2D(2, interpolation="bilinear"), IMAGE),
    "Rescaling": (lambda: layers.Rescaling(0.5, 1.0), IMAGE),
    "PReLU": (lambda: layers.PReLU(alpha_initializer="ones"), SEQUENCE),
    "LeakyReLU": (lambda: layers.LeakyReLU(0.2), SEQUENCE),
    "ELU": (layers.ELU, SEQUENCE),
    "ReLU": (lambda: layers.ReLU(6, 0.1, 0.2), SEQUENCE),
    "Softmax": (layers.Softmax, SEQUENCE),
    "Masking": (layers.Masking, SEQUENCE),
    "TimeDistributed": (lambda: layers.TimeDistributed(layers.Dense(2)), SEQUENCE),
    "MultiHeadAttention": (SelfAttention, SEQUENCE),
    "LSTM": (lambda: layers.LSTM(3), SEQUENCE),
    "GRU": (lambda: layers.GRU(3, return_sequences=True), SEQUENCE),
    "SimpleRNN": (lambda: layers.SimpleRNN(3), SEQUENCE),
    "Bidirectional": (lambda: layers.Bidirectional(layers.LSTM(3)), SEQUENCE),
}


def case(name: str, shape: tuple[int, ...], *arguments: Any, **options: Any) -> None:
    """Add the layer of that name with these arguments."""
    label = " ".join([name, *(f"{key}={value}" for key, value in options.items())])
    CASES[label] = (lambda: getattr(layers, name)(*arguments, **options)), shape


for n, shape in SPATIAL.items():
    for padding in ("same", "valid"):
        for options in ({}, {"strides": 2}, {"dilation_rate": 2}):
            case(f"Conv{n}D", shape, 3, 2, padding=padding, **options)
            case(f"Conv{n}DTranspose", shape, 3, 2, padding=padding, **options)
        case(f"MaxPooling{n}D", shape, 2, padding=padding)
        case(f"AveragePooling{n}D", shape, 2, padding=padding)
        if n < 3:
            case(f"SeparableConv{n}D", shape, 3, 2, padding=padding)
            case(f"DepthwiseConv{n}D", shape, 2, padding=padding, depth_multiplier=2)
    case(f"GlobalMaxPooling{n}D", shape)
    case(f"GlobalAveragePooling{n}D", shape)


@pytest.mark.parametrize("name", CASES)
def test_layer_builds_trains_and_is_saved(name: str, tmp_path: Path) -> None:
    keras.utils.set_random_seed(1)
    make, shape = CASES[name]
    layer = make()
    model = keras.Sequential([keras.Input(shape), layer])
    x = np.random.default_rng(0).normal(size=(4, *shape)).astype(np.float32)
    output = model(x)
    assert all(n in (None, m) for n, m in zip(model.output_shape, output.shape, strict=True))
    assert output.dtype.name == "float32"
    model.compile(keras.optimizers.SGD(0.01), "mse")
    if model.trainable_weights:
        before = model.get_weights()
        history = model.fit(x, np.zeros(output.shape, np.float32), epochs=2, verbose=0)
        assert np.isfinite(history.history["loss"]).all()
        assert any((a != b).any() for a, b in zip(before, model.get_weights(), strict=True))
    expected = model.predict(x, verbose=0)
    model.save(tmp_path / "model.keras")
    np.testing.assert_array_equal(keras.models.load_model(tmp_path / "model.keras").predict(x, verbose=0), expected)


def test_embedding_learns() -> None:
    model = keras.Sequential(
        [keras.Input((3,), dtype="int32"), layers.Embedding(5, 4), layers.Flatten(), layers.Dense(1)]
    )
    model.compile(keras.optimizers.Adam(0.1), "mse")
    x, y = np.array([[0, 1, 2], [2, 3, 4]]), np.array([[1.0], [-1.0]])
    assert model.fit(x, y, epochs=30, verbose=0).history["loss"][-1] < 0.05


@pytest.mark.parametrize("kind", ["Add", "Subtract", "Multiply", "Average", "Maximum", "Minimum", "Concatenate"])
def test_merging(kind: str) -> None:
    a, b = (np.random.default_rng(i).normal(size=(2, 3)).astype(np.float32) for i in (0, 1))
    inputs = [keras.Input((3,)), keras.Input((3,))]
    merged = keras.Model(inputs, getattr(layers, kind)()(inputs)).predict([a, b], verbose=0)
    expected = {
        "Add": a + b,
        "Subtract": a - b,
        "Multiply": a * b,
        "Average": (a + b) / 2,
        "Maximum": np.maximum(a, b),
        "Minimum": np.minimum(a, b),
        "Concatenate": np.concatenate([a, b], 1),
    }
    np.testing.assert_allclose(merged, expected[kind], rtol=1e-6)


ACTIVATIONS = [
    name
    for name in dir(keras.activations)
    if not name.startswith("_") and name not in ("deserialize", "get", "serialize", "threshold")
]


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_activation_has_a_gradient(name: str) -> None:
    x = tf.Variable(np.linspace(-3, 3, 16).reshape(2, 8) + 0.05, dtype=tf.float32)
    with tf.GradientTape() as tape:
        y = getattr(keras.activations, name)(x)
        target = tf.reduce_sum(y * y)
    gradient = tape.gradient(target, x)
    assert y.shape == ((2, 4) if name == "glu" else (2, 8))
    assert np.isfinite(y.numpy()).all()
    assert np.isfinite(gradient.numpy()).all()


OPTIMIZERS = [
    "SGD",
    "Adam",
    "AdamW",
    "RMSprop",
    "Adagrad",
    "Adadelta",
    "Adamax",
    "Nadam",
    "Ftrl",
    "Lion",
    "Lamb",
    "Adafactor",
]


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_optimizer_lowers_the_loss_and_is_saved(name: str, tmp_path: Path) -> None:
    keras.utils.set_random_seed(0)
    rng = np.random.default_rng(0)
    x = rng.normal(size=(32, 4)).astype(np.float32)
    y = x @ rng.normal(size=(4, 2)).astype(np.float32)
    model = keras.Sequential([keras.Input((4,)), layers.Dense(2)])
    rate = 1.0 if name == "Adadelta" else 0.05
    model.compile(getattr(keras.optimizers, name)(rate, global_clipnorm=10.0), "mse")
    losses = model.fit(x, y, epochs=20, batch_size=8, verbose=0).history["loss"]
    assert losses[-1] < 0.9 * losses[0]
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    for mine, yours in zip(model.optimizer.variables, loaded.optimizer.variables, strict=True):
        np.testing.assert_array_equal(mine.numpy(), yours.numpy())
    for one in (model, loaded):
        one.fit(x, y, batch_size=8, shuffle=False, verbose=0)
    for mine, yours in zip(model.get_weights(), loaded.get_weights(), strict=True):
        np.testing.assert_array_equal(mine, yours)


def test_schedules_averages_regularizers_and_constraints() -> None:
    x = np.ones((8, 2), np.float32)
    model = keras.Sequential([keras.Input((2,)), layers.Dense(1, kernel_regularizer="l2", kernel_constraint="NonNeg")])
    schedule = keras.optimizers.schedules.ExponentialDecay(0.1, decay_steps=2, decay_rate=0.5, staircase=True)
    model.compile(keras.optimizers.SGD(schedule, momentum=0.9), "mse")
    model.fit(x, -x[:, :1], batch_size=2, verbose=0)
    assert float(model.optimizer.learning_rate) == pytest.approx(0.025)
    assert (model.get_weights()[0] >= 0).all()
    assert float(model.losses[0]) == pytest.approx(0.01 * np.sum(model.get_weights()[0] ** 2), rel=1e-6)

    model = keras.Sequential([keras.Input((2,)), layers.Dense(1, use_bias=False, kernel_initializer="zeros")])
    model.compile(keras.optimizers.SGD(0.1, use_ema=True, ema_momentum=0.5), "mse")
    for value in (0.2, 0.32):
        model.train_on_batch(x, x[:, :1])
        np.testing.assert_allclose(model.get_weights()[0], value, rtol=1e-6)
    model.optimizer.finalize_variable_values(model.trainable_variables)
    np.testing.assert_allclose(model.get_weights()[0], (0.2 + 0.32) / 2, rtol=1e-6)


CLASSES = np.array([0, 2, 1, 1])
CHANCES = np.array([[0.7, 0.2, 0.1], [0.1, 0.3, 0.6], [0.2, 0.5, 0.3], [0.5, 0.3, 0.2]], np.float32)


def test_losses_against_formulas() -> None:
    picked = CHANCES[np.arange(4), CLASSES]
    assert float(keras.losses.SparseCategoricalCrossentropy()(CLASSES, CHANCES)) == pytest.approx(
        -np.log(picked).mean(), rel=1e-6
    )
    hot = np.eye(3, dtype=np.float32)[CLASSES]
    assert float(keras.losses.CategoricalCrossentropy()(hot, CHANCES)) == pytest.approx(
        -np.log(picked).mean(), rel=1e-6
    )
    smoothed = -(0.9 * np.log(picked) + 0.1 * np.log(CHANCES).mean(1)).mean()
    assert float(keras.losses.CategoricalCrossentropy(label_smoothing=0.1)(hot, CHANCES)) == pytest.approx(
        smoothed, rel=1e-5
    )
    binary = -(hot * np.log(CHANCES) + (1 - hot) * np.log(1 - CHANCES)).mean()
    assert float(keras.losses.BinaryCrossentropy()(hot, CHANCES)) == pytest.approx(binary, rel=1e-5)
    assert float(keras.losses.MeanSquaredError()(hot, CHANCES)) == pytest.approx(
        ((hot - CHANCES) ** 2).mean(), rel=1e-6
    )
    huber = np.where(abs(hot - CHANCES) < 0.5, (hot - CHANCES) ** 2 / 2, 0.5 * (abs(hot - CHANCES) - 0.25)).mean()
    assert float(keras.losses.Huber(0.5)(hot, CHANCES)) == pytest.approx(huber, rel=1e-6)
    summed = keras.losses.MeanAbsoluteError(reduction="sum")(hot, CHANCES, sample_weight=np.array([1.0, 0.0, 2.0, 1.0]))
    assert float(summed) == pytest.approx((abs(hot - CHANCES).mean(1) * [1, 0, 2, 1]).sum(), rel=1e-6)


def test_metrics_against_counts() -> None:
    truth, guess = np.array([1, 0, 1, 1, 0, 0]), np.array([0.9, 0.6, 0.4, 0.8, 0.1, 0.2], np.float32)
    expected = {
        keras.metrics.BinaryAccuracy(): 4 / 6,
        keras.metrics.Precision(): 2 / 3,
        keras.metrics.Recall(): 2 / 3,
        keras.metrics.TruePositives(): 2,
        keras.metrics.FalseNegatives(): 1,
        # of a vector Keras takes one mean for each update
        keras.metrics.MeanAbsoluteError(): np.mean([d.mean() for d in np.split(np.abs(truth - guess), [4])]),
        keras.metrics.RootMeanSquaredError(): np.sqrt(((truth - guess) ** 2).mean()),
    }
    for metric, value in expected.items():
        metric.update_state(truth[:4], guess[:4])
        metric.update_state(truth[4:], guess[4:])
        assert float(metric.result()) == pytest.approx(value, rel=1e-6), metric.name
        metric.reset_state()
        assert not any(np.any(v.numpy()) for v in metric.variables)
    area = keras.metrics.AUC()
    area.update_state(truth, guess)
    assert float(area.result()) == pytest.approx(8 / 9, abs=0.01)
    accuracy = keras.metrics.SparseCategoricalAccuracy()
    accuracy.update_state(CLASSES, CHANCES, sample_weight=[1.0, 1.0, 1.0, 3.0])
    assert float(accuracy.result()) == pytest.approx(0.5)
    overlap = keras.metrics.MeanIoU(3)
    overlap.update_state(np.array([0, 1, 2, 2]), np.array([0, 2, 2, 2]))
    assert float(overlap.result()) == pytest.approx((1 + 0 + 2 / 3) / 3, rel=1e-6)
