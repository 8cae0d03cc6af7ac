"""`tf.Module`, and small pieces of TensorFlow's that programs lean on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import duograph.torch as torch
from duograph.transforms import vmap

from .control import foldl
from .structure import flatten, map_structure, pack_like
from .tensors import Tensor, convert_to_tensor
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


class TensorArray:
    """A list of tensors that a loop writes. As in TensorFlow `write` returns the array to go on with."""

    def __init__(
        self, dtype: Any, size: Any = None, dynamic_size: bool | None = None, clear_after_read: bool | None = None,
        tensor_array_name: str | None = None, handle: Any = None, flow: Any = None, infer_shape: bool = True,
        element_shape: Any = None, colocate_with_first_write_call: bool = True, name: str | None = None,
    ) -> None:  # fmt: skip
        self.dtype = dtype
        self.dynamic_size = bool(dynamic_size)
        self._items: list[Any] = [None] * int(size or 0)

    def write(self, index: Any, value: Any, name: str | None = None) -> TensorArray:
        """Raises IndexError for a place outside an array that does not grow."""
        place = int(index)
        if place >= len(self._items):
            if not self.dynamic_size:
                raise IndexError(f"TensorArray of size {len(self._items)} without dynamic_size: no place {place}")
            self._items += [None] * (place + 1 - len(self._items))
        if place < 0:
            raise IndexError(f"TensorArray has no place {place}")
        self._items[place] = convert_to_tensor(value, None if isinstance(value, Tensor) else self.dtype)
        return self

    def read(self, index: Any, name: str | None = None) -> Tensor:
        """The tensor at a place; zeros where none was written and another shows the shape."""
        found = self._items[int(index)]
        return self._zeros() if found is None else found

    def _zeros(self) -> Tensor:
        known = next((t for t in self._items if t is not None), None)
        if known is None:
            raise ValueError("TensorArray: nothing was written")
        return torch.zeros_like(known)

    def stack(self, name: str | None = None) -> Tensor:
        """All along a new first axis."""
        if not self._items:
            return torch.zeros((0,), dtype=self.dtype)
        return torch.stack([self._zeros() if t is None else t for t in self._items])

    def concat(self, name: str | None = None) -> Tensor:
        """All along their first axis."""
        return torch.cat([self._zeros() if t is None else t for t in self._items])

    def gather(self, indices: Any, name: str | None = None) -> Tensor:
        """Those at `indices`, along a new first axis."""
        return torch.stack([self.read(i) for i in convert_to_tensor(indices).tolist()])

    def unstack(self, value: Any, name: str | None = None) -> TensorArray:
        """The array of the rows of `value`."""
        self._items = list(convert_to_tensor(value).unbind(0))
        return self

    def scatter(self, indices: Any, value: Any, name: str | None = None) -> TensorArray:
        """The rows of `value` written to the places `indices`."""
        for place, row in zip(convert_to_tensor(indices).tolist(), convert_to_tensor(value).unbind(0), strict=True):
            self.write(place, row)
        return self

    def split(self, value: Any, lengths: Any, name: str | None = None) -> TensorArray:
        """The array of parts of `value` with these lengths along the first axis."""
        self._items = list(torch.split(convert_to_tensor(value), convert_to_tensor(lengths).tolist()))
        return self

    def size(self, name: str | None = None) -> Tensor:
        return torch.tensor(len(self._items), dtype=torch.int32)

    def identity(self) -> TensorArray:
        return self

    def grad(self, *_: Any, **__: Any) -> Any:
        raise NotImplementedError("TensorArray.grad: gradients flow through the array; take them with a GradientTape")


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
