"""Parameters computed from others: a module's attribute becomes a function of what is trained."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from ...autograd import no_grad
from ...graph.errors import ArgumentError
from ...tensor.core import Tensor
from ...tensor.views import set_data
from ..containers import ModuleDict, ModuleList
from ..module import Module
from ..parameter import Parameter

_cached = 0
_cache: dict[tuple[int, str], Tensor] = {}


@contextmanager
def cached() -> Iterator[None]:
    """Within it each parametrised tensor is computed once."""
    global _cached
    _cached += 1
    try:
        yield
    finally:
        _cached -= 1
        if not _cached:
            _cache.clear()


class ParametrizationList(ModuleList):
    """The functions that make one tensor, applied in turn to what is trained.

    That is `original`, or where the first function's `right_inverse` gives several tensors `original0`, `original1`...
    """

    def __init__(self, modules: list[Module], original: Tensor, unsafe: bool = False) -> None:
        super().__init__(modules)
        self.unsafe = unsafe
        value: Any = original
        with no_grad():
            for module in reversed(modules):
                if hasattr(module, "right_inverse"):
                    with suppress(NotImplementedError):  # no values make this one: it starts from any
                        value = module.right_inverse(value)
        self.is_tensor = isinstance(value, Tensor)
        trained = isinstance(original, Parameter)
        if self.is_tensor:
            if value.dtype is not original.dtype and not unsafe:
                raise ArgumentError(
                    f"register_parametrization: right_inverse: expected dtype {original.dtype.name}. "
                    f"Received: {value.dtype.name}"
                )
            if trained:
                set_data(original, value.detach())
                self.original = original
            else:
                self.register_buffer("original", value)
        else:
            self.ntensors = len(value)
            for k, part in enumerate(value):
                if trained:
                    setattr(self, f"original{k}", Parameter(part.detach(), original.requires_grad))
                else:
                    self.register_buffer(f"original{k}", part)
        with no_grad():
            _check_kept(original if not self.is_tensor else self.original, self(), unsafe)

    def right_inverse(self, value: Any) -> None:
        """Change what is trained so that the tensor becomes `value`."""
        with no_grad():
            for module in reversed(list(self)):
                if not hasattr(module, "right_inverse"):
                    raise ArgumentError(f"{type(module).__name__} has no right_inverse: assign to its original instead")
                value = module.right_inverse(value)
            parts = [value] if self.is_tensor else list(value)
            names = ["original"] if self.is_tensor else [f"original{k}" for k in range(self.ntensors)]
            for name, part in zip(names, parts, strict=True):
                set_data(getattr(self, name), part.detach())

    def forward(self) -> Any:
        first, *rest = list(self)
        if self.is_tensor:
            value = first(self.original)
        else:
            value = first(*(getattr(self, f"original{k}") for k in range(self.ntensors)))
        for module in rest:
            value = module(value)
        return value


def _check_kept(before: Tensor, after: Tensor, unsafe: bool) -> None:
    if not unsafe and (after.dtype is not before.dtype or after.shape != before.shape):
        raise ArgumentError(
            f"register_parametrization: expected a tensor of dtype {before.dtype.name} and shape "
            f"{tuple(before.shape)}. Received: {after.dtype.name} {tuple(after.shape)}; pass unsafe=True"
        )


def _property(name: str) -> property:
    def get(self: Any) -> Any:
        made = self.parametrizations[name]
        if not _cached:
            return made()
        key = (id(self), name)
        if key not in _cache:
            _cache[key] = made()
        return _cache[key]

    def set_(self: Any, value: Any) -> None:
        self.parametrizations[name].right_inverse(value)

    return property(get, set_)


def register_parametrization(
    module: Module, tensor_name: str, parametrization: Module, *, unsafe: bool = False
) -> Module:
    """Make the parameter or buffer `tensor_name` of `module` the result of `parametrization` on what is trained.

    Raises ArgumentError where its dtype or shape would change, unless `unsafe`.
    """
    parametrization.train(module.training)
    if is_parametrized(module, tensor_name):
        with no_grad():
            before = getattr(module, tensor_name)
            _check_kept(before, parametrization(before), unsafe)
        module.parametrizations[tensor_name].append(parametrization)
        return module
    original = vars(module).get(tensor_name)
    if (tensor_name not in module._parameters and tensor_name not in module._buffers) or original is None:
        raise ArgumentError(
            f"register_parametrization: {type(module).__name__} has no parameter or buffer {tensor_name!r}"
        )
    made = ParametrizationList([parametrization], original, unsafe)
    delattr(module, tensor_name)
    if not is_parametrized(module):
        base = type(module)
        module.__class__ = type(f"Parametrized{base.__name__}", (base,), {"__module__": base.__module__})
        module.parametrizations = ModuleDict()
    setattr(type(module), tensor_name, _property(tensor_name))
    module.parametrizations[tensor_name] = made
    return module


def is_parametrized(module: Module, tensor_name: str | None = None) -> bool:
    """Whether the module, or its tensor of this name, is parametrised."""
    found = vars(module).get("parametrizations")
    if not isinstance(found, ModuleDict):
        return False
    return len(found) > 0 if tensor_name is None else tensor_name in found


def remove_parametrizations(module: Module, tensor_name: str, leave_parametrized: bool = True) -> Module:
    """Make the tensor an ordinary one again: as it is now, or with `leave_parametrized=False` what was trained."""
    if not is_parametrized(module, tensor_name):
        raise ArgumentError(f"remove_parametrizations: {type(module).__name__}.{tensor_name} is not parametrised")
    made: Any = module.parametrizations[tensor_name]
    if not leave_parametrized and not made.is_tensor:
        raise ArgumentError("remove_parametrizations: several tensors are trained: pass leave_parametrized=True")
    with no_grad():
        value = made() if leave_parametrized else made.original
    source = made.original if made.is_tensor else made.original0
    kind = type(module)
    delattr(kind, tensor_name)
    del module.parametrizations[tensor_name]
    if isinstance(source, Parameter):
        if made.is_tensor:
            set_data(source, value.detach())
            module.register_parameter(tensor_name, source)
        else:
            module.register_parameter(tensor_name, Parameter(value.detach(), source.requires_grad))
    else:
        module.register_buffer(tensor_name, value)
    if not is_parametrized(module):
        del module.parametrizations
        module.__class__ = kind.__bases__[0]
    return module


def type_before_parametrizations(module: Module) -> type:
    """The class that the module had before it was parametrised."""
    return type(module).__bases__[0] if is_parametrized(module) else type(module)


def transfer_parametrizations_and_params(
    from_module: Module, to_module: Module, tensor_name: str | None = None
) -> Module:
    """Parametrise `to_module` as `from_module` is, with copies of what is trained."""
    names = [tensor_name] if tensor_name is not None else list(from_module.parametrizations)
    for name in names:
        source: Any = from_module.parametrizations[name]
        for module in source:
            register_parametrization(to_module, name, copy.deepcopy(module), unsafe=True)
        to_module.parametrizations[name].load_state_dict(source.state_dict())
    return to_module
