"""Control flow over tensors: Python's where conditions are known, the graph's while a function is recorded."""

from __future__ import annotations

import builtins
import functools
from collections.abc import Callable
from typing import Any

import duograph.torch as torch
from duograph.ops import loops

from . import dtypes
from .autograph import flow
from .autograph.symbolic import is_symbolic
from .errors import InvalidArgumentError
from .structure import flatten, map_structure, pack_like
from .tensors import convert_to_tensor
from .text import is_text

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


def cond(
    pred: Any, true_fn: Callable[[], Any] | None = None, false_fn: Callable[[], Any] | None = None,
    name: str | None = None,
) -> Any:  # fmt: skip
    """What `true_fn` returns if `pred`, else what `false_fn` does.

    Where the value of `pred` is known only one of them is called; while a `tf.function` is recorded, both are, and
    become branches of the graph.

    Raises:
        TypeError: A function is not given, or the branches differ in structure or dtype.
    """
    if not (callable(true_fn) and callable(false_fn)):
        raise TypeError(f"tf.cond expected true_fn and false_fn to be callable. Received: {true_fn!r}, {false_fn!r}")
    if not is_symbolic(pred):
        return true_fn() if bool(pred) else false_fn()
    return flow.choose_value(pred, true_fn, false_fn, "the result of tf.cond")


def case(
    pred_fn_pairs: Any,
    default: Callable[[], Any] | None = None,
    exclusive: bool = False,
    strict: bool = False,
    name: str = "case",
) -> Any:
    """What the function of the first true predicate returns, or `default`: as nested `tf.cond`.

    Raises:
        ValueError: No predicate is true and there is no default.
        InvalidArgumentError: More than one is true, with `exclusive`.
    """
    pairs = list(pred_fn_pairs.items() if isinstance(pred_fn_pairs, dict) else pred_fn_pairs)
    known = not any(is_symbolic(pred) for pred, _ in pairs)
    if exclusive and known and sum(bool(pred) for pred, _ in pairs) > 1:
        raise InvalidArgumentError("tf.case: more than one predicate is true, and exclusive=True")
    if not pairs:
        return _needed(default)()
    (pred, function), *rest = pairs
    if not rest and default is None and is_symbolic(pred):
        return function()  # the last one is what is left, as in TensorFlow
    return cond(pred, function, lambda: case(rest, default))


def _needed(default: Callable[[], Any] | None) -> Callable[[], Any]:
    if default is None:
        raise ValueError("tf.case: no predicate is true and there is no default")
    return default


def switch_case(
    branch_index: Any, branch_fns: Any, default: Callable[[], Any] | None = None, name: str = "switch_case"
) -> Any:
    """What the branch of that index returns; outside the range `default`, or else the last."""
    pairs = branch_fns.items() if isinstance(branch_fns, dict) else enumerate(branch_fns)
    branches: dict[int, Callable[[], Any]] = dict(
        pair[1] if isinstance(pair[1], tuple) else pair
        for pair in pairs  # functions, or (index, function)
    )
    last = default or branches[max(branches)]
    if not is_symbolic(branch_index):
        return branches.get(int(branch_index), last)()
    index = convert_to_tensor(branch_index)
    others = [(index == k, function) for k, function in branches.items() if default is not None or function is not last]
    return case(others, last)


def while_loop(
    cond: Callable[..., Any],
    body: Callable[..., Any],
    loop_vars: Any,
    shape_invariants: Any = None,
    parallel_iterations: int = 10,
    back_prop: bool = True,
    swap_memory: bool = False,
    maximum_iterations: Any = None,
    name: str | None = None,
) -> Any:
    """`body` applied to the loop variables while `cond` holds, at most `maximum_iterations` times.

    Outside of a `tf.function`, and where the condition is known, `cond` and `body` are called at each turn; otherwise
    they are recorded once, and the loop is one of the graph.

    Raises:
        TypeError: `cond` or `body` is not callable, or a variable has another structure or dtype after a turn.
        ValueError: A variable has another shape after a turn and `shape_invariants` is not given, or `body` returns
            another number of variables.
    """
    if not (callable(cond) and callable(body)):
        raise TypeError("tf.while_loop expected cond and body to be callable")
    if not loop_vars:
        raise ValueError("tf.while_loop expected loop variables. Received: none")
    count, form = 0, type(loop_vars) if isinstance(loop_vars, tuple | list) else None
    given = list(loop_vars) if form is not None else [loop_vars]

    def turn(*values: Any) -> list[Any]:
        found = body(*values)
        made = list(found) if isinstance(found, tuple | list) and not (form is None and len(given) == 1) else [found]
        if len(made) != len(given):
            raise ValueError(f"tf.while_loop expected body to return {len(given)} variables. Received: {len(made)}")
        return made

    while maximum_iterations is None or is_symbolic(maximum_iterations) or count < int(maximum_iterations):
        going = cond(*given)
        if is_symbolic(going) or is_symbolic(maximum_iterations):
            names = [f"loop variable {k}" for k in builtins.range(len(given))]
            limit = None if maximum_iterations is None else maximum_iterations - count
            given = flow.repeat(cond, turn, given, names, turns=limit, shapes_vary=shape_invariants is not None)
            break
        if not bool(going):
            break
        given = turn(*given)
        count += 1
    if form is None:
        return given[0]
    return form(*given) if hasattr(form, "_fields") else form(given)


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
    func: Callable[..., Any] | None = None, inp: Any = None, Tout: Any = None, stateful: bool = True,
    name: str | None = None,
) -> Any:  # fmt: skip
    """`func` of the inputs as NumPy arrays; its results as tensors of the dtypes `Tout`. No gradient flows back.

    Without `func` a decorator, which makes a function of tensors.
    """
    if func is None:
        return lambda function: functools.wraps(function)(
            lambda *inputs: numpy_function(function, inputs, Tout, stateful, name)
        )
    results = func(*(_array(x) for x in inp))
    if isinstance(Tout, list | tuple):
        return [_of_dtype(r, d) for r, d in zip(results, Tout, strict=True)]
    return _of_dtype(results, Tout)


def py_function(
    func: Callable[..., Any] | None = None, inp: Any = None, Tout: Any = None, name: str | None = None
) -> Any:
    """`func` of the inputs as tensors; gradients flow through what it does with them. Without `func` a decorator."""
    if func is None:
        return lambda function: functools.wraps(function)(lambda *inputs: py_function(function, inputs, Tout, name))
    results = func(*(convert_to_tensor(x) for x in inp))
    if isinstance(Tout, list | tuple):
        return [_of_dtype(r, d) for r, d in zip(results, Tout, strict=True)]
    return _of_dtype(results, Tout)


def _array(x: Any) -> Any:
    tensor = convert_to_tensor(x)
    return tensor.numpy() if is_text(tensor) else tensor.detach().numpy()


def _of_dtype(result: Any, dtype: Any) -> Any:
    """What a function of Python's gave, as a tensor of the dtype that was promised."""
    made = convert_to_tensor(result)
    return made if is_text(made) else made.to(dtypes.as_dtype(dtype))


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
