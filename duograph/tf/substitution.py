"""`import tensorflow` and `import keras` with Duograph in TensorFlow's place."""

from __future__ import annotations

from .. import substitute

NAMES = {"tensorflow": "duograph.tf", "keras": "duograph.keras"}
REFUSED = {
    "tensorflow_datasets": "it is built on TensorFlow's own readers. Load arrays with NumPy, or tf.keras.datasets",
    "tensorflow_hub": "its models are TensorFlow graphs. Use keras.applications or a .keras file",
    "tensorflow_probability": "it is built on TensorFlow's internals",
}
"""What is built on TensorFlow's compiled parts."""


def install() -> None:
    """From now on `import tensorflow` gives Duograph, and `import keras` the real Keras running on it.

    `duograph run program.py` does the same for a whole program. Raises ImportError if TensorFlow, or Keras with another
    backend, has been imported.
    """
    substitute.install(NAMES, REFUSED)


def uninstall() -> None:
    """Undo `install()`. Keras, once loaded, stays on Duograph, since a process has only one."""
    substitute.uninstall(NAMES, REFUSED)
