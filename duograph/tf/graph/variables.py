"""Variables of a graph: each session has content of its own for them."""

from __future__ import annotations

from typing import Any

import duograph.torch as torch

from .. import dtypes
from ..errors import FailedPreconditionError
from ..tensors import convert_to_tensor
from .symbolic import GraphTensor, control_dependencies, get_default_graph, replaced, running

GLOBAL, TRAINABLE, LOCAL = "variables", "trainable_variables", "local_variables"


class GraphVariable(GraphTensor):
    """A variable of a graph. It has content in a session once its initialiser has run there."""

    def __init__(
        self,
        initial_value: Any = None,
        trainable: bool | None = None,
        collections: Any = None,
        validate_shape: bool = True,
        caching_device: Any = None,
        name: str | None = None,
        dtype: Any = None,
        **_: Any,
    ) -> None:
        initial = initial_value() if callable(initial_value) else initial_value
        self.trainable = trainable is not False
        self._dtype = None if dtype is None else dtypes.as_dtype(dtype)
        with control_dependencies(None):
            super().__init__(_content, (), name=name or "Variable")
        self.initial_value = initial
        for collection in collections or [GLOBAL] + [TRAINABLE] * self.trainable:
            get_default_graph().add_to_collection(collection, self)
        with control_dependencies(None), self.graph.name_scope(f"{self.name[:-2]}/"):
            self.initializer = Assign(self, initial, "Assign").op

    def _described(self) -> tuple[Any, Any]:
        if self._spec is None:
            initial = self.initial_value
            if isinstance(initial, GraphTensor):
                shape, dtype = initial._described()
                self._spec = shape, self._dtype or dtype
            else:
                made = convert_to_tensor(initial, self._dtype)
                self._spec = tuple(made.shape), made.dtype
        return self._spec

    def call(self, session: Any, value_of: Any) -> Any:
        if session is None:
            shape, dtype = self._described()
            return torch.ones(shape, dtype=dtype)
        return session.content(self)

    def initialized_value(self) -> Any:
        """The initial value."""
        return self.initial_value

    def value(self) -> GraphTensor:
        return self.read_value()

    def read_value(self) -> GraphTensor:
        """The content at the time of this call."""
        return GraphTensor(_copied, (self,), name="read")

    def assign(self, value: Any, use_locking: bool = False, name: str | None = None, read_value: bool = True) -> Any:
        """An operation that replaces the content; its value is the new content."""
        return Assign(self, value, name or "assign")

    def assign_add(
        self, delta: Any, use_locking: bool = False, name: str | None = None, read_value: bool = True
    ) -> Any:
        return Assign(self, delta, name or "assign_add", 1)

    def assign_sub(
        self, delta: Any, use_locking: bool = False, name: str | None = None, read_value: bool = True
    ) -> Any:
        return Assign(self, delta, name or "assign_sub", -1)

    def load(self, value: Any, session: Any = None) -> None:
        """Replace the content in a session at once."""
        from .session import needed_session

        with running():
            needed_session(session).set_content(self, convert_to_tensor(value, self.dtype))

    __hash__ = object.__hash__


def _content() -> Any:
    raise AssertionError("the content of a variable is in its session")


def _copied(x: Any) -> Any:
    return x.clone()


class Assign(GraphTensor):
    """Gives a variable other content, or adds to it `sign` times the value."""

    is_stateful = True

    def __init__(self, variable: GraphVariable, value: Any, name: str, sign: int = 0) -> None:
        super().__init__(_content, (value,), name=name)
        self.variable, self.sign = variable, sign

    def _described(self) -> tuple[Any, Any]:
        return self.variable._described()

    def call(self, session: Any, value_of: Any) -> Any:
        dtype = self.variable.dtype
        if session is None:
            return value_of(self.variable)
        given = replaced(self.args[0], value_of)
        new = given if isinstance(given, torch.Tensor) else convert_to_tensor(given, dtype)
        new = new.detach()
        if self.sign:
            new = session.content(self.variable).detach() + self.sign * new
        return session.set_content(self.variable, new)


def uninitialized(variable: GraphVariable) -> FailedPreconditionError:
    return FailedPreconditionError(
        f"Attempting to use uninitialized value {variable.name[:-2]}: run its initializer, or "
        "tf.compat.v1.global_variables_initializer(), in this session first"
    )
