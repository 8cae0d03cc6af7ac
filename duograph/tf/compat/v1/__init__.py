"""The interface of TensorFlow 1: programs that define a graph and run it in a session.

`import duograph.tf.compat.v1 as tf`. All names of `tf` are here too. Functions called inside `tf.Graph().as_default()`,
inside `with tf.Session()`, or anywhere after `disable_eager_execution()`, become calls of the graph.
"""

from __future__ import annotations

import builtins
import importlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ... import dtypes
from ...graph import (
    Graph,
    GraphTensor,
    InteractiveSession,
    Operation,
    Session,
    control_dependencies,
    dispatch,
    get_default_graph,
    get_default_session,
    is_building,
    symbolic,
)
from ...graph.dispatch import cond, numpy_function, py_function, while_loop
from ...graph.gradients import gradients
from ...graph.symbolic import reset_default_graph
from ...graph.variables import GLOBAL, LOCAL, TRAINABLE, GraphVariable
from . import layers, losses, metrics, nn, summary, train
from .operations import *
from .operations import group
from .scopes import AUTO_REUSE, get_variable, get_variable_scope, variable_scope

name_scope: Any
_LATE = {"bitwise", "image", "io", "sets", "signal", "strings"}
"""Modules whose functions are operations, which load when they are first used."""
Summary = summary.Summary
Tensor = GraphTensor
Variable = GraphVariable


class GraphKeys:
    """The names of collections."""

    GLOBAL_VARIABLES, TRAINABLE_VARIABLES, LOCAL_VARIABLES = GLOBAL, TRAINABLE, LOCAL
    LOSSES, REGULARIZATION_LOSSES, UPDATE_OPS, SUMMARIES = "losses", "regularization_losses", "update_ops", "summaries"
    GLOBAL_STEP = "global_step"


py_func = numpy_function


class ConfigProto:
    """Settings of a session: any are accepted, and none changes a result."""

    def __init__(self, **settings: Any) -> None:
        self.gpu_options = GPUOptions()
        self.__dict__.update(settings)


class GPUOptions(ConfigProto):
    """Settings of devices that are not there."""

    def __init__(self, **settings: Any) -> None:
        self.__dict__.update(settings)


def disable_eager_execution() -> None:
    """From now on all functions become calls of the default graph."""
    symbolic.set_always(True)


def enable_eager_execution(*_: Any, **__: Any) -> None:
    """From now on functions compute at once, where no graph was entered."""
    symbolic.set_always(False)


disable_v2_behavior = disable_eager_execution
enable_v2_behavior = enable_eager_execution


def _nothing(*_: Any, **__: Any) -> None:
    """Changes nothing here."""


disable_resource_variables = enable_resource_variables = disable_v2_tensorshape = enable_v2_tensorshape = _nothing
disable_control_flow_v2 = enable_control_flow_v2 = _nothing


def executing_eagerly() -> bool:
    """Whether functions compute at once."""
    return not is_building()


def placeholder(dtype: Any, shape: Any = None, name: str | None = None) -> GraphTensor:
    """A tensor that each run must feed."""
    made = GraphTensor(_fed, (), name=name or "Placeholder", spec=(_shape(shape), dtypes.as_dtype(dtype)))
    made.is_placeholder = True
    return made


def placeholder_with_default(input: Any, shape: Any, name: str | None = None) -> GraphTensor:
    """A tensor that a run may feed, and that is `input` otherwise."""
    from ...tensors import convert_to_tensor

    dtype = input.dtype if isinstance(input, GraphTensor) else convert_to_tensor(input).dtype
    given = _shape(shape)
    return GraphTensor(convert_to_tensor, (input,), name=name or "PlaceholderWithDefault", spec=(given, dtype))


def _shape(shape: Any) -> Any:
    if shape is None:
        return None
    sizes = [shape] if isinstance(shape, int) else shape
    return builtins.tuple(None if n is None or n == -1 else int(n) for n in sizes)


def _fed() -> Any:
    raise AssertionError("a placeholder is fed by a session")


def global_variables(scope: str | None = None) -> list[GraphVariable]:
    """All variables of the graph."""
    return get_default_graph().get_collection(GLOBAL, scope)


def trainable_variables(scope: str | None = None) -> list[GraphVariable]:
    """The variables that optimisers change."""
    return get_default_graph().get_collection(TRAINABLE, scope)


def local_variables(scope: str | None = None) -> list[GraphVariable]:
    """The variables that are not saved."""
    return get_default_graph().get_collection(LOCAL, scope)


all_variables = global_variables


def global_variables_initializer() -> Operation:
    """An operation that gives all variables their initial values."""
    return variables_initializer(global_variables())


def local_variables_initializer() -> Operation:
    return variables_initializer(local_variables())


def variables_initializer(var_list: Any, name: str = "init") -> Operation:
    """An operation that gives these variables their initial values."""
    return group(*(v.initializer for v in var_list), name=name)


initialize_all_variables = global_variables_initializer


def report_uninitialized_variables(var_list: Any = None) -> Any:
    raise NotImplementedError("report_uninitialized_variables: catch the FailedPreconditionError of a run")


def add_to_collection(name: str, value: Any) -> None:
    """Keep a value under a name, in the graph."""
    get_default_graph().add_to_collection(name, value)


def get_collection(key: str, scope: str | None = None) -> list[Any]:
    """What was kept under a name."""
    return get_default_graph().get_collection(key, scope)


def set_random_seed(seed: int) -> None:
    """Fix all numbers drawn from here on."""
    from ...random import set_seed

    set_seed(seed)


def is_variable_initialized(variable: GraphVariable) -> Any:
    raise NotImplementedError("is_variable_initialized: run the initializer, or catch FailedPreconditionError")


@contextmanager
def _named(name: Any = None, default_name: Any = None, values: Any = None) -> Iterator[str]:
    with get_default_graph().name_scope(name or default_name) as scope:
        yield scope


name_scope = _named
op_scope = _named


def __getattr__(name: str) -> Any:
    """The names of `tf` that TensorFlow 1 has in the same form."""
    if name.startswith("__"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    if name in ("app", "flags", "gfile", "logging"):
        found: Any = importlib.import_module(f"{__name__}.{name}")
    else:
        found = dispatch.deferred(name, getattr(importlib.import_module("duograph.tf"), name))
        if name in _LATE:
            dispatch.install_in(found)
    globals()[name] = found
    return found
