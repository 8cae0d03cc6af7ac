"""What a room of the face says of names that it does not have."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable
from typing import Any

ALTERNATIVES = {
    "_C": "PyTorch's compiled parts are not here; use the public name",
    "ao": "quantisation is not built; torch.float16 and torch.bfloat16 halve the memory of weights",
    "distributed": "Duograph computes in one process, on all its processors: leave the set-up and the wrappers out",
    "export": "use torch.compile, and torch.save of the state_dict",
    "fx": "use torch.compile; the graph of what ran is shown by DUOGRAPH_LOG=graphs",
    "hub": "get the file yourself and pass it to torch.load",
    "jit": "use torch.compile: it needs no types or scripts",
    "nested": "pad to one length and pass a mask",
    "onnx": "use torch.save of the state_dict",
    "profiler": "use DUOGRAPH_LOG=profile, which names your lines",
    "quantization": "quantisation is not built; torch.float16 and torch.bfloat16 halve the memory of weights",
    "sparse": "tensors are dense: use index_add, scatter_add or a dense adjacency matrix",
    "tensorboard": "write the numbers to a CSV file",
    "xpu": "there is one device, cpu",
}
"""What to use instead of PyTorch's modules that are not built."""


def missing(module: str, names: Iterable[str]) -> Callable[[str], Any]:
    """A module's `__getattr__`: an AttributeError that says what to use instead, or gives the nearest names."""

    def get(name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(f"module {module!r} has no attribute {name!r}")
        if name in ALTERNATIVES:
            raise AttributeError(f"{module} has no {name!r}. Instead: {ALTERNATIVES[name]}")
        near = difflib.get_close_matches(name, [n for n in names if not n.startswith("_")], 3)
        hint = f" The nearest names that are: {', '.join(near)}." if near else ""
        raise AttributeError(
            f"{module} has no {name!r}: PyTorch's {name!r}, if it has one, is not built here yet.{hint}"
        )

    return get
