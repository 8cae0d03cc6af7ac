"""A module's state as a dictionary of tensors, in PyTorch's layout, and back."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

from ..autograd import RemovableHandle, no_grad
from ..graph.errors import ArgumentError
from ..tensor.core import Tensor
from .hooks import add
from .parameter import Parameter, is_lazy

EXTRA_STATE = "_extra_state"


class _Keys(NamedTuple):
    missing_keys: list[str]
    unexpected_keys: list[str]


class IncompatibleKeys(_Keys):
    """What `load_state_dict` did not find, and what it did not want."""

    __slots__ = ()

    def __repr__(self) -> str:
        if not self.missing_keys and not self.unexpected_keys:
            return "<All keys matched successfully>"
        return f"IncompatibleKeys(missing_keys={self.missing_keys}, unexpected_keys={self.unexpected_keys})"

    __str__ = __repr__


class StateDict(OrderedDict[str, Any]):
    """Tensors by dotted name; `_metadata` has the version of each module."""

    _metadata: dict[str, dict[str, Any]]


class Stateful:
    """The part of a module that saves and loads."""

    _version: int = 1
    _parameters: Any
    _buffers: Any
    _modules: Any
    _non_persistent_buffers_set: set[str]
    _state_dict_pre_hooks: dict[int, Callable[..., Any]]
    _state_dict_hooks: dict[int, Callable[..., Any]]
    _load_state_dict_pre_hooks: dict[int, Callable[..., Any]]
    _load_state_dict_post_hooks: dict[int, Callable[..., Any]]

    def _init_state(self) -> None:
        vars(self).update(
            _state_dict_pre_hooks={},
            _state_dict_hooks={},
            _load_state_dict_pre_hooks={},
            _load_state_dict_post_hooks={},
        )

    def get_extra_state(self) -> Any:
        """What `state_dict` shall hold of this module beside its tensors. To be overridden, with `set_extra_state`."""
        raise NotImplementedError

    def set_extra_state(self, state: Any) -> None:
        """Take back what `get_extra_state` gave."""
        raise NotImplementedError

    def _has_extra_state(self) -> bool:
        return type(self).get_extra_state is not Stateful.get_extra_state

    def state_dict(self, *, destination: Any = None, prefix: str = "", keep_vars: bool = False) -> Any:
        """Parameters and persistent buffers of this module and all below it, by dotted name.

        The tensors share their memory with the module's; they are off the tape unless `keep_vars`.
        """
        if destination is None:
            destination = StateDict()
            destination._metadata = OrderedDict()
        metadata = {"version": self._version}
        if hasattr(destination, "_metadata"):
            destination._metadata[prefix[:-1]] = metadata
        for hook in list(self._state_dict_pre_hooks.values()):
            hook(self, prefix, keep_vars)
        self._save_to_state_dict(destination, prefix, keep_vars)
        for name, module in self._modules.items():
            if module is not None:
                module.state_dict(destination=destination, prefix=f"{prefix}{name}.", keep_vars=keep_vars)
        for hook in list(self._state_dict_hooks.values()):
            destination = hook(self, destination, prefix, metadata) or destination
        return destination

    def _save_to_state_dict(self, destination: Any, prefix: str, keep_vars: bool) -> None:
        """Enter this module's own tensors, not those of the modules below."""
        for name, tensor in self._own_state().items():
            destination[prefix + name] = tensor if keep_vars else tensor.detach()
        if self._has_extra_state():
            destination[prefix + EXTRA_STATE] = self.get_extra_state()

    def _own_state(self) -> dict[str, Any]:
        state = {name: p for name, p in self._parameters.items() if p is not None}
        passing = self._non_persistent_buffers_set
        return state | {name: b for name, b in self._buffers.items() if b is not None and name not in passing}

    def load_state_dict(
        self, state_dict: Mapping[str, Any], strict: bool = True, assign: bool = False
    ) -> IncompatibleKeys:
        """Copy the tensors of `state_dict` into this module's (or, with `assign`, put them in their place).

        Raises ArgumentError that names every tensor whose shape differs and, if `strict`, every missing and
        unexpected key; what does fit has been loaded then.
        """
        if not isinstance(state_dict, Mapping):
            raise TypeError(f"load_state_dict: expected a dictionary of tensors. Received: {type(state_dict).__name__}")
        metadata = getattr(state_dict, "_metadata", {})
        missing: list[str] = []
        unexpected: list[str] = []
        errors: list[str] = []
        _load(self, dict(state_dict), "", metadata, (strict, missing, unexpected, errors), assign)
        result = IncompatibleKeys(missing, unexpected)
        _call_post_hooks(self, result)
        if strict:
            errors[:0] = _listed("missing", missing) + _listed("unexpected", unexpected)
        if errors:
            raise ArgumentError(f"load_state_dict of {type(self).__name__}:" + "".join(f"\n    {e}" for e in errors))
        return result

    def _load_from_state_dict(
        self,
        state_dict: dict[str, Any],
        prefix: str,
        local_metadata: dict[str, Any],
        strict: bool,
        missing_keys: list[str],
        unexpected_keys: list[str],
        error_msgs: list[str],
    ) -> None:
        """Take this module's own tensors. What goes wrong is added to the lists."""
        for hook in list(self._load_state_dict_pre_hooks.values()):
            hook(state_dict, prefix, local_metadata, strict, missing_keys, unexpected_keys, error_msgs)
        own = self._own_state()
        assign = local_metadata.get("assign_to_params_buffers", False)
        for name, tensor in own.items():
            key = prefix + name
            if key not in state_dict:
                missing_keys.append(key)
                continue
            try:
                _take(self, name, tensor, state_dict[key], assign)
            except (RuntimeError, TypeError, ValueError) as error:
                error_msgs.append(f"{key}: {error}")
        extra = prefix + EXTRA_STATE
        if self._has_extra_state():
            if extra in state_dict:
                self.set_extra_state(state_dict[extra])
            else:
                missing_keys.append(extra)
        elif extra in state_dict and strict:
            unexpected_keys.append(extra)
        if strict:
            for key in state_dict:
                if key.startswith(prefix) and key != extra:
                    first, *below = key[len(prefix) :].split(".")
                    if first not in self._modules if below else first not in own:
                        unexpected_keys.append(key)

    def register_state_dict_pre_hook(self, hook: Callable[..., Any]) -> RemovableHandle:
        """Call `hook(module, prefix, keep_vars)` before the state is collected."""
        return add(self._state_dict_pre_hooks, hook)

    def register_state_dict_post_hook(self, hook: Callable[..., Any]) -> RemovableHandle:
        """Call `hook(module, state_dict, prefix, local_metadata)` when the state is collected."""
        return add(self._state_dict_hooks, hook)

    _register_state_dict_hook = register_state_dict_post_hook

    def register_load_state_dict_pre_hook(self, hook: Callable[..., Any]) -> RemovableHandle:
        """Call `hook(module, state_dict, prefix, local_metadata, strict, missing_keys, unexpected_keys, error_msgs)`
        before this module takes its tensors."""
        return add(self._load_state_dict_pre_hooks, _Bound(self, hook))

    def _register_load_state_dict_pre_hook(
        self, hook: Callable[..., Any], with_module: bool = False
    ) -> RemovableHandle:
        return add(self._load_state_dict_pre_hooks, _Bound(self, hook) if with_module else hook)

    def register_load_state_dict_post_hook(self, hook: Callable[..., Any]) -> RemovableHandle:
        """Call `hook(module, incompatible_keys)` when all is loaded; it may change the lists."""
        return add(self._load_state_dict_post_hooks, hook)


class _Bound:
    """A hook that is called with its module first; copied and pickled along with it."""

    def __init__(self, module: Any, hook: Callable[..., Any]) -> None:
        self.module = module
        self.hook = hook

    def __call__(self, *arguments: Any) -> Any:
        return self.hook(self.module, *arguments)


def _load(
    module: Any, state: dict[str, Any], prefix: str, metadata: Any, report: tuple[Any, ...], assign: bool
) -> None:
    here = dict(metadata.get(prefix[:-1], {}))
    if assign:
        here["assign_to_params_buffers"] = True
    module._load_from_state_dict(state, prefix, here, *report)
    for name, child in module._modules.items():
        if child is not None:
            _load(child, state, f"{prefix}{name}.", metadata, report, assign)


def _call_post_hooks(module: Any, result: IncompatibleKeys) -> None:
    for child in module._modules.values():
        if child is not None:
            _call_post_hooks(child, result)
    for hook in list(module._load_state_dict_post_hooks.values()):
        hook(module, result)


def _take(module: Any, name: str, mine: Any, given: Any, assign: bool) -> None:
    """Make `given` the content of the tensor `mine`, or put it in its place."""
    if not isinstance(given, Tensor):
        raise TypeError(f"expected a Tensor. Received: {type(given).__name__}")
    if is_lazy(mine) and not is_lazy(given):
        mine.materialize(given.shape)
    if not mine.shape and tuple(given.shape) == (1,):  # PyTorch before 0.4 had no 0-d tensors
        given = given[0]
    if mine.shape != given.shape:
        raise ArgumentError(f"expected shape {tuple(mine.shape)}. Received: {tuple(given.shape)}")
    if assign:
        if isinstance(mine, Parameter) and not isinstance(given, Parameter):
            given = Parameter(given, mine.requires_grad)
        setattr(module, name, given)
        return
    if mine.is_meta and not given.is_meta:
        raise ArgumentError("a tensor on the meta device has no content to copy into: pass assign=True")
    with no_grad():
        mine.copy_(given)


def _listed(kind: str, keys: Iterable[str]) -> list[str]:
    names = ", ".join(repr(k) for k in keys)
    return [f"{kind.capitalize()} keys: {names}"] if names else []
