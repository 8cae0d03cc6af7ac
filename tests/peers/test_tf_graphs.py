"""A convolutional classifier of TensorFlow 1, by each of its optimisers, here and on TensorFlow: the same losses."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("tensorflow")

PROGRAM = """
import json, sys
import numpy as np
if sys.argv[1] == "duograph":
    import duograph.tf.compat.v1 as tf
else:
    import tensorflow.compat.v1 as tf
tf.disable_v2_behavior()
rng = np.random.default_rng(0)
images = rng.normal(size=(64, 196)).astype("f")
targets = np.eye(10, dtype="f")[rng.integers(0, 10, 64)]

def weight(*shape):
    return tf.constant(rng.normal(size=shape).astype("f") * 0.1)

x = tf.placeholder(tf.float32, [None, 196])
y = tf.placeholder(tf.float32, [None, 10])
keep = tf.placeholder_with_default(1.0, [])
kernel, bias = tf.Variable(weight(5, 5, 1, 4)), tf.Variable(tf.zeros([4]))
hidden = tf.nn.conv2d(tf.reshape(x, [-1, 14, 14, 1]), kernel, strides=[1, 1, 1, 1], padding="SAME")
hidden = tf.nn.max_pool(tf.nn.relu(hidden + bias), ksize=[1, 2, 2, 1], strides=[1, 2, 2, 1], padding="SAME")
with tf.variable_scope("out"):
    w = tf.get_variable("w", initializer=weight(196, 10))
    b = tf.get_variable("b", [10], initializer=tf.zeros_initializer())
logits = tf.matmul(tf.nn.dropout(tf.reshape(hidden, [-1, 196]), keep), w) + b
loss = tf.reduce_mean(tf.nn.softmax_cross_entropy_with_logits(labels=y, logits=logits))
right = tf.reduce_mean(tf.cast(tf.equal(tf.argmax(logits, 1), tf.argmax(y, 1)), tf.float32))
makers = {
    "sgd": lambda: tf.train.GradientDescentOptimizer(0.01),
    "momentum": lambda: tf.train.MomentumOptimizer(0.005, 0.9, use_nesterov=True),
    "adagrad": lambda: tf.train.AdagradOptimizer(0.02),
    "rmsprop": lambda: tf.train.RMSPropOptimizer(1e-3, momentum=0.5, centered=True),
    "adam": lambda: tf.train.AdamOptimizer(1e-3),
}
result = {"shape": logits.get_shape().as_list(), "variables": [v.name for v in tf.trainable_variables()]}
steps = {name: make().minimize(loss) for name, make in makers.items()}
by_x = tf.gradients(loss, x)[0]
feed = {x: images, y: targets}
for name, train in steps.items():
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        result[name] = [float(session.run([train, loss], feed)[1]) for _ in range(6)]
        result[name] += [float(right.eval(feed)), float(abs(session.run(by_x, feed)).sum())]
print(json.dumps(result))
"""


def run(face: str, folder: Path) -> dict[str, Any]:
    program = folder / "program.py"
    program.write_text(PROGRAM)
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "PYTHONPATH": str(Path(__file__).parents[2])}
    done = subprocess.run(
        [sys.executable, str(program), face], env=environment, capture_output=True, text=True, check=True
    )
    return json.loads(done.stdout.splitlines()[-1])


def test_the_same_losses(tmp_path: Path) -> None:
    ours, theirs = run("duograph", tmp_path), run("tensorflow", tmp_path)
    assert ours.pop("shape") == theirs.pop("shape")
    assert ours.pop("variables") == theirs.pop("variables")
    for name in theirs:
        np.testing.assert_allclose(ours[name], theirs[name], rtol=1e-4, err_msg=name)
