"""Programs in the manner of TensorFlow 1: define a graph, run it. In TensorFlow and here from the same weights."""

from __future__ import annotations

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("tensorflow", exc_type=ImportError)

import tensorflow.compat.v1 as theirs

import duograph.tf.compat.v1 as ours
from duograph.data.sources import digits

Program = Callable[[Any, Path], list[Any]]

(IMAGES, LABELS), (TEST_IMAGES, TEST_LABELS) = digits()
IMAGES, TEST_IMAGES = (x.astype(np.float32) for x in (IMAGES, TEST_IMAGES))


def weights(*shape: int) -> np.ndarray:
    rng = np.random.default_rng(sum(shape))
    return (rng.standard_normal(shape) / np.sqrt(np.prod(shape[:-1]))).astype(np.float32)


def batches(count: int, size: int = 64) -> Any:
    for step in range(count):
        rows = np.arange(step * size, (step + 1) * size) % len(IMAGES)
        yield IMAGES[rows], LABELS[rows]


def softmax_regression(tf: Any, folder: Path) -> list[Any]:
    """The first program of TensorFlow's tutorials."""
    x = tf.placeholder(tf.float32, [None, 64])
    w, b = tf.Variable(tf.zeros([64, 10])), tf.Variable(tf.zeros([10]))
    y = tf.nn.softmax(tf.matmul(x, w) + b)
    target = tf.placeholder(tf.float32, [None, 10])
    loss = tf.reduce_mean(-tf.reduce_sum(target * tf.log(y), reduction_indices=[1]))
    step = tf.train.GradientDescentOptimizer(0.5).minimize(loss)
    right = tf.equal(tf.argmax(y, 1), tf.argmax(target, 1))
    accuracy = tf.reduce_mean(tf.cast(right, tf.float32))
    found = []
    with tf.Session() as sess:
        tf.global_variables_initializer().run()
        for images, labels in batches(30):
            feed = {x: images.reshape(-1, 64), target: np.eye(10)[labels]}
            found.append(sess.run([loss, step], feed_dict=feed)[0])
        found.append(accuracy.eval({x: TEST_IMAGES.reshape(-1, 64), target: np.eye(10)[TEST_LABELS]}))
    return found


def convolutions(tf: Any, folder: Path) -> list[Any]:
    """A convolutional network with scopes, collections, a decaying rate, dropout turned off and clipped gradients."""

    def convolution(x: Any, kernel: np.ndarray, name: str) -> Any:
        with tf.variable_scope(name):
            w = tf.get_variable("w", initializer=tf.constant(kernel))
            b = tf.get_variable("b", [kernel.shape[-1]], initializer=tf.constant_initializer(0.1))
            tf.add_to_collection(tf.GraphKeys.REGULARIZATION_LOSSES, 1e-3 * tf.nn.l2_loss(w))
            convolved = tf.nn.relu(tf.nn.conv2d(x, w, strides=[1, 1, 1, 1], padding="SAME") + b)
            return tf.nn.max_pool(convolved, ksize=[1, 2, 2, 1], strides=[1, 2, 2, 1], padding="SAME")

    x = tf.placeholder(tf.float32, [None, 8, 8], name="images")
    y = tf.placeholder(tf.int32, [None], name="labels")
    keep = tf.placeholder_with_default(1.0, [], name="keep")
    h = convolution(tf.reshape(x, [-1, 8, 8, 1]), weights(3, 3, 1, 8), "one")
    h = convolution(h, weights(3, 3, 8, 16), "two")
    sizes = h.get_shape().as_list()
    h = tf.reshape(h, [-1, sizes[1] * sizes[2] * sizes[3]])
    h = tf.nn.dropout(h, keep_prob=keep)
    logits = tf.matmul(h, tf.Variable(weights(64, 10), name="w")) + tf.Variable(tf.zeros([10]), name="b")
    entropy = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels=y, logits=logits))
    loss = tf.add_n([entropy, *tf.get_collection(tf.GraphKeys.REGULARIZATION_LOSSES)], name="total")
    count = tf.train.get_or_create_global_step()
    rate = tf.train.exponential_decay(0.01, count, 5, 0.8, staircase=True)
    optimizer = tf.train.AdamOptimizer(rate)
    gradients, variables = zip(*optimizer.compute_gradients(loss), strict=True)
    clipped, norm = tf.clip_by_global_norm(gradients, 1.0)
    step = optimizer.apply_gradients(zip(clipped, variables, strict=True), global_step=count)
    found: list[Any] = []
    with tf.Session(config=tf.ConfigProto(allow_soft_placement=True)) as sess:
        sess.run(tf.global_variables_initializer())
        found.append(sess.run(norm, {x: IMAGES[:64], y: LABELS[:64]}))
        for images, labels in batches(20):
            values = sess.run({"loss": "total:0", "norm": norm, "step": step}, {"images:0": images, y: labels})
            found.append(values["loss"])
        found += sess.run([count, rate])
    return [*found, *sorted(v.name for v in tf.trainable_variables())]


def a_counted_loop(tf: Any, folder: Path) -> list[Any]:
    """A program that runs until its counter says so, with momentum, and gradients taken by hand."""
    x, y = tf.placeholder(tf.float32, [None, 3]), tf.placeholder(tf.float32, [None])
    w = tf.get_variable("w", [3, 1], initializer=tf.zeros_initializer())
    loss = tf.losses.mean_squared_error(y, tf.squeeze(tf.matmul(x, w), axis=1))
    by_hand = tf.gradients(loss, [w, x])
    counter = tf.Variable(0, trainable=False, name="global_step")
    step = tf.train.MomentumOptimizer(0.05, 0.9).minimize(tf.losses.get_total_loss(), global_step=counter)
    with tf.control_dependencies([step]):
        average = tf.Variable(0.0, trainable=False)
        after = tf.assign(average, 0.9 * average + 0.1 * loss)
    rng = np.random.default_rng(3)
    data = rng.standard_normal((64, 3)).astype(np.float32)
    found: list[Any] = []
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        while sess.run(counter) < 15:
            feed = {x: data, y: data @ [1.0, -2.0, 0.5]}
            found += sess.run([loss, *by_hand], feed)
            sess.run(step, feed)
        found += [sess.run(w), tf.train.global_step(sess, counter)]
        sess.run(after, feed)
        found += [sess.run(counter)]
    return found


def saving(tf: Any, folder: Path) -> list[Any]:
    """A program that saves itself, and one that goes on from there."""
    found: list[Any] = []

    def model() -> Any:
        x = tf.placeholder(tf.float32, [None, 64], name="x")
        w = tf.get_variable("w", initializer=tf.constant(weights(64, 10)))
        loss = tf.losses.softmax_cross_entropy(tf.one_hot(tf.placeholder(tf.int64, [None], name="y"), 10), x @ w)
        return loss, tf.train.RMSPropOptimizer(0.01, momentum=0.5).minimize(loss)

    loss, step = model()
    saver = tf.train.Saver(max_to_keep=2)
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        for number, (images, labels) in enumerate(batches(4)):
            feed = {"x:0": images.reshape(-1, 64), "y:0": labels}
            found += [sess.run([loss, step], feed)[0]]
            path = saver.save(sess, str(folder / "model"), global_step=number)
    found += [Path(path).name, [Path(p).name for p in saver.last_checkpoints]]
    with tf.Graph().as_default():
        loss, step = model()
        with tf.Session() as sess:
            tf.train.Saver().restore(sess, tf.train.latest_checkpoint(str(folder)))
            found += [sess.run([loss, step], feed)[0] for _ in range(3)]
    return found


def control(tf: Any, folder: Path) -> list[Any]:
    """Branches, loops, dependencies and metrics."""
    x = tf.placeholder(tf.float32, [None])
    branch = tf.cond(tf.reduce_sum(x) > 0, lambda: tf.square(x), lambda: -x)
    slope = tf.gradients(branch, x)[0]
    turns, halved = tf.while_loop(
        lambda i, v: tf.reduce_max(v) > 1, lambda i, v: (i + 1, v / 2), [tf.constant(0), tf.abs(x)]
    )
    total = tf.Variable(0.0, trainable=False)
    add = tf.assign_add(total, tf.reduce_sum(x))
    with tf.control_dependencies([add]):
        after = tf.identity(total.read_value())
    labels = tf.placeholder(tf.int64, [None])
    accuracy, update = tf.metrics.accuracy(labels, tf.cast(x, tf.int64))
    found: list[Any] = []
    with tf.Session() as sess:
        sess.run([tf.global_variables_initializer(), tf.local_variables_initializer()])
        for values in ([1.0, 2.0], [-3.0, -7.5, 1.0], [40.0]):
            truth = {labels: np.arange(1, len(values) + 1)}
            found += sess.run([branch, slope, turns, halved, after, update], {x: values, **truth})
        found += sess.run((accuracy, total))
    return found


def optimizers_and_rates(tf: Any, folder: Path) -> list[Any]:
    """Each optimiser on a function of its own, and each decaying rate."""
    t, found = tf.train, []
    steps = []
    for k, optimizer in enumerate(
        [
            t.GradientDescentOptimizer(0.1),
            t.MomentumOptimizer(0.05, 0.8, use_nesterov=True),
            t.AdamOptimizer(0.1, epsilon=1e-4),
            t.AdagradOptimizer(0.1),
            t.RMSPropOptimizer(0.1, momentum=0.5),
            t.RMSPropOptimizer(0.1, centered=True),
            t.AdadeltaOptimizer(0.5, epsilon=1e-3),
            t.FtrlOptimizer(0.1, l1_regularization_strength=0.2, l2_regularization_strength=0.1),
        ]
    ):
        v = tf.Variable([1.0, -2.0, 0.3], name=f"v{k}")
        steps.append(optimizer.minimize(tf.reduce_sum(tf.square(v) * [1.0, 0.5, 2.0]), var_list=[v]))
    step = tf.placeholder(tf.int32, [])
    rates = [
        t.exponential_decay(0.1, step, 10, 0.5),
        t.natural_exp_decay(0.1, step, 10, 0.5),
        t.inverse_time_decay(0.1, step, 10, 0.5, staircase=True),
        t.polynomial_decay(0.1, step, 10),
        t.polynomial_decay(0.1, step, 10, power=2.0, cycle=True),
        t.cosine_decay(0.1, step, 10, 0.1),
        t.piecewise_constant(step, [3, 7], [0.1, 0.2, 0.3]),
    ]
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        for k in range(6):
            sess.run(steps)
            found += sess.run([*tf.trainable_variables(), *rates], {step: 5 * k})
    return [*found, [v.name for v in tf.global_variables()]]


@pytest.mark.parametrize(
    "program",
    [softmax_regression, convolutions, a_counted_loop, saving, control, optimizers_and_rates],
    ids=lambda p: p.__name__,
)
def test_a_program_of_tensorflow_1(program: Program, tmp_path: Path) -> None:
    results = []
    for tf, name in ((theirs, "theirs"), (ours, "ours")):
        folder = tmp_path / name
        folder.mkdir()
        with tf.Graph().as_default():
            results.append(program(tf, folder))
    expected, found = results
    assert len(expected) == len(found)
    for number, (yours, mine) in enumerate(zip(expected, found, strict=True)):
        if isinstance(yours, str | list):
            assert mine == yours
        else:
            np.testing.assert_allclose(mine, yours, rtol=1e-4, atol=1e-6, err_msg=f"value {number}")
            assert np.asarray(mine).dtype == np.asarray(yours).dtype, number
