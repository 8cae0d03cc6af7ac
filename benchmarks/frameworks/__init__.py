"""One file per framework. Each of them offers, in its own dialect:

- `set_threads(count)`: how many processor cores it may use;
- `trainer(workload, mode)`: a function `step(i)` that trains on batch `i` and returns the loss, which `float()` reads;
- `predictor(workload, mode, batch)`: a function `predict(i)` that returns the model's outputs as a NumPy array;
- `kernels(kernel)`, where its kernels are compared: functions that run it once, by the name of the memory layout.

Whatever a framework cannot do raises, and the report shows the reason.
"""

from importlib import import_module
from types import ModuleType

MODES = {
    "duograph": ("eager", "compile"),
    "torch": ("eager", "compile"),
    "tensorflow": ("graph", "xla"),
    "jax": ("jit",),
}
PEERS = tuple(name for name in MODES if name != "duograph")


def load(name: str) -> ModuleType:
    """The file of the framework `name`, which imports the framework itself."""
    return import_module(f"{__name__}.{name}")
