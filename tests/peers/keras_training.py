"""Training programs for Keras, each of which returns numbers: `python -m tests.peers.keras_training torch FILE.json`.

The first argument is the engine, "duograph" or "torch". Weights and data come from NumPy, so that the numbers of two
engines can be compared.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
from collections.abc import Callable
from typing import Any

import numpy as np

ENGINE = sys.argv[1] if len(sys.argv) > 1 else "duograph"
if ENGINE == "torch":
    os.environ["KERAS_BACKEND"] = "torch"
    import keras
else:
    import duograph.tf.keras as keras
torch = importlib.import_module("torch" if ENGINE == "torch" else "duograph.torch")
layers = keras.layers

PROGRAMS: dict[str, Callable[[], Any]] = {}


def program(function: Callable[[], Any]) -> Callable[[], Any]:
    PROGRAMS[function.__name__] = function
    return function


def data(samples: int = 26, features: int = 5, classes: int = 3) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    x = rng.standard_normal((samples, features)).astype("float32")
    return x, (x @ rng.standard_normal((features, classes))).argmax(-1)


def weighted(model: Any, seed: int = 1) -> Any:
    """The model with weights from NumPy, on every engine the same."""
    rng = np.random.default_rng(seed)
    model.set_weights(
        [
            0.5 * rng.standard_normal(w.shape) if np.issubdtype(w.dtype, np.floating) and w.ndim > 1 else w
            for w in model.get_weights()
        ]
    )
    return model


def classifier(*more: Any, dtype: Any = None, cls: Any = None, features: int = 5) -> Any:
    inputs = keras.Input((features,))
    x = layers.Dense(8, activation="tanh", dtype=dtype)(inputs)
    for layer in more:
        x = layer(x)
    outputs = layers.Dense(3, activation="softmax", dtype=dtype)(x)
    return weighted((cls or keras.Model)(inputs, outputs))


CROSS_ENTROPY = "sparse_categorical_crossentropy"


def numbers(thing: Any) -> Any:
    """Arrays, tensors and numbers in nests as lists of floats."""
    if isinstance(thing, dict):
        return {key: numbers(value) for key, value in thing.items()}
    if isinstance(thing, list | tuple):
        return [numbers(value) for value in thing]
    if thing is None or isinstance(thing, str):
        return thing
    return np.asarray(keras.ops.convert_to_numpy(thing), "float64").tolist()


def fitted(model: Any, *arguments: Any, **keywords: Any) -> Any:
    keywords = {"epochs": 3, "batch_size": 8, "verbose": 0, "shuffle": False, **keywords}
    history = model.fit(*arguments, **keywords).history
    return [history, model.get_weights()]


# -- fit, evaluate, predict --------------------------------------------------------------------------------------------
@program
def fit_with_validation_and_metrics() -> Any:
    x, y = data()
    model = classifier()
    metrics = ["accuracy", keras.metrics.SparseTopKCategoricalAccuracy(2, name="top2")]
    model.compile(keras.optimizers.Adam(0.05), CROSS_ENTROPY, metrics=metrics)
    found = fitted(model, x, y, validation_split=0.25)
    more = fitted(model, x, y, validation_data=(x[:9], y[:9]), validation_freq=2, initial_epoch=1, validation_steps=1)
    return found, more, model.evaluate(x, y, batch_size=7, verbose=0, return_dict=True)


@program
def batches_by_hand() -> Any:
    x, y = data()
    model = classifier(layers.BatchNormalization())
    model.compile("sgd", CROSS_ENTROPY, metrics=["accuracy"], weighted_metrics=["accuracy"])
    weights = np.linspace(0, 2, len(y))
    return [
        model.train_on_batch(x, y),
        model.train_on_batch(x, y, sample_weight=weights, return_dict=True),
        model.train_on_batch(x[:4], y[:4], class_weight={0: 1.0, 1: 2.0, 2: 0.5}),
        model.test_on_batch(x, y),
        model.test_on_batch(x, y, sample_weight=weights, return_dict=True),
        model.predict_on_batch(x[:3]),
        model.predict(x, batch_size=5, verbose=0),
        model.get_weights(),
    ]


@program
def sample_and_class_weights() -> Any:
    x, y = data()
    found = []
    for keywords in (
        {"sample_weight": np.linspace(0.1, 3, len(y))},
        {"class_weight": {0: 0.2, 1: 3.0, 2: 1.0}},
        {"validation_data": (x[:7], y[:7], np.arange(7.0))},
    ):
        model = classifier()
        model.compile("rmsprop", CROSS_ENTROPY, weighted_metrics=["accuracy"], metrics=["sparse_categorical_accuracy"])
        found.append(fitted(model, x, y, **keywords))
    return found


@program
def steps_per_execution() -> Any:
    """More than one is refused by Keras on PyTorch: there each of these is the same."""
    x, y = data()
    found = []
    for steps in (1, 3, 10):
        model = classifier()
        together = steps if ENGINE == "duograph" else 1
        model.compile(keras.optimizers.SGD(0.1), CROSS_ENTROPY, metrics=["accuracy"], steps_per_execution=together)
        found.append(fitted(model, x, y, batch_size=4))
        found += [model.evaluate(x, y, batch_size=4, verbose=0), model.predict(x, batch_size=4, verbose=0)]
    return found


@program
def several_inputs_and_outputs() -> Any:
    x, y = data()
    a, b = keras.Input((5,), name="a"), keras.Input((5,), name="b")
    hidden = layers.Dense(6, activation="relu", kernel_regularizer="l2", activity_regularizer="l1")(
        layers.Concatenate()([a, b])
    )
    outputs = {
        "label": layers.Dense(3, activation="softmax", name="label")(hidden),
        "size": layers.Dense(1, bias_regularizer=keras.regularizers.L1L2(0.1, 0.1), name="size")(hidden),
    }
    model = weighted(keras.Model([a, b], outputs))
    model.compile(
        keras.optimizers.Adam(0.02),
        loss={"label": CROSS_ENTROPY, "size": "mse"},
        loss_weights={"label": 2.0, "size": 0.3},
        metrics={"label": ["accuracy"], "size": ["mae"]},
    )
    targets = {"label": y, "size": x.sum(1, keepdims=True)}
    found = fitted(model, {"a": x, "b": -x}, targets, sample_weight={"label": y + 1.0, "size": None})
    return found, model.evaluate([x, x], targets, verbose=0, return_dict=True), model.predict([x, -x], verbose=0)


@program
def binary_metrics() -> Any:
    x, y = data()
    inputs = keras.Input((5,))
    model = weighted(keras.Model(inputs, layers.Dense(1, activation="sigmoid")(inputs)))
    metrics = [
        "accuracy", keras.metrics.AUC(name="auc"), keras.metrics.Precision(name="precision"),
        keras.metrics.Recall(name="recall"), keras.metrics.F1Score(threshold=0.5, name="f1"),
        keras.metrics.SensitivityAtSpecificity(0.5, name="sensitivity"), keras.metrics.BinaryIoU(name="iou"),
    ]  # fmt: skip
    model.compile("adam", "binary_crossentropy", metrics=metrics)
    return fitted(model, x, (y[:, None] > 0).astype("float32"), validation_split=0.3)


# -- sources of data ---------------------------------------------------------------------------------------------------
@program
def sources() -> Any:
    x, y = data()

    class Batches(keras.utils.PyDataset):
        def __len__(self) -> int:
            return 4

        def __getitem__(self, k: int) -> Any:
            return x[8 * k : 8 * k + 8], y[8 * k : 8 * k + 8]

    def endless() -> Any:
        while True:
            for k in range(4):
                yield x[8 * k : 8 * k + 8], y[8 * k : 8 * k + 8], np.arange(len(y[8 * k : 8 * k + 8])) + 0.5

    loader = torch.utils.data.DataLoader(
        torch.utils.data.TensorDataset(torch.tensor(x), torch.tensor(y)), batch_size=8, shuffle=False
    )
    found = []
    for source, keywords in (
        (Batches(), {}),
        (Batches(workers=2, use_multiprocessing=False, max_queue_size=3), {"class_weight": {0: 1.0, 1: 2.0, 2: 3.0}}),
        (endless(), {"steps_per_epoch": 3, "validation_data": endless(), "validation_steps": 2}),
        (loader, {"validation_data": loader}),
        (torch.tensor(x), {"y": torch.tensor(y)}),
        (x.tolist(), {"y": y.tolist()}),
    ):
        model = classifier()
        model.compile(keras.optimizers.SGD(0.2), CROSS_ENTROPY, metrics=["accuracy"])
        if isinstance(source, list):
            source, keywords = np.array(source), {"y": np.array(keywords["y"])}
        if not isinstance(source, np.ndarray | torch.Tensor):
            keywords["batch_size"] = None
        found.append(fitted(model, source, **keywords))
    found.append(model.predict(Batches(), verbose=0))
    found.append(model.evaluate(loader, verbose=0))
    return found


# -- what users override -----------------------------------------------------------------------------------------------
class OwnSteps(keras.Model):
    def train_step(self, batch: Any) -> Any:
        x, y = batch
        self.zero_grad()
        loss = self.compute_loss(x=x, y=y, y_pred=self(x, training=True)) * 2
        loss.backward()
        weights = list(self.trainable_weights)
        gradients = [w.value.grad for w in weights]
        with torch.no_grad():
            self.optimizer.apply(gradients, weights)
        for metric in self.metrics:
            metric.update_state(loss) if metric.name == "loss" else metric.update_state(y, self(x, training=True))
        return {metric.name: metric.result() for metric in self.metrics}

    def test_step(self, batch: Any) -> Any:
        x, y = batch
        y_pred = self(x, training=False)
        return {"spread": keras.ops.max(y_pred) - keras.ops.min(y_pred), "count": keras.ops.sum(y)}

    def predict_step(self, batch: Any) -> Any:
        x, _, _ = keras.utils.unpack_x_y_sample_weight(batch)
        return self(x, training=False) * 10


@program
def overridden_steps() -> Any:
    x, y = data()
    found = []
    for eagerly in (False, True):
        model = classifier(layers.BatchNormalization(), cls=OwnSteps)
        model.compile("adam", CROSS_ENTROPY, metrics=["accuracy"], run_eagerly=eagerly)
        found += [fitted(model, x, y), model.evaluate(x, y, verbose=0, return_dict=True)]
        found.append(model.predict(x, verbose=0))
    return found


class OwnLoss(keras.Model):
    def __init__(self, *arguments: Any, **keywords: Any) -> None:
        super().__init__(*arguments, **keywords)
        self.penalty = keras.metrics.Mean(name="penalty")

    def compute_loss(
        self, x: Any = None, y: Any = None, y_pred: Any = None, sample_weight: Any = None, **_: Any
    ) -> Any:
        loss = keras.ops.mean(keras.losses.sparse_categorical_crossentropy(y, y_pred)) + sum(self.losses)
        penalty = keras.ops.mean(keras.ops.square(y_pred))
        self.penalty.update_state(penalty)
        return loss + 0.5 * penalty

    def compute_metrics(self, x: Any, y: Any, y_pred: Any, sample_weight: Any = None) -> Any:
        found = super().compute_metrics(x, y, y_pred, sample_weight)
        return {**found, "first": keras.ops.mean(y_pred[:, 0]), "penalty": self.penalty.result()}


@program
def overridden_loss_and_metrics() -> Any:
    x, y = data()
    model = classifier(layers.Dense(4, activity_regularizer="l2"), cls=OwnLoss)
    model.compile("nadam", metrics=["accuracy"])
    return fitted(model, x, y, validation_split=0.2), [m.name for m in model.metrics]


class Largest(keras.metrics.Metric):
    """A metric with state of its own: the largest error, and how many batches were seen."""

    def __init__(self, name: str = "largest", **keywords: Any) -> None:
        super().__init__(name=name, **keywords)
        self.value = self.add_weight(shape=(), initializer="zeros", name="value")
        self.batches = self.add_weight(shape=(), initializer="zeros", dtype="int32", name="batches")

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        error = keras.ops.max(1 - keras.ops.take_along_axis(y_pred, keras.ops.reshape(y_true, (-1, 1)), 1))
        self.value.assign(keras.ops.maximum(self.value, error))
        self.batches.assign_add(1)

    def result(self) -> Any:
        return self.value + keras.ops.cast(self.batches, "float32")


@program
def own_metrics_callbacks_and_losses() -> Any:
    x, y = data()
    seen: list[Any] = []

    class Listener(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
            seen.append([epoch, float(self.model.optimizer.learning_rate)])

        def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
            seen.append([batch, sorted(logs), logs["loss"], logs["largest"]])
            if batch == 1:
                self.model.optimizer.learning_rate = 0.5 * float(self.model.optimizer.learning_rate)

        def on_test_batch_end(self, batch: int, logs: Any = None) -> None:
            seen.append(logs["loss"])

        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            seen.append(dict(logs))
            self.model.stop_training = epoch == 1

    def own_loss(y_true: Any, y_pred: Any) -> Any:
        return keras.ops.sum(keras.ops.square(keras.ops.one_hot(keras.ops.reshape(y_true, (-1,)), 3) - y_pred), -1)

    model = classifier()
    model.compile(keras.optimizers.SGD(0.4, momentum=0.9), own_loss, metrics=[Largest()])
    return fitted(model, x, y, callbacks=[Listener()], validation_data=(x, y)), seen


@program
def schedules_and_stopping() -> Any:
    x, y = data()
    model = classifier()
    model.compile(keras.optimizers.Adam(keras.optimizers.schedules.ExponentialDecay(0.3, 4, 0.5)), CROSS_ENTROPY)
    found = [fitted(model, x, y), model.optimizer.learning_rate]
    model = classifier()
    model.compile(keras.optimizers.SGD(2.0), CROSS_ENTROPY)
    callbacks = [
        keras.callbacks.ReduceLROnPlateau("val_loss", factor=0.1, patience=1, verbose=0),
        keras.callbacks.EarlyStopping("val_loss", patience=2, restore_best_weights=True),
        keras.callbacks.LearningRateScheduler(lambda epoch, rate: rate * 0.9),
    ]
    return found, fitted(model, x, y, epochs=8, validation_split=0.4, callbacks=callbacks)


# -- optimisers and precision ------------------------------------------------------------------------------------------
@program
def optimizer_options() -> Any:
    x, y = data()
    found = []
    for optimizer in (
        keras.optimizers.Adam(0.02, use_ema=True, ema_momentum=0.7, ema_overwrite_frequency=5),
        keras.optimizers.SGD(0.1, momentum=0.9, nesterov=True, use_ema=True, ema_momentum=0.5),
        keras.optimizers.Adam(0.02, gradient_accumulation_steps=3),
        keras.optimizers.AdamW(0.02, weight_decay=0.1, clipnorm=0.05),
        keras.optimizers.SGD(0.5, global_clipnorm=0.1, weight_decay=0.01),
        keras.optimizers.RMSprop(0.02, clipvalue=0.01, centered=True, momentum=0.3),
        keras.optimizers.Muon(0.02),
        keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD(0.1), initial_scale=8.0, dynamic_growth_steps=4),
    ):
        model = classifier()
        model.compile(optimizer, CROSS_ENTROPY, metrics=["accuracy"])
        found.append(fitted(model, x, y, epochs=2, validation_data=(x[:5], y[:5])))
        found.append([v for v in optimizer.variables if "seed" not in v.path][:2])
    return found


@program
def overflow_under_a_loss_scale() -> Any:
    """Steps whose gradients are not finite are left out, and the scale is halved; in time it grows."""
    x, y = data()
    model = classifier()
    optimizer = keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD(0.1), initial_scale=2.0**127)
    model.compile(optimizer, keras.losses.SparseCategoricalCrossentropy())
    x[3] *= 1e30
    found = fitted(model, x, y, batch_size=4)
    return found, optimizer.dynamic_scale, optimizer.step_counter, optimizer.iterations


@program
def frozen_layers() -> Any:
    x, y = data()
    model = classifier(layers.BatchNormalization(), layers.Dense(4))
    model.layers[1].trainable = False
    model.compile("adam", CROSS_ENTROPY)
    found = [fitted(model, x, y)]
    model.layers[1].trainable, model.layers[2].trainable = True, False
    model.compile("adam", CROSS_ENTROPY)
    return [*found, fitted(model, x, y)]


def mixed(policy: str) -> Any:
    x, y = data()
    model = classifier(layers.LayerNormalization(dtype=policy), dtype=policy)
    model.compile(keras.optimizers.SGD(0.1), CROSS_ENTROPY, metrics=["accuracy"])
    kinds = [str(model.layers[1].kernel.dtype), model.layers[1].compute_dtype, type(model.optimizer).__name__]
    return kinds, fitted(model, x, y), model.predict(x[:3], verbose=0)


@program
def mixed_float16() -> Any:
    x, y = data()
    keras.mixed_precision.set_dtype_policy("mixed_float16")
    try:
        model = classifier()
        model.compile(keras.optimizers.SGD(0.1), CROSS_ENTROPY)  # wraps the optimizer by itself
        kinds = [type(model.optimizer).__name__]
        return kinds, fitted(model, x, y), model.optimizer.dynamic_scale
    finally:
        keras.mixed_precision.set_dtype_policy("float32")


@program
def mixed_bfloat16() -> Any:
    return mixed("mixed_bfloat16")


@program
def float64() -> Any:
    return mixed("float64")


# -- sequences ---------------------------------------------------------------------------------------------------------
def sequences() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(3)
    tokens = rng.integers(1, 9, (12, 7))
    for row, length in enumerate(rng.integers(2, 8, 12)):
        tokens[row, length:] = 0
    return tokens, (tokens % 4).astype("int64")


@program
def masked_sequences() -> Any:
    tokens, labels = sequences()
    found = []
    for recurrent in (
        layers.LSTM(6, return_sequences=True),
        layers.GRU(6, return_sequences=True, go_backwards=True, reset_after=False),
        layers.Bidirectional(layers.SimpleRNN(4, return_sequences=True)),
    ):
        model = keras.Sequential([keras.Input((7,)), layers.Embedding(9, 5, mask_zero=True), recurrent])
        model.add(layers.TimeDistributed(layers.Dense(4, activation="softmax")))
        weighted(model).compile("adam", CROSS_ENTROPY, metrics=["accuracy"])
        found += [fitted(model, tokens, labels, epochs=2, batch_size=5), model.predict(tokens, verbose=0)]
    return found


@program
def stateful_recurrent_layers() -> Any:
    """Prediction alone: Keras on PyTorch cannot train them, since it overwrites the states that gradients need."""
    x = np.random.default_rng(4).standard_normal((8, 6, 3)).astype("float32")
    found = []
    for recurrent in (layers.LSTM, layers.GRU, layers.SimpleRNN):
        layer = recurrent(4, stateful=True, return_sequences=True)
        inputs = keras.Input(batch_shape=(4, 6, 3))
        model = weighted(keras.Model(inputs, layers.Dense(1)(layer(inputs))))
        for _ in range(3):
            found += [model.predict(x, batch_size=4, verbose=0), layer.states]
        layer.reset_states()
        found += [model.predict(x[:4], batch_size=4, verbose=0), layer.states]
    return found


@program
def attention_with_masks() -> Any:
    tokens, _ = sequences()
    inputs = keras.Input((7,))
    mask = keras.ops.not_equal(inputs, 0)
    x = layers.Embedding(9, 8)(inputs)  # no queries are masked: PyTorch's gradients of rows without keys are not exact
    x = layers.MultiHeadAttention(2, 4)(x, x, attention_mask=mask[:, None, :], use_causal_mask=True) + x
    x = layers.GlobalAveragePooling1D()(layers.LayerNormalization()(x), mask=mask)
    model = weighted(keras.Model(inputs, layers.Dense(3, activation="softmax")(x)))
    model.compile("adam", CROSS_ENTROPY, metrics=["accuracy"])
    return fitted(model, tokens, tokens[:, 0] % 3, batch_size=5), model.predict(tokens, verbose=0)


@program
def subclassed_models() -> Any:
    x, y = data()

    class Net(keras.Model):
        def __init__(self) -> None:
            super().__init__()
            self.hidden = [layers.Dense(6, activation="relu", name=f"h{k}") for k in range(2)]
            self.out = layers.Dense(3)
            self.steps = self.add_weight(shape=(), initializer="zeros", trainable=False, name="steps")

        def call(self, x: Any, training: bool = False) -> Any:
            for layer in self.hidden:
                x = layer(x)
            if training:
                self.steps.assign_add(1.0)
                self.add_loss(0.01 * keras.ops.sum(keras.ops.square(x)))
            return self.out(x)

    model = Net()
    model(x[:2])
    weighted(model)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile("adam", loss, metrics=["accuracy"], jit_compile=ENGINE == "duograph")
    return fitted(model, x, y, validation_split=0.2), model.steps, model.evaluate(x, y, verbose=0)


if __name__ == "__main__":
    chosen = sys.argv[3:] or PROGRAMS
    with open(sys.argv[2], "w", encoding="utf-8") as file:
        json.dump({name: numbers(PROGRAMS[name]()) for name in chosen}, file)
