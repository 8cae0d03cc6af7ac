"""Control flow over tensors. It runs in Python, and the operations of the path taken are recorded; a `scan` is one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import duograph.torch as torch
from duograph.ops import loops

from . import dtypes
from .structure import flatten, map_structure, pack_like
from .tensors import convert_to_tensor

__all__ = [
    "case",
    "clip_by_global_norm",
    "clip_by_norm",
    "cond",
    "foldl",
    "map_fn",
    "numpy_function",
    "py_function",
    "scan",
    "switch_case",
    "while_loop",
]


def cond(pred: Any, true_fn: Callable[[], Any], false_fn: Callable[[], Any], name: str | None = None) -> Any:
    """What `true_fn` returns if `pred`, else what `false_fn` does. Reads `pred`."""
    return true_fn() if bool(pred) else false_fn()


def case(
    pred_fn_pairs: Any,
    default: Callable[[], Any] | None = None,
    exclusive: bool = False,
    strict: bool = False,
    name: str = "case",
) -> Any:
    """What the function of the first true predicate returns, or `default`."""
    for pred, function in pred_fn_pairs:
        if bool(pred):
            return function()
    if default is None:
        raise ValueError("tf.case: no predicate is true and there is no default")
    return default()


def switch_case(
    branch_index: Any, branch_fns: Any, default: Callable[[], Any] | None = None, name: str = "switch_case"
) -> Any:
    """What the branch of that index returns; outside the range `default`, or else the last."""
    branches = dict(branch_fns if isinstance(branch_fns, dict) else enumerate(branch_fns))
    return branches.get(int(branch_index), default or branches[max(branches)])()


def while_loop(
    cond: Callable[..., Any], body: Callable[..., Any], loop_vars: Any, maximum_iterations: Any = None, **_: Any
) -> Any:
    """`body` applied to the loop variables while `cond` holds. Reads the condition at each turn."""
    count = 0
    while (maximum_iterations is None or count < int(maximum_iterations)) and bool(cond(*loop_vars)):
        result = body(*loop_vars)
        loop_vars = result if isinstance(result, tuple | list) else (result,)
        count += 1
    return loop_vars


def map_fn(fn: Callable[[Any], Any], elems: Any, dtype: Any = None, fn_output_signature: Any = None, **_: Any) -> Any:
    """`fn` of each row of `elems` (or of the structure's tensors together), stacked along a new first axis.

    The results of a ragged tensor's rows may differ in length: stacked they are ragged.
    """
    from .ragged import RaggedTensor, stack

    if isinstance(elems, RaggedTensor):
        return stack([fn(row) for row in elems])
    elems = map_structure(convert_to_tensor, elems)
    if any(not t.ndim for t in flatten(elems)):
        raise ValueError("tf.map_fn expected tensors of at least one axis. Received: a scalar")
    rows = flatten(elems)[0].shape[0]
    results = [fn(map_structure(lambda t, i=i: t[i], elems)) for i in range(rows)]
    if not results:
        raise ValueError("tf.map_fn expected at least one row. Received: 0")
    columns = zip(*(flatten(r) for r in results), strict=True)
    return pack_like(results[0], [torch.stack([convert_to_tensor(x) for x in column]) for column in columns])


def scan(fn: Callable[[Any, Any], Any], elems: Any, initializer: Any = None, reverse: bool = False, **_: Any) -> Any:
    """All intermediate results of `accumulated = fn(accumulated, row)`, stacked along a new first axis.

    Without an initializer the first row is one, and the first result. `fn` is recorded once, however many rows there
    are: what it is given cannot be read.

    Raises:
        TypeError: `fn` gives another dtype than it was given.
        GraphError: `fn` reads a value.
    """
    first, stacked, _last, structure = _accumulated(fn, elems, initializer, reverse)
    if initializer is None:
        pairs = zip(first, stacked, strict=True)
        stacked = [torch.cat([s, f.unsqueeze(0)] if reverse else [f.unsqueeze(0), s]) for f, s in pairs]
    return pack_like(structure, stacked)


def foldl(fn: Callable[[Any, Any], Any], elems: Any, initializer: Any = None, **_: Any) -> Any:
    """The last of the results of `scan`."""
    found = _accumulated(fn, elems, initializer, reverse=False)
    return pack_like(found[3], found[2])


def _accumulated(
    fn: Callable[[Any, Any], Any], elems: Any, initializer: Any, reverse: bool
) -> tuple[list[Any], list[Any], list[Any], Any]:
    """What `fn` starts from, all its results, the last of them, and their structure."""
    elems = map_structure(convert_to_tensor, elems)
    rows = flatten(elems)
    structure = elems if initializer is None else initializer
    if initializer is None:
        first = [x[-1] if reverse else x[0] for x in rows]
        rows = [x[:-1] if reverse else x[1:] for x in rows]
    else:
        first = [convert_to_tensor(x) for x in flatten(initializer)]

    def step(carries: list[Any], slices: list[Any]) -> tuple[list[Any], list[Any]]:
        nonlocal structure
        found = fn(pack_like(structure, carries), pack_like(elems, slices))
        structure = found
        new = [convert_to_tensor(x) for x in flatten(found)]
        for before, after in zip(carries, new, strict=True):
            if before.dtype != after.dtype:
                raise TypeError(f"tf.scan: fn must give {before.dtype}, as it is given. Received: {after.dtype}")
        return new, new

    last, stacked = loops.scan(step, first, rows, reverse=reverse)
    return first, stacked, last, structure


def numpy_function(
    func: Callable[..., Any], inp: Any, Tout: Any, stateful: bool = True, name: str | None = None
) -> Any:
    """`func` of the inputs as NumPy arrays; its results as tensors of the dtypes `Tout`. No gradient flows back."""
    results = func(*(convert_to_tensor(x).detach().numpy() for x in inp))
    if isinstance(Tout, list | tuple):
        return [torch.tensor(r, dtype=dtypes.as_dtype(d)) for r, d in zip(results, Tout, strict=True)]
    return torch.tensor(results, dtype=dtypes.as_dtype(Tout))


def py_function(func: Callable[..., Any], inp: Any, Tout: Any, name: str | None = None) -> Any:
    """`func` of the inputs as tensors; gradients flow through what it does with them."""
    results = func(*(convert_to_tensor(x) for x in inp))
    if isinstance(Tout, list | tuple):
        return [convert_to_tensor(r).to(dtypes.as_dtype(d)) for r, d in zip(results, Tout, strict=True)]
    return convert_to_tensor(results).to(dtypes.as_dtype(Tout))


# -- gradients ---------------------------------------------------------------------------------------------------------
def clip_by_norm(t: Any, clip_norm: Any, axes: Any = None, name: str | None = None) -> Any:
    """`t` scaled so that its euclidean norm over `axes` is at most `clip_norm`."""
    from .linalg import norm

    t = convert_to_tensor(t)
    length = norm(t, axis=axes, keepdims=True)
    return t * clip_norm / torch.maximum(length, convert_to_tensor(clip_norm, length.dtype))


def clip_by_global_norm(
    t_list: Any, clip_norm: Any, use_norm: Any = None, name: str | None = None
) -> tuple[list[Any], Any]:
    """The tensors scaled so that their norm taken together is at most `clip_norm`, and that norm before."""
    from .linalg import global_norm

    length = global_norm(t_list) if use_norm is None else use_norm
    factor = clip_norm / torch.maximum(length, convert_to_tensor(clip_norm, length.dtype))
    return [None if t is None else convert_to_tensor(t) * factor for t in t_list], length
