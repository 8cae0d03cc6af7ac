"""What is known of a graph before its nodes are placed: who uses them, how they are computed, what is computed anew."""

from __future__ import annotations

from ..graph.node import Graph, Node
from ..graph.sizes import hint
from .affine import VIEWS
from .layout import preferred

CHEAP = frozenset(
    (
        "add", "subtract", "multiply", "divide", "negative", "cast", "sqrt", "rsqrt", "select", "less", "less_equal",
        "equal", "not_equal",
    )
)  # fmt: skip
"""Operations that are computed anew by every user where their operands are single numbers."""

SMALLEST_RECOMPUTED = 1 << 12
"""Elements from which memory matters more than an operation."""


DEEPEST = 50
"""How many nodes, one made of the other, may be computed where the last of them is wanted: chains of thousands are cut,
which keeps kernels at a size that LLVM is quick with."""


class Facts:
    """A graph as fusion sees it.

    Attributes:
        nodes: All nodes, inputs first.
        users: The nodes that compute with each node, views looked through.
        inline: Nodes that every user computes anew.
        outputs: What leaves the plan.
        wanted: The order in memory that a node's users want, where they want one.
    """

    def __init__(self, graph: Graph, fusible: frozenset[str]) -> None:
        self.graph = graph
        self.fusible = fusible
        self.nodes = graph.nodes()
        self.outputs = dict.fromkeys(graph.outputs)
        self.inline = self._numbers()
        self.users = self._users()
        self.inline |= self._recomputed()
        self.wanted = preferred(self.nodes)

    def _numbers(self) -> set[Node]:
        """Nodes that every user computes anew: constants, counters, and cheap functions of single numbers."""
        found: set[Node] = set()
        depth: dict[Node, int] = {}
        outputs = set(self.graph.outputs)
        for node in self.nodes:
            name = node.op.name
            depth[node] = 1 + max((depth[x] for x in node.inputs), default=0) if node.size == 1 else 0
            if name in ("constant", "iota") or (
                node.size == 1
                and name in CHEAP & self.fusible
                and node not in outputs
                and depth[node] % DEEPEST
                and all(self._is_number(operand, found) for operand in node.inputs)
            ):
                found.add(node)
        return found

    def _recomputed(self) -> set[Node]:
        """Nodes that every user computes anew because what they are made of is as quick to read as they would be: some
        cheap operations on a contraction's result that a reduction wants as well, and which so is in memory anyway. The
        gradient of a batch normalisation wants x - mean and (x - mean) * scale again. Saves their memory, and writing
        them."""
        depth: dict[Node, int] = {}
        for node in self.nodes:
            users = self.users[node]
            small = hint(node.size) < SMALLEST_RECOMPUTED
            if node.op.name not in CHEAP or small or len(users) < 2 or node in self.outputs:
                continue
            large = [operand for operand in node.inputs if operand.size == node.size]
            if len(large) != 1 or large[0].dtype is not node.dtype:
                continue
            (x,) = large
            reduced = any(user.op.kind == "reduction" for user in self.users[x])
            kept = x in depth or (x.op.kind == "contraction" and reduced)
            if kept and depth.get(x, 0) < 2 and all(self.kind(user) in ("pointwise", "reduction") for user in users):
                depth[node] = depth.get(x, 0) + 1
        return depth.keys() - self._looked_up()

    def _looked_up(self) -> set[Node]:
        """Tables, which have to be in memory."""
        return {self.base(node.inputs[0]) for node in self.nodes if node.op.name in ("take", "take_along")}

    def _is_number(self, node: Node, inline: set[Node]) -> bool:
        while node.op.name in VIEWS and node.inputs[0].size == 1:
            node = node.inputs[0]
        return node in inline or (node.op.name == "input" and node.size == 1)

    def _users(self) -> dict[Node, list[Node]]:
        """The nodes that compute with each node, views looked through; a view that leaves the plan is one too."""
        users: dict[Node, dict[Node, None]] = {node: {} for node in self.nodes}
        for output in self.graph.outputs:
            if output.op.name in VIEWS:
                users[output][output] = None
        for node in reversed(self.nodes):
            mine = users[node] if node.op.name in VIEWS else {node: None}
            for operand in node.inputs:
                users[operand].update(mine)
        return {node: list(found) for node, found in users.items()}

    def base(self, node: Node) -> Node:
        """What a chain of views looks at."""
        while node.op.name in VIEWS:
            node = node.inputs[0]
        return node

    def kind(self, node: Node) -> str:
        """How a node is computed: "view", "pointwise", "reduction", "pieces" or "kernel"."""
        name = node.op.name
        if name in VIEWS:
            return "view"
        if name in self.fusible or name in ("take", "take_along"):
            return "pointwise"
        if name == "pad":
            return "pieces" if any(node["interior"]) else "pointwise"
        if node.op.kind == "reduction" and "axes" in node.op.attributes:
            return "reduction"
        return "pieces" if name == "concatenate" else "kernel"

    def adopt(self, node: Node) -> None:
        """Know a node that a rule made."""
        for operand in node.inputs:
            if operand not in self.users:
                self.adopt(operand)
        if node not in self.users:
            self.users[node] = []
            if node.op.name in ("constant", "iota"):
                self.inline.add(node)
