"""Module: parameters, buffers and other modules, as the attributes of an object."""

from __future__ import annotations

from collections.abc import Callable, Iterator, MutableMapping
from typing import Any, Self

from ..autograd import no_grad
from ..graph import dtype as dtypes
from ..graph.errors import ArgumentError, DTypeError
from ..graph.trace import local
from ..ops.creation import empty_like
from ..tensor.core import Tensor
from ..tensor.device import CPU, Device
from ..tensor.device import device as find_device
from ..tensor.views import set_data
from . import hooks
from .hooks import Hooks
from .parameter import Buffer, Parameter
from .state import Stateful
from .turns import LONG_TURN, end_turn


class Changes:
    """How often any module was changed: an attribute set to another object, a member or a hook added or removed."""

    __slots__ = ("count",)

    def __init__(self) -> None:
        self.count = 0

    def note(self, attributes: dict[str, Any]) -> None:
        """Count a change of the module of these attributes, where `_changes` says when it was."""
        self.count += 1
        attributes["_changes"] = self.count


changes = Changes()


class Members(MutableMapping[str, Any]):
    """The attributes of a module that are of one kind, by name. What is set here is the module's attribute."""

    __slots__ = ("attributes", "names")

    def __init__(self, attributes: dict[str, Any], names: dict[str, None]) -> None:
        self.attributes = attributes
        self.names = names

    def __getitem__(self, name: str) -> Any:
        if name not in self.names:
            raise KeyError(name)
        return self.attributes[name]

    def __setitem__(self, name: str, value: Any) -> None:
        self.names[name] = None
        self.attributes[name] = value
        changes.note(self.attributes)

    def __delitem__(self, name: str) -> None:
        del self.names[name]
        del self.attributes[name]
        changes.note(self.attributes)

    def __contains__(self, name: object) -> bool:
        return name in self.names

    def __iter__(self) -> Iterator[str]:
        return iter(list(self.names))

    def __len__(self) -> int:
        return len(self.names)

    def __repr__(self) -> str:
        return repr(dict(self))


KINDS = {
    "_parameter_names": (Parameter, "a Parameter"),
    "_buffer_names": (Tensor, "a Tensor"),
    "_module_names": (Hooks, "a Module"),
}


class Module(Hooks, Stateful):
    """Base class of all layers and models.

    Assign parameters, buffers and other modules to attributes, and say in `forward` what to compute. Members are
    ordinary attributes; the module only keeps their names, in the order they came.
    """

    training: bool
    _changes = 0

    def __init__(self) -> None:
        vars(self).update(
            training=True, _parameter_names={}, _buffer_names={}, _module_names={}, _non_persistent_buffers_set=set()
        )
        self._init_hooks()
        self._init_state()

    def forward(self, *input: Any) -> Any:
        """What the module computes. To be overridden."""
        raise NotImplementedError(f"{type(self).__name__} has no forward() method: define what it computes")

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if not local.gradients and local.trace.step.length > LONG_TURN:
            end_turn(Module.__call__.__code__)
        if hooks.has_hooks(self):
            return self._call_with_hooks(args, kwargs)
        return self.forward(*args, **kwargs)

    # -- attributes ----------------------------------------------------------------------------------------------------
    @property
    def _parameters(self) -> Members:
        return Members(vars(self), self._parameter_names)

    @property
    def _buffers(self) -> Members:
        return Members(vars(self), self._buffer_names)

    @property
    def _modules(self) -> Members:
        return Members(vars(self), self._module_names)

    def __setattr__(self, name: str, value: Any) -> None:
        attributes = vars(self)
        if name in attributes and attributes[name] is value:
            return
        if name == "training":
            changes.count += 1  # and not noted: most modules come back to the mode they had
            attributes[name] = value
            return
        changes.note(attributes)
        if isinstance(value, Parameter):
            kind = "_parameter_names"
        elif isinstance(value, Module):
            kind = "_module_names"
        elif isinstance(value, Buffer):
            self.register_buffer(name, value, value.persistent)
            return
        else:
            for kind, (expected, described) in KINDS.items():
                if name in attributes.get(kind, ()):
                    if value is not None and not isinstance(value, expected):
                        raise TypeError(
                            f"{type(self).__name__}.{name}: expected {described} or None. "
                            f"Received: {type(value).__name__}. Delete the attribute first to give it another meaning"
                        )
                    attributes[name] = value
                    return
            object.__setattr__(self, name, value)
            return
        if isinstance(getattr(type(self), name, None), property) and kind == "_parameter_names":
            object.__setattr__(self, name, value)
            return
        if kind not in attributes:
            raise AttributeError(
                f"{type(self).__name__}.{name}: call super().__init__() before assigning parameters and modules"
            )
        self._register(kind, name, value)

    def _register(self, kind: str, name: str, value: Any) -> None:
        attributes = vars(self)
        changes.note(attributes)
        for other in KINDS:
            if other != kind:
                attributes[other].pop(name, None)
        self._non_persistent_buffers_set.discard(name)
        attributes[kind][name] = None
        attributes[name] = value

    def __delattr__(self, name: str) -> None:
        attributes = vars(self)
        changes.note(attributes)
        for kind in KINDS:
            attributes.get(kind, {}).pop(name, None)
        attributes.get("_non_persistent_buffers_set", set()).discard(name)
        object.__delattr__(self, name)

    def __getattr__(self, name: str) -> Any:
        message = f"{type(self).__name__!r} object has no attribute {name!r}"
        if "_parameter_names" not in vars(self):
            message += ": its __init__ has not called super().__init__() (yet)"
        raise AttributeError(message, name=name, obj=self)

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)

    def register_parameter(self, name: str, param: Parameter | None) -> None:
        """Add a parameter; None holds the place of one that is absent."""
        self._check_new(name, "register_parameter", "_parameter_names")
        if param is not None and not isinstance(param, Parameter):
            raise TypeError(
                f"register_parameter({name!r}): expected a Parameter or None. Received: {type(param).__name__}"
            )
        if param is not None and not param.is_leaf:
            raise ArgumentError(
                f"register_parameter({name!r}): a parameter must be a leaf, not the result of an operation: "
                "compute it in forward()"
            )
        self._register("_parameter_names", name, param)

    def register_buffer(self, name: str, tensor: Tensor | None, persistent: bool = True) -> None:
        """Add a tensor that is part of the state but is not trained; if `persistent`, it is in the state_dict."""
        self._check_new(name, "register_buffer", "_buffer_names")
        if tensor is not None and not isinstance(tensor, Tensor):
            raise TypeError(f"register_buffer({name!r}): expected a Tensor or None. Received: {type(tensor).__name__}")
        self._register("_buffer_names", name, tensor)
        if not persistent:
            self._non_persistent_buffers_set.add(name)

    def add_module(self, name: str, module: Module | None) -> None:
        """Add a module as the attribute `name`, which may be any text without dots."""
        self._check_new(name, "add_module", "_module_names")
        if module is not None and not isinstance(module, Module):
            raise TypeError(f"add_module({name!r}): expected a Module or None. Received: {type(module).__name__}")
        self._register("_module_names", name, module)

    register_module = add_module

    def _check_new(self, name: str, what: str, kind: str) -> None:
        if "_parameter_names" not in vars(self):
            raise AttributeError(f"{what}: call super().__init__() in {type(self).__name__}.__init__ first")
        if not isinstance(name, str):
            raise TypeError(f"{what}: expected a name. Received: {type(name).__name__}")
        if not name or "." in name:
            raise KeyError(f"{what}: expected a name that is not empty and has no dots. Received: {name!r}")
        if hasattr(self, name) and name not in vars(self)[kind]:
            raise KeyError(f"{what}: {type(self).__name__} has an attribute {name!r} already")

    # -- the tree ------------------------------------------------------------------------------------------------------
    def named_modules(
        self, memo: set[Module] | None = None, prefix: str = "", remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Module]]:
        """This module and all below it, by dotted name; each once."""
        memo = set() if memo is None else memo
        if self in memo:
            return
        if remove_duplicate:
            memo.add(self)
        yield prefix, self
        for name, module in self._modules.items():
            if module is not None:
                yield from module.named_modules(memo, f"{prefix}.{name}" if prefix else name, remove_duplicate)

    def modules(self) -> Iterator[Module]:
        """This module and all below it."""
        for _, module in self.named_modules():
            yield module

    def named_children(self) -> Iterator[tuple[str, Module]]:
        """The modules right below this one, by name; each once."""
        seen: set[Module] = set()
        for name, module in self._modules.items():
            if module is not None and module not in seen:
                seen.add(module)
                yield name, module

    def children(self) -> Iterator[Module]:
        """The modules right below this one."""
        for _, module in self.named_children():
            yield module

    def _named_members(
        self,
        members_of: Callable[[Module], Any],
        prefix: str = "",
        recurse: bool = True,
        remove_duplicate: bool = True,
    ) -> Iterator[tuple[str, Any]]:
        seen: set[Any] = set()
        modules = self.named_modules(prefix=prefix, remove_duplicate=remove_duplicate) if recurse else [(prefix, self)]
        for path, module in modules:
            for name, member in members_of(module):
                if member is None or member in seen:
                    continue
                if remove_duplicate:
                    seen.add(member)
                yield (f"{path}.{name}" if path else name), member

    def named_parameters(
        self, prefix: str = "", recurse: bool = True, remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Parameter]]:
        """All parameters by dotted name; a shared one once, under its first name."""
        yield from self._named_members(lambda m: m._parameters.items(), prefix, recurse, remove_duplicate)

    def parameters(self, recurse: bool = True) -> Iterator[Parameter]:
        """All parameters, what an optimiser takes."""
        for _, parameter in self.named_parameters(recurse=recurse):
            yield parameter

    def named_buffers(
        self, prefix: str = "", recurse: bool = True, remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Tensor]]:
        """All buffers by dotted name."""
        yield from self._named_members(lambda m: m._buffers.items(), prefix, recurse, remove_duplicate)

    def buffers(self, recurse: bool = True) -> Iterator[Tensor]:
        """All buffers."""
        for _, buffer in self.named_buffers(recurse=recurse):
            yield buffer

    def get_submodule(self, target: str) -> Module:
        """The module of this dotted name; "" is this module. Raises AttributeError."""
        module: Module = self
        for name in target.split(".") if target else ():
            if not hasattr(module, name):
                raise AttributeError(f"{type(module).__name__} has no attribute {name!r} (of {target!r})")
            module = getattr(module, name)
            if not isinstance(module, Module):
                raise AttributeError(f"{name!r} (of {target!r}) is not a module: {type(module).__name__}")
        return module

    def set_submodule(self, target: str, module: Module, strict: bool = False) -> None:
        """Put `module` in the place of the one of this dotted name (which must exist, if `strict`)."""
        path, _, name = target.rpartition(".")
        if not name:
            raise ArgumentError("set_submodule: expected the dotted name of a module. Received: ''")
        parent = self.get_submodule(path)
        if strict and not hasattr(parent, name):
            raise AttributeError(f"{type(parent).__name__} has no attribute {name!r} (of {target!r})")
        setattr(parent, name, module)

    def get_parameter(self, target: str) -> Parameter:
        """The parameter of this dotted name. Raises AttributeError."""
        return self._get_member(target, "_parameter_names", "parameter")

    def get_buffer(self, target: str) -> Tensor:
        """The buffer of this dotted name. Raises AttributeError."""
        return self._get_member(target, "_buffer_names", "buffer")

    def _get_member(self, target: str, kind: str, described: str) -> Any:
        path, _, name = target.rpartition(".")
        module = self.get_submodule(path)
        if name not in vars(module)[kind]:
            raise AttributeError(f"{type(module).__name__} has no {described} {name!r} (of {target!r})")
        return vars(module)[name]

    def apply(self, fn: Callable[[Module], Any]) -> Self:
        """Call `fn` on every module below this one, then on this one."""
        for module in self.children():
            module.apply(fn)
        fn(self)
        return self

    # -- mode ----------------------------------------------------------------------------------------------------------
    def train(self, mode: bool = True) -> Self:
        """Behave as in training (dropout drops, batch norm uses the batch) from here down."""
        if not isinstance(mode, bool):
            raise ArgumentError(f"train: expected True or False. Received: {mode!r}")
        self.training = mode
        for module in self.children():
            module.train(mode)
        return self

    def eval(self) -> Self:
        """Behave as in use, not in training."""
        return self.train(False)

    def requires_grad_(self, requires_grad: bool = True) -> Self:
        """Train the parameters, or leave them as they are."""
        for parameter in self.parameters():
            parameter.requires_grad_(requires_grad)
        return self

    def freeze(self) -> Self:
        """Leave the parameters as they are: no gradients are computed for them."""
        return self.requires_grad_(False)

    def unfreeze(self) -> Self:
        """Train the parameters again."""
        return self.requires_grad_(True)

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget the gradients of all parameters, or fill them with zeros."""
        for parameter in self.parameters():
            clear_grad(parameter, set_to_none)

    # -- dtype and device ----------------------------------------------------------------------------------------------
    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Self:
        """Put `fn(content)` in the place of the content of every parameter, gradient and buffer."""
        if recurse:
            for module in self.children():
                module._apply(fn)
        for parameter in self._parameters.values():
            if parameter is None:
                continue
            _convert(parameter, fn)
            if parameter.grad is not None:
                _convert(parameter.grad, fn)
        for name, buffer in self._buffers.items():
            if buffer is not None:
                vars(self)[name] = fn(buffer)
                changes.note(vars(self))
        return self

    def _cast(self, dtype: dtypes.DType) -> Self:
        return self._apply(lambda t: t.to(dtype) if t.dtype.is_floating_point else t)

    def float(self) -> Self:
        """All floating point parameters and buffers as float32."""
        return self._cast(dtypes.float32)

    def double(self) -> Self:
        """All floating point parameters and buffers as float64."""
        return self._cast(dtypes.float64)

    def half(self) -> Self:
        """All floating point parameters and buffers as float16."""
        return self._cast(dtypes.float16)

    def bfloat16(self) -> Self:
        """All floating point parameters and buffers as bfloat16."""
        return self._cast(dtypes.bfloat16)

    def type(self, dst_type: Any) -> Self:
        """All parameters and buffers as `dst_type`."""
        return self._apply(lambda t: t.to(dtypes.dtype(dst_type)))

    def to(self, *args: Any, device: Any = None, dtype: Any = None, non_blocking: bool = False,
           memory_format: Any = None) -> Self:  # fmt: skip
        """Parameters and buffers on a device, or those of floating point in a dtype, or as another tensor is.

        The module itself is changed, and returned.
        """
        for argument in args:
            if isinstance(argument, Tensor):
                device, dtype = argument.device, argument.dtype
            elif isinstance(argument, Device | str):
                device = argument
            elif isinstance(argument, dtypes.DType):
                dtype = argument
            elif argument is not None and not isinstance(argument, bool):
                raise TypeError(f"Module.to: expected a dtype, a device or a tensor. Received: {argument!r}")
        if dtype is not None:
            dtype = dtypes.dtype(dtype)
            if not dtype.is_floating_point:
                raise DTypeError(f"Module.to: expected a floating point dtype. Received: {dtype.name}")

        def convert(tensor: Tensor) -> Tensor:
            return tensor.to(dtype=dtype if tensor.dtype.is_floating_point else None, device=device)

        return self._apply(convert) if device is not None or dtype is not None else self

    def cpu(self) -> Self:
        """All parameters and buffers on the CPU."""
        return self.to(CPU)

    def cuda(self, device: Any = None) -> Self:
        """All parameters and buffers on a GPU."""
        return self.to(find_device("cuda" if device is None else device))

    def to_empty(self, *, device: Any, recurse: bool = True) -> Self:
        """Parameters and buffers on another device, with content yet to be initialised."""
        return self._apply(lambda t: empty_like(t, device=device), recurse)

    def share_memory(self) -> Self:
        """Parameters, their gradients and buffers in memory that processes share: see `Tensor.share_memory_`."""
        return self._apply(lambda t: t.share_memory_())

    # -- text ----------------------------------------------------------------------------------------------------------
    def extra_repr(self) -> str:
        """What stands in the parentheses of `repr`. To be overridden."""
        return ""

    def _get_name(self) -> str:
        return type(self).__name__

    def __repr__(self) -> str:
        extra = self.extra_repr()
        lines = extra.split("\n") if extra else []
        below = [f"({name}): {module!r}".replace("\n", "\n  ") for name, module in self._modules.items()]
        if len(lines) < 2 and not below:
            return f"{self._get_name()}({extra})"
        return f"{self._get_name()}(\n  " + "\n  ".join(lines + below) + "\n)"


def _convert(tensor: Tensor, fn: Callable[[Tensor], Tensor]) -> None:
    with no_grad():
        content = tensor.detach()
        made = fn(content)
    if made is not content:
        set_data(tensor, made)


def clear_grad(parameter: Tensor, set_to_none: bool = True) -> None:
    """Forget a gradient, or fill it with zeros."""
    gradient = parameter._grad
    if gradient is None:
        return
    if set_to_none:
        parameter._grad = None
        return
    if gradient.requires_grad:
        gradient = parameter._grad = gradient.detach()
    with no_grad():
        gradient.zero_()
