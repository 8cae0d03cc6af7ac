"""A training loop of one's own: `tf.data`, `tf.GradientTape`, `tf.function` and metrics."""

import tensorflow as tf
from shared import start_from
from tensorflow import keras

from duograph.data.sources import digits

(images, labels), (test_images, test_labels) = digits()
train = tf.data.Dataset.from_tensor_slices((images.reshape(-1, 64).astype("float32"), labels.astype("int64")))
train = train.batch(64, drop_remainder=True).prefetch(tf.data.AUTOTUNE)
test = tf.data.Dataset.from_tensor_slices((test_images.reshape(-1, 64).astype("float32"), test_labels.astype("int64")))
test = test.batch(64)

model = keras.Sequential(
    [
        keras.Input((64,)),
        keras.layers.Dense(64, activation="relu", kernel_regularizer=keras.regularizers.L2(1e-4)),
        keras.layers.Dense(64, activation="relu"),
        keras.layers.Dense(10),
    ]
)
start_from(model)
optimizer = keras.optimizers.SGD(learning_rate=keras.optimizers.schedules.ExponentialDecay(0.2, 10, 0.9), momentum=0.9)
loss_fn = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
train_metric = keras.metrics.SparseCategoricalAccuracy()
test_metric = keras.metrics.SparseCategoricalAccuracy()


@tf.function
def train_step(x, y):
    with tf.GradientTape() as tape:
        logits = model(x, training=True)
        loss = loss_fn(y, logits) + sum(model.losses)
    gradients = tape.gradient(loss, model.trainable_weights)
    optimizer.apply_gradients(zip(gradients, model.trainable_weights, strict=True))
    train_metric.update_state(y, logits)
    return loss


@tf.function
def test_step(x, y):
    test_metric.update_state(y, model(x, training=False))


for step, (x, y) in enumerate(train):
    loss = train_step(x, y)
    print(f"step {step}: loss {float(loss):.6f}")
print(f"accuracy over the epoch: {float(train_metric.result()):.4f}")
for x, y in test:
    test_step(x, y)
print(f"accuracy on the test set: {float(test_metric.result()):.2f}")
