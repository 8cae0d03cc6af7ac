"""`steps_per_execution`: several steps are one call, and what they leave is what they leave one by one."""

from __future__ import annotations

import numpy as np
import pytest

from duograph import replay
from duograph.tf import keras

layers = keras.layers
RNG = np.random.default_rng(0)
X = RNG.normal(size=(24, 3, 5)).astype("float32")
Y = np.arange(24) % 3


def network():
    return [
        layers.Dense(6, activation="relu", kernel_regularizer="l2"),
        layers.BatchNormalization(),
        layers.Dropout(0.3, seed=3),
        layers.LSTM(4),
        layers.Dense(3),
    ]


def model(steps, made=network, **settings):
    keras.utils.set_random_seed(1)
    found = keras.Sequential([keras.Input((3, 5)), *made()])
    schedule = keras.optimizers.schedules.ExponentialDecay(0.02, 3, 0.9)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    settings = {"optimizer": keras.optimizers.Adam(schedule), "metrics": ["accuracy"], **settings}
    found.compile(loss=loss, steps_per_execution=steps, **settings)
    return found


def trained(together, batch_size=2, **settings):
    """The histories, evaluation and weights of a model with that many steps per execution, and the model."""
    found = model(together, **settings)
    history = found.fit(X, Y, batch_size=batch_size, epochs=3, validation_data=(X, Y), verbose=0).history
    numbers = [*history.values(), *found.evaluate(X, Y, batch_size=batch_size, verbose=0)]
    variables = [np.asarray(v) for v in (*found.variables, *found.optimizer.variables)]
    return numbers, variables, found


def same(one, other):
    for mine, theirs in zip(one[0], other[0], strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=1e-6)
    for mine, theirs in zip(one[1], other[1], strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("together", [4, 5])
def test_steps_together_are_as_one_by_one(together):
    one, several = trained(1), trained(together)
    same(one, several)
    for function in (several[2].train_function, several[2].test_function):
        assert function.reason is None


def test_the_steps_are_one_call(monkeypatch):
    found = model(6)
    found.fit(X, Y, batch_size=2, epochs=3, verbose=0)
    runs = []
    run = replay.recipe.execute.run
    monkeypatch.setattr(replay.recipe.execute, "run", lambda *a: runs.append(1) or run(*a))
    found.fit(X, Y, batch_size=2, epochs=2, verbose=0)
    assert len(runs) <= 2 * (12 / 6 + 2)  # metrics are reset in each epoch, and looked at


def test_weights_and_uneven_batches():
    weights = {"sample_weight": np.linspace(0.5, 2, 24).astype("float32")}, {"class_weight": {0: 2.0, 1: 1.0, 2: 0.5}}
    histories = []
    for together in (1, 3):
        found = model(together)
        fits = [found.fit(X, Y, batch_size=7, epochs=3, verbose=0, **given) for given in weights]
        histories.append([loss for fitted in fits for loss in fitted.history["loss"]])
    np.testing.assert_allclose(*histories, rtol=1e-6)


def test_an_averaging_optimizer():
    """It asks at each step whether it is time to write the averages: a branch of the graph, or steps one by one."""
    settings = {"optimizer": lambda: keras.optimizers.SGD(0.05, momentum=0.9, use_ema=True, ema_overwrite_frequency=3)}
    same(*(trained(n, optimizer=settings["optimizer"]()) for n in (1, 4)))


def test_accumulated_gradients():
    same(*(trained(n, optimizer=keras.optimizers.Adam(0.01, gradient_accumulation_steps=2)) for n in (1, 4)))


def test_other_numbers_are_dropped_in_each_step():
    def made():
        return [layers.Flatten(), layers.Dropout(0.5), layers.Dropout(0.5), layers.Dense(3, use_bias=False)]

    found = model(4, made=made, optimizer=keras.optimizers.SGD(1.0))
    found.fit(X[:8], Y[:8], batch_size=2, verbose=0)
    changes = []
    for _ in range(3):
        before = found.layers[-1].kernel.numpy()
        found.fit(np.ones_like(X[:8]), Y[:8], batch_size=2, verbose=0)
        changes.append(found.layers[-1].kernel.numpy() - before)
    assert found.train_function.reason is None
    assert all(np.count_nonzero(np.unique(c.round(6))) > 10 for c in changes)  # with one mask, few values
    assert not np.allclose(changes[0] != 0, changes[1] != 0)


class Keeping(layers.Layer):
    """Keeps a tensor of its last call."""

    def call(self, x):
        self.add_loss(keras.ops.mean(x) * 0.1)
        return x


class Reading(layers.Layer):
    """Decides by a value."""

    def call(self, x):
        return x * 2.0 if float(keras.ops.max(x)) > 3.0 else x


@pytest.mark.parametrize(("layer", "reason"), [(Keeping, "is kept outside"), (Reading, "cannot be read")])
def test_steps_that_cannot_be_a_loop_are_made_one_by_one(layer, reason):
    def made():
        return [layer(), layers.Flatten(), layers.Dense(3)]

    losses = []
    for together in (1, 3):
        found = model(together, made=made)
        losses.append(found.fit(X, Y, batch_size=4, epochs=2, verbose=0).history["loss"])
    np.testing.assert_allclose(*losses, rtol=1e-6)
    assert reason in found.train_function.reason


def test_a_train_step_of_ones_own():
    class Own(keras.Model):
        def __init__(self):
            super().__init__()
            self.dense = layers.Dense(3)
            self.factor = 1.0

        def call(self, x):
            return self.dense(x[:, 0])

        def train_step(self, data):
            x, y = data
            loss = self.compute_loss(x, y, self(x, training=True)) * self.factor
            self.zero_grad()
            loss.backward()
            weights = self.trainable_weights
            self.optimizer.apply([w.value.grad for w in weights], weights)
            self.zero_grad()
            return {"size": loss}

    found = []
    for together in (1, 3):
        keras.utils.set_random_seed(2)
        own = Own()
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        own.compile("sgd", loss, steps_per_execution=together)
        losses = own.fit(X, Y, batch_size=2, epochs=3, shuffle=False, verbose=0).history["size"]
        own.factor = 0.5
        losses += own.fit(X, Y, batch_size=2, epochs=3, shuffle=False, verbose=0).history["size"]
        assert own.train_function.reason is None
        found.append([*losses, *own.dense.kernel.numpy().ravel()])
    np.testing.assert_allclose(*found, rtol=1e-5)
