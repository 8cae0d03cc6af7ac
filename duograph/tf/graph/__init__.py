"""The defined graph of TensorFlow 1: operations that are called by `Session.run`, as often as it is.

A `GraphTensor` is a call of a function of this face that has not been made. `Session.run` makes the calls that its
fetches need, on tensors, through the same recording as everything else, and is replayed like a `tf.function`.
"""

from . import dispatch
from .session import InteractiveSession, Session, get_default_session
from .symbolic import Graph, GraphTensor, Operation, building, control_dependencies, get_default_graph, is_building
from .variables import GraphVariable

__all__ = [
    "Graph",
    "GraphTensor",
    "GraphVariable",
    "InteractiveSession",
    "Operation",
    "Session",
    "building",
    "control_dependencies",
    "get_default_graph",
    "get_default_session",
    "is_building",
]

dispatch.install()
