"""What a recording of a function depends on in the function's arguments."""

from __future__ import annotations

from typing import Any

import numpy as np

from duograph.replay.recipe import PLAIN
from duograph.tensor.core import Tensor

__all__ = ["Signature"]


class Signature:
    """What a recording depends on in the arguments.

    Attributes:
        key: Equal for arguments that one recording is for.
        tensors: Those among the arguments whose content may be another in each call.
        kept: Objects that the key names by id.
    """

    def __init__(self) -> None:
        self.key: list[Any] = []
        self.tensors: list[Tensor] = []
        self.kept: list[Any] = []

    def sign(self, thing: Any) -> bool:
        """Add an argument. False for one that is not recorded: strings, ragged and sparse tensors, deferred calls."""
        if type(thing) is Tensor:
            self.key += (Tensor, thing._value.kind, thing._device)
            self.tensors.append(thing)
        elif isinstance(thing, tuple | list):
            self.key += (type(thing), len(thing))
            return all(self.sign(part) for part in thing)
        elif isinstance(thing, dict):
            names = sorted(thing)
            self.key += (type(thing), *names)
            return all(self.sign(thing[name]) for name in names)
        elif isinstance(thing, PLAIN):
            self.key += (type(thing), repr(thing) if isinstance(thing, float) else thing)
        elif isinstance(thing, np.generic):
            self.key += (type(thing), repr(thing))
        elif _is_host_data(thing):
            return False
        else:
            self.key += (type(thing), id(thing))
            self.kept.append(thing)
        return True


def _is_host_data(thing: Any) -> bool:
    """Whether something holds data in other ways than tensors do."""
    from ..graph.symbolic import GraphTensor
    from ..ragged import RaggedTensor
    from ..sparse import SparseTensor
    from ..text import StringTensor

    return isinstance(thing, GraphTensor | RaggedTensor | SparseTensor | StringTensor)
