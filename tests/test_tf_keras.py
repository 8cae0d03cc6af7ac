"""The real Keras on Duograph: how it is imported, and that its models build, train, predict, save and load."""

from __future__ import annotations

import os
import subprocess
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import duograph.tf as tf
import duograph.torch as torch

keras = tf.keras
layers = keras.layers
REPOSITORY = Path(__file__).resolve().parents[1]


def run(program: str, **environment: str) -> str:
    """The output of a program in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "PYTHONPATH": str(REPOSITORY), **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout + done.stderr


@pytest.fixture
def data() -> tuple[np.ndarray, np.ndarray]:
    """Two classes of points that a line parts."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(64, 6)).astype(np.float32)
    return x, (x[:, 0] + x[:, 1] > 0).astype(np.int64)


@pytest.fixture(autouse=True)
def _seed() -> None:
    keras.utils.set_random_seed(0)


# -- import ------------------------------------------------------------------------------------------------------------
def test_one_keras_under_all_names() -> None:
    import duograph.keras
    import duograph.keras.layers
    from duograph.tf.keras.layers import Dense
    from duograph.tf.keras.models import Sequential

    assert duograph.keras is sys.modules["keras"]
    assert duograph.keras.layers is sys.modules["keras.layers"]
    assert Dense is duograph.keras.layers.Dense is tf.keras.layers.Dense
    assert Sequential is duograph.keras.Sequential


def test_torch_means_duograph_inside_keras_only() -> None:
    program = """
import sys, types
fake = sys.modules["torch"] = types.ModuleType("torch")
import duograph.tf as tf
tf.keras.layers.Dense
import keras, duograph.torch
assert sys.modules["torch"] is fake
assert keras.src.backend.torch.core.torch is duograph.torch
import torch
assert torch is fake
print("good")
"""
    assert run(program).strip() == "good"


def test_environment_is_left_as_it_was(tmp_path: Path) -> None:
    program = """
import os
import duograph.tf as tf
tf.keras
home = os.environ["KERAS_HOME"]
print(os.environ["KERAS_BACKEND"], os.listdir(home), tf.keras.config.backend())
import keras
print(keras.src.backend.config.keras_home() == home)
"""
    assert run(program, KERAS_BACKEND="jax", KERAS_HOME=str(tmp_path)).splitlines() == ["jax [] torch", "True"]


def test_users_keras_settings_count(tmp_path: Path) -> None:
    (tmp_path / "keras.json").write_text('{"floatx": "float64", "backend": "jax"}')
    program = "import duograph.tf as tf; print(tf.keras.config.floatx(), tf.keras.config.backend())"
    assert run(program, KERAS_HOME=str(tmp_path)).strip() == "float64 torch"


def test_keras_imported_before_is_an_error() -> None:
    program = """
import sys, types
keras = sys.modules["keras"] = types.ModuleType("keras")
config = sys.modules["keras.src.backend.config"] = types.ModuleType("config")
config._BACKEND = "jax"
import duograph.tf as tf
try:
    tf.keras
except ImportError as error:
    print(error)
"""
    assert "already imported with the backend 'jax'" in run(program)
    assert "before anything imports keras" in run(program)


def test_packages_on_keras_are_allowed_by_name(tmp_path: Path) -> None:
    for name in ("built_on_keras", "not_built_on_keras"):
        (tmp_path / f"{name}.py").write_text(
            "import importlib\nimport torch\nfrom torch import nn\n\n"
            "def late():\n    import torch.nn.functional as F\n    return F, importlib.import_module('torch.nn')\n"
        )
    (tmp_path / "torch.py").write_text("nn = 'the other torch'")
    program = """
import duograph.tf as tf, duograph.torch, duograph.torch.nn.functional
tf.allow_on_keras("built_on_keras")
import built_on_keras as ours, not_built_on_keras as theirs
nn = duograph.torch.nn
print(ours.torch is duograph.torch, ours.nn is nn, ours.late() == (nn.functional, nn))
print(theirs.nn)
try:
    tf.allow_on_keras("not_built_on_keras")
except ImportError as error:
    print(error)
"""
    output = run(program, PYTHONPATH=f"{tmp_path}{os.pathsep}{REPOSITORY}").splitlines()
    assert output[:2] == ["True True True", "the other torch"]
    assert "was imported before it was allowed" in output[2]


def test_layers_are_our_modules() -> None:
    assert issubclass(layers.Layer, torch.nn.Module)


# -- models ------------------------------------------------------------------------------------------------------------
def sequential() -> Any:
    return keras.Sequential(
        [keras.Input((6,)), layers.Dense(16, activation="relu"), layers.Dense(2, activation="softmax")]
    )


def functional() -> Any:
    inputs = keras.Input((6,))
    x = layers.Dense(16, activation="tanh")(inputs)
    x = layers.Add()([x, layers.Dense(16)(inputs)])
    return keras.Model(inputs, layers.Dense(2, activation="softmax")(layers.LayerNormalization()(x)))


@keras.saving.register_keras_serializable("tests")
class Subclassed(keras.Model):
    def __init__(self, **keywords: Any) -> None:
        super().__init__(**keywords)
        self.hidden = layers.Dense(16, activation="gelu")
        self.drop = layers.Dropout(0.1)
        self.out = layers.Dense(2, activation="softmax")

    def call(self, x: Any, training: bool = False) -> Any:
        return self.out(self.drop(self.hidden(x), training=training))


MODELS = {"sequential": sequential, "functional": functional, "subclassed": Subclassed}


@pytest.mark.parametrize("make", MODELS.values(), ids=MODELS)
def test_train_evaluate_predict_save_load(make: Callable[[], Any], data: Any, tmp_path: Path) -> None:
    x, y = data
    model = make()
    model.compile(keras.optimizers.Adam(0.02), "sparse_categorical_crossentropy", metrics=["accuracy"])
    history = model.fit(x, y, epochs=25, batch_size=16, validation_split=0.25, verbose=0).history
    assert set(history) == {"loss", "accuracy", "val_loss", "val_accuracy"}
    assert history["loss"][-1] < 0.8 * history["loss"][0]
    loss, accuracy = model.evaluate(x, y, verbose=0)
    assert accuracy > 0.85
    predictions = model.predict(x, batch_size=10, verbose=0)
    assert predictions.shape == (64, 2)
    np.testing.assert_allclose(predictions.sum(1), 1, atol=1e-5)
    assert np.mean(predictions.argmax(1) == y) == pytest.approx(accuracy)

    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(loaded.predict(x, batch_size=10, verbose=0), predictions)
    assert loaded.evaluate(x, y, verbose=0)[0] == pytest.approx(loss, rel=1e-6)
    loaded.fit(x, y, verbose=0)  # with the optimiser's state

    model.save_weights(tmp_path / "model.weights.h5")
    other = make()
    other(x[:1])
    other.load_weights(tmp_path / "model.weights.h5")
    np.testing.assert_array_equal(other.predict(x, batch_size=10, verbose=0), predictions)


def test_summary_counts_parameters(capsys: pytest.CaptureFixture[str]) -> None:
    model = sequential()
    model.summary()
    shown = capsys.readouterr().out
    assert "Total params: 146" in shown
    assert "(None, 16)" in shown
    assert model.count_params() == 146


def test_several_inputs_and_outputs() -> None:
    a, b = keras.Input((4,), name="a"), keras.Input((3,), name="b")
    joined = layers.Concatenate()([a, b])
    model = keras.Model(
        [a, b], {"one": layers.Dense(1, name="one")(joined), "two": layers.Dense(2, name="two")(joined)}
    )
    model.compile("sgd", loss={"one": "mse", "two": "mae"}, loss_weights={"one": 1.0, "two": 0.5})
    rng = np.random.default_rng(0)
    inputs = {"a": rng.normal(size=(8, 4)), "b": rng.normal(size=(8, 3))}
    targets = {"one": np.ones((8, 1)), "two": np.zeros((8, 2))}
    history = model.fit(inputs, targets, epochs=3, verbose=0).history
    assert history["loss"][-1] < history["loss"][0]
    predictions = model.predict(inputs, verbose=0)
    assert {name: p.shape for name, p in predictions.items()} == {"one": (8, 1), "two": (8, 2)}


# -- our trainer -------------------------------------------------------------------------------------------------------
def linear(**keywords: Any) -> Any:
    """y = x · [1, 2], from zero."""
    model = keras.Sequential([keras.Input((2,)), layers.Dense(1, use_bias=False, kernel_initializer="zeros")])
    model.compile(keras.optimizers.SGD(0.1), "mse", **keywords)
    return model


X = np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0], [2.0, 1.0]], np.float32)
Y = X @ np.array([[1.0], [2.0]], np.float32)


def test_one_step_by_hand() -> None:
    model = linear()
    loss = model.train_on_batch(X, Y)
    assert loss == pytest.approx(np.mean(Y**2), rel=1e-6)
    gradient = -2 * (X.T @ Y) / 4
    np.testing.assert_allclose(model.get_weights()[0], -0.1 * gradient, rtol=1e-6)


def test_sample_and_class_weights() -> None:
    weight = np.array([1.0, 2.0, 0.0, 1.0], np.float32)
    model = linear(weighted_metrics=["mae"], metrics=["mae"])
    logs = model.test_on_batch(X, Y, sample_weight=weight, return_dict=True)
    assert logs["loss"] == pytest.approx(np.mean(weight * Y[:, 0] ** 2), rel=1e-6)
    assert logs["mae"] == pytest.approx(np.mean(np.abs(Y)), rel=1e-6)
    assert logs["weighted_mae"] == pytest.approx(np.sum(weight * np.abs(Y[:, 0])) / weight.sum(), rel=1e-6)
    classes = np.array([0, 1, 1, 0])
    assert model.train_on_batch(X, classes, class_weight={0: 1.0, 1: 3.0}, return_dict=True)["loss"] == pytest.approx(
        1.5
    )
    with pytest.raises(ValueError, match="cannot be specified at the same time"):
        model.train_on_batch(X, classes, sample_weight=weight, class_weight={0: 1.0, 1: 3.0})


def test_metrics_over_uneven_batches() -> None:
    model = linear(metrics=["mse"])
    loss, mse = model.evaluate(X[:3], Y[:3], batch_size=2, verbose=0)
    assert loss == pytest.approx(np.mean(Y[:3] ** 2), rel=1e-6)
    assert mse == pytest.approx(loss)


@pytest.mark.parametrize("steps", [1, 2, 3])
def test_steps_per_execution_changes_only_the_callbacks(steps: int) -> None:
    model = linear(steps_per_execution=steps)
    seen: list[int] = []
    callback = keras.callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: seen.append(batch))
    model.fit(X, Y, batch_size=1, shuffle=False, verbose=0, callbacks=[callback])
    assert seen == {1: [0, 1, 2, 3], 2: [1, 3], 3: [2, 3]}[steps]
    reference = linear()
    for x, y in zip(X, Y, strict=True):
        reference.train_on_batch(x[None], y[None])
    np.testing.assert_array_equal(model.get_weights()[0], reference.get_weights()[0])
    assert model.predict(X, batch_size=1, verbose=0).shape == (4, 1)


def test_run_eagerly_gives_the_same() -> None:
    models = linear(), linear(run_eagerly=True)
    for model in models:
        model.fit(X, Y, epochs=3, batch_size=2, shuffle=False, verbose=0)
    np.testing.assert_array_equal(models[0].get_weights()[0], models[1].get_weights()[0])


def test_steps_are_replayed() -> None:
    calls: list[int] = []

    class Counting(layers.Dense):
        def call(self, inputs: Any, training: Any = None) -> Any:
            calls.append(1)
            return super().call(inputs)

    model = keras.Sequential([keras.Input((2,)), Counting(3, activation="relu"), layers.Dense(1)])
    model.compile("adam", "mse", metrics=["mae"])
    model.fit(np.ones((64, 2), np.float32), np.ones((64, 1), np.float32), batch_size=4, epochs=5, verbose=0)
    assert len(calls) < 20, "of 80 steps"
    before = model.evaluate(np.ones((8, 2), np.float32), np.ones((8, 1), np.float32), verbose=0)[0]
    model.layers[1].kernel.assign(np.zeros((3, 1), np.float32))
    model.layers[1].bias.assign(np.zeros(1, np.float32))
    assert model.evaluate(np.ones((8, 2), np.float32), np.ones((8, 1), np.float32), verbose=0)[0] == 1.0 != before


def test_generators_datasets_and_loaders() -> None:
    def generator() -> Any:
        while True:
            yield X, Y

    class Data(keras.utils.PyDataset):
        def __len__(self) -> int:
            return 2

        def __getitem__(self, index: int) -> Any:
            return X[2 * index : 2 * index + 2], Y[2 * index : 2 * index + 2]

    pairs = torch.utils.data.TensorDataset(torch.tensor(X), torch.tensor(Y))
    loader = torch.utils.data.DataLoader(pairs, batch_size=2)
    reference = linear()
    reference.fit(X, Y, batch_size=2, shuffle=False, verbose=0)
    for source in (Data(workers=1), loader):
        model = linear()
        model.fit(source, shuffle=False, verbose=0)
        np.testing.assert_array_equal(model.get_weights()[0], reference.get_weights()[0])
    model = linear()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Keras: shuffle is ignored
        assert len(model.fit(generator(), steps_per_epoch=3, epochs=2, verbose=0).history["loss"]) == 2
    model.fit(torch.tensor(X), torch.tensor(Y), verbose=0)


def test_overridden_steps_and_losses() -> None:
    class Doubled(keras.Model):
        def __init__(self) -> None:
            super().__init__()
            self.dense = layers.Dense(1, use_bias=False, kernel_initializer="zeros")
            self.seen = keras.metrics.Mean(name="seen")

        def call(self, x: Any) -> Any:
            return self.dense(x)

        def compute_loss(self, x: Any = None, y: Any = None, y_pred: Any = None, sample_weight: Any = None) -> Any:
            loss = 2 * keras.ops.mean((y_pred - y) ** 2)
            self.seen.update_state(loss)
            return loss

        def train_step(self, data: Any) -> Any:
            x, y = data
            loss = self.compute_loss(x, y, self(x))
            self.zero_grad()
            loss.backward()
            with torch.no_grad():
                self.optimizer.apply([v.value.grad for v in self.trainable_weights], self.trainable_weights)
            return {"seen": self.seen.result()}

        def test_step(self, data: Any) -> Any:
            return {"constant": keras.ops.convert_to_tensor(7.0)}

        def predict_step(self, data: Any) -> Any:
            x, _, _ = keras.utils.unpack_x_y_sample_weight(data)
            return self(x) + 1

    model = Doubled()
    model.compile(keras.optimizers.SGD(0.1))
    logs = model.fit(X, Y, epochs=1, verbose=0, shuffle=False).history
    assert logs["seen"] == [pytest.approx(2 * np.mean(Y**2), rel=1e-6)]
    np.testing.assert_allclose(model.get_weights()[0], 0.1 * 4 * (X.T @ Y) / 4, rtol=1e-6)
    assert model.evaluate(X, Y, verbose=0) == 7.0
    np.testing.assert_allclose(model.predict(X, verbose=0), X @ model.get_weights()[0] + 1, rtol=1e-6)


def test_train_step_with_a_tape() -> None:
    class Taped(keras.Model):
        def __init__(self) -> None:
            super().__init__()
            self.dense = layers.Dense(1, use_bias=False, kernel_initializer="zeros")

        def call(self, x: Any) -> Any:
            return self.dense(x)

        def train_step(self, data: Any) -> Any:
            x, y = data
            with tf.GradientTape() as tape:
                loss = tf.reduce_mean(tf.square(self(x, training=True) - y))
            gradients = tape.gradient(loss, self.trainable_variables)
            self.optimizer.apply_gradients(zip(gradients, self.trainable_variables, strict=True))
            return {"loss": loss}

    model, reference = Taped(), linear()
    model.compile(keras.optimizers.SGD(0.1))
    for one in (model, reference):
        one.fit(X, Y, epochs=3, verbose=0, shuffle=False)
    np.testing.assert_allclose(model.get_weights()[0], reference.get_weights()[0], rtol=1e-6)


def test_callbacks(tmp_path: Path) -> None:
    model = linear()
    rates: list[float] = []

    def schedule(epoch: int, rate: float) -> float:
        rates.append(rate)
        return rate / 2

    callbacks = [
        keras.callbacks.EarlyStopping(monitor="loss", min_delta=10.0, patience=1, restore_best_weights=True),
        keras.callbacks.ModelCheckpoint(tmp_path / "best.keras", monitor="loss", save_best_only=True),
        keras.callbacks.LearningRateScheduler(schedule),
        keras.callbacks.CSVLogger(tmp_path / "log.csv"),
    ]
    history = model.fit(X, Y, epochs=10, verbose=0, callbacks=callbacks)
    assert len(history.epoch) == 2
    assert rates == pytest.approx([0.1, 0.05])
    assert (tmp_path / "log.csv").read_text().count("\n") == 3
    assert keras.models.load_model(tmp_path / "best.keras").count_params() == 2


def test_stopping_inside_an_epoch() -> None:
    model = linear()

    class Stop(keras.callbacks.Callback):
        batches = 0

        def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
            assert isinstance(logs["loss"], float)
            Stop.batches += 1
            self.model.stop_training = batch == 1

    model.fit(X, Y, batch_size=1, epochs=5, verbose=0, callbacks=[Stop()])
    assert Stop.batches == 2


def test_progress_bar(capsys: pytest.CaptureFixture[str]) -> None:
    linear().fit(X, Y, batch_size=1, epochs=2, verbose=1)
    shown = capsys.readouterr().out
    assert "Epoch 2/2" in shown
    assert "4/4" in shown
    assert "loss:" in shown


def test_dropout_and_seeds_are_reproducible() -> None:
    results = []
    for _ in range(2):
        keras.utils.set_random_seed(7)
        model = keras.Sequential([keras.Input((2,)), layers.Dense(32), layers.Dropout(0.5, seed=3), layers.Dense(1)])
        model.compile("sgd", "mse")
        model.fit(X, Y, epochs=3, verbose=0)
        results.append(model.get_weights())
    for one, other in zip(*results, strict=True):
        np.testing.assert_array_equal(one, other)


# -- train_step(x, y) --------------------------------------------------------------------------------------------------
def classifier(activation: str | None, units: int = 3) -> Any:
    return keras.Sequential([keras.Input((2,)), layers.Dense(units, activation=activation)])


LABELS = np.array([0, 1, 2, 1])
FITTING = {
    "indices": ("softmax", 3, LABELS, "SparseCategoricalCrossentropy()"),
    "indices in a column": ("softmax", 3, LABELS[:, None].astype(np.float32), "SparseCategoricalCrossentropy()"),
    "indices and logits": (None, 3, LABELS, "SparseCategoricalCrossentropy(from_logits=True)"),
    "one-hot": ("softmax", 3, np.eye(3, dtype=np.float32)[LABELS], "CategoricalCrossentropy()"),
    "one-hot and logits": (None, 3, np.eye(3, dtype=np.float32)[LABELS], "CategoricalCrossentropy(from_logits=True)"),
    "binary": ("sigmoid", 1, np.array([0, 1, 1, 0]), "BinaryCrossentropy()"),
    "binary and logits": (None, 1, np.array([0, 1, 1, 0]), "BinaryCrossentropy(from_logits=True)"),
    "numbers": (None, 1, Y, "MeanSquaredError()"),
    "vectors": (None, 2, 3 * X, "MeanSquaredError()"),
}


@pytest.mark.parametrize(("activation", "units", "targets", "loss"), FITTING.values(), ids=FITTING)
def test_uncompiled_model_trains_with_the_fitting_loss(
    activation: Any, units: int, targets: Any, loss: str, caplog: pytest.LogCaptureFixture
) -> None:
    model = classifier(activation, units)
    first = model.train_step(X, targets)
    for _ in range(50):
        last = model.train_step(X, targets)
    (said,) = caplog.messages
    assert said.endswith(f"was never compiled: training with Adam() and {loss}")
    assert last.numpy() < first.numpy()
    assert last.shape == ()


def test_train_step_on_a_compiled_model_is_one_step() -> None:
    models = linear(), linear()
    loss = models[0].train_step(X, Y)
    assert models[1].train_on_batch(X, Y) == pytest.approx(float(loss.numpy()))
    np.testing.assert_array_equal(models[0].get_weights()[0], models[1].get_weights()[0])


def test_no_fitting_loss_is_an_error() -> None:
    with pytest.raises(
        ValueError, match=r"found no loss that fits.*outputs of shape \(4, 3\) and targets of shape \(4, 2\)"
    ):
        classifier("softmax").train_step(X, X)


# -- both faces --------------------------------------------------------------------------------------------------------
def test_keras_layer_in_a_torch_model() -> None:
    class Net(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.dense = layers.Dense(3)
            self.dense.build((None, 2))
            self.linear = torch.nn.Linear(3, 1)

        def forward(self, x: Any) -> Any:
            return self.linear(torch.relu(self.dense(x)))

    torch.manual_seed(0)
    net = Net()
    assert len(list(net.parameters())) == 4
    optimizer = torch.optim.SGD(net.parameters(), lr=0.05)
    x, y = torch.tensor(X), torch.tensor(Y)
    losses = []
    for _ in range(30):
        optimizer.zero_grad()
        loss = torch.nn.functional.mse_loss(net(x), y)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.5 * losses[0]


def test_torch_module_in_a_keras_model(tmp_path: Path) -> None:
    class Net(keras.Model):
        def __init__(self) -> None:
            super().__init__()
            self.linear = torch.nn.Linear(2, 4)
            self.norm = torch.nn.BatchNorm1d(4)
            self.dense = layers.Dense(1)

        def call(self, x: Any) -> Any:
            return self.dense(self.norm(self.linear(x)))

    torch.manual_seed(0)
    model = Net()
    model(X)
    assert len(model.trainable_weights) == 6
    model.compile("adam", "mse")
    history = model.fit(X, Y, epochs=20, verbose=0).history["loss"]
    assert history[-1] < history[0]
    model.save_weights(tmp_path / "net.weights.h5")
    other = Net()
    other(X)
    other.load_weights(tmp_path / "net.weights.h5")
    np.testing.assert_allclose(other.predict(X, verbose=0), model.predict(X, verbose=0), rtol=1e-6)
