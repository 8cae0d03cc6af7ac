"""A model with its own training step, in which the samples have weights and the gradients are clipped."""

import tensorflow as tf
from shared import Losses, start_from
from tensorflow import keras

from duograph.data.sources import digits


class CustomModel(keras.Model):
    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.loss_tracker = keras.metrics.Mean(name="loss")
        self.mae = keras.metrics.MeanAbsoluteError(name="mae")

    def train_step(self, data):
        x, y = data
        weights = 0.5 + 0.5 * tf.cast(y > 0.5, tf.float32)
        with tf.GradientTape() as tape:
            predictions = self(x, training=True)
            per_sample = tf.reduce_mean(tf.square(y - predictions), axis=-1)
            loss = tf.reduce_mean(per_sample * weights[:, 0])
        gradients = tape.gradient(loss, self.trainable_variables)
        gradients, norm = tf.clip_by_global_norm(gradients, 0.5)
        self.optimizer.apply_gradients(zip(gradients, self.trainable_variables, strict=True))
        self.loss_tracker.update_state(loss)
        self.mae.update_state(y, predictions)
        return {"loss": self.loss_tracker.result(), "mae": self.mae.result(), "norm": norm}

    @property
    def metrics(self):
        return [self.loss_tracker, self.mae]


(images, labels), _ = digits()
x = images[:640].reshape(-1, 64).astype("float32")
y = (labels[:640, None] % 2).astype("float32")
inputs = keras.Input((64,))
hidden = keras.layers.Dense(32, activation="gelu")(inputs)
model = CustomModel(inputs, keras.layers.Dense(1, activation="sigmoid")(hidden))
start_from(model)
model.compile(optimizer=keras.optimizers.AdamW(3e-3, weight_decay=0.01))
model.fit(x, y, batch_size=32, shuffle=False, verbose=0, callbacks=[Losses()])
