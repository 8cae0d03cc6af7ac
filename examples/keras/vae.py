"""An autoencoder of convolutions, and a variational autoencoder with a training step of its own."""

import numpy as np
import tensorflow as tf
from shared import Losses, start_from
from tensorflow import keras
from tensorflow.keras import layers

from duograph.data.sources import digits

(images, _), _ = digits()
images = images[:640, ..., None].astype("float32")

autoencoder = keras.Sequential(
    [
        keras.Input((8, 8, 1)),
        layers.Conv2D(8, 3, strides=2, padding="same", activation="relu"),
        layers.Conv2D(16, 3, strides=2, padding="same", activation="relu"),
        layers.Conv2DTranspose(8, 3, strides=2, padding="same", activation="relu"),
        layers.UpSampling2D(2),
        layers.Conv2D(1, 3, padding="same", activation="sigmoid"),
    ]
)
start_from(autoencoder)
autoencoder.compile(keras.optimizers.Adam(1e-2), "binary_crossentropy")
autoencoder.fit(images, images, batch_size=32, shuffle=False, verbose=0, callbacks=[Losses()])

latent = 2
inputs = keras.Input((8, 8, 1))
x = layers.Conv2D(16, 3, activation="relu", strides=2, padding="same")(inputs)
x = layers.Dense(16, activation="relu")(layers.Flatten()(x))
encoder = keras.Model(inputs, [layers.Dense(latent, name="mean")(x), layers.Dense(latent, name="log_var")(x)])
inputs = keras.Input((latent,))
x = layers.Reshape((4, 4, 16))(layers.Dense(4 * 4 * 16, activation="relu")(inputs))
x = layers.Conv2DTranspose(16, 3, activation="relu", strides=2, padding="same")(x)
decoder = keras.Model(inputs, layers.Conv2DTranspose(1, 3, activation="sigmoid", padding="same")(x))


class VAE(keras.Model):
    """The noise comes with the data, so that every framework sees the same."""

    def __init__(self, encoder, decoder, **kwargs):
        super().__init__(**kwargs)
        self.encoder, self.decoder = encoder, decoder
        self.trackers = [keras.metrics.Mean(name=name) for name in ("loss", "reconstruction_loss", "kl_loss")]

    @property
    def metrics(self):
        return self.trackers

    def train_step(self, data):
        images, noise = data
        with tf.GradientTape() as tape:
            mean, log_var = self.encoder(images)
            reconstruction = self.decoder(mean + tf.exp(0.5 * log_var) * noise)
            errors = keras.losses.binary_crossentropy(images, reconstruction)
            reconstruction_loss = tf.reduce_mean(tf.reduce_sum(errors, axis=(1, 2)))
            kl_loss = -0.5 * (1 + log_var - tf.square(mean) - tf.exp(log_var))
            kl_loss = tf.reduce_mean(tf.reduce_sum(kl_loss, axis=1))
            total = reconstruction_loss + kl_loss
        gradients = tape.gradient(total, self.trainable_weights)
        self.optimizer.apply_gradients(zip(gradients, self.trainable_weights, strict=True))
        for tracker, value in zip(self.trackers, (total, reconstruction_loss, kl_loss), strict=True):
            tracker.update_state(value)
        return {m.name: m.result() for m in self.metrics}


noise = np.random.default_rng(5).standard_normal((len(images), latent)).astype("float32")
vae = VAE(encoder, decoder)
start_from(vae, seed=1)
vae.compile(optimizer=keras.optimizers.Adam(3e-3))
vae.fit(images, noise, batch_size=32, shuffle=False, verbose=0, callbacks=[Losses()])
print("decoded from the middle:", f"{decoder.predict(np.zeros((1, latent)), verbose=0).mean():.4f}")
