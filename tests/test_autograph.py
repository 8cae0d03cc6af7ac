"""`tf.function` with control flow over tensors: one recording for each signature, whatever way data take."""

# ruff: noqa: SIM108, RET503 (the forms that users write are what is tested)

from __future__ import annotations

import functools
import traceback
from typing import Any

import numpy as np
import pytest

import duograph.tf as tf
from tests.autograph_programs import Program, programs

PROGRAMS = programs(tf)


def leaves(x: Any) -> list[Any]:
    return [leaf for item in x for leaf in leaves(item)] if isinstance(x, list | tuple) else [x]


def with_gradients(function: Any, call: tuple[Any, ...], differentiable: bool) -> list[np.ndarray]:
    arguments = [a if isinstance(a, bool) else tf.constant(a) for a in call]
    floats = [a for a in arguments if not isinstance(a, bool) and a.dtype.is_floating]
    with tf.GradientTape() as tape:
        tape.watch(floats)
        found = [tf.convert_to_tensor(r) for r in leaves(function(*arguments))]
        loss = tf.add_n([tf.reduce_sum(tf.sin(r)) for r in found if r.dtype.is_floating] or [tf.constant(0.0)])
    if differentiable:
        found += tape.gradient(loss, floats, unconnected_gradients="zero")
    return [f.numpy() for f in found]


@pytest.mark.parametrize("name", PROGRAMS)
def test_program(name: str) -> None:
    """As Python runs it, values and gradients; recorded once."""
    program: Program = PROGRAMS[name]
    runs = []

    @functools.wraps(program.function)
    def counted(*args: Any) -> Any:
        runs.append(1)
        return tf.autograph.to_graph(program.function)(*args)

    function = tf.function(counted)
    for call in program.calls:
        found = with_gradients(function, call, program.differentiable)
        expected = with_gradients(program.function, call, program.differentiable)
        for mine, reference in zip(found, expected, strict=True):
            np.testing.assert_allclose(mine, reference, rtol=1e-5, atol=1e-6)
    assert function.python_reason is None
    assert (len(runs), function.experimental_get_tracing_count()) == (1, 1)


@pytest.mark.parametrize("tier", ["interpreted", "compiled"])
def test_gradients_by_finite_differences(tier: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DUOGRAPH_TIER", tier)

    @tf.function
    def f(x):
        y = x
        while tf.reduce_sum(y) < 100.0:
            if y[0] > y[1]:
                y = y * y + 1.0
            else:
                y = y * 3.0
        if y[0] > 50.0:
            return tf.math.log(y) * x
        return tf.sin(y)

    for start in ([1.0, 2.0], [3.0, 1.0], [60.0, 50.0]):
        x = tf.constant(start, tf.float64)
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = tf.reduce_sum(f(x))
        gradient = tape.gradient(y, x).numpy()
        for k, step in enumerate(np.eye(2) * 1e-6):
            up, down = (float(tf.reduce_sum(f(tf.constant(np.array(start) + s)))) for s in (step, -step))
            assert gradient[k] == pytest.approx((up - down) / 2e-6, rel=1e-5)
    assert f.experimental_get_tracing_count() == 1


def test_prints_of_python_happen_once(capsys: pytest.CaptureFixture[str]) -> None:
    @tf.function
    def sign(x):
        print("recorded", x.shape)
        if tf.reduce_sum(x) > 0.0:
            return tf.constant(1)
        return tf.constant(-1)

    for value in (1.0, -1.0, 2.0):
        for shape in ((2,), (3,)):
            assert int(sign(tf.fill(shape, value))) == (1 if value > 0 else -1)
    assert capsys.readouterr().out.count("recorded") == 2
    assert sign.experimental_get_tracing_count() == 2


def test_numbers_of_python_are_part_of_the_signature() -> None:
    runs = []

    @tf.function
    def scaled(x, k, flag=False):
        runs.append(k)
        return x * k if flag else x + k

    x = tf.constant(3.0)
    assert [float(scaled(x, k, flag=f)) for k in (2, 3, 2) for f in (True, False)] == [6, 5, 9, 6, 6, 5]
    assert runs == [2, 2, 3, 3]


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


# -- what is converted, and what is not --------------------------------------------------------------------------------
class Scaler:
    """Private names, `super` and methods, as the source of a class has them."""

    def __init__(self) -> None:
        self.__factor = 3.0

    def scaled(self, x):
        return x * self.__factor


class Absolute(Scaler):
    def scaled(self, x):
        """The docstring stays."""
        if x < 0.0:
            x = -x
        return super().scaled(x)

    @tf.function
    def method(self, x):
        return self.scaled(x)


def test_methods_and_what_they_call() -> None:
    one, other = Absolute(), Absolute()
    assert float(one.method(tf.constant(-2.0))) == float(other.method(tf.constant(2.0))) == 6.0
    converted = tf.autograph.to_graph(Absolute.scaled)
    assert converted.__doc__ == "The docstring stays."
    assert converted.__name__ == "scaled"
    assert float(converted(one, tf.constant(-1.0))) == 3.0


def test_closures_stay_shared() -> None:
    factor = 2.0

    def scaled(x):
        nonlocal factor
        factor = factor + 1.0
        return x * factor if x > 0.0 else x

    assert float(tf.autograph.to_graph(scaled)(tf.constant(2.0))) == 6.0
    assert factor == 3.0


def test_do_not_convert_and_no_autograph() -> None:
    def positive(x):
        return 1.0 if x > 0.0 else -1.0

    @tf.function
    def calls(x):
        return x * tf.autograph.experimental.do_not_convert(positive)(x)

    plain = tf.function(positive, autograph=False)
    for function in (calls, plain):  # they read their argument, and so run as Python each time
        assert float(function(tf.constant(3.0))) == (3.0 if function is calls else 1.0)
        assert float(function(tf.constant(-3.0))) == (3.0 if function is calls else -1.0)
        assert "cannot be read" in function.python_reason
    converted = tf.function(positive)
    assert [float(converted(tf.constant(v))) for v in (3.0, -3.0)] == [1.0, -1.0]
    assert converted.python_reason is None


def test_without_source_a_function_runs_as_python() -> None:
    scope: dict[str, Any] = {}
    exec("def f(x):\n    return x * 2.0 if x > 0.0 else x", scope)
    function = tf.function(scope["f"])
    assert [float(function(tf.constant(v))) for v in (3.0, -3.0)] == [6.0, -3.0]
    assert "cannot be read" in function.python_reason
    with pytest.raises(ValueError, match="there is no source"):
        tf.autograph.to_code(scope["f"])


def test_to_code() -> None:
    def f(x):
        if x > 0.0:
            return x
        return -x

    code = tf.autograph.to_code(tf.function(f))
    assert code.startswith("def f(x):")
    assert "ag__.if_stmt(x > 0.0" in code


def test_what_reads_values_runs_as_python() -> None:
    """Right, and recorded anew each time: arrays that grow, assertions, shapes that change."""

    def asserting(x):
        assert x > 0.0, "positive"
        return x

    def growing(x):
        found = tf.TensorArray(tf.float32, size=0, dynamic_size=True)
        while x < 10.0:
            found = found.write(found.size(), x)
            x *= 2.0
        return tf.reduce_sum(found.stack())

    def widening(x):
        y = tf.reshape(x, [1])
        while tf.reduce_sum(y) < 5.0:
            tf.autograph.experimental.set_loop_options(shape_invariants=[(y, tf.TensorShape([None]))])
            y = tf.concat([y, [1.0]], 0)
        return tf.reduce_sum(y)

    for function, expected in ((asserting, 1.0), (growing, 15.0), (widening, 5.0)):
        compiled = tf.function(function)
        assert [float(compiled(tf.constant(1.0))) for _ in range(2)] == [expected] * 2
        assert compiled.python_reason
    with pytest.raises(AssertionError, match="positive"):
        tf.function(asserting)(tf.constant(-1.0))


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


def test_the_most_turns_of_a_loop() -> None:
    @tf.function
    def limited(x):
        while x < 100.0:
            tf.autograph.experimental.set_loop_options(maximum_iterations=2)
            x *= 2.0
        return x

    assert float(limited(tf.constant(1.0))) == 4.0
    assert float(limited(tf.constant(80.0))) == 160.0


def test_names_that_a_function_of_its_own_gradient_keeps() -> None:
    @tf.custom_gradient
    def straight(x):
        return tf.round(x), lambda dy: dy * 3.0

    @tf.function
    def f(x):
        return straight(x) * 2.0

    for _ in range(2):
        x = tf.constant(1.4)
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = f(x)
        assert (float(y), float(tape.gradient(y, x))) == (2.0, 6.0)


# -- errors ------------------------------------------------------------------------------------------------------------
def _one_branch(x):
    if x > 0.0:
        y = x
    return y


def _dtypes(x):
    if x > 0.0:
        y = tf.constant(1)
    else:
        y = x
    return y


def _structures(x):
    if x > 0.0:
        y = (x, x)
    else:
        y = x
    return y


def _objects(x):
    if x > 0.0:
        y = "text"
    else:
        y = x
    return y


def _no_return(x):
    if x > 0.0:
        return x


def _loop_dtype(x):
    count = 0
    while x > 0.0:
        x -= 1.0
        count = count * 1.0 if x is None else tf.cast(count, tf.float32)
    return count


def _loop_shape(x):
    while tf.reduce_sum(x) < 5.0:
        x = tf.concat([x[None], [1.0]], 0)
    return x


@pytest.mark.parametrize(
    ("function", "kind", "message"),
    [
        (_one_branch, ValueError, "'y' must also be initialized in the else branch"),
        (_dtypes, TypeError, "'y' has dtype int32 in the main branch, but dtype float32 in the else branch"),
        (_structures, TypeError, "'y' must have the same nested structure"),
        (_objects, TypeError, "'y' is a Python object of type str at the end of the main branch"),
        (_no_return, ValueError, "one must be returned from all branches"),
        (_loop_dtype, TypeError, "'count' has dtype int32 before the loop, but dtype float32 after one iteration"),
        (_loop_shape, ValueError, r"'x' has shape \(\) before the loop, but shape \(2,\) after one iteration"),
    ],
)  # fmt: skip
def test_errors_name_the_variable(function: Any, kind: type[Exception], message: str) -> None:
    with pytest.raises(kind, match=message):
        tf.function(function)(tf.constant(1.0))


def test_errors_are_at_the_lines_of_the_source() -> None:
    def wrong(x):
        for _ in tf.range(3):
            if x > 0.0:
                x = tf.matmul(tf.ones((2, 3)), tf.ones((2, 3))) * x
        return x

    with pytest.raises(ValueError, match="expected 3 rows") as caught:
        tf.function(wrong)(tf.constant(1.0))
    frames = [f for f in traceback.extract_tb(caught.value.__traceback__) if f.filename == __file__]
    assert frames[-1].line == "x = tf.matmul(tf.ones((2, 3)), tf.ones((2, 3))) * x"
    assert f"{__file__}:{frames[-1].lineno}" in str(caught.value)


def test_an_index_out_of_range_names_its_line() -> None:
    @tf.function
    def picked(x, n):
        total = tf.constant(0.0)
        for i in tf.range(n):
            total += x[i]
        return total

    x = tf.constant([1.0, 2.0])
    assert float(picked(x, tf.constant(2))) == 3.0
    with pytest.raises(Exception, match="index 2 is out of range") as caught:
        picked(x, tf.constant(3)).numpy()
    assert __file__ in str(caught.value)


def test_control_functions_check_their_arguments() -> None:
    with pytest.raises(TypeError, match="expected true_fn and false_fn to be callable"):
        tf.cond(tf.constant(True), 1, 2)
    with pytest.raises(ValueError, match="expected loop variables"):
        tf.while_loop(lambda: True, lambda: None, [])
    with pytest.raises(ValueError, match="expected body to return 2 variables. Received: 1"):
        tf.while_loop(lambda a, b: a < 3, lambda a, b: (a + 1,), (tf.constant(0), tf.constant(0)))
    with pytest.raises(ValueError, match="more than one predicate is true"):
        tf.case([(tf.constant(True), lambda: 1), (tf.constant(True), lambda: 2)], exclusive=True)
