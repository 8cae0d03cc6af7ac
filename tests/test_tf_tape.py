"""`tf.GradientTape` and `tf.Variable`."""

from __future__ import annotations

import copy

import numpy as np
import pytest

import duograph.tf as tf


def test_gradient_in_the_structure_of_the_sources() -> None:
    w, b = tf.Variable([[1.0, 2.0]]), tf.Variable(3.0)
    frozen = tf.Variable(5.0, trainable=False)
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(w * w) * b + frozen
    gradients = tape.gradient(loss, {"w": w, "others": [b, frozen]})
    np.testing.assert_allclose(gradients["w"].numpy(), [[6.0, 12.0]])
    assert gradients["others"][0].numpy() == 5.0
    assert gradients["others"][1] is None
    assert loss.numpy() == 20.0


def test_only_what_is_inside_is_recorded() -> None:
    w = tf.Variable(2.0)
    before = w * w
    with tf.GradientTape() as tape:
        with tape.stop_recording():
            still = w * 3
        y = w * w * still
    assert tape.gradient(y, w).numpy() == pytest.approx(2 * 2 * 6)
    assert before.numpy() == 4.0


def test_watch_ends_with_the_block() -> None:
    x = tf.constant([1.0, 2.0])
    for _ in range(3):
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = tf.reduce_sum(x**3)
        step = tape.gradient(y, x)
        np.testing.assert_allclose(step.numpy(), 3 * x.numpy() ** 2, rtol=1e-6)
        x = x + step
        assert not x.requires_grad


def test_unwatched_and_unconnected() -> None:
    x, w = tf.constant(1.0), tf.Variable([1.0, 2.0])
    with tf.GradientTape() as tape:
        y = x * 2
    assert tape.gradient(y, [x, w]) == [None, None]
    with tf.GradientTape() as tape:
        y = tf.reduce_sum(x * 2)
    np.testing.assert_array_equal(tape.gradient(y, w, unconnected_gradients="zero").numpy(), [0.0, 0.0])
    with tf.GradientTape(watch_accessed_variables=False) as tape:
        y = tf.reduce_sum(w)
    assert tape.gradient(y, w) is None


def test_persistence() -> None:
    w = tf.Variable(3.0)
    with tf.GradientTape(persistent=True) as tape:
        y = w * w
        z = y * y
    assert tape.gradient(z, w).numpy() == 108.0
    assert tape.gradient(z, y).numpy() == 18.0
    assert tape.gradient(y, w).numpy() == 6.0
    with tf.GradientTape() as tape:
        y = w * w
    tape.gradient(y, w)
    with pytest.raises(RuntimeError, match="persistent=True"):
        tape.gradient(y, w)


def test_two_tapes_over_one_computation() -> None:
    w, v = tf.Variable(2.0), tf.Variable(3.0)
    with tf.GradientTape() as first, tf.GradientTape() as second:
        shared = tf.exp(w * v)
        one, two = shared * 2, shared * 3
    assert first.gradient(one, w).numpy() == pytest.approx(6 * np.exp(6), rel=1e-6)
    assert second.gradient(two, v).numpy() == pytest.approx(6 * np.exp(6), rel=1e-6)


def test_higher_orders() -> None:
    x = tf.Variable(2.0)
    with tf.GradientTape() as outer, tf.GradientTape() as middle, tf.GradientTape() as inner:
        y = x**4
        first = inner.gradient(y, x)
        second = middle.gradient(first, x)
    assert first.numpy() == pytest.approx(32)
    assert second.numpy() == pytest.approx(48)
    assert outer.gradient(second, x).numpy() == pytest.approx(48)


def test_jacobians() -> None:
    x = tf.constant([[1.0, 2.0], [3.0, 4.0]])
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(x)
        y = x**2
    full = tape.jacobian(y, x).numpy()
    assert full.shape == (2, 2, 2, 2)
    np.testing.assert_allclose(full.reshape(4, 4), np.diag([2.0, 4.0, 6.0, 8.0]))
    rows = tape.batch_jacobian(y, x).numpy()
    np.testing.assert_allclose(rows, [np.diag([2.0, 4.0]), np.diag([6.0, 8.0])])


def test_hessian() -> None:
    x = tf.Variable([1.0, 2.0])
    with tf.GradientTape() as outer:
        with tf.GradientTape() as inner:
            y = x[0] ** 2 * x[1]
        gradient = inner.gradient(y, x)
    np.testing.assert_allclose(outer.jacobian(gradient, x).numpy(), [[4.0, 2.0], [2.0, 0.0]])


def test_weighted_and_several_targets() -> None:
    w = tf.Variable([1.0, 2.0])
    with tf.GradientTape(persistent=True) as tape:
        y = w * w
        z = 3 * w
    np.testing.assert_allclose(tape.gradient(y, w, output_gradients=tf.constant([1.0, 10.0])).numpy(), [2.0, 40.0])
    np.testing.assert_allclose(tape.gradient([y, z], w).numpy(), [5.0, 7.0])


def test_assignments_do_not_disturb_the_tape() -> None:
    w = tf.Variable(2.0)
    with tf.GradientTape() as tape:
        y = w * w
        w.assign(10.0)
    assert tape.gradient(y, w).numpy() == 4.0
    assert w.numpy() == 10.0


def test_variables() -> None:
    v = tf.Variable([1.0, 2.0], name="v")
    copied = v.read_value()
    assert v.assign_add([1.0, 1.0]) is v
    v.assign_sub(tf.constant([0.5, 0.5]))
    np.testing.assert_array_equal(v.numpy(), [1.5, 2.5])
    np.testing.assert_array_equal(copied.numpy(), [1.0, 2.0])
    np.testing.assert_array_equal(v.value().numpy(), v.value.numpy())
    twin = copy.deepcopy(v)
    twin.assign([0.0, 0.0])
    np.testing.assert_array_equal(v.numpy(), [1.5, 2.5])
    assert "tf.Variable 'v:0' shape=(2,) dtype=float32" in repr(v)
    assert tf.Variable(3).dtype is tf.int32
    assert tf.Variable(lambda: tf.zeros((2,))).shape == (2,)
    with pytest.raises(ValueError, match=r"expected shape \(2,\) and dtype float32\. Received: shape \(3,\)"):
        v.assign([1.0, 2.0, 3.0])
    with pytest.raises(RuntimeError, match="assign_add"):
        v += 1
    with pytest.raises(ValueError, match="expected an initial value"):
        tf.Variable()


def test_a_loop_as_in_the_guides() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(100, 1)).astype(np.float32)
    y = 3 * x + 2
    w, b = tf.Variable(0.0), tf.Variable(0.0)
    for _ in range(60):
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(tf.square(w * x + b - y))
        dw, db = tape.gradient(loss, [w, b])
        w.assign_sub(0.2 * dw)
        b.assign_sub(0.2 * db)
    assert w.numpy() == pytest.approx(3, abs=0.01)
    assert b.numpy() == pytest.approx(2, abs=0.01)


def test_keras_variables_and_optimisers() -> None:
    keras = tf.keras
    keras.utils.set_random_seed(0)
    rng = np.random.default_rng(0)
    x = rng.normal(size=(32, 4)).astype(np.float32)
    y = x[:, :1] - x[:, 1:2]
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(1)])
    extra = tf.Variable(0.0)
    optimizer = keras.optimizers.Adam(0.1)
    losses = []
    for _ in range(40):
        with tf.GradientTape() as tape:
            loss = keras.losses.MeanSquaredError()(y, model(x, training=True) + extra)
        variables = [*model.trainable_variables, extra]
        optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables, strict=True))
        losses.append(loss.numpy())
    assert losses[-1] < 0.05 * losses[0]
    assert model(x).numpy().shape == (32, 1)


def test_custom_gradient() -> None:
    @tf.custom_gradient
    def clipped(x):
        return tf.exp(x), lambda upstream: tf.clip_by_value(upstream * tf.exp(x), -1.0, 1.0)

    x = tf.Variable([0.0, 5.0])
    with tf.GradientTape() as tape:
        y = tf.reduce_sum(clipped(x))
    np.testing.assert_allclose(tape.gradient(y, x).numpy(), [1.0, 1.0])


def test_errors() -> None:
    with pytest.raises(ValueError, match="expected tensors"):
        tf.GradientTape().watch("x")
    tape = tf.GradientTape()
    with tape, pytest.raises(ValueError, match="already recording"):
        tape.__enter__()
    with pytest.raises(ValueError, match="expected operands of one dtype. Received: float32 and int32"):
        tf.add(tf.constant(1.0), tf.constant(1))


@pytest.mark.parametrize(
    ("name", "instead"),
    [
        ("saved_model", "load_model"),
        ("Session", "compat.v1.Session"),
        ("reduce_meen", "reduce_mean"),
        ("lite", "not written"),
    ],
)
def test_what_is_not_built_says_so(name: str, instead: str) -> None:
    with pytest.raises(AttributeError, match=f"tf has no '{name}'.*not built here.*{instead}"):
        getattr(tf, name)
    with pytest.raises(AttributeError, match=r"tf\.math has no 'erfcinvv'"):
        tf.math.erfcinvv  # noqa: B018


def test_function() -> None:
    @tf.function
    def affine(x, scale=2.0):
        return x * scale + 1

    np.testing.assert_array_equal(affine(np.ones(3, np.float32)).numpy(), [3.0, 3.0, 3.0])
    affine(tf.zeros(3))
    affine(tf.zeros(4))
    assert affine.experimental_get_tracing_count() == 2
    assert affine.python_function(1.0) == 3.0

    class Model:
        def __init__(self) -> None:
            self.w = tf.Variable(2.0)

        @tf.function(input_signature=[tf.TensorSpec([None, 2], tf.float32)])
        def __call__(self, x):
            return x * self.w

    model = Model()
    np.testing.assert_array_equal(model(tf.ones((3, 2))).numpy(), np.full((3, 2), 2.0))
    with pytest.raises(
        ValueError, match=r"expected argument 0 to be TensorSpec\(shape=\(None, 2\).*Received: shape \(3,\)"
    ):
        model(tf.ones(3))
    concrete = affine.get_concrete_function(tf.TensorSpec([2], tf.float32))
    np.testing.assert_array_equal(concrete(tf.ones(2)).numpy(), [3.0, 3.0])


def test_a_function_that_trains_is_replayed() -> None:
    def train(compiled: bool) -> tuple[list[float], int]:
        w, runs = tf.Variable([1.0, 2.0]), []

        def step(x: tf.Tensor) -> tf.Tensor:
            runs.append(1)
            with tf.GradientTape() as tape:
                loss = tf.reduce_sum((w * x - 1.0) ** 2)
            w.assign_sub(0.1 * tape.gradient(loss, w))
            return loss

        one = tf.function(step) if compiled else step
        losses = [float(one(tf.constant([0.5, 0.1 * k]))) for k in range(12)]
        return [*losses, *w.numpy().tolist()], len(runs)

    plain, compiled = train(False), train(True)
    assert compiled[0] == pytest.approx(plain[0], rel=1e-5) and compiled[1] == 1


def test_functions_run_as_python_where_that_is_asked_for() -> None:
    turns = []

    @tf.function
    def counted(x):
        turns.append(1)
        return x + 1

    tf.config.run_functions_eagerly(True)
    try:
        assert tf.config.functions_run_eagerly()
        assert [float(counted(tf.constant(2.0))) for _ in range(5)] == [3.0] * 5
        assert len(turns) == 5
    finally:
        tf.config.run_functions_eagerly(False)
    assert not tf.config.functions_run_eagerly()
