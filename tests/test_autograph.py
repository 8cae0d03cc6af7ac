"""`tf.function` with control flow over tensors: one recording for each signature, whatever way data take."""

# ruff: noqa: SIM108 (the forms that users write are what is tested)

from __future__ import annotations

import functools
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
