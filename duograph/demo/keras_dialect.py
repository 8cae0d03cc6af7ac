"""The same network in Keras's dialect: a stack of layers, compiled and fitted."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import duograph.tf as tf

from ..show import Layer, Run
from .task import Learnt, Progress, Task


def network(task: Task) -> Any:
    """Two convolutions, a pooling, two fully connected layers. Takes (n, height, width, 1), gives (n, classes)."""
    layers = tf.keras.layers
    return tf.keras.Sequential(
        [
            layers.Input((*task.x_train.shape[1:], 1)),
            layers.Conv2D(16, 3, padding="same"),
            layers.BatchNormalization(momentum=0.9),
            layers.ReLU(),
            layers.Conv2D(32, 3, padding="same"),
            layers.BatchNormalization(momentum=0.9),
            layers.ReLU(),
            layers.MaxPooling2D(),
            layers.Flatten(),
            layers.Dropout(0.5),
            layers.Dense(64, activation="relu"),
            layers.Dense(len(task.classes), activation="softmax"),
        ]
    )


def learn(task: Task, folder: Path, progress: Progress) -> Learnt:
    """Train, save into `folder`, load back, and predict with what was loaded."""
    tf.keras.utils.set_random_seed(task.seed)
    x_train, x_test = task.x_train[..., None], task.x_test[..., None]
    model = network(task)
    model.compile(
        optimizer=tf.keras.optimizers.Adam(
            tf.keras.optimizers.schedules.CosineDecay(task.learning_rate, task.epochs * task.steps)
        ),
        loss="sparse_categorical_crossentropy",
        metrics=["accuracy"],
    )
    history = model.fit(
        x_train,
        task.y_train,
        batch_size=task.batch_size,
        epochs=task.epochs,
        validation_data=(x_test, task.y_test),
        verbose=0,
        callbacks=[reporting_to(progress)],
    ).history
    run = Run("keras dialect", history["loss"], history["val_accuracy"])

    file = folder / "keras-dialect.keras"
    model.save(file)
    loaded = tf.keras.models.load_model(file)
    probabilities: NDArray[np.float32] = loaded.predict(x_test, verbose=0)
    if not np.array_equal(probabilities, model.predict(x_test, verbose=0)):
        raise AssertionError(f"the model loaded from {file} predicts otherwise than the one that was saved")
    return Learnt(run, file, probabilities, layers_of(loaded))


def reporting_to(progress: Progress) -> Any:
    """A callback that tells `progress` how far the training is."""

    class Reporter(tf.keras.callbacks.Callback):
        def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
            progress.step()

        def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
            assert logs is not None
            progress.epoch(logs["loss"], logs["val_accuracy"])

    return Reporter()


def layers_of(model: Any) -> list[Layer]:
    """The layers of a sequential model, with the shapes of images turned to (channels, height, width)."""

    def shape_of(tensor: Any) -> tuple[int, ...]:
        *rest, features = tensor.shape[1:]
        return (features, *rest)

    def learnt(layer: Any) -> int:
        return sum(int(np.prod(weight.shape)) for weight in layer.trainable_weights)

    layers = [Layer(type(layer).__name__, shape_of(layer.output), learnt(layer)) for layer in model.layers]
    return [Layer("Input", shape_of(model.inputs[0])), *layers]
