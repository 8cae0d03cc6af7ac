"""`torch.fx`: record what a module's Python does, as a graph that can be looked at and changed."""

from __future__ import annotations

from ..missing import missing
from . import graph, graph_module, node, proxy, subgraph_rewriter
from .graph import Graph
from .graph_module import GraphModule
from .interpreter import Interpreter, Transformer
from .node import Node, has_side_effect, map_arg
from .proxy import Proxy
from .subgraph_rewriter import replace_pattern
from .tracer import Tracer, symbolic_trace, wrap

__all__ = [
    "Graph", "GraphModule", "Interpreter", "Node", "Proxy", "Tracer", "Transformer", "graph", "graph_module",
    "has_side_effect", "map_arg", "node", "proxy", "replace_pattern", "subgraph_rewriter", "symbolic_trace", "wrap",
]  # fmt: skip
__getattr__ = missing(__name__, __all__)
