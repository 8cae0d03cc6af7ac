"""`torch.utils._pytree`: nested containers of leaves, taken apart and put together.

Unlike `duograph.tree`, None is a leaf here, other classes can be entered as containers, and each leaf has a path.
"""

from __future__ import annotations

from collections import OrderedDict, defaultdict, deque, namedtuple
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

from ...graph.errors import ArgumentError
from ..missing import missing

__all__ = [
    "GetAttrKey", "LeafSpec", "MappingKey", "PyTree", "PyTreeSpec", "SequenceKey", "TreeSpec", "keystr",
    "register_pytree_node", "tree_all", "tree_all_only", "tree_any", "tree_any_only", "tree_flatten",
    "tree_flatten_with_path", "tree_is_leaf", "tree_iter", "tree_leaves", "tree_leaves_with_path", "tree_map",
    "tree_map_", "tree_map_only", "tree_map_only_", "tree_map_with_path", "tree_structure", "tree_unflatten",
]  # fmt: skip

PyTree = Any
IsLeaf = Callable[[Any], bool] | None


@dataclass(frozen=True)
class SequenceKey:
    """A place in a list or tuple."""

    idx: int

    def __str__(self) -> str:
        return f"[{self.idx!r}]"


@dataclass(frozen=True)
class MappingKey:
    """A key of a dictionary."""

    key: Any

    def __str__(self) -> str:
        return f"[{self.key!r}]"


@dataclass(frozen=True)
class GetAttrKey:
    """An attribute, as of a named tuple."""

    name: str

    def __str__(self) -> str:
        return f".{self.name}"


class _Container(NamedTuple):
    """How a class of containers is taken apart: its children and a context; put together; and keys of the children."""

    take: Callable[[Any], tuple[list[Any], Any]]
    build: Callable[[Iterable[Any], Any], Any]
    keys: Callable[[Any], list[Any]] | None


def _places(value: Any) -> list[Any]:
    return [SequenceKey(k) for k in range(len(value))]


def _mapping(kind: type) -> _Container:
    return _Container(
        lambda d: (list(d.values()), list(d)), lambda values, keys: kind(zip(keys, values, strict=True)),
        lambda d: [MappingKey(key) for key in d],
    )  # fmt: skip


_CONTAINERS: dict[type, _Container] = {
    dict: _mapping(dict),
    OrderedDict: _mapping(OrderedDict),
    defaultdict: _Container(
        lambda d: (list(d.values()), [d.default_factory, list(d)]),
        lambda values, context: defaultdict(context[0], zip(context[1], values, strict=True)),
        lambda d: [MappingKey(key) for key in d],
    ),
    list: _Container(lambda x: (x, None), lambda parts, _: list(parts), _places),
    tuple: _Container(lambda x: (list(x), None), lambda parts, _: tuple(parts), _places),
    deque: _Container(lambda x: (list(x), x.maxlen), deque, _places),
}
_NAMED = _Container(
    lambda x: (list(x), type(x)), lambda parts, kind: kind(*parts), lambda x: [GetAttrKey(name) for name in x._fields]
)


def _kind_of(tree: Any) -> Any:
    """The class by which a container is known; None for a leaf."""
    kind = type(tree)
    if kind in _CONTAINERS:
        return kind
    return namedtuple if isinstance(tree, tuple) and hasattr(kind, "_fields") else None


def _rule(kind: Any) -> _Container:
    return _NAMED if kind is namedtuple else _CONTAINERS[kind]


@dataclass(frozen=True)
class TreeSpec:
    """The form of a nest: of which class its container is, what else that needs, and the forms of the children."""

    type: Any
    context: Any
    children_specs: list[TreeSpec]

    @property
    def num_leaves(self) -> int:
        """How many leaves there are."""
        return 1 if self.is_leaf() else sum(child.num_leaves for child in self.children_specs)

    @property
    def num_nodes(self) -> int:
        """How many leaves and containers there are."""
        return 1 + sum(child.num_nodes for child in self.children_specs)

    @property
    def num_children(self) -> int:
        """How many children the container has."""
        return len(self.children_specs)

    def is_leaf(self) -> bool:
        """Whether this is the form of a leaf."""
        return self.type is None

    def children(self) -> list[TreeSpec]:
        """The forms of the children."""
        return list(self.children_specs)

    def child(self, index: int) -> TreeSpec:
        """The form of one child."""
        return self.children_specs[index]

    def unflatten(self, leaves: Iterable[Any]) -> Any:
        """A nest of this form. Raises ArgumentError (a ValueError) for another number of leaves."""
        given = list(leaves)
        if len(given) != self.num_leaves:
            raise ArgumentError(f"tree_unflatten: expected {self.num_leaves} leaves. Received: {len(given)}")
        return self._built(iter(given))

    def _built(self, leaves: Iterator[Any]) -> Any:
        if self.is_leaf():
            return next(leaves)
        return _rule(self.type).build([child._built(leaves) for child in self.children_specs], self.context)

    def flatten_up_to(self, tree: Any) -> list[Any]:
        """The parts of another nest where this form has leaves. Raises ArgumentError (a ValueError) where it has
        another form."""
        if self.is_leaf():
            return [tree]
        kind = _kind_of(tree)
        mappings = (dict, OrderedDict, defaultdict)
        if kind is not self.type and not (kind in mappings and self.type in mappings):
            raise ArgumentError(
                f"expected a {self.type.__name__}, as in the first nest. Received: {type(tree).__name__}"
            )
        if kind in mappings:
            keys = self.context[1] if self.type is defaultdict else self.context
            if set(keys) != set(tree):
                raise ArgumentError(f"expected the keys {keys}. Received: {list(tree)}")
            children = [tree[key] for key in keys]
        else:
            children = _rule(kind).take(tree)[0]
        if len(children) != self.num_children:
            raise ArgumentError(
                f"expected {self.num_children} children, as in the first nest. Received: {len(children)}"
            )
        return [
            leaf
            for spec, child in zip(self.children_specs, children, strict=True)
            for leaf in spec.flatten_up_to(child)
        ]

    def __repr__(self) -> str:
        if self.is_leaf():
            return "*"
        return f"TreeSpec({self.type.__name__}, {self.context}, {self.children_specs})"


PyTreeSpec = TreeSpec


class LeafSpec(TreeSpec):
    """The form of a leaf."""

    def __init__(self) -> None:
        super().__init__(None, None, [])

    __repr__ = TreeSpec.__repr__


def register_pytree_node(
    cls: type, flatten_fn: Callable[[Any], tuple[list[Any], Any]], unflatten_fn: Callable[[Iterable[Any], Any], Any], *,
    flatten_with_keys_fn: Callable[[Any], tuple[list[tuple[Any, Any]], Any]] | None = None, **_: Any,
) -> None:  # fmt: skip
    """Enter a class of containers: how it is taken apart into children and a context, and put together.

    Raises ArgumentError (a ValueError) for a class that is known.
    """
    if cls in _CONTAINERS:
        raise ArgumentError(f"register_pytree_node: {cls.__name__} is registered already")
    keys = None if flatten_with_keys_fn is None else lambda x: [key for key, _ in flatten_with_keys_fn(x)[0]]
    _CONTAINERS[cls] = _Container(flatten_fn, unflatten_fn, keys)


def tree_flatten(tree: Any, is_leaf: IsLeaf = None) -> tuple[list[Any], TreeSpec]:
    """The leaves from left to right, and the form. What `is_leaf` says of is not taken apart."""
    found: list[Any] = []
    return found, _form(tree, is_leaf, found.append)


def _form(tree: Any, is_leaf: IsLeaf, put: Callable[[Any], Any]) -> TreeSpec:
    kind = None if is_leaf is not None and is_leaf(tree) else _kind_of(tree)
    if kind is None:
        put(tree)
        return LeafSpec()
    children, context = _rule(kind).take(tree)
    return TreeSpec(kind, context, [_form(child, is_leaf, put) for child in children])


def tree_unflatten(leaves: Iterable[Any], treespec: TreeSpec) -> Any:
    """A nest of a form. Raises ArgumentError (a ValueError) for another number of leaves."""
    if not isinstance(treespec, TreeSpec):
        raise TypeError(f"tree_unflatten: treespec: expected a TreeSpec. Received: {type(treespec).__name__}")
    return treespec.unflatten(leaves)


def tree_leaves(tree: Any, is_leaf: IsLeaf = None) -> list[Any]:
    """The leaves from left to right."""
    return tree_flatten(tree, is_leaf)[0]


def tree_iter(tree: Any, is_leaf: IsLeaf = None) -> Iterator[Any]:
    """The leaves from left to right."""
    yield from tree_leaves(tree, is_leaf)


def tree_structure(tree: Any, is_leaf: IsLeaf = None) -> TreeSpec:
    """The form."""
    return tree_flatten(tree, is_leaf)[1]


def tree_is_leaf(tree: Any, is_leaf: IsLeaf = None) -> bool:
    """Whether this is a leaf."""
    return (is_leaf is not None and is_leaf(tree)) or _kind_of(tree) is None


def tree_map(func: Callable[..., Any], tree: Any, *rests: Any, is_leaf: IsLeaf = None) -> Any:
    """A nest of the same form, of `func` of each leaf, and of what the `rests` have in its place."""
    leaves, form = tree_flatten(tree, is_leaf)
    return form.unflatten(map(func, leaves, *(form.flatten_up_to(rest) for rest in rests)))


def tree_map_(func: Callable[..., Any], tree: Any, *rests: Any, is_leaf: IsLeaf = None) -> Any:
    """Call `func` as `tree_map` does; the nest itself is given back."""
    tree_map(func, tree, *rests, is_leaf=is_leaf)
    return tree


def _only(kind: Any) -> Callable[[Any], bool]:
    """A test by a class, classes, or a function."""
    return kind if callable(kind) and not isinstance(kind, type) else lambda leaf: isinstance(leaf, kind)


def tree_map_only(kind: Any, func: Callable[[Any], Any], tree: Any, is_leaf: IsLeaf = None) -> Any:
    """`tree_map` for leaves of a class, or for which a function says so; others stay."""
    wanted = _only(kind)
    return tree_map(lambda leaf: func(leaf) if wanted(leaf) else leaf, tree, is_leaf=is_leaf)


def tree_map_only_(kind: Any, func: Callable[[Any], Any], tree: Any, is_leaf: IsLeaf = None) -> Any:
    """Call `func` as `tree_map_only` does; the nest itself is given back."""
    tree_map_only(kind, func, tree, is_leaf)
    return tree


def tree_all(pred: Callable[[Any], bool], tree: Any, is_leaf: IsLeaf = None) -> bool:
    """Whether something holds for all leaves."""
    return all(map(pred, tree_iter(tree, is_leaf)))


def tree_any(pred: Callable[[Any], bool], tree: Any, is_leaf: IsLeaf = None) -> bool:
    """Whether something holds for one of the leaves."""
    return any(map(pred, tree_iter(tree, is_leaf)))


def tree_all_only(kind: Any, pred: Callable[[Any], bool], tree: Any, is_leaf: IsLeaf = None) -> bool:
    """Whether something holds for all leaves of a class."""
    wanted = _only(kind)
    return all(pred(leaf) for leaf in tree_iter(tree, is_leaf) if wanted(leaf))


def tree_any_only(kind: Any, pred: Callable[[Any], bool], tree: Any, is_leaf: IsLeaf = None) -> bool:
    """Whether something holds for one of the leaves of a class."""
    wanted = _only(kind)
    return any(pred(leaf) for leaf in tree_iter(tree, is_leaf) if wanted(leaf))


def tree_leaves_with_path(tree: Any, is_leaf: IsLeaf = None) -> list[tuple[tuple[Any, ...], Any]]:
    """The leaves from left to right, each with its path.

    Raises ArgumentError (a ValueError) for a container that was registered without keys.
    """
    kind = None if is_leaf is not None and is_leaf(tree) else _kind_of(tree)
    if kind is None:
        return [((), tree)]
    rule = _rule(kind)
    if rule.keys is None:
        raise ArgumentError(f"{kind.__name__} has no keys: register it with flatten_with_keys_fn")
    return [
        ((key, *path), leaf)
        for key, child in zip(rule.keys(tree), rule.take(tree)[0], strict=True)
        for path, leaf in tree_leaves_with_path(child, is_leaf)
    ]


def tree_flatten_with_path(tree: Any, is_leaf: IsLeaf = None) -> tuple[list[tuple[tuple[Any, ...], Any]], TreeSpec]:
    """The leaves, each with its path, and the form."""
    return tree_leaves_with_path(tree, is_leaf), tree_structure(tree, is_leaf)


def tree_map_with_path(func: Callable[..., Any], tree: Any, *rests: Any, is_leaf: IsLeaf = None) -> Any:
    """`tree_map` of a function that takes the path first."""
    found, form = tree_flatten_with_path(tree, is_leaf)
    columns = (form.flatten_up_to(rest) for rest in rests)
    return form.unflatten(map(func, [path for path, _ in found], [leaf for _, leaf in found], *columns))


def keystr(kp: tuple[Any, ...]) -> str:
    """A path as Python would write it: `['a'][0].name`."""
    return "".join(map(str, kp))


__getattr__ = missing(__name__, __all__)
