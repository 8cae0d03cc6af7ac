"""The defined graph of TensorFlow 1, checkpoints, modules and arrays of tensors."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import duograph.tf as tf
import duograph.tf.compat.v1 as v1


def test_a_classifier_learns_and_is_saved(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    inputs = rng.normal(size=(64, 8)).astype(np.float32)
    classes = (inputs[:, 0] > 0).astype(np.int64)
    with v1.Graph().as_default():
        x, y = v1.placeholder(v1.float32, [None, 8]), v1.placeholder(v1.int64, [None])
        logits = v1.layers.dense(v1.layers.dense(x, 16, v1.nn.relu), 2)
        assert logits.shape.as_list() == [None, 2]
        loss = v1.losses.sparse_softmax_cross_entropy(y, logits)
        step = v1.train.get_or_create_global_step()
        train = v1.train.AdamOptimizer(0.05).minimize(loss, global_step=step)
        right = v1.reduce_mean(v1.cast(v1.equal(v1.argmax(logits, 1), y), v1.float32))
        saver = v1.train.Saver()
        feed = {x: inputs, y: classes}
        with v1.Session() as session:
            with pytest.raises(tf.errors.FailedPreconditionError):
                session.run(loss, feed)
            session.run(v1.global_variables_initializer())
            first = session.run(loss, feed)
            for _ in range(30):
                _, last = session.run([train, loss], feed)
            assert last < first / 4
            assert session.run(step) == 30
            accuracy = right.eval(feed)
            assert accuracy > 0.95
            path = saver.save(session, str(tmp_path / "model"), global_step=step)
        with v1.Session() as session:
            saver.restore(session, path)
            assert session.run(right, feed) == accuracy
        assert v1.train.latest_checkpoint(str(tmp_path)) == path


def test_order_branches_and_loops() -> None:
    with v1.Graph().as_default(), v1.Session() as session:
        count = v1.Variable(0)
        with v1.control_dependencies([v1.assign_add(count, 1)]):
            after = v1.identity(count)
        session.run(count.initializer)
        assert [session.run(after) for _ in range(4)] == [1, 2, 3, 4]
        small = v1.placeholder(v1.bool, [])
        chosen = v1.cond(small, lambda: v1.constant(1.0), lambda: v1.constant(2.0))
        assert [session.run(chosen, {small: flag}) for flag in (True, False, True)] == [1.0, 2.0, 1.0]
        turns, total = v1.while_loop(lambda i, s: i < 10, lambda i, s: (i + 1, s + i), [0, 0])
        assert session.run({"turns": turns, "total": [total]}) == {"turns": 10, "total": [45]}


def test_gradients_of_gradients() -> None:
    with v1.Graph().as_default(), v1.Session() as session:
        x = v1.placeholder(v1.float32, [2])
        first = v1.gradients(x**3, x)[0]
        second = v1.gradients(first, x)[0]
        assert v1.gradients(x, v1.constant(1.0)) == [None]
        values = session.run([first, second], {x: [1.0, 2.0]})
        np.testing.assert_allclose(values, [[3, 12], [6, 12]])


def test_what_a_session_refuses() -> None:
    with v1.Graph().as_default(), v1.Session() as session:
        x = v1.placeholder(v1.float32, [None, 2])
        with pytest.raises(tf.errors.InvalidArgumentError, match="feed"):
            session.run(x + 1)
        with pytest.raises(ValueError, match="Cannot feed"):
            session.run(x, {x: np.zeros((2, 3))})
        with pytest.raises(tf.errors.OperatorNotAllowedInGraphError):
            bool(v1.reduce_sum(x) > 0)
        with v1.variable_scope("s"):
            v1.get_variable("w", [2])
            with pytest.raises(ValueError, match="already exists"):
                v1.get_variable("w", [2])
        with v1.variable_scope("s", reuse=True):
            assert v1.get_variable("w").name == "s/w:0"
    assert isinstance(tf.constant(1.0) + 1, tf.Tensor)


class Line(tf.Module):
    def __init__(self) -> None:
        super().__init__("line")
        self.w = tf.Variable([1.0, 2.0])
        self.parts = [tf.Variable(3.0, trainable=False)]


def test_modules_know_their_variables() -> None:
    outer = tf.Module()
    outer.a, outer.b = Line(), tf.Variable(0)  # type: ignore[attr-defined]
    assert len(outer.variables) == 3
    assert len(outer.trainable_variables) == 2
    assert outer.submodules == (outer.a,)  # type: ignore[attr-defined]
    assert outer.a.name == "line"  # type: ignore[attr-defined]


def test_checkpoints(tmp_path: Path) -> None:
    line = Line()
    checkpoint = tf.train.Checkpoint(model=line)
    manager = tf.train.CheckpointManager(checkpoint, tmp_path, max_to_keep=2)
    for value in (1.0, 2.0, 3.0):
        line.parts[0].assign(value)
        manager.save()
    assert [Path(p).name for p in manager.checkpoints] == ["ckpt-2", "ckpt-3"]
    assert len(list(tmp_path.glob("*.safetensors"))) == 2
    other = Line()
    restored = tf.train.Checkpoint(model=other)
    restored.restore(tf.train.latest_checkpoint(tmp_path)).assert_consumed()
    assert float(other.parts[0]) == 3.0
    assert tf.train.CheckpointManager(restored, tmp_path, 2).latest_checkpoint == manager.latest_checkpoint
    (tmp_path / "ckpt-3.safetensors").write_bytes(b"\xff" * 40)
    with pytest.raises(tf.errors.DataLossError):
        restored.restore(manager.latest_checkpoint)
    with pytest.raises(tf.errors.NotFoundError):
        restored.restore(tmp_path / "nothing")


def test_arrays_of_tensors_and_maps() -> None:
    array = tf.TensorArray(tf.float32, size=2, dynamic_size=True)
    x = tf.Variable(2.0)
    with tf.GradientTape() as tape:
        for i in tf.range(3):
            array = array.write(i, x * float(i))
        total = tf.reduce_sum(array.stack())
    assert float(tape.gradient(total, x)) == 3.0
    rows = tf.constant([[1.0, 2.0], [3.0, 4.0]])
    np.testing.assert_array_equal(tf.vectorized_map(lambda r: tf.reduce_sum(r * r), rows).numpy(), [5, 25])
    assert float(tf.foldr(lambda a, r: a * 2 + r, tf.constant([1.0, 2.0, 4.0]))) == 21.0


def test_python_control_flow_in_a_function() -> None:
    @tf.function
    def collatz(n: Any) -> Any:
        steps = 0
        while n > 1:
            n = n // 2 if n % 2 == 0 else 3 * n + 1
            steps += 1
        return steps

    assert [int(collatz(tf.constant(n))) for n in (6, 7, 6, 27)] == [8, 16, 8, 111]
