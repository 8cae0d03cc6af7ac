"""Modules and parameters in order or by name."""

from __future__ import annotations

import itertools
import operator
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping, MutableMapping, MutableSequence
from typing import Any, Self, cast

from ..graph.errors import ArgumentError
from ..tensor.core import Tensor
from .module import Module
from .parameter import Parameter


class _Members(Module):
    """What the sequences share: members are attributes called "0", "1", ..."""

    def _names(self) -> list[str]:
        raise NotImplementedError

    def __len__(self) -> int:
        return len(self._names())

    def __iter__(self) -> Iterator[Any]:
        return iter([vars(self)[name] for name in self._names()])

    def __dir__(self) -> list[str]:
        return [name for name in super().__dir__() if not name.isdigit()]

    def _replace(self, members: Iterable[Any]) -> None:
        """Number the members anew."""
        members = list(members)
        for name in self._names():
            delattr(self, name)
        for k, member in enumerate(members):
            setattr(self, str(k), member)

    def __setitem__(self, index: int, member: Any) -> None:
        setattr(self, self._names()[operator.index(index)], member)

    def __delitem__(self, index: int | slice) -> None:
        members = list(self)
        del members[index]
        self._replace(members)

    def insert(self, index: int, member: Any) -> Self:
        """Put a member before the one at `index`."""
        members = list(self)
        members.insert(index, member)
        self._replace(members)
        return self

    def append(self, member: Any) -> Self:
        """Add a member at the end."""
        setattr(self, str(len(self)), member)
        return self

    def extend(self, members: Iterable[Any]) -> Self:
        """Add several members at the end."""
        if not isinstance(members, Iterable):
            raise TypeError(f"extend: expected several modules or parameters. Received: {type(members).__name__}")
        for member in list(members):
            self.append(member)
        return self

    def pop(self, index: int | slice = -1) -> Any:
        """Take a member out."""
        member = self[index]  # type: ignore[index]
        del self[index]
        return member


class _Modules(_Members):
    def _names(self) -> list[str]:
        return list(self._module_names)

    def __getitem__(self, index: Any) -> Any:
        return list(self)[index if isinstance(index, slice) else operator.index(index)]


class Sequential(_Modules):
    """Modules one after another: each takes what the one before gives. Given one by one, or in a dictionary by name."""

    def __init__(self, *modules: Any) -> None:
        super().__init__()
        if len(modules) == 1 and isinstance(modules[0], Mapping):
            for name, module in modules[0].items():
                self.add_module(name, module)
        else:
            for k, module in enumerate(modules):
                self.add_module(str(k), module)

    def forward(self, input: Any) -> Any:
        attributes = vars(self)
        for name in self._module_names:
            input = attributes[name](input)
        return input

    def _replace(self, members: Iterable[Any]) -> None:
        """Keep the names where members are only taken away."""
        members = list(members)
        names = {id(vars(self)[name]): name for name in self._names()}
        if all(id(m) in names for m in members) and len(members) < len(names):
            for name in self._names():
                if not any(vars(self)[name] is m for m in members):
                    delattr(self, name)
            return
        super()._replace(members)

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return type(self)(OrderedDict(list(self._modules.items())[index]))
        return super().__getitem__(index)

    def __add__(self, other: Sequential) -> Sequential:
        return Sequential(*self, *other) if isinstance(other, Sequential) else NotImplemented

    def __iadd__(self, other: Sequential) -> Self:
        return self.extend(other) if isinstance(other, Sequential) else NotImplemented

    def __mul__(self, times: int) -> Sequential:
        return Sequential(*list(self) * times) if isinstance(times, int) else NotImplemented

    __rmul__ = __mul__

    def append(self, member: Module) -> Self:
        self.add_module(str(len(self)), member)
        return self


class ModuleList(_Modules):
    """A list whose modules are part of the model. It is not called; index it or go through it."""

    def __init__(self, modules: Iterable[Module] | None = None) -> None:
        super().__init__()
        if modules is not None:
            self.extend(modules)

    def __getitem__(self, index: Any) -> Any:
        found = super().__getitem__(index)
        return type(self)(found) if isinstance(index, slice) else found

    def append(self, member: Module) -> Self:
        self.add_module(str(len(self)), member)
        return self

    def __add__(self, other: Iterable[Module]) -> ModuleList:
        return ModuleList([*self, *other])

    def __iadd__(self, other: Iterable[Module]) -> Self:
        return self.extend(other)

    def __repr__(self) -> str:
        """Modules that look the same and follow one another are written once, with their number."""
        lines = []
        for text, run in itertools.groupby(enumerate(map(repr, self)), key=lambda place: place[1]):
            places = [k for k, _ in run]
            which = f"({places[0]})" if len(places) == 1 else f"({places[0]}-{places[-1]})"
            times = "" if len(places) == 1 else f"{len(places)} x "
            lines.append(f"{which}: {times}{text}".replace("\n", "\n  "))
        below = "\n  ".join(["", *lines]) + "\n" if lines else ""
        return f"{self._get_name()}({below})"


class ModuleDict(Module):
    """A dictionary whose modules are part of the model."""

    def __init__(self, modules: Any = None) -> None:
        super().__init__()
        if modules is not None:
            self.update(modules)

    def __getitem__(self, key: str) -> Module:
        return self._modules[key]

    def __setitem__(self, key: str, module: Module) -> None:
        self.add_module(key, module)

    def __delitem__(self, key: str) -> None:
        del self._modules[key]

    def __len__(self) -> int:
        return len(self._module_names)

    def __iter__(self) -> Iterator[str]:
        return iter(list(self._module_names))

    def __contains__(self, key: object) -> bool:
        return key in self._module_names

    def clear(self) -> None:
        """Take all modules out."""
        self._modules.clear()

    def pop(self, key: str) -> Module:
        """Take a module out."""
        return self._modules.pop(key)

    def keys(self) -> Any:
        return self._modules.keys()

    def values(self) -> Any:
        return self._modules.values()

    def items(self) -> Any:
        return self._modules.items()

    def update(self, modules: Any) -> None:
        """Add the modules of a dictionary, or of (name, module) pairs."""
        for key, module in _pairs("ModuleDict.update", modules):
            self[key] = module


def _pairs(what: str, given: Any) -> list[tuple[str, Any]]:
    if isinstance(given, Mapping | ModuleDict | ParameterDict):
        return list(given.items())
    if not isinstance(given, Iterable):
        raise TypeError(f"{what}: expected a dictionary or pairs. Received: {type(given).__name__}")
    pairs = [tuple(pair) for pair in given]
    for pair in pairs:
        if len(pair) != 2:
            raise ArgumentError(f"{what}: expected pairs of a name and a value. Received: {pair!r}")
    return cast("list[tuple[str, Any]]", pairs)


def _as_parameter(value: Any) -> Any:
    return Parameter(value) if isinstance(value, Tensor) and not isinstance(value, Parameter) else value


class ParameterList(_Members):
    """A list whose parameters are part of the model. Tensors become parameters; other values are kept as they are."""

    def __init__(self, values: Iterable[Any] | None = None) -> None:
        super().__init__()
        self._length = 0
        if values is not None:
            self.extend(values)

    def _names(self) -> list[str]:
        return [str(k) for k in range(self._length)]

    def _replace(self, members: Iterable[Any]) -> None:
        members = list(members)
        super()._replace(members)
        self._length = len(members)

    def append(self, member: Any) -> Self:
        setattr(self, str(self._length), _as_parameter(member))
        self._length += 1
        return self

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return type(self)(list(self)[index])
        return vars(self)[self._names()[operator.index(index)]]

    def __setitem__(self, index: int, member: Any) -> None:
        super().__setitem__(index, _as_parameter(member))

    def __iadd__(self, other: Iterable[Any]) -> Self:
        return self.extend(other)

    def extra_repr(self) -> str:
        return "\n".join(f"({k}): {_describe(member)}" for k, member in enumerate(self))


class ParameterDict(Module):
    """A dictionary whose parameters are part of the model, under any keys that are text.

    Tensors become parameters; other values are kept as they are.
    """

    def __init__(self, parameters: Any = None) -> None:
        super().__init__()
        self._keys: dict[str, None] = {}
        if parameters is not None:
            self.update(parameters)

    def __getitem__(self, key: str) -> Any:
        if key not in self._keys:
            raise KeyError(key)
        return vars(self)[key]

    def __setitem__(self, key: str, value: Any) -> None:
        if not isinstance(key, str):
            raise TypeError(f"ParameterDict: expected a key that is text. Received: {type(key).__name__}")
        if key not in self._keys and hasattr(self, key):
            raise KeyError(f"ParameterDict: the key {key!r} is the name of an attribute")
        self._keys[key] = None
        value = _as_parameter(value)
        if isinstance(value, Parameter):  # keys may have dots, which attributes assigned by the user may not
            self._register("_parameter_names", key, value)
        else:
            setattr(self, key, value)

    def __delitem__(self, key: str) -> None:
        del self._keys[key]
        delattr(self, key)

    def __len__(self) -> int:
        return len(self._keys)

    def __iter__(self) -> Iterator[str]:
        return iter(list(self._keys))

    def __reversed__(self) -> Iterator[str]:
        return reversed(list(self._keys))

    def __contains__(self, key: object) -> bool:
        return key in self._keys

    def keys(self) -> Any:
        return self._keys.keys()

    def values(self) -> Any:
        return [self[key] for key in self._keys]

    def items(self) -> Any:
        return [(key, self[key]) for key in self._keys]

    def get(self, key: str, default: Any = None) -> Any:
        """The value of a key, or `default`."""
        return self[key] if key in self._keys else default

    def setdefault(self, key: str, default: Any = None) -> Any:
        """The value of a key, which is set to `default` if it is absent."""
        if key not in self._keys:
            self[key] = default
        return self[key]

    def pop(self, key: str) -> Any:
        """Take a value out."""
        value = self[key]
        del self[key]
        return value

    def popitem(self) -> tuple[str, Any]:
        """Take the last value out."""
        key = next(reversed(self))
        return key, self.pop(key)

    def clear(self) -> None:
        """Take all values out."""
        for key in list(self._keys):
            del self[key]

    def copy(self) -> ParameterDict:
        """Another dictionary of the same parameters."""
        return type(self)(dict(self.items()))

    def fromkeys(self, keys: Iterable[str], default: Any = None) -> ParameterDict:
        """A dictionary with `default` under each key."""
        return type(self)(dict.fromkeys(keys, default))

    def update(self, parameters: Any) -> None:
        """Add the values of a dictionary, or of (key, value) pairs."""
        for key, value in _pairs("ParameterDict.update", parameters):
            self[key] = value

    def __or__(self, other: ParameterDict) -> ParameterDict:
        return type(self)([*self.items(), *other.items()])

    def __ior__(self, other: ParameterDict) -> Self:
        self.update(other)
        return self

    def extra_repr(self) -> str:
        return "\n".join(f"({key}): {_describe(value)}" for key, value in self.items())


def _describe(value: Any) -> str:
    if not isinstance(value, Tensor):
        return f"object of type {type(value).__name__}"
    kind = "Parameter" if isinstance(value, Parameter) else "Tensor"
    return f"{kind} containing: [{value.dtype!r} of size {'x'.join(map(str, value.shape))}]"


MutableSequence.register(ModuleList)
MutableSequence.register(ParameterList)
MutableMapping.register(ModuleDict)
MutableMapping.register(ParameterDict)
