"""`import tensorflow` and `import keras` with Duograph in TensorFlow's place."""

from __future__ import annotations

from .. import substitute


def install() -> None:
    """From now on `import tensorflow` gives Duograph, and `import keras` the real Keras running on it.

    `duograph run program.py` does the same for a whole program. Raises ImportError if TensorFlow, or Keras with another
    backend, has been imported.
    """
    substitute.install(substitute.TENSORFLOW)


def uninstall() -> None:
    """Undo `install()`. Keras, once loaded, stays on Duograph, since a process has only one."""
    substitute.uninstall(substitute.TENSORFLOW)
