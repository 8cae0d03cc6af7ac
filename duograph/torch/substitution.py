"""`import torch` with Duograph in PyTorch's place."""

from __future__ import annotations

import importlib

from .. import substitute


def install() -> None:
    """From now on `import torch`, and of any of its modules, gives Duograph, here and in every module imported later.

    `duograph run program.py` does the same for a whole program. Raises ImportError if PyTorch has been imported.
    """
    substitute.install(substitute.PYTORCH)
    importlib.import_module("torch")  # libraries such as einops look whether it is there


def uninstall() -> None:
    """Undo `install()`. Modules that imported torch in the meantime keep what they have."""
    substitute.uninstall(substitute.PYTORCH)
