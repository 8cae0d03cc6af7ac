"""Functions with control flow over tensors, in TensorFlow and here: values, dtypes and gradients."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import duograph.tf as ours
from tests.autograph_programs import Program, programs
from tests.peers.tf_tools import leaves, tensorflow

OURS, THEIRS = programs(ours), programs(tensorflow)


def results(tf: Any, program: Program) -> tuple[list[Any], list[Any], int]:
    """What all calls give, the gradients of it, and how often the function was traced."""
    function = tf.function(program.function)
    found, gradients = [], []
    for call in program.calls:
        arguments = [a if isinstance(a, bool) else tf.constant(a) for a in call]
        floats = [a for a in arguments if not isinstance(a, bool) and a.dtype.is_floating]
        with tf.GradientTape() as tape:
            tape.watch(floats)
            result = leaves(function(*arguments))
            loss = tf.add_n([tf.reduce_sum(tf.sin(r)) for r in result if r.dtype.is_floating] or [tf.constant(0.0)])
        found += result
        if program.differentiable:
            gradients += tape.gradient(loss, floats, unconnected_gradients="zero")
    return found, gradients, function.experimental_get_tracing_count()


@pytest.mark.parametrize("name", [name for name, program in OURS.items() if not program.only_here])
def test_program(name: str) -> None:
    mine, my_gradients, my_traces = results(ours, OURS[name])
    yours, your_gradients, your_traces = results(tensorflow, THEIRS[name])
    assert my_traces == your_traces == 1
    assert [tuple(m.shape) for m in mine] == [tuple(y.shape) for y in yours]
    assert [m.dtype.name for m in mine] == [y.dtype.name for y in yours]
    for m, y in zip([*mine, *my_gradients], [*yours, *your_gradients], strict=True):
        np.testing.assert_allclose(m.numpy(), y.numpy(), rtol=2e-5, atol=2e-6)
