"""`duograph.keras`: the real Keras running on Duograph. The same classes as `duograph.tf.keras`."""

import sys

from duograph.tf.keras_import import load

sys.modules[__name__] = load()
