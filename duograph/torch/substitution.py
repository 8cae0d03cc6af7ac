"""`import torch` with Duograph in PyTorch's place."""

from __future__ import annotations

from .. import substitute

NAMES = {"torch": "duograph.torch"}
_SCOPE = (
    "Duograph stands in for PyTorch itself and not for the libraries built on its C++ extensions. {} With PyTorch's own "
    "copy you can prepare files that Duograph reads: torch.load takes a state_dict saved there."
)
REFUSED = {
    "torchvision": _SCOPE.format(
        "Write the transforms in NumPy, read data with duograph.data.sources or a Dataset of yours, and take the model's "
        "definition into your program."
    ),
    "torchaudio": _SCOPE.format("Read sound with the wave or soundfile package."),
    "torchtext": _SCOPE.format("Tokenise in Python or with the tokenizers package."),
}
"""What is built on PyTorch's compiled parts."""


def install() -> None:
    """From now on `import torch`, and of any of its modules, gives Duograph, here and in every module imported later.

    `duograph run program.py` does the same for a whole program. Raises ImportError if PyTorch has been imported.
    """
    substitute.install(NAMES, REFUSED)


def uninstall() -> None:
    """Undo `install()`. Modules that imported torch in the meantime keep what they have."""
    substitute.uninstall(NAMES, REFUSED)
