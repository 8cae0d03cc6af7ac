"""Pictures of training: learning curves, samples with their predictions, and the layers of a model.

Each function takes arrays and small records, knows nothing of tensors, and returns a Matplotlib `Figure`:
`learning_curves(runs).savefig("curves.png")`. Matplotlib is loaded at the first picture; it comes with the extra
`plot`.
"""

from .curves import Run, learning_curves
from .network import Layer, network
from .samples import samples
from .style import MissingExtra, require_matplotlib

__all__ = ["Layer", "MissingExtra", "Run", "learning_curves", "network", "require_matplotlib", "samples"]
