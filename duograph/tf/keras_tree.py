"""Nested structures for Keras: stands in the place of `keras.src.tree.torchtree_impl`.

Nodes are the built-in containers, named tuples and the classes Keras registers, each by its exact type; all else is a
leaf. Dictionaries are walked in the order of their sorted keys, ordered ones in their own.
"""

from __future__ import annotations

from collections import OrderedDict, defaultdict, deque
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple


class Node(NamedTuple):
    """How a type of container is taken apart, and made again from an example and new children."""

    keys: Callable[[Any], Iterable[Any]]
    children: Callable[[Any], list[Any]]
    rebuild: Callable[[Any, list[Any]], Any]


def _sorted(d: Any) -> list[Any]:
    return sorted(d)


def _values(d: Any) -> list[Any]:
    return [d[key] for key in sorted(d)]


def _indices(x: Any) -> range:
    return range(len(x))


NODES: dict[type, Node] = {
    tuple: Node(_indices, list, lambda _, children: tuple(children)),
    list: Node(_indices, list, lambda _, children: children),
    dict: Node(_sorted, _values, lambda d, children: dict(zip(sorted(d), children, strict=True))),
    defaultdict: Node(
        _sorted, _values, lambda d, children: defaultdict(d.default_factory, zip(sorted(d), children, strict=True))
    ),
    OrderedDict: Node(list, lambda d: list(d.values()), lambda d, children: OrderedDict(zip(d, children, strict=True))),
    deque: Node(_indices, list, lambda d, children: deque(children, d.maxlen)),
}
DICTIONARIES = frozenset((dict, defaultdict, OrderedDict))
_NAMED_TUPLE = Node(_indices, list, lambda t, children: type(t)(*children))


def register_tree_node_class(cls: type) -> type:
    """Decorator: walk into instances of `cls`, which says how by `torchtree_flatten` and `torchtree_unflatten`."""

    def keys(x: Any) -> Iterable[Any]:
        if isinstance(x, dict):
            return list(x) if isinstance(x, OrderedDict) else sorted(x)
        return range(len(x))

    def children(x: Any) -> list[Any]:
        return list(x.torchtree_flatten()[0])

    def rebuild(x: Any, children: list[Any]) -> Any:
        return cls.torchtree_unflatten(children, x.torchtree_flatten()[1])  # type: ignore[attr-defined]

    NODES[cls] = Node(keys, children, rebuild)
    return cls


def _node(structure: Any) -> Node | None:
    node = NODES.get(type(structure))
    if node is None and isinstance(structure, tuple) and hasattr(structure, "_fields"):
        return _NAMED_TUPLE
    return node


def is_nested(structure: Any) -> bool:
    return type(structure) in NODES or (isinstance(structure, tuple) and hasattr(structure, "_fields"))


def flatten(structure: Any) -> list[Any]:
    if not is_nested(structure):
        return [structure]
    leaves: list[Any] = []
    _collect(structure, leaves)
    return leaves


def _collect(structure: Any, leaves: list[Any]) -> None:
    node = _node(structure)
    if node is None:
        leaves.append(structure)
    else:
        for child in node.children(structure):
            _collect(child, leaves)


def flatten_with_path(structure: Any) -> list[tuple[tuple[Any, ...], Any]]:
    node = _node(structure)
    if node is None:
        return [((), structure)]
    pairs = zip(node.keys(structure), node.children(structure), strict=True)
    return [((key, *path), leaf) for key, child in pairs for path, leaf in flatten_with_path(child)]


def map_structure(func: Callable[..., Any], *structures: Any, none_is_leaf: bool = True) -> Any:
    if not structures:
        raise ValueError("Must provide at least one structure")
    if none_is_leaf:
        return _map(func, *structures)

    def unless_none(*leaves: Any) -> Any:
        if leaves[0] is not None:
            return func(*leaves)
        if any(leaf is not None for leaf in leaves):
            raise ValueError(
                f"Structure mismatch: some arguments are None, others are not. Received arguments: {leaves}."
            )
        return None

    return _map(unless_none, *structures)


def _map(func: Callable[..., Any], structure: Any, *others: Any) -> Any:
    node = _node(structure)
    if node is None:
        return func(structure, *others)
    children = [node.children(structure), *(_aligned(structure, node, other) for other in others)]
    mapped = [_map(func, *parts) for parts in zip(*children, strict=True)]
    if type(structure) is dict:  # keeps the order of its items, as a dictionary is expected to
        by_key = dict(zip(sorted(structure), mapped, strict=True))
        return {key: by_key[key] for key in structure}
    return node.rebuild(structure, mapped)


def _aligned(structure: Any, node: Node, other: Any) -> list[Any]:
    """The children of `other` beside those of `structure`. Raises ValueError where the two differ in form."""
    if type(structure) in DICTIONARIES and type(other) in DICTIONARIES:
        if structure.keys() != other.keys():
            raise _differs(f"dictionary key mismatch, expected {list(structure)}", other)
        return [other[key] for key in node.keys(structure)]
    if type(structure) is not type(other):
        kind = type(structure).__name__ + (" (a namedtuple)" if hasattr(structure, "_fields") else "")
        raise _differs(f"expected a {kind}", other)
    children = node.children(other)
    if len(children) != len(node.children(structure)):
        raise _differs(f"Node arity mismatch, expected {len(node.children(structure))} parts", other)
    if isinstance(structure, dict) and list(node.keys(structure)) != list(node.keys(other)):
        raise _differs(f"Node context mismatch, expected the keys {list(structure)}", other)
    return children


def _differs(expected: str, received: Any) -> ValueError:
    return ValueError(f"Structures don't have the same nested structure: {expected}. Received: {received}")


def map_structure_up_to(shallow_structure: Any, func: Callable[..., Any], *structures: Any) -> Any:
    if not structures:
        raise ValueError("Must provide at least one structure")
    return _map(lambda _, *leaves: func(*leaves), shallow_structure, *structures)


def assert_same_structure(a: Any, b: Any) -> None:
    node = _node(a)
    if node is None:
        if _node(b) is not None:
            raise _differs("expected no nested structure", b)
        return
    for one, other in zip(node.children(a), _aligned(a, node, b), strict=True):
        assert_same_structure(one, other)


def assert_same_paths(a: Any, b: Any) -> None:
    left, right = ({path for path, _ in flatten_with_path(x)} for x in (a, b))
    if left != right:
        raise ValueError(
            "`a` and `b` don't have the same paths."
            f"\nPaths in `a` missing in `b`:\n{left - right}\nPaths in `b` missing in `a`:\n{right - left}"
        )


def pack_sequence_as(structure: Any, flat_sequence: Any) -> Any:
    leaves = list(flat_sequence)
    rest = iter(leaves)

    def build(part: Any) -> Any:
        node = _node(part)
        return next(rest) if node is None else node.rebuild(part, [build(child) for child in node.children(part)])

    expected = len(flatten(structure))
    if len(leaves) != expected:
        raise ValueError(f"Wrong number of leaves: expected {expected}. Received: {len(leaves)}")
    return build(structure)


def traverse(func: Callable[[Any], Any], structure: Any, top_down: bool = True) -> Any:
    """What `func` returns for the structure or, where it returns None, the structure with its parts traversed."""
    if top_down and (result := func(structure)) is not None:
        return _unless_marked(result)
    node = _node(structure)
    if node is not None:
        structure = node.rebuild(structure, [traverse(func, c, top_down) for c in node.children(structure)])
    if not top_down and (result := func(structure)) is not None:
        return _unless_marked(result)
    return structure


def _unless_marked(result: Any) -> Any:
    """Keras marks "None, and no further" by a class, which it defines in a module that imports this one."""
    return None if isinstance(result, type) and result.__name__ == "MAP_TO_NONE" else result


def lists_to_tuples(structure: Any) -> Any:
    return traverse(lambda x: tuple(x) if isinstance(x, list) else None, structure, top_down=False)


def map_shape_structure(func: Callable[[Any], Any], structure: Any) -> Any:
    """`func` of the shapes in a structure: tuples or lists of sizes are leaves here."""
    if isinstance(structure, list | tuple) and all(isinstance(size, int | None) for size in structure):
        return func(structure)
    node = _node(structure)
    if node is None:
        return func(structure)
    return node.rebuild(structure, [map_shape_structure(func, child) for child in node.children(structure)])
