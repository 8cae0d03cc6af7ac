"""Programs for Keras, written once: Duograph and TensorFlow run the same lines, and only the `keras` given differs."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

CHECKED_STEPS = 20
RUNS = ("fit", "predict", "call")
"""What is timed of each: a training step inside `fit`, `predict` and `model(x)` on one sample."""


@dataclass(frozen=True)
class Program:
    """A model and its data. An epoch has `steps` batches; `fit` shall be `goal` times as fast as TensorFlow's."""

    name: str
    title: str
    batch: int
    steps: int
    goal: float
    model: Callable[[Any], Any]
    sample: Callable[[np.random.Generator, int], np.ndarray]
    classes: int

    def data(self) -> tuple[np.ndarray, np.ndarray]:
        """An epoch's inputs and labels."""
        numbers = np.random.default_rng(0)
        count = self.batch * self.steps
        return self.sample(numbers, count), numbers.integers(0, self.classes, count)

    def compiled_model(self, keras: Any, **keywords: Any) -> Any:
        """The model with the same weights everywhere. The keywords are those of `Model.compile`."""
        model = self.model(keras)
        numbers = np.random.default_rng(1)
        model.set_weights(
            [
                (numbers.normal(size=w.shape) / np.sqrt(np.prod(w.shape[:-1]) if w.ndim > 1 else 1e4)).astype("float32")
                for w in model.get_weights()
            ]
        )
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        model.compile(optimizer=keras.optimizers.Adam(1e-3), loss=loss, metrics=["accuracy"], **keywords)
        return model

    def start(self, keras: Any, **keywords: Any) -> tuple[dict[str, Any], dict[str, Callable[[int], object]]]:
        """Train the first steps.

        Returns the losses of these and the seconds of the first call of `fit`, then by their names the functions that
        are timed, each with how often it shall do its work. That of `fit` is an epoch.
        """
        x, y = self.data()
        model = self.compiled_model(keras, **keywords)
        first = slice(0, self.batch)
        begin = time.perf_counter()
        history = model.fit(x[first], y[first], batch_size=self.batch, verbose=0)
        answer = {"first_fit": time.perf_counter() - begin, "losses": history.history["loss"]}
        for step in range(1, CHECKED_STEPS):
            part = slice(step * self.batch, (step + 1) * self.batch)
            answer["losses"] += [float(model.train_on_batch(x[part], y[part], return_dict=True)["loss"])]
        one = x[:1]

        def predict(calls: int) -> None:
            for _ in range(calls):
                model.predict(one, verbose=0)

        def call(calls: int) -> None:
            for _ in range(calls):
                np.asarray(model(one))

        def fit(calls: int) -> None:
            model.fit(x, y, batch_size=self.batch, epochs=calls, verbose=0)

        return answer, {"fit": fit, "predict": predict, "call": call}


def _mlp(keras: Any) -> Any:
    layers = keras.layers
    return keras.Sequential(
        [
            keras.Input((784,)),
            layers.Dense(128, activation="relu"),
            layers.Dense(64, activation="relu"),
            layers.Dense(10),
        ]
    )


def _cnn(keras: Any) -> Any:
    layers = keras.layers
    return keras.Sequential(
        [
            keras.Input((28, 28, 1)),
            layers.Conv2D(32, 3, activation="relu"),
            layers.MaxPooling2D(),
            layers.Conv2D(64, 3, activation="relu"),
            layers.MaxPooling2D(),
            layers.Flatten(),
            layers.Dense(10),
        ]
    )


def _lstm(keras: Any) -> Any:
    layers = keras.layers
    return keras.Sequential(
        [keras.Input((80,), dtype="int32"), layers.Embedding(5000, 64), layers.LSTM(64), layers.Dense(2)]
    )


def _floats(*shape: int) -> Callable[[np.random.Generator, int], np.ndarray]:
    return lambda numbers, count: numbers.normal(size=(count, *shape)).astype("float32")


PROGRAMS = {
    program.name: program
    for program in (
        Program("mlp", "MLP 784-128-64-10, batch 32", 32, 200, 4.0, _mlp, _floats(784), 10),
        Program("mnist-cnn", "MNIST CNN, batch 64", 64, 20, 1.4, _cnn, _floats(28, 28, 1), 10),
        Program(
            "lstm", "LSTM text classifier, 80 words, batch 32", 32, 20, 1.4, _lstm,
            lambda numbers, count: numbers.integers(0, 5000, (count, 80)).astype("int32"), 2,
        ),
    )
}  # fmt: skip
