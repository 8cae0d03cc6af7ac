"""What `tf.function` says of control flow that is no graph's, and where."""

# ruff: noqa: SIM108, RET503 (the forms that users write are what is tested)

from __future__ import annotations

import traceback
from typing import Any

import pytest

import duograph.tf as tf


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
