"""`torch.fx.GraphModule`: a module that runs a graph, by the code that is made of it."""

from __future__ import annotations

import copy
from typing import Any

from ...nn.module import Module
from ...tensor.core import Tensor
from ..missing import missing
from .graph import Graph

__all__ = ["GraphModule"]


class GraphModule(Module):
    """A module whose `forward` is a graph. After a change of the graph call `recompile()`.

    `root` is the module, or a dictionary by dotted names, that has what the graph refers to; both then share it.
    """

    def __new__(cls, *arguments: Any, **keywords: Any) -> GraphModule:
        """Each is of a class of its own, which has its `forward`."""
        base = next((c for c in cls.__mro__ if "forward" not in vars(c) or c is GraphModule), GraphModule)
        return Module.__new__(type(cls.__name__, (base,), {"__module__": cls.__module__}))

    def __init__(self, root: Any, graph: Graph, class_name: str = "GraphModule") -> None:
        super().__init__()
        type(self).__name__ = class_name
        if isinstance(root, Module):
            self.training = root.training
        for node in graph.nodes:
            if node.op in ("get_attr", "call_module"):
                target = str(node.target)
                value = _find(root, target) if isinstance(root, Module) else root[target]
                self._put(target, value)
        self.graph = graph

    def _put(self, target: str, value: Any) -> None:
        """Make a dotted name mean a value, with modules in between where there are none."""
        *path, name = target.split(".")
        home: Module = self
        for part in path:
            if not hasattr(home, part):
                home.add_module(part, Module())
            home = getattr(home, part)
        if type(value) is Tensor and not hasattr(home, name):
            home.register_buffer(name, value)
        else:
            setattr(home, name, value)

    @property
    def graph(self) -> Graph:
        """The graph; set to another, it is compiled."""
        return vars(self)["_graph"]

    @graph.setter
    def graph(self, graph: Graph) -> None:
        if not isinstance(graph, Graph):
            raise TypeError(f"GraphModule.graph: expected a Graph. Received: {type(graph).__name__}")
        vars(self)["_graph"] = graph
        graph.owning_module = self
        self.recompile()

    def __setattr__(self, name: str, value: Any) -> None:
        if name == "graph":
            type(self).graph.fset(self, value)  # type: ignore[attr-defined]
        else:
            super().__setattr__(name, value)

    def recompile(self) -> Any:
        """Make the code anew, after a change of the graph."""
        made = self.graph.python_code()
        names = dict(made.globals)
        exec(compile(made.src, f"<{type(self).__name__} of torch.fx>", "exec"), names)
        vars(self)["_code"] = made.src
        type(self).forward = names["forward"]  # type: ignore[method-assign]
        return made

    @property
    def code(self) -> str:
        """The source of `forward`."""
        return vars(self)["_code"]

    def add_submodule(self, target: str, m: Module) -> bool:
        """Add a module under a dotted name."""
        self._put(target, m)
        return True

    def delete_submodule(self, target: str) -> bool:
        """Take the module of a dotted name out. Whether there was one."""
        path, _, name = target.rpartition(".")
        try:
            home = self.get_submodule(path)
        except AttributeError:
            return False
        if not isinstance(getattr(home, name, None), Module):
            return False
        delattr(home, name)
        return True

    def delete_all_unused_submodules(self) -> None:
        """Take out the modules that the graph does not refer to."""
        used: set[str] = set()
        for node in self.graph.nodes:
            if node.op in ("call_module", "get_attr"):
                parts = str(node.target).split(".")
                used.update(".".join(parts[: k + 1]) for k in range(len(parts)))
                if node.op == "call_module":
                    called = self.get_submodule(str(node.target))
                    used.update(f"{node.target}.{name}" for name, _ in called.named_modules() if name)
        for name in [name for name, _ in self.named_modules() if name]:
            if name not in used:
                self.delete_submodule(name)

    def print_readable(self, print_output: bool = True, **_: Any) -> str:
        """The source, as that of a class."""
        body = "\n".join(f"    {line}" if line else "" for line in self.code.strip("\n").splitlines())
        text = f"class {type(self).__name__}(torch.nn.Module):\n{body.rstrip()}\n"
        if print_output:
            print(text)
        return text

    def __deepcopy__(self, memo: dict[int, Any]) -> GraphModule:
        plain = Module()
        for name, value in vars(self).items():
            if name not in ("_graph", "_code"):
                vars(plain)[name] = copy.deepcopy(value, memo)
        made = GraphModule(plain, copy.deepcopy(self.graph), type(self).__name__)
        for name, value in vars(plain).items():
            if name not in vars(made) or name == "training":
                vars(made)[name] = value
        for kind in ("_parameter_names", "_buffer_names", "_module_names"):
            vars(made)[kind].update(vars(plain)[kind])
        made.graph.meta = dict(self.graph.meta)
        return made

    def __copy__(self) -> GraphModule:
        return GraphModule(self, self.graph, type(self).__name__)

    def __reduce__(self) -> Any:
        members = {name: value for name, value in vars(self).items() if name not in ("_graph", "_code")}
        return _again, (members, self.graph, type(self).__name__)

    def __reduce_ex__(self, protocol: Any) -> Any:
        return self.__reduce__()

    def __str__(self) -> str:
        return f"{super().__repr__()}\n{self.code}"

    __repr__ = Module.__repr__


def _again(members: dict[str, Any], graph: Graph, name: str) -> GraphModule:
    plain = Module()
    vars(plain).update(members)
    return GraphModule(plain, graph, name)


def _find(root: Any, target: str) -> Any:
    for part in target.split("."):
        root = getattr(root, part)
    return root


__getattr__ = missing(__name__, __all__)
