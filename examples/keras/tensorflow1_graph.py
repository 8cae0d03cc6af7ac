"""A program of TensorFlow 1: the graph is defined first, with placeholders, and then run in a session."""

import numpy as np
import tensorflow.compat.v1 as tf

from duograph.data.sources import digits

tf.disable_v2_behavior()

(images, labels), (test_images, test_labels) = digits()
images, test_images = images.reshape(-1, 64).astype("float32"), test_images.reshape(-1, 64).astype("float32")
rng = np.random.default_rng(9)


def dense(x, size_in, size_out, name):
    with tf.variable_scope(name):
        start = (rng.standard_normal((size_in, size_out)) / np.sqrt(size_in)).astype("float32")
        w = tf.get_variable("w", initializer=tf.constant(start))
        b = tf.get_variable("b", [size_out], initializer=tf.zeros_initializer())
        return tf.matmul(x, w) + b


x = tf.placeholder(tf.float32, [None, 64], name="x")
y = tf.placeholder(tf.int64, [None], name="y")
hidden = tf.nn.relu(dense(x, 64, 32, "hidden"))
logits = dense(hidden, 32, 10, "logits")
loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels=y, logits=logits))
accuracy = tf.reduce_mean(tf.cast(tf.equal(tf.argmax(logits, 1), y), tf.float32))
global_step = tf.Variable(0, trainable=False, name="global_step")
train_op = tf.train.AdamOptimizer(0.01).minimize(loss, global_step=global_step)

with tf.Session() as session:
    session.run(tf.global_variables_initializer())
    for step in range(20):
        batch = slice(64 * step, 64 * step + 64)
        _, value = session.run([train_op, loss], feed_dict={x: images[batch], y: labels[batch]})
        print(f"step {step}: loss {value:.6f}")
    print("steps:", session.run(global_step))
    print(f"accuracy: {session.run(accuracy, {x: test_images, y: test_labels}):.2f}")
print([v.name for v in tf.trainable_variables()])
