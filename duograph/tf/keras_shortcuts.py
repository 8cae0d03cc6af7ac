"""Short ways through what Keras does for every layer, operand and attribute.

Each gives what the function in whose place it stands gives, and leaves to that function all but the common case.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from inspect import Parameter, Signature
from types import ModuleType
from typing import Any

import numpy as np

from duograph.nn import module as nn_module
from duograph.tensor import Tensor

from .autograph.conversion import as_recorded
from .keras_amendments import amends

_ABSENT = object()
_PLAIN = frozenset((bool, int, float, str, type(None)))
_VARIADIC = (Parameter.VAR_POSITIONAL, Parameter.VAR_KEYWORD)


@amends("keras.src.backend.common.variables")
def _dtype_names(module: ModuleType) -> None:
    """A dtype's name is found once. That of None is the current default."""
    find = module.standardize_dtype
    known: dict[Any, str] = {np.dtype(object): "string"}  # NumPy keeps strings as objects

    @functools.wraps(find)
    def standardize_dtype(dtype: Any) -> str:
        try:
            return known[dtype]
        except (KeyError, TypeError):
            pass
        found: str = find(dtype)
        if dtype is not None:
            known[dtype] = found
        return found

    vars(module)["standardize_dtype"] = standardize_dtype


@amends("keras.src.utils.traceback_utils")
def _error_messages(module: ModuleType) -> None:
    """The function that adds the arguments to an error's message is made when there is an error. Tracebacks show
    neither Keras's frames nor those of what stands in its place. It is `call` of a layer that is called here, which may
    have control flow over tensors."""
    inject = module.inject_argument_info_in_traceback
    vars(module)["_EXCLUDED_PATHS"] = (
        *module._EXCLUDED_PATHS,
        __file__.removesuffix("shortcuts.py"),
        nn_module.__file__,
    )

    @functools.wraps(inject)
    def inject_argument_info_in_traceback(fn: Callable[..., Any], object_name: str | None = None) -> Any:
        def call(*args: Any, **kwargs: Any) -> Any:
            try:
                return as_recorded(fn)(*args, **kwargs)
            except Exception as error:
                raised = error

                @functools.wraps(fn)
                def again(*_: Any, **__: Any) -> Any:
                    raise raised

                return inject(again, object_name)(*args, **kwargs)

        return call

    vars(module)["inject_argument_info_in_traceback"] = inject_argument_info_in_traceback


@amends("keras.src.layers.layer")
def _layers(module: ModuleType) -> None:
    layer, call_spec = module.Layer, module.CallSpec
    bind = call_spec.__init__

    def open_name_scope(self: Any) -> Any:
        if self._parent_path is None:
            self._parent_path = module.current_path()
        return module.backend.name_scope(self.name, caller=self)

    def init(self: Any, signature: Signature, call_context_args: Any, args: Any, kwargs: Any) -> None:
        """A call with one tensor and plain keywords needs no binding by `inspect`."""
        given = {**kwargs}
        bound = _bound(signature.parameters, args, given) if len(args) == 1 and type(args[0]) is Tensor else None
        if bound is None:
            bind(self, signature, call_context_args, args, kwargs)
            return
        name = next(iter(bound))
        self.user_arguments_dict = {name: args[0], **given}
        self.arguments_dict = bound
        self.argument_names = list(bound)
        self.tensor_arguments_dict = {name: args[0]}
        self.tensor_arguments_names = [name]
        self.nested_tensor_argument_names = []
        self.first_arg = args[0]
        self.eager = True

    layer._open_name_scope = open_name_scope
    call_spec.__init__ = init


def _bound(parameters: Mapping[str, Parameter], args: tuple[Any], kwargs: dict[str, Any]) -> dict[str, Any] | None:
    """The arguments by name, defaults included; None where they do not fit or more than the first could be a tensor."""
    arguments: dict[str, Any] = {}
    taken = 0
    for name, parameter in parameters.items():
        if parameter.kind in _VARIADIC:
            return None
        if not arguments:
            if parameter.kind is Parameter.KEYWORD_ONLY or name in kwargs:
                return None
            arguments[name] = args[0]
            continue
        value = kwargs.get(name, _ABSENT)
        if value is _ABSENT:
            value = parameter.default
        else:
            taken += 1
        if type(value) not in _PLAIN:
            return None
        arguments[name] = value
    return arguments if taken == len(kwargs) and arguments else None


@amends("keras.src.backend.torch.layer")
def _tracking(module: ModuleType) -> None:
    """A layer's parameters are listed anew only if there are others: a compiled step holds while its modules do."""
    track = module.TorchLayer._track_variables

    def track_variables(self: Any) -> None:
        listed = vars(self).get("_torch_params")
        variables = {v.path: v.value for v in self.variables}
        if listed is None or len(listed) != len(variables) or any(
            path not in listed or listed[path] is not value for path, value in variables.items()
        ):  # fmt: skip
            track(self)

    module.TorchLayer._track_variables = track_variables
