"""`tf.Module`, and small pieces of TensorFlow's that programs lean on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from duograph.transforms import vmap

from .control import foldl
from .structure import flatten, map_structure, pack_like
from .tensor_array import TensorArray
from .tensors import convert_to_tensor
from .variable import Variable

__all__ = [
    "Module", "TensorArray", "VariableAggregation", "VariableSynchronization", "foldr", "group", "name_scope",
    "recompute_grad", "vectorized_map",
]  # fmt: skip


class VariableAggregation:
    """How replicas' changes of a variable become one. There is one replica, so that none makes a difference."""

    NONE, SUM, MEAN, ONLY_FIRST_REPLICA = "none", "sum", "mean", "only_first_replica"


class VariableSynchronization:
    """When replicas see each other's changes. There is one replica, so that none makes a difference."""

    AUTO, NONE, ON_WRITE, ON_READ = "auto", "none", "on_write", "on_read"


class name_scope:
    """A prefix of names, for those who ask for it; also a context manager."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __enter__(self) -> str:
        return f"{self.name}/"

    def __exit__(self, *_: object) -> None:
        pass


class Module:
    """What has variables: its attributes, also in lists, tuples, dictionaries and modules among them."""

    def __init__(self, name: str | None = None) -> None:
        self._name = name or type(self).__name__.lower()

    @property
    def name(self) -> str:
        return getattr(self, "_name", type(self).__name__.lower())

    @property
    def name_scope(self) -> name_scope:
        return name_scope(self.name)

    @classmethod
    def with_name_scope(cls, method: Callable[..., Any]) -> Callable[..., Any]:
        """The method: names of variables have no prefixes here."""
        return method

    @property
    def variables(self) -> tuple[Any, ...]:
        """The variables of this module and those below it, each once, by the names of the attributes."""
        return tuple(v for v in self._found() if _is_variable(v))

    @property
    def trainable_variables(self) -> tuple[Any, ...]:
        return tuple(v for v in self.variables if v.trainable)

    @property
    def non_trainable_variables(self) -> tuple[Any, ...]:
        return tuple(v for v in self.variables if not v.trainable)

    @property
    def submodules(self) -> tuple[Any, ...]:
        """The modules below this one."""
        return tuple(m for m in self._found() if isinstance(m, Module))

    def _found(self) -> Iterator[Any]:
        """Variables, then what is in modules, breadth first as TensorFlow lists them."""
        seen = {id(self)}
        level: list[Any] = [self]
        while level:
            below: list[Any] = []
            for module in level:
                for thing in _parts(module):
                    if id(thing) in seen:
                        continue
                    seen.add(id(thing))
                    yield thing
                    if not _is_variable(thing):
                        if not isinstance(thing, Module):
                            for variable in thing.variables:  # a layer of Keras's
                                if id(variable) not in seen:
                                    seen.add(id(variable))
                                    yield variable
                        else:
                            below.append(thing)
            level = below


def _parts(module: Any) -> Iterator[Any]:
    attributes = vars(module)
    for name in sorted(attributes):
        for leaf in flatten(attributes[name]):
            if _is_variable(leaf) or isinstance(leaf, Module) or _is_layer(leaf):
                yield leaf


def _is_variable(thing: Any) -> bool:
    return isinstance(thing, Variable) or (hasattr(thing, "assign") and hasattr(thing, "trainable"))


def _is_layer(thing: Any) -> bool:
    return hasattr(thing, "trainable_variables") and hasattr(thing, "variables")


def foldr(fn: Callable[[Any, Any], Any], elems: Any, initializer: Any = None, **_: Any) -> Any:
    """`foldl` from the last row to the first."""
    return foldl(fn, map_structure(lambda t: convert_to_tensor(t).flip(0), elems), initializer)


def vectorized_map(fn: Callable[[Any], Any], elems: Any, fallback_to_while_loop: bool = True, **_: Any) -> Any:
    """`fn` of each row of `elems`, all rows in one set of operations."""
    elems = map_structure(convert_to_tensor, elems)
    form: list[Any] = []

    def of_leaves(*leaves: Any) -> Any:
        result = fn(pack_like(elems, list(leaves)))
        form[:] = [result]
        return tuple(flatten(result))

    made = vmap(of_leaves)(*flatten(elems))
    return pack_like(form[0], list(made))


def recompute_grad(f: Callable[..., Any]) -> Callable[..., Any]:
    """`f`: what a gradient needs is chosen by the compiler, kept or computed again, so that there is nothing to add."""
    return f


def group(*inputs: Any, name: str | None = None) -> None:
    """Nothing: operations that were called have run."""
