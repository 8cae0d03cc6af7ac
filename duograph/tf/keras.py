"""`duograph.tf.keras`: the real Keras, as TensorFlow presents it, running on Duograph."""

import sys

from .keras_import import load

sys.modules[__name__] = load("keras._tf_keras.keras")
