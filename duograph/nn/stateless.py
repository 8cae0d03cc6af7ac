"""A module called with other parameters than its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..graph.errors import ArgumentError
from .module import Module


def functional_call(
    module: Module, parameter_and_buffer_dicts: Any, args: Any = None, kwargs: Mapping[str, Any] | None = None, *,
    tie_weights: bool = True, strict: bool = False,
) -> Any:  # fmt: skip
    """Call `module` with tensors of a dictionary (or several) in place of its parameters and buffers of those names.

    Tensors that the module has under several names are replaced under all of them, unless `tie_weights` is False.
    Raises ArgumentError for names the module does not have and, if `strict`, for names that are not given.
    """
    given: dict[str, Any] = {}
    several = isinstance(parameter_and_buffer_dicts, Sequence)
    for tensors in parameter_and_buffer_dicts if several else (parameter_and_buffer_dicts,):
        given.update(tensors)
    places = {
        name: tensor
        for members in (module.named_parameters, module.named_buffers)
        for name, tensor in members(remove_duplicate=False)
    }
    unknown = [name for name in given if name not in places]
    missing = [name for name in places if name not in given]
    if unknown or (strict and missing):
        raise ArgumentError(
            f"functional_call: expected names of {type(module).__name__}. Unknown: {unknown}, missing: {missing}"
        )
    if tie_weights:
        by_tensor = {id(places[name]): tensor for name, tensor in given.items()}
        given |= {name: by_tensor[id(t)] for name, t in places.items() if id(t) in by_tensor and name not in given}
    held = []
    try:
        for name, tensor in given.items():
            path, _, last = name.rpartition(".")
            attributes = vars(module.get_submodule(path))
            held.append((attributes, last, attributes[last]))
            attributes[last] = tensor
        arguments = () if args is None else args if isinstance(args, tuple) else (args,)
        return module(*arguments, **(kwargs or {}))
    finally:
        for attributes, last, tensor in reversed(held):
            attributes[last] = tensor
