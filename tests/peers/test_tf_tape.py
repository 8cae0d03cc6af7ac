"""Gradient tapes, custom gradients and variables against TensorFlow: results of small programs, and their errors."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import duograph.tf as dt

from .tf_tools import tensorflow

Program = Callable[[Any], Any]
PROGRAMS: dict[str, Program] = {}
ERRORS: dict[str, Program] = {}


def program(function: Program) -> Program:
    PROGRAMS[function.__name__.replace("_", " ")] = function
    return function


def wrong(function: Program) -> Program:
    ERRORS[function.__name__.replace("_", " ")] = function
    return function


# -- tapes -------------------------------------------------------------------------------------------------------------
@program
def persistent_tape(tf: Any) -> Any:
    x, v = tf.constant([1.0, 2.0]), tf.Variable(3.0)
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(x)
        y = x * x * v
        z = tf.reduce_sum(y)
    return [tape.gradient(y, x), tape.gradient(z, v), tape.gradient(z, {"a": x, "b": [v]})["b"][0]]


@program
def nested_tapes(tf: Any) -> Any:
    x = tf.Variable([1.0, 2.0])
    with tf.GradientTape() as outer:
        with tf.GradientTape() as inner:
            y = tf.reduce_sum(x**3 * tf.sin(x))
        first = inner.gradient(y, x)
    return [first, outer.gradient(first, x)]


@program
def third_order(tf: Any) -> Any:
    x = tf.constant(0.7)
    with tf.GradientTape() as a:
        a.watch(x)
        with tf.GradientTape() as b:
            b.watch(x)
            with tf.GradientTape() as c:
                c.watch(x)
                y = tf.exp(2 * x)
            d1 = c.gradient(y, x)
        d2 = b.gradient(d1, x)
    return [d1, d2, a.gradient(d2, x)]


@program
def hessian_by_jacobian(tf: Any) -> Any:
    x = tf.Variable([[0.5, -1.0], [2.0, 1.5]])
    with tf.GradientTape() as outer:
        with tf.GradientTape() as inner:
            y = tf.reduce_sum(tf.tanh(x @ x))
        g = inner.gradient(y, x)
    return outer.jacobian(g, x)


@program
def jacobians(tf: Any) -> Any:
    x, w = tf.constant([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]), tf.Variable([[1.0, 0.5, 2.0], [0.0, -1.0, 1.0]])
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(x)
        y = tf.sin(x @ w)
    unused = tf.Variable(1.0)
    return [*tape.jacobian(y, [x, w]), tape.batch_jacobian(y, x), tape.jacobian(y, unused)]


@program
def jacobian_without_pfor(tf: Any) -> Any:
    x = tf.constant([1.0, 2.0, 3.0])
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(x)
        y = tf.cumsum(x * x)
    return tape.jacobian(y, x, experimental_use_pfor=False)


@program
def batch_jacobian_of_images(tf: Any) -> Any:
    x = tf.reshape(tf.range(12, dtype=tf.float32), [2, 3, 2]) / 10
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = tf.reduce_sum(x**2, axis=1) * x[:, 0]
    return tape.batch_jacobian(y, x)


@program
def stop_recording(tf: Any) -> Any:
    x = tf.constant(3.0)
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(x)
        y = x * x
        with tape.stop_recording():
            hidden = y * x
            early = tape.gradient(y, x)
        z = y + hidden
    return [early, tape.gradient(z, x), tape.gradient(hidden, x)]


@program
def accessed_variables_not_watched(tf: Any) -> Any:
    a, b = tf.Variable(2.0), tf.Variable(3.0)
    with tf.GradientTape(watch_accessed_variables=False) as tape:
        tape.watch(a)
        y = a * b
    return tape.gradient(y, [a, b])


@program
def untrainable_variable(tf: Any) -> Any:
    a, b = tf.Variable(2.0, trainable=False), tf.Variable(3.0)
    with tf.GradientTape(persistent=True) as tape:
        y = a * b
    with tf.GradientTape() as second:
        second.watch(a)
        z = a * b
    return [*tape.gradient(y, [a, b]), second.gradient(z, a)]


@program
def several_targets_and_seeds(tf: Any) -> Any:
    x = tf.Variable([1.0, 2.0])
    with tf.GradientTape(persistent=True) as tape:
        y, z = x * 2, x * x
    return [
        tape.gradient([y, z], x),
        tape.gradient([y, z], x, output_gradients=[tf.constant([1.0, 0.0]), tf.constant([0.0, 1.0])]),
        tape.gradient(y, x, output_gradients=tf.constant([3.0, 4.0])),
    ]


@program
def unconnected_gradients(tf: Any) -> Any:
    x, v = tf.Variable([1.0, 2.0]), tf.Variable([[5.0]])
    with tf.GradientTape(persistent=True) as tape:
        y = tf.reduce_sum(x)
    return [tape.gradient(y, v), *tape.gradient(y, [x, v], unconnected_gradients=tf.UnconnectedGradients.ZERO)]


@program
def integers_and_stopped_gradients(tf: Any) -> Any:
    x, n = tf.Variable([1.0, 2.0]), tf.constant([1, 2])
    with tf.GradientTape(persistent=True) as tape:
        y = tf.stop_gradient(x) * x
        z = tf.cast(tf.cast(x, tf.int32), tf.float32)
        w = x * tf.cast(n, tf.float32)
    return [tape.gradient(y, x), tape.gradient(z, x), tape.gradient(w, x)]


@program
def gradient_to_a_result_on_the_way(tf: Any) -> Any:
    x = tf.Variable(2.0)
    with tf.GradientTape(persistent=True) as tape:
        y = x * x
        z = tf.exp(y)
    return [tape.gradient(z, y), tape.gradient(z, [x, y])[0], tape.gradient(y, z), tape.gradient(x, x)]


@program
def reset(tf: Any) -> Any:
    x = tf.Variable(2.0)
    with tf.GradientTape() as tape:
        y = x * x
        tape.reset()
        z = x * 3
    return [tape.gradient(z, x), y]


@program
def assignment_inside_a_tape(tf: Any) -> Any:
    x = tf.Variable(2.0)
    with tf.GradientTape(persistent=True) as tape:
        y = x * x
        x.assign(5.0)
        z = x * x
    return [tape.gradient(y, x), tape.gradient(z, x), x]


@program
def tape_around_control_flow(tf: Any) -> Any:
    x = tf.Variable([1.0, -2.0, 3.0])
    with tf.GradientTape() as tape:
        total = tf.constant(0.0)
        for k in tf.range(3):
            value = tf.gather(x, k)
            total += value**2 if value > 0 else -value
    return tf.convert_to_tensor(tape.gradient(total, x))  # slices, of TensorFlow's look-ups


@program
def gather_and_scatter(tf: Any) -> Any:
    x = tf.Variable([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])
    with tf.GradientTape(persistent=True) as tape:
        y = tf.reduce_sum(tf.gather(x, [0, 2, 0]) ** 2)
        z = tf.reduce_sum(tf.tensor_scatter_nd_update(x * 1.0, [[1]], [[9.0, 9.0]]) ** 2)
    return [tf.convert_to_tensor(tape.gradient(y, x)), tape.gradient(z, x)]


# -- custom gradients --------------------------------------------------------------------------------------------------
@program
def custom_gradient(tf: Any) -> Any:
    @tf.custom_gradient
    def log1pexp(x: Any) -> Any:
        e = tf.exp(x)
        return tf.math.log(1 + e), lambda upstream: upstream * (1 - 1 / (1 + e))

    x = tf.Variable([1.0, 100.0])
    with tf.GradientTape() as tape:
        y = log1pexp(x)
    return [y, tape.gradient(y, x)]


@program
def custom_gradient_of_several(tf: Any) -> Any:
    @tf.custom_gradient
    def both(a: Any, b: Any) -> Any:
        def grad(da: Any, db: Any) -> Any:
            return 10 * da, 100 * db

        return (a + b, a * b), grad

    a, b = tf.constant(2.0), tf.constant(3.0)
    with tf.GradientTape() as tape:
        tape.watch([a, b])
        s, p = both(a, b)
        y = s + 2 * p
    return [s, p, *tape.gradient(y, [a, b])]


@program
def custom_gradient_with_variables(tf: Any) -> Any:
    v = tf.Variable(4.0)

    @tf.custom_gradient
    def scaled(x: Any) -> Any:
        def grad(upstream: Any, variables: Any = None) -> Any:
            return upstream * v, [upstream * 7 for _ in variables]

        return x * v, grad

    x = tf.constant(3.0)
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = scaled(x)
    return [y, *tape.gradient(y, [x, v])]


@program
def custom_gradient_differentiated_twice(tf: Any) -> Any:
    @tf.custom_gradient
    def square(x: Any) -> Any:
        return x * x, lambda upstream: upstream * 3 * x

    x = tf.constant(2.0)
    with tf.GradientTape() as outer:
        outer.watch(x)
        with tf.GradientTape() as inner:
            inner.watch(x)
            y = square(x)
        g = inner.gradient(y, x)
    return [g, outer.gradient(g, x)]


@program
def recomputed_gradient(tf: Any) -> Any:
    v = tf.Variable([1.0, 2.0])
    f = tf.recompute_grad(lambda x: tf.sin(x) * x)
    with tf.GradientTape() as tape:
        y = f(v * 2)
    return [y, tape.gradient(y, v)]


@program
def gradient_inside_a_function(tf: Any) -> Any:
    v = tf.Variable([1.0, 2.0])

    @tf.function
    def step(x: Any) -> Any:
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(v * v * x)
        g = tape.gradient(loss, v)
        v.assign_sub(0.1 * g)
        return loss, g

    results = [step(tf.constant([1.0, float(k)])) for k in range(4)]
    return [*[part for pair in results for part in pair], v]


# -- variables ---------------------------------------------------------------------------------------------------------
@program
def assignments(tf: Any) -> Any:
    v, n = tf.Variable([1.0, 2.0]), tf.Variable([1, 2], dtype=tf.int64)
    first = v.assign([3.0, 4.0])
    v.assign_add([1.0, 1.0])
    v.assign_sub(tf.constant([0.5, 0.5]))
    n.assign_add([1, 1])
    return [v, first, n, v.read_value(), v.value(), v + 1, 2 - v, v**2, v[0], -v, abs(v), v == v]


@program
def scattered_updates(tf: Any) -> Any:
    v = tf.Variable([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])
    seen = []
    for method in (
        "scatter_update",
        "scatter_add",
        "scatter_sub",
        "scatter_mul",
        "scatter_div",
        "scatter_max",
        "scatter_min",
    ):
        getattr(v, method)(tf.IndexedSlices(tf.constant([[2.0, 7.0], [4.0, 1.0]]), tf.constant([2, 0])))
        seen.append(tf.identity(v))
    return seen


@program
def repeated_scattered_updates(tf: Any) -> Any:
    v = tf.Variable([1.0, 2.0, 3.0])
    v.scatter_add(tf.IndexedSlices(tf.constant([1.0, 10.0, 100.0]), tf.constant([1, 1, 0])))
    return v


@program
def updates_at_places(tf: Any) -> Any:
    v = tf.Variable([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])
    seen = []
    for method in ("scatter_nd_update", "scatter_nd_add", "scatter_nd_sub"):
        getattr(v, method)([[0, 1], [2, 0]], [10.0, 20.0])
        seen.append(tf.identity(v))
    return [*seen, v.gather_nd([[0, 1], [2, 0]]), v.sparse_read([2, 0])]


@program
def batched_update(tf: Any) -> Any:
    v = tf.Variable([[1.0, 2.0], [3.0, 4.0]])
    return v.batch_scatter_update(tf.IndexedSlices(tf.constant([[9.0], [8.0]]), tf.constant([[1], [0]])))


@program
def counting(tf: Any) -> Any:
    v = tf.Variable(3)
    return [v.assign_add(2), v, v // 2, v % 2]


@program
def variable_of_unknown_shape(tf: Any) -> Any:
    v = tf.Variable([1.0, 2.0], shape=tf.TensorShape(None))
    v.assign([[1.0, 2.0, 3.0]])
    return [v, v * 2]


@program
def attributes(tf: Any) -> Any:
    v = tf.Variable([[1.0, 2.0]], trainable=False, name="weights")
    texts = [v.name, str(v.trainable), str(v.shape), v.dtype.name, str(v.shape.rank), str(len(v.shape))]
    return tf.constant(texts)


@program
def initial_values(tf: Any) -> Any:
    return [
        tf.Variable(lambda: tf.ones([2])),
        tf.Variable(np.arange(3)),
        tf.Variable(True),
        tf.Variable(1.5, dtype=tf.float64),
        tf.Variable(tf.Variable([2.0])),
        tf.Variable([1, 2], dtype=tf.float32),
    ]


# -- errors ------------------------------------------------------------------------------------------------------------
@wrong
def a_tape_used_twice(tf: Any) -> Any:
    x = tf.Variable(1.0)
    with tf.GradientTape() as tape:
        y = x * x
    tape.gradient(y, x)
    return tape.gradient(y, x)


@wrong
def watching_no_tensor(tf: Any) -> Any:
    with tf.GradientTape() as tape:
        tape.watch("x")


@wrong
def a_tape_entered_twice(tf: Any) -> Any:
    with tf.GradientTape() as tape, tape:
        pass


@wrong
def assigning_another_shape(tf: Any) -> Any:
    tf.Variable([1.0, 2.0]).assign([1.0])


@wrong
def assigning_another_dtype(tf: Any) -> Any:
    tf.Variable([1.0, 2.0]).assign(tf.constant([1, 2]))


@wrong
def adding_another_dtype(tf: Any) -> Any:
    tf.Variable([1.0, 2.0]).assign_add(tf.constant([1, 2]))


@wrong
def adding_another_shape(tf: Any) -> Any:
    tf.Variable([1.0, 2.0]).assign_add([1.0, 2.0, 3.0])


@wrong
def variable_of_nothing(tf: Any) -> Any:
    tf.Variable()


@wrong
def initial_value_of_another_shape(tf: Any) -> Any:
    tf.Variable([1.0, 2.0], shape=(3,))


@wrong
def batch_jacobian_of_different_batches(tf: Any) -> Any:
    x = tf.ones([2, 3])
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = tf.ones([3, 1]) * tf.reduce_sum(x)
    return tape.batch_jacobian(y, x)


@wrong
def a_seed_of_another_shape(tf: Any) -> Any:
    x = tf.Variable([1.0, 2.0])
    with tf.GradientTape() as tape:
        y = x * x
    return tape.gradient(y, x, output_gradients=tf.ones([3]))


@wrong
def adding_in_place(tf: Any) -> Any:
    v = tf.Variable(1.0)
    v += 1.0


def leaves(results: Any) -> list[Any]:
    return [leaf for part in results for leaf in leaves(part)] if isinstance(results, list | tuple) else [results]


@pytest.mark.parametrize("name", PROGRAMS)
def test_results(name: str) -> None:
    ours, theirs = leaves(PROGRAMS[name](dt)), leaves(PROGRAMS[name](tensorflow))
    assert [r is None for r in ours] == [r is None for r in theirs]
    for mine, yours in zip(ours, theirs, strict=True):
        if mine is not None:
            assert mine.dtype.name == yours.dtype.name
            if mine.dtype.name == "string":
                assert mine.numpy().tolist() == yours.numpy().tolist()
            else:
                np.testing.assert_allclose(mine.numpy(), yours.numpy(), rtol=2e-5, atol=2e-6)


@pytest.mark.parametrize("name", ERRORS)
def test_errors(name: str) -> None:
    with pytest.raises(Exception) as theirs:  # noqa: PT011 whichever it is
        ERRORS[name](tensorflow)
    with pytest.raises(getattr(dt.errors, theirs.type.__name__, theirs.type)):
        ERRORS[name](dt)
