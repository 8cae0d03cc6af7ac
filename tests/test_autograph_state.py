"""`tf.function` with state: variables, random numbers, Keras's models, and loops over data sets."""

# ruff: noqa: SIM108 (the forms that users write are what is tested)

from __future__ import annotations

import numpy as np
import pytest

import duograph.tf as tf


# -- variables ---------------------------------------------------------------------------------------------------------
def test_variables_in_branches_and_loops() -> None:
    total, calls = tf.Variable(0.0), tf.Variable(0, dtype=tf.int32)

    @tf.function
    def add(n):
        calls.assign_add(1)
        for i in tf.range(n):
            if i % 2 == 0:
                total.assign_add(tf.cast(i, tf.float32))
            else:
                total.assign(total * 2.0)
        return total

    assert [float(add(tf.constant(n))) for n in (5, 0, 2)] == [8.0, 8.0, 16.0]
    assert (float(total), int(calls), add.experimental_get_tracing_count()) == (16.0, 3, 1)
    total.assign(1.0)
    assert float(add(tf.constant(1))) == 1.0


def test_variables_read_without_a_tape() -> None:
    """What `stop_gradient` makes of a variable is its content at that time, in loops and from call to call."""
    v = tf.Variable(1.0)

    @tf.function
    def over_range(n):
        total = tf.constant(0.0)
        for _ in tf.range(n):
            total += tf.stop_gradient(v)
            v.assign(v * 2.0)
        return total + tf.stop_gradient(v) * v

    assert float(over_range(tf.constant(3))) == 1 + 2 + 4 + 8 * 8
    assert float(over_range(tf.constant(1))) == 8 + 16 * 16

    @tf.function
    def over_rows(rows):
        total = tf.constant(0.0)
        for row in rows:
            total += tf.stop_gradient(v) * row
            v.assign(v * 2.0)
        return total

    v.assign(1.0)
    assert [float(over_rows(tf.ones(3))) for _ in range(2)] == [7.0, 56.0]
    with tf.GradientTape() as tape:
        y = over_range(tf.constant(0))
    assert float(tape.gradient(y, v)) == 64.0

    stopped = tf.function(lambda x: tf.stop_gradient(x) * x)
    x = tf.constant(3.0)
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = stopped(x)
    assert float(tape.gradient(y, x)) == 3.0


def test_gradients_with_respect_to_variables() -> None:
    w = tf.Variable([1.0, 2.0])

    @tf.function
    def loss(x, n):
        y = x
        for _ in tf.range(n):
            y = y * w
        return tf.reduce_sum(y)

    with tf.GradientTape() as tape:
        found = loss(tf.constant([3.0, 4.0]), tf.constant(3))
    np.testing.assert_allclose(tape.gradient(found, w).numpy(), [9.0, 48.0])


def test_a_variable_made_at_the_first_call() -> None:
    class Counter(tf.Module):
        def __init__(self) -> None:
            super().__init__()
            self.count = None

        @tf.function
        def __call__(self, x):
            if self.count is None:
                self.count = tf.Variable(0.0)
            if x > 0.0:
                self.count.assign_add(x)
            return self.count * 1.0

    first, second = Counter(), Counter()
    assert [float(first(tf.constant(v))) for v in (1.0, -1.0, 2.0)] == [1.0, 1.0, 3.0]
    assert float(second(tf.constant(5.0))) == 5.0
    assert float(first(tf.constant(1.0))) == 4.0


def test_random_numbers_differ_from_call_to_call_and_from_turn_to_turn() -> None:
    @tf.function
    def drawn(n):
        rows = tf.TensorArray(tf.float32, size=8, element_shape=[2])
        for i in tf.range(n):
            rows = rows.write(i, tf.random.uniform([2]))
        return rows.stack()

    tf.random.set_seed(4)
    found = [drawn(tf.constant(8)).numpy() for _ in range(3)]
    assert len(np.unique(found)) == 48
    tf.random.set_seed(4)
    again = [drawn(tf.constant(8)).numpy() for _ in range(3)]
    assert drawn.experimental_get_tracing_count() == 1
    np.testing.assert_array_equal(again[1:], found[1:])


# -- Keras -------------------------------------------------------------------------------------------------------------
def _training(compiled: bool) -> tuple[list[float], list[np.ndarray], int]:
    keras = tf.keras
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.layers.Dense(8, "relu"), keras.layers.BatchNormalization(), keras.layers.Dense(1)])
    schedule = keras.optimizers.schedules.ExponentialDecay(0.05, 2, 0.8)
    optimizer, metric, runs = keras.optimizers.Adam(schedule), keras.metrics.Mean(), []

    def step(x, y):
        runs.append(1)
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(tf.square(model(x, training=True) - y))
            if loss > 1.0:
                loss = tf.sqrt(loss)
        gradients = tape.gradient(loss, model.trainable_variables)
        optimizer.apply_gradients(zip(gradients, model.trainable_variables, strict=True))
        metric.update_state(loss)
        return loss

    function = tf.function(step) if compiled else step
    rng = np.random.default_rng(0)
    x = tf.constant(rng.normal(size=(32, 4)).astype(np.float32))
    losses = [float(function(x, x[:, :1] * 3.0)) for _ in range(8)]
    return [*losses, float(metric.result())], [np.asarray(w) for w in model.weights], len(runs)


def test_a_training_step_with_a_condition() -> None:
    """Layers are built, and the optimiser's state is made, while the step is recorded."""
    plain, compiled = _training(False), _training(True)
    assert compiled[0] == pytest.approx(plain[0], rel=1e-4)
    for mine, reference in zip(compiled[1], plain[1], strict=True):
        np.testing.assert_allclose(mine, reference, rtol=1e-3, atol=1e-5)
    assert (plain[2], compiled[2]) == (8, 1)


def test_layers_and_train_step_of_ones_own() -> None:
    keras = tf.keras
    keras.utils.set_random_seed(1)

    class Model(keras.Model):
        def __init__(self) -> None:
            super().__init__()
            self.dense, self.noise = keras.layers.Dense(2), keras.layers.Dropout(0.5)

        def call(self, x, training=False):
            x = self.dense(x)
            if training:
                x = self.noise(x, training=True)
            return x

        def train_step(self, data):
            x, y = data
            with tf.GradientTape() as tape:
                loss = tf.reduce_mean(tf.square(self(x, training=True) - y))
                if loss > 0.5:
                    loss = loss * 0.5
            gradients = tape.gradient(loss, self.trainable_variables)
            self.optimizer.apply_gradients(zip(gradients, self.trainable_variables, strict=True))
            return {"size": loss}

    model = Model()
    model.compile(optimizer="adam")
    rng = np.random.default_rng(0)
    x, y = rng.random((64, 3), np.float32), rng.random((64, 2), np.float32)
    losses = model.fit(x, y, epochs=3, verbose=0).history["size"]
    assert all(0 < loss < 5 for loss in losses)
    function = tf.function(model)
    quiet = function(tf.constant(x), training=False)
    np.testing.assert_allclose(quiet.numpy(), model.predict(x, verbose=0), rtol=1e-5)
    assert (function(tf.constant(x), training=True).numpy() == 0).mean() > 0.2


class Choosing(tf.keras.layers.Layer):
    """Control flow over tensors in `call`."""

    def build(self, shape):
        self.dense = tf.keras.layers.Dense(shape[-1])
        self.dense.build(shape)

    def call(self, x, training=False):
        if tf.reduce_sum(x) > 0.0:
            x = self.dense(x)
        else:
            x = -self.dense(x)
        count = tf.constant(0)
        while tf.reduce_max(tf.abs(x)) > 1.0:
            x = x * 0.5
            count += 1
        return x + tf.cast(count, x.dtype)


@pytest.mark.parametrize("kind", ["layer", "model", "sequential"])
def test_control_flow_in_a_layer(kind: str) -> None:
    """The layers that a recorded function calls have it in the graph, whatever called them."""
    keras = tf.keras
    keras.utils.set_random_seed(0)
    layer = Choosing()
    if kind == "model":
        inputs = keras.Input((3,))
        called = keras.Model(inputs, layer(inputs * 1.0))
    else:
        called = layer if kind == "layer" else keras.Sequential([layer])
    rng = np.random.default_rng(0)
    samples = [
        tf.constant((rng.normal(size=(4, 3)) * s + m).astype(np.float32)) for s, m in ((1, 2), (5, -4), (0.1, 0))
    ]
    expected = [called(x).numpy() for x in samples]
    function = tf.function(called)
    for _ in range(2):
        for x, y in zip(samples, expected, strict=True):
            np.testing.assert_allclose(function(x).numpy(), y, rtol=1e-6)
    assert function.python_reason is None
    assert function.experimental_get_tracing_count() == 1


def test_control_flow_in_a_layer_that_is_fitted() -> None:
    keras = tf.keras
    rng = np.random.default_rng(0)
    x = (rng.normal(size=(24, 3)) * 3).astype(np.float32)
    histories = []
    for settings in ({}, {"run_eagerly": True}, {"steps_per_execution": 3}):
        keras.utils.set_random_seed(0)
        model = keras.Sequential([Choosing(), keras.layers.Dense(1)])
        model.compile("sgd", "mse", **settings)
        histories.append(model.fit(x, x[:, :1], batch_size=4, epochs=3, shuffle=False, verbose=0).history["loss"])
    np.testing.assert_allclose(histories[1], histories[0], rtol=1e-5)
    np.testing.assert_allclose(histories[2], histories[0], rtol=1e-5)


# -- data sets ---------------------------------------------------------------------------------------------------------
def test_loops_over_data_sets() -> None:
    """The body is recorded once for each kind of element; what is around the loop is Python."""
    data = tf.data.Dataset.from_tensor_slices(np.arange(10, dtype=np.float32)).batch(4)
    runs, seen = [], tf.Variable(0)

    def summed(x, bound):
        count = 0
        last = tf.constant(0.0)
        for batch in data:
            runs.append(1)
            if tf.reduce_sum(batch) > 20.0:
                x += tf.reduce_sum(batch) * last
            else:
                x -= tf.reduce_sum(batch)
            seen.assign_add(1)
            count += 1
            last = batch[0]
            if x > bound:
                break
        return x, count, last

    function = tf.function(summed)
    for bound in (1000.0, 30.0, 1000.0):
        arguments = tf.constant(1.0), tf.constant(bound)
        found = [float(r) for r in function(*arguments)]
        assert found == [float(r) for r in summed(*arguments)]
        runs[:] = [r for r in runs if r == 2]
    before = int(seen)
    runs.clear()
    function(tf.constant(2.0), tf.constant(1000.0))
    assert (int(seen) - before, len(runs)) == (3, 0)


def test_training_over_a_data_set() -> None:
    keras = tf.keras
    rng = np.random.default_rng(0)
    x = rng.normal(size=(40, 3)).astype(np.float32)
    data = tf.data.Dataset.from_tensor_slices((x, x @ np.ones((3, 1), np.float32))).batch(8)

    def train(compiled: bool) -> tuple[list[float], int]:
        keras.utils.set_random_seed(0)
        model, runs = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)]), []
        optimizer = keras.optimizers.SGD(0.1, momentum=0.5)

        def epoch(rate):
            total = 0.0
            for inputs, targets in data:
                runs.append(1)
                with tf.GradientTape() as tape:
                    loss = tf.reduce_mean(tf.square(model(inputs) - targets)) * rate
                gradients = tape.gradient(loss, model.trainable_variables)
                optimizer.apply_gradients(zip(gradients, model.trainable_variables, strict=True))
                total += loss
            return total

        function = tf.function(epoch) if compiled else epoch
        return [float(function(tf.constant(r))) for r in (1.0, 0.5, 0.25)], len(runs)

    plain, compiled = train(False), train(True)
    assert compiled[0] == pytest.approx(plain[0], rel=1e-4)
    assert plain[1] == 15
    assert compiled[1] <= 3  # while the function is recorded, and its optimiser makes its state
