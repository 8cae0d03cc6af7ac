"""Models of every kind, written to files on one side and read on the other.

`python tf_files.py write|read tensorflow|duograph FOLDER`
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np


def _keras(side: str) -> Any:
    if side == "duograph":
        import duograph.keras as keras
    else:
        import keras
    return keras


def models(keras: Any) -> dict[str, Any]:
    """Built models by name, each of which takes what `inputs` gives for it."""
    layers = keras.layers

    def stack(shape: tuple[int | None, ...], *parts: Any, dtype: str | None = None) -> Any:
        return keras.Sequential([keras.Input(shape, dtype=dtype), *parts])

    x = keras.Input((5, 8))
    attended = layers.MultiHeadAttention(2, 4)(x, x)
    attention = keras.Model(x, layers.LayerNormalization()(layers.add([x, attended])))
    inner = stack((4,), layers.Dense(6, activation="gelu"), layers.Dense(3))
    a, b = keras.Input((4,), name="a"), keras.Input((4,), name="b")
    nested = keras.Model({"a": a, "b": b}, layers.concatenate([inner(a), inner(b)]))
    normalization = layers.Normalization()
    normalization.adapt(np.random.default_rng(3).standard_normal((20, 4)).astype("float32"))
    return {
        "dense": stack((4,), layers.Dense(8, activation="relu", kernel_regularizer="l2"), layers.Dense(3)),
        "convolution": stack(
            (8, 8, 3),
            layers.Conv2D(4, 3, padding="same"),
            layers.BatchNormalization(),
            layers.DepthwiseConv2D(3),
            layers.SeparableConv2D(5, 3),
            layers.GroupNormalization(1),
            layers.GlobalAveragePooling2D(),
        ),
        "transposed": stack((4, 4, 2), layers.Conv2DTranspose(3, 3, strides=2), layers.PReLU(), layers.Flatten()),
        "lstm": stack((5, 4), layers.LSTM(6, return_sequences=True), layers.LSTM(3)),
        "gru": stack((5, 4), layers.GRU(6, return_sequences=True), layers.GRU(3, reset_after=False)),
        "bidirectional": stack((5, 4), layers.Bidirectional(layers.LSTM(4)), layers.Dense(2)),
        "rnn": stack((5, 4), layers.RNN([layers.GRUCell(3), layers.SimpleRNNCell(2)])),
        "attention": attention,
        "embedding": stack((5,), layers.Embedding(20, 4, mask_zero=True), layers.LSTM(3), dtype="int32"),
        "nested": nested,
        "preprocessing": stack((4,), normalization, layers.Rescaling(0.5), layers.Dense(2)),
        "shared": stack((4,), layers.EinsumDense("ab,bc->ac", 3, bias_axes="c"), layers.UnitNormalization()),
    }


def inputs(name: str, model: Any) -> Any:
    """A batch of three."""
    rng = np.random.default_rng(5)
    if name == "embedding":
        # No row twice: TensorFlow's gradient lists rows, and its Adam squares the parts of one that comes twice.
        return rng.permutation(20)[:15].reshape(3, 5).astype("int32")
    if name == "nested":
        return {key: rng.standard_normal((3, 4)).astype("float32") for key in "ab"}
    return rng.standard_normal((3, *model.input_shape[1:])).astype("float32")


def write(keras: Any, folder: Path) -> None:
    for name, model in models(keras).items():
        x = inputs(name, model)
        y = np.zeros_like(model.predict(x, verbose=0))
        model.compile("adam", "mse", metrics=["mae"])
        model.fit(x, y, epochs=2, verbose=0)
        model.save(folder / f"{name}.keras")
        model.save_weights(folder / f"{name}.weights.h5")
        if name not in ("preprocessing", "nested"):
            model.save(folder / f"{name}.h5")
        np.save(folder / f"{name}.npy", model.predict(x, verbose=0))
        state = [np.asarray(keras.ops.convert_to_numpy(v)) for v in model.optimizer.variables]
        np.savez(folder / f"{name}.npz", *state)
        model.train_on_batch(x, y)
        np.save(folder / f"{name}.next.npy", model.predict(x, verbose=0))


def read(keras: Any, folder: Path) -> None:
    close = {"rtol": 1e-5, "atol": 1e-5}
    for name, fresh in models(keras).items():
        x = inputs(name, fresh)
        expected = np.load(folder / f"{name}.npy")
        fresh.load_weights(folder / f"{name}.weights.h5")
        np.testing.assert_allclose(fresh.predict(x, verbose=0), expected, err_msg=f"{name}.weights.h5", **close)
        if (folder / f"{name}.h5").exists():
            legacy = keras.models.load_model(folder / f"{name}.h5", compile=False)
            np.testing.assert_allclose(legacy.predict(x, verbose=0), expected, err_msg=f"{name}.h5", **close)
        model = keras.models.load_model(folder / f"{name}.keras")
        np.testing.assert_allclose(model.predict(x, verbose=0), expected, err_msg=f"{name}.keras", **close)
        with np.load(folder / f"{name}.npz") as state:
            for key, variable in zip(state.files, model.optimizer.variables, strict=True):
                value = keras.ops.convert_to_numpy(variable)
                np.testing.assert_allclose(value, state[key], err_msg=f"{name}: {variable.path}", **close)
        model.train_on_batch(x, np.zeros_like(expected))
        np.testing.assert_allclose(
            model.predict(x, verbose=0), np.load(folder / f"{name}.next.npy"), rtol=1e-4, atol=1e-4, err_msg=name
        )


if __name__ == "__main__":
    task, side, folder = sys.argv[1:]
    {"write": write, "read": read}[task](_keras(side), Path(folder))
