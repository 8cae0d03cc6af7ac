"""What the programs of this folder share: weights to start from, and a record of the losses."""

import math

import numpy as np
from tensorflow import keras


def start_from(model, seed=0):
    """Give a built model initial weights that depend on nothing but the seed.

    Keras draws from its backend's generator, which differs from backend to backend. Vectors keep their zeros and ones.
    """
    rng = np.random.default_rng(seed)
    for variable in model.trainable_variables:
        if len(variable.shape) > 1:
            scale = 1 / math.sqrt(math.prod(variable.shape[:-1]))
            variable.assign((scale * rng.standard_normal(tuple(variable.shape))).astype("float32"))


class Losses(keras.callbacks.Callback):
    """Prints what `fit` reports after each step: means since the epoch began."""

    def on_train_batch_end(self, batch, logs=None):
        print(f"step {batch}:", ", ".join(f"{name} {value:.6f}" for name, value in sorted(logs.items())))
