"""The defined graph of TensorFlow 1: what runs give, what shapes and names are, and what is refused."""

from __future__ import annotations

from collections import namedtuple
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import duograph.tf as tf2
import duograph.tf.compat.v1 as tf


@pytest.fixture(autouse=True)
def graph() -> Iterator[Any]:
    with tf.Graph().as_default() as made:
        yield made


def run(fetches: Any, feed: Any = None) -> Any:
    with tf.Session() as session:
        session.run([tf.global_variables_initializer(), tf.local_variables_initializer()])
        return session.run(fetches, feed)


def test_fetches_of_any_structure_and_feeds_by_name_and_of_inner_tensors() -> None:
    x = tf.placeholder(tf.float32, [None, 3], name="x")
    doubled = tf.multiply(x, 2.0, name="doubled")
    total = tf.reduce_sum(doubled, axis=1)
    pair = namedtuple("pair", "left right")
    found = run({"a": [doubled, (total, "x:0")], "b": pair(total, tf.no_op())}, {x: [[1, 2, 3]]})
    np.testing.assert_array_equal(found["a"][0], [[2, 4, 6]])
    assert isinstance(found["a"][1], tuple) and found["b"].left.tolist() == [12] and found["b"].right is None
    assert run(total, {"doubled:0": [[1, 1, 5]]}).tolist() == [7]
    assert run([]) == [] and isinstance(run(tf.reduce_sum(tf.ones([3]))), np.float32)
    assert run(tf.placeholder_with_default(0.5, []) * 4) == 2.0


def test_variables_have_content_of_their_own_in_each_session() -> None:
    v = tf.Variable(3.0, name="v")
    add = tf.assign_add(v, 2.0)
    with tf.Session() as one, tf.Session() as other:
        one.run(v.initializer)
        assert [one.run(add), one.run(add.op), one.run(v)] == [5.0, None, 7.0]
        with pytest.raises(tf.errors.FailedPreconditionError, match="uninitialized value v:"):
            other.run(v + 1)
        other.run(tf.global_variables_initializer())
        v.load(9.0, other)
        assert (v.eval(session=one), v.eval(session=other)) == (7.0, 9.0)


def test_an_interactive_session_is_the_default_one() -> None:
    session = tf.InteractiveSession()
    v = tf.Variable([1.0, 2.0])
    v.initializer.run()
    assert tf.square(v).eval().tolist() == [1, 4]
    session.close()
    with pytest.raises(ValueError, match="No default session"):
        v.eval()
    with pytest.raises(RuntimeError, match="closed"):
        session.run(v)


def test_shapes_are_known_before_a_run() -> None:
    x = tf.placeholder(tf.float32, [None, 28, 28, 1])
    convolved = tf.layers.conv2d(x, 8, 3, activation=tf.nn.relu)
    flat = tf.layers.flatten(tf.layers.max_pooling2d(convolved, 2, 2))
    logits = tf.layers.dense(flat, 10)
    assert [t.shape.as_list() for t in (convolved, flat, logits)] == [[None, 26, 26, 8], [None, 1352], [None, 10]]
    assert str(x.get_shape()) == "(None, 28, 28, 1)" and logits.dtype == tf.float32
    rows = tf.reshape(x, [tf.shape(x)[0], 784])
    assert rows.get_shape().as_list() == [None, 784] and tf.unstack(rows, axis=1)[3].shape.as_list() == [None]
    anything = tf.placeholder(tf.float32)
    assert anything.shape.ndims is None and tf.matmul(anything, tf.ones([3, 2])).shape.ndims is None
    assert run([tf.shape(logits), anything * 2], {x: np.ones((2, 28, 28, 1)), anything: [4]})[0].tolist() == [2, 10]


def test_names_and_scopes(graph: Any) -> None:
    with tf.name_scope("a") as scope:
        c = tf.constant(1.0, name="c")
        with tf.variable_scope("v"):
            w = tf.get_variable("w", [2, 3])
            inner = tf.identity(w)
    with tf.name_scope(scope):
        again = tf.add(c, 1.0)
    assert [t.name for t in (c, w, inner, again)] == ["a/c:0", "v/w:0", "a/v/Identity:0", "a/Add:0"]
    assert w.op.name == "v/w" and graph.get_tensor_by_name("a/c:0") is c
    assert graph.get_operation_by_name("a/c") is c.op and isinstance(c.op, tf.Operation)
    assert tf.no_op("nothing").name == "nothing" and run(["nothing", "a/c:0"]) == [None, 1.0]
    with tf.variable_scope("v", reuse=True) as v:
        assert tf.get_variable("w", [2, 3]) is w
        with pytest.raises(ValueError, match=r"specified shape \(2, 4\) and found shape \(2, 3\)"):
            tf.get_variable("w", [2, 4])
        with pytest.raises(ValueError, match="v/new does not exist"):
            tf.get_variable("new", [1])
    assert v.global_variables() == [w]
    with tf.variable_scope("v"), pytest.raises(ValueError, match="v/w already exists"):
        tf.get_variable("w", [2, 3])
    with tf.variable_scope("v", reuse=tf.AUTO_REUSE):
        assert tf.get_variable("w", [2, 3]) is w and tf.get_variable("u", [1]).name == "v/u:0"


def test_control_dependencies_order_what_changes_variables() -> None:
    v = tf.Variable(0)
    add = tf.assign_add(v, 1)
    with tf.control_dependencies([add]):
        after = tf.identity(v.read_value())
        alone = tf.Variable(7, name="alone")  # its initialiser does not wait
    both = tf.group(add, name="both")
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        assert [session.run(x) for x in (v, after, after, both, v, alone)] == [0, 1, 2, None, 3, 7]


def test_gradients() -> None:
    x = tf.placeholder(tf.float32, [])
    first = tf.gradients(x**3, [x])[0]
    second = tf.gradients(first, x)[0]
    assert run([first, second], {x: 2.0}) == [12.0, 12.0]
    assert tf.gradients(tf.constant(1.0), [x]) == [None]
    with pytest.raises(ValueError, match="No gradients provided"):
        tf.train.GradientDescentOptimizer(0.1).minimize(x, var_list=[tf.Variable(1.0)])


def gradient_descent(p: np.ndarray, steps: int) -> np.ndarray:
    for _ in range(steps):
        p = p - 0.1 * 3 * p**2
    return p


def adam(p: np.ndarray, steps: int) -> np.ndarray:
    m = v = np.zeros_like(p)
    power = one = np.float32(1)  # of beta2: in 32 bits, in which 1 - power has few digits
    for t in range(1, steps + 1):
        g = 3 * p**2
        m, v, power = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g**2, power * np.float32(0.999)
        p = p - 0.1 * np.sqrt(one - power) / (1 - 0.9**t) * m / (np.sqrt(v) + 1e-8)
    return p


@pytest.mark.parametrize(("name", "expected"), [("GradientDescent", gradient_descent), ("Adam", adam)])
def test_optimizers(name: str, expected: Any) -> None:
    v = tf.Variable([1.0, 0.5], name="v")
    count = tf.train.get_or_create_global_step()
    step = getattr(tf.train, f"{name}Optimizer")(0.1).minimize(tf.reduce_sum(v**3), global_step=count)
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        for _ in range(4):
            assert session.run(step) is None
        np.testing.assert_allclose(session.run(v), expected(np.array([1.0, 0.5]), 4), rtol=1e-5)
        assert tf.train.global_step(session, count) == 4


def test_a_repeated_run_is_replayed() -> None:
    calls = []

    @tf2.graph.dispatch.deferring
    def counted(x: Any) -> Any:
        calls.append(1)
        return x + 1

    x = tf.placeholder(tf.float32, [None])
    w = tf.Variable(2.0)
    y, noise = counted(x) * w, tf.random_normal([4])
    step = tf.train.MomentumOptimizer(0.25, 0.0).minimize(tf.reduce_mean(y))
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        results = [session.run([y, noise, step], {x: np.full(3, -2.0)}) for _ in range(12)]
    assert [r[0].tolist() for r in results] == [[-2 - k / 4] * 3 for k in range(12)]
    assert len(calls) < 6, "Python runs while a step is recorded, and no more"
    assert len({tuple(r[1].tolist()) for r in results}) == 12, "each run draws numbers anew"


def test_branches_and_loops() -> None:
    x = tf.placeholder(tf.float32, [])
    branch = tf.cond(x > 0, lambda: x * 2, lambda: -x)
    begin = tf.constant(0), tf.constant(1.0)
    turns, product = tf.while_loop(lambda i, p: p < 100.0, lambda i, p: (i + 1, p * x), begin)
    with tf.Session() as session:
        assert session.run([branch, turns, product], {x: 3.0}) == [6.0, 5, 243.0]
        assert session.run([branch], {x: -3.0}) == [3.0]


def test_layers_losses_and_collections() -> None:
    data = np.arange(12, dtype=np.float32).reshape(4, 3)
    x, training = tf.placeholder(tf.float32, [None, 3]), tf.placeholder(tf.bool, [])
    y = tf.layers.batch_normalization(x, training=training)
    updates = tf.get_collection(tf.GraphKeys.UPDATE_OPS)
    with tf.control_dependencies(updates):
        trained = tf.identity(y)
    dropped = tf.layers.dropout(x, 0.5, training=training)
    loss = tf.losses.mean_squared_error(tf.zeros([4, 3]), x)
    assert tf.get_collection(tf.GraphKeys.LOSSES) == [loss] and len(updates) == 2
    assert [v.name for v in tf.trainable_variables()] == ["batch_normalization/gamma:0", "batch_normalization/beta:0"]
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        made = session.run(trained, {x: data, training: True})
        expected = (data - data.mean(0)) / np.sqrt(data.var(0) + 1e-3)
        np.testing.assert_allclose(made, expected, rtol=1e-5)
        mean = session.run("batch_normalization/moving_mean:0")
        np.testing.assert_allclose(mean, 0.01 * data.mean(0), rtol=1e-5)
        kept, again, error = session.run([dropped, y, tf.losses.get_total_loss()], {x: data, training: False})
        np.testing.assert_array_equal(kept, data)
        variance = 0.99 + 0.01 * data.var(0)
        np.testing.assert_allclose(again, (data - mean) / np.sqrt(variance + 1e-3), rtol=1e-5)
        assert error == pytest.approx((data**2).mean())
        assert set(session.run(dropped, {x: data + 1, training: True}).ravel() / 2) <= {0.0, *(data + 1).ravel()}


def test_metrics_add_up_over_batches() -> None:
    labels, predictions = tf.placeholder(tf.int64, [None]), tf.placeholder(tf.int64, [None])
    accuracy, update = tf.metrics.accuracy(labels, predictions)
    recall = tf.metrics.recall(labels, predictions)
    with tf.Session() as session:
        session.run(tf.local_variables_initializer())
        assert session.run(accuracy) == 0
        found = session.run([update, recall[1]], {labels: [1, 1, 0], predictions: [1, 0, 0]})
        assert found == pytest.approx([2 / 3, 0.5])
        assert session.run(update, {labels: [1, 1, 1], predictions: [1, 1, 1]}) == pytest.approx(5 / 6)
        assert session.run(accuracy) == pytest.approx(5 / 6)


def test_python_and_strings_take_part_in_a_run(tmp_path: Path) -> None:
    text = tf.placeholder(tf.string, [None])
    numbers = tf.strings.to_number(text) * 2
    halves = tf.py_func(lambda a: a / 2, [numbers], tf.float32)
    tf.summary.scalar("mean", tf.reduce_mean(numbers))
    summary = tf.summary.merge_all()
    with tf.Session() as session, tf.summary.FileWriter(tmp_path) as writer:
        for k in range(6):
            found, record = session.run([halves, summary], {text: ["1", f"{k}"]})
            assert found.tolist() == [1, k]
            writer.add_summary(record, k)
        writer.add_summary(tf.Summary([tf.Summary.Value("extra", 1.5)]), 7)
    content = next(tmp_path.iterdir()).read_bytes()
    assert content.count(b"mean") == 6 and content.count(b"extra") == 1


def test_what_has_no_value_is_refused() -> None:
    x = tf.placeholder(tf.float32, [None], name="x")
    with tf.Session() as session:
        with pytest.raises(tf.errors.InvalidArgumentError, match="placeholder tensor 'x' with dtype float32"):
            session.run(x * 2)
        with pytest.raises(ValueError, match="Cannot feed value of shape"):
            session.run(x, {x: np.ones((2, 2))})
        with pytest.raises(TypeError, match="Fetch argument 3 has invalid type"):
            session.run(3)
        with pytest.raises(ValueError, match="'y:0' refers to a Tensor which does not exist"):
            session.run("y:0")
        with pytest.raises(TypeError, match="Cannot interpret feed_dict key"):
            session.run(x, {"y:0": 1})
    with pytest.raises(TypeError, match=r"use tf\.cond"):
        bool(x > 0)
    with pytest.raises(TypeError, match="known first size"):
        list(x)
    for use in (np.sin, np.asarray, lambda a: np.testing.assert_allclose(a, 1)):
        with pytest.raises(NotImplementedError, match="'x:0' is a tensor of a graph"):
            use(x)
    with tf.Graph().as_default() as other:
        with pytest.raises(ValueError, match="must be from the same graph"):
            tf.constant(1.0) + x
        other.finalize()
        with pytest.raises(RuntimeError, match="finalized"):
            tf.constant(1.0)
    with tf.Session(graph=other) as session, pytest.raises(ValueError, match="not an element of this graph"):
        session.run(x)


def test_numbers_and_arrays_beside_a_tensor_of_a_graph() -> None:
    x = tf.placeholder(tf.float32, [2])
    made = [np.ones(2) * x, 1 - x, -x, 2.0 / x, x[1], x * [2, 3.5], (1.0, 2.0) - x, x / np.float64(2), x > [1.0, 3.0]]
    results = run(made, {x: [1.0, 4.0]})
    expected = [[1, 4], [0, -3], [-1, -4], [2, 0.5], 4, [2, 14], [0, -2], [0.5, 2], [False, True]]
    assert [r.tolist() for r in results] == expected
    assert {r.dtype.name for r in results[:-1]} == {"float32"}


def test_the_functions_of_tensorflow_2_are_recorded_too() -> None:
    with tf.Graph().as_default():
        assert not tf.executing_eagerly() and isinstance(tf2.add(1.0, 2.0), tf.Tensor) and tf2.is_tensor(tf2.ones([2]))
    made = tf2.Graph()
    with made.as_default():
        assert tf2.constant(1.0).graph is made


def test_a_saver_keeps_the_newest_and_refuses_damage(tmp_path: Path) -> None:
    v = tf.get_variable("v", initializer=tf.constant([1.0, 2.0]))
    w = tf.get_variable("w", initializer=tf.constant(5))
    saver = tf.train.Saver(max_to_keep=2)
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        paths = [saver.save(session, str(tmp_path / "model"), k) for k in range(3)]
        assert tf.train.latest_checkpoint(str(tmp_path)) == paths[-1] == str(tmp_path / "model-2")
        assert saver.last_checkpoints == paths[1:] and not list(tmp_path.glob("model-0*"))
        session.run([v.assign([3.0, 4.0]), w.assign(6)])
        saver.restore(session, paths[-1])
        assert session.run(v).tolist() == [1, 2] and session.run(w) == 5
        session.run([v.assign([3.0, 4.0]), w.assign(6)])
        whole = Path(f"{paths[-1]}.safetensors").read_bytes()
        Path(f"{paths[-1]}.safetensors").write_bytes(whole[:-3])
        with pytest.raises(tf.errors.DataLossError):
            saver.restore(session, paths[-1])
        with pytest.raises(tf.errors.NotFoundError):
            saver.restore(session, paths[0])
        assert session.run(v).tolist() == [3, 4] and session.run(w) == 6


def test_what_is_not_built_says_what_to_do() -> None:
    with pytest.raises(AttributeError, match=r"import tensorflow\.compat\.v1 as tf"):
        tf2.placeholder  # noqa: B018
    for room, name in ((tf.layers, "conv3d_transpose"), (tf.train, "QueueRunner"), (tf, "contrib")):
        with pytest.raises(AttributeError, match="is not built here"):
            getattr(room, name)
    with pytest.raises(NotImplementedError, match=r"layers of Keras's.*tf\.layers"):
        tf2.keras.layers.Dense(2)(tf.placeholder(tf.float32, [None, 3]))


def test_a_classifier_learns_and_is_saved(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    inputs = rng.normal(size=(64, 8)).astype(np.float32)
    classes = (inputs[:, 0] > 0).astype(np.int64)
    with tf.Graph().as_default():
        x, y = tf.placeholder(tf.float32, [None, 8]), tf.placeholder(tf.int64, [None])
        logits = tf.layers.dense(tf.layers.dense(x, 16, tf.nn.relu), 2)
        assert logits.shape.as_list() == [None, 2]
        loss = tf.losses.sparse_softmax_cross_entropy(y, logits)
        step = tf.train.get_or_create_global_step()
        train = tf.train.AdamOptimizer(0.05).minimize(loss, global_step=step)
        right = tf.reduce_mean(tf.cast(tf.equal(tf.argmax(logits, 1), y), tf.float32))
        saver = tf.train.Saver()
        feed = {x: inputs, y: classes}
        with tf.Session() as session:
            with pytest.raises(tf2.errors.FailedPreconditionError):
                session.run(loss, feed)
            session.run(tf.global_variables_initializer())
            first = session.run(loss, feed)
            for _ in range(30):
                _, last = session.run([train, loss], feed)
            assert last < first / 4
            assert session.run(step) == 30
            accuracy = right.eval(feed)
            assert accuracy > 0.95
            path = saver.save(session, str(tmp_path / "model"), global_step=step)
        with tf.Session() as session:
            saver.restore(session, path)
            assert session.run(right, feed) == accuracy
        assert tf.train.latest_checkpoint(str(tmp_path)) == path


def test_order_branches_and_loops() -> None:
    with tf.Graph().as_default(), tf.Session() as session:
        count = tf.Variable(0)
        with tf.control_dependencies([tf.assign_add(count, 1)]):
            after = tf.identity(count)
        session.run(count.initializer)
        assert [session.run(after) for _ in range(4)] == [1, 2, 3, 4]
        small = tf.placeholder(tf.bool, [])
        chosen = tf.cond(small, lambda: tf.constant(1.0), lambda: tf.constant(2.0))
        assert [session.run(chosen, {small: flag}) for flag in (True, False, True)] == [1.0, 2.0, 1.0]
        turns, total = tf.while_loop(lambda i, s: i < 10, lambda i, s: (i + 1, s + i), [0, 0])
        assert session.run({"turns": turns, "total": [total]}) == {"turns": 10, "total": [45]}


def test_gradients_of_gradients() -> None:
    with tf.Graph().as_default(), tf.Session() as session:
        x = tf.placeholder(tf.float32, [2])
        first = tf.gradients(x**3, x)[0]
        second = tf.gradients(first, x)[0]
        assert tf.gradients(x, tf.constant(1.0)) == [None]
        values = session.run([first, second], {x: [1.0, 2.0]})
        np.testing.assert_allclose(values, [[3, 12], [6, 12]])


def test_what_a_session_refuses() -> None:
    with tf.Graph().as_default(), tf.Session() as session:
        x = tf.placeholder(tf.float32, [None, 2])
        with pytest.raises(tf2.errors.InvalidArgumentError, match="feed"):
            session.run(x + 1)
        with pytest.raises(ValueError, match="Cannot feed"):
            session.run(x, {x: np.zeros((2, 3))})
        with pytest.raises(tf2.errors.OperatorNotAllowedInGraphError):
            bool(tf.reduce_sum(x) > 0)
        with tf.variable_scope("s"):
            tf.get_variable("w", [2])
            with pytest.raises(ValueError, match="already exists"):
                tf.get_variable("w", [2])
        with tf.variable_scope("s", reuse=True):
            assert tf.get_variable("w").name == "s/w:0"
