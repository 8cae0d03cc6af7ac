"""Images from noise, by strided convolutions: a training step with two tapes in one graph, and checkpoints."""

import tempfile

import numpy as np
import tensorflow as tf
from shared import start_from
from tensorflow import keras
from tensorflow.keras import layers

from duograph.data.sources import digits

BATCH, NOISE = 32, 16
rng = np.random.default_rng(6)
(images, _), _ = digits()
images = (images[: 10 * BATCH, ..., None] * 2 - 1).astype("float32")
noise = rng.standard_normal((len(images), NOISE)).astype("float32")
dataset = tf.data.Dataset.from_tensor_slices((images, noise)).batch(BATCH)

generator = keras.Sequential([keras.Input((NOISE,)), layers.Dense(2 * 2 * 32, use_bias=False)])
generator.add(layers.BatchNormalization())
generator.add(layers.LeakyReLU())
generator.add(layers.Reshape((2, 2, 32)))
generator.add(layers.Conv2DTranspose(32, (5, 5), padding="same", use_bias=False))
generator.add(layers.BatchNormalization())
generator.add(layers.LeakyReLU())
generator.add(layers.Conv2DTranspose(16, (5, 5), strides=(2, 2), padding="same", use_bias=False))
generator.add(layers.LeakyReLU())
generator.add(layers.Conv2DTranspose(1, (5, 5), strides=(2, 2), padding="same", activation="tanh"))
assert generator.output_shape == (None, 8, 8, 1)
discriminator = keras.Sequential([keras.Input((8, 8, 1)), layers.Conv2D(16, (5, 5), strides=(2, 2), padding="same")])
discriminator.add(layers.LeakyReLU())
discriminator.add(layers.Conv2D(32, (5, 5), strides=(2, 2), padding="same"))
discriminator.add(layers.LeakyReLU())
discriminator.add(layers.Flatten())
discriminator.add(layers.Dense(1))
start_from(generator, seed=1)
start_from(discriminator, seed=2)

cross_entropy = keras.losses.BinaryCrossentropy(from_logits=True)
generator_optimizer, discriminator_optimizer = keras.optimizers.Adam(1e-3), keras.optimizers.Adam(1e-3)
checkpoint = tf.train.Checkpoint(
    generator=generator,
    discriminator=discriminator,
    generator_optimizer=generator_optimizer,
    discriminator_optimizer=discriminator_optimizer,
)


@tf.function
def train_step(images, noise):
    with tf.GradientTape() as generator_tape, tf.GradientTape() as discriminator_tape:
        generated = generator(noise, training=True)
        real, fake = discriminator(images, training=True), discriminator(generated, training=True)
        generator_loss = cross_entropy(tf.ones_like(fake), fake)
        discriminator_loss = cross_entropy(tf.ones_like(real), real) + cross_entropy(tf.zeros_like(fake), fake)
    for model, optimizer, tape, loss in (
        (generator, generator_optimizer, generator_tape, generator_loss),
        (discriminator, discriminator_optimizer, discriminator_tape, discriminator_loss),
    ):
        gradients = tape.gradient(loss, model.trainable_variables)
        optimizer.apply_gradients(zip(gradients, model.trainable_variables, strict=True))
    return generator_loss, discriminator_loss


for step, batch in enumerate(dataset):
    of_generator, of_discriminator = train_step(*batch)
    print(f"step {step}: generator loss {of_generator:.5f}, discriminator loss {of_discriminator:.5f}")
with tempfile.TemporaryDirectory() as folder:
    path = checkpoint.save(f"{folder}/ckpt")
    before = np.mean(generator(noise[:4], training=False))
    for variable in generator.trainable_variables:
        variable.assign(tf.zeros_like(variable))
    checkpoint.restore(path)
print("restored:", before == np.mean(generator(noise[:4], training=False)), generator.count_params())
