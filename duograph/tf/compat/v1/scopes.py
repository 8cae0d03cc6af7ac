"""Variable scopes: variables found again by their names."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from ... import dtypes
from ...graph import Graph, GraphTensor, GraphVariable, get_default_graph
from .operations import glorot_uniform

AUTO_REUSE = "AUTO_REUSE"


class VariableScope:
    """A prefix of names, and what variables inside have unless they say otherwise."""

    def __init__(self, name: str, reuse: Any, initializer: Any, regularizer: Any, dtype: Any) -> None:
        self.name = name
        self.reuse = reuse
        self.initializer, self.regularizer, self.dtype = initializer, regularizer, dtype

    @property
    def original_name_scope(self) -> str:
        return f"{self.name}/"

    def reuse_variables(self) -> None:
        """From now on names inside must exist."""
        self.reuse = True

    def trainable_variables(self) -> list[Any]:
        return get_default_graph().get_collection("trainable_variables", f"{self.name}/")

    def global_variables(self) -> list[Any]:
        return get_default_graph().get_collection("variables", f"{self.name}/")


def _state(graph: Graph) -> tuple[list[VariableScope], dict[str, GraphVariable]]:
    if not hasattr(graph, "variable_scopes"):
        graph.variable_scopes = [VariableScope("", False, None, None, dtypes.float32)], {}  # type: ignore[attr-defined]
    return graph.variable_scopes  # type: ignore[attr-defined]


def get_variable_scope() -> VariableScope:
    """The scope entered last."""
    return _state(get_default_graph())[0][-1]


@contextmanager
def variable_scope(
    name_or_scope: Any = None, default_name: str | None = None, values: Any = None, initializer: Any = None,
    regularizer: Any = None, reuse: Any = None, dtype: Any = None, **_: Any,
) -> Iterator[VariableScope]:  # fmt: skip
    """Names of variables inside begin with this one. With `reuse`, those that exist are found again."""
    graph = get_default_graph()
    scopes, _known = _state(graph)
    outer = scopes[-1]
    if isinstance(name_or_scope, VariableScope):
        name, short = name_or_scope.name, name_or_scope.name.split("/")[-1]
        reuse = name_or_scope.reuse if reuse is None else reuse
    else:
        short = name_or_scope or _free(graph, outer.name, default_name or "scope")
        name = f"{outer.name}/{short}" if outer.name else short
    scope = VariableScope(
        name, outer.reuse if reuse is None else reuse, initializer or outer.initializer,
        regularizer or outer.regularizer, dtype or outer.dtype,
    )  # fmt: skip
    scopes.append(scope)
    try:
        with graph.name_scope(short):
            yield scope
    finally:
        scopes.remove(scope)


def _free(graph: Graph, outer: str, name: str) -> str:
    known = _state(graph)[1]
    prefix = f"{outer}/" if outer else ""
    taken = {n.removeprefix(prefix).split("/")[0] for n in known if n.startswith(prefix)}
    number = 0
    while (made := name if number == 0 else f"{name}_{number}") in taken:
        number += 1
    return made


def get_variable(
    name: str, shape: Any = None, dtype: Any = None, initializer: Any = None, regularizer: Any = None,
    trainable: bool | None = None, collections: Any = None, **_: Any,
) -> GraphVariable:  # fmt: skip
    """The variable of that name in the present scope, made if it may be.

    Raises ValueError for a name that exists in a scope that does not reuse, and for a missing one in a scope that does.
    """
    graph = get_default_graph()
    scope, known = get_variable_scope(), _state(graph)[1]
    whole = f"{scope.name}/{name}" if scope.name else name
    sizes = None if shape is None else [int(n) for n in ([shape] if isinstance(shape, int) else shape)]
    if whole in known:
        if not scope.reuse:
            raise ValueError(f"Variable {whole} already exists, disallowed. Did you mean to set reuse=tf.AUTO_REUSE?")
        there = known[whole]._described()[0]
        if sizes is not None and there != tuple(sizes):
            raise ValueError(
                f"Trying to share variable {whole}, but specified shape {tuple(sizes)} and found shape {there}."
            )
        return known[whole]
    if scope.reuse is True:
        raise ValueError(
            f"Variable {whole} does not exist, or was not created with tf.get_variable(). Did you mean to set "
            "reuse=tf.AUTO_REUSE?"
        )
    kind = dtypes.as_dtype(dtype or scope.dtype)
    make = scope.initializer if initializer is None else initializer
    if make is None:
        make = glorot_uniform if kind.is_floating_point else None
    if isinstance(make, type):
        make = make()
    if make is None:
        initial: Any = np.zeros(sizes or (), kind.numpy)
    elif callable(make) and not hasattr(make, "dtype"):
        initial = GraphTensor(lambda: make(sizes or [], dtype=kind), name="initial", spec=(tuple(sizes or ()), kind))
    else:
        initial = make
    scopes, graph._scopes = graph._scopes, []
    try:
        made = known[whole] = GraphVariable(initial, trainable, collections, name=whole, dtype=kind)
    finally:
        graph._scopes = scopes
    rule = regularizer or scope.regularizer
    if rule is not None:
        loss = rule(made) if isinstance(rule(made), GraphTensor) else GraphTensor(rule, (made,), name="regularizer")
        graph.add_to_collection("regularization_losses", loss)
    return made
