"""Attention: the weighted means of values, each weight the softmax of a scaled product of a query and a key.

    attention = P value,    P = softmax(S) over keys,    S = scale * query keyᵀ + mask

Query `[N, H, L, E]`, key `[N, G, S, E]` and value `[N, G, S, V]`, where G divides H: as many heads of queries share one
of keys and values. The mask, if there is one, is `[N or 1, H or 1, L or 1, S]`: of bools, where to look, or numbers
that are added. `is_causal` looks at no key whose number is greater than the query's. A query that may look nowhere
gives zeros.

A compiled one keeps no matrix P in memory, and so one operation is more than its parts. With dP = dy valueᵀ and
dS = P * (dP - sum(P * dP) over keys), the gradients, operations of their own, are

    scale * dS key        scale * dSᵀ query        Pᵀ dy

Their gradients in turn, and that of a mask, are made of ordinary products.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np

from .. import language as lang
from ..dtype import DType, bool_, float32
from ..errors import ArgumentError, DTypeError, ShapeError
from ..node import Node, Primitive, Sample, Shape, register
from .rules import same_dtype
from .samples import uniform

GRADIENTS = "attention_query_gradient", "attention_key_gradient", "attention_value_gradient"


# Rules.


def _shape(*shapes: Shape, is_causal: bool, scale: float) -> Shape:
    if len(shapes) not in (3, 4):
        raise ArgumentError(f"attention takes query, key, value and perhaps a mask. Received: {len(shapes)} inputs")
    query, key, value, *masks = shapes
    heads_fit = (
        len(query) == len(key) == len(value) == 4
        and query[0] == key[0] == value[0]
        and key[1] == value[1]
        and (query[1] % key[1] == 0 if key[1] else not query[1])
    )
    if not heads_fit or query[3] != key[3] or key[2] != value[2]:
        raise ShapeError(
            "attention: expected query [N, H, L, E], key [N, G, S, E] and value [N, G, S, V], where G divides H. "
            f"Received: {query}, {key}, {value}"
        )
    full = (*query[:3], key[2])
    for mask in masks:
        if len(mask) != 4 or mask[3] != full[3] or any(m not in (1, n) for m, n in zip(mask, full, strict=True)):
            raise ShapeError(f"attention: expected a mask of shape {full}, or with 1 before keys. Received: {mask}")
    return (*query[:3], value[3])


def _gradient_shape(of: int) -> Callable[..., Shape]:
    def rule(*shapes: Shape, is_causal: bool, scale: float) -> Shape:
        expected = _shape(*shapes[:3], *shapes[4:], is_causal=is_causal, scale=scale)
        if len(shapes) < 4 or shapes[3] != expected:
            raise ShapeError(f"the gradient of attention: expected dy of shape {expected}. Received: {shapes[3:4]}")
        return shapes[of]

    return rule


def _dtype(count: int) -> Callable[..., DType]:
    """Of `count` floating-point inputs and perhaps a mask."""
    floats = same_dtype("float")

    def rule(*dtypes: DType, **_: Any) -> DType:
        found = floats(*dtypes[:count])
        if len(dtypes) > count and dtypes[count] not in (found, bool_):
            raise DTypeError(f"attention: expected a mask of {found.name} or bool. Received: {dtypes[count].name}")
        return found

    return rule


# Meaning.


def _grouped(x: np.ndarray, heads: int) -> np.ndarray:
    """`[N, H, ...]` as `[N, G, H / G, ...]`."""
    return x.reshape(x.shape[0], heads, x.shape[1] // max(heads, 1), *x.shape[2:])


def _weights(query: np.ndarray, key: np.ndarray, masks: Sequence[np.ndarray], causal: bool, scale: float) -> np.ndarray:
    """`[N, H, L, S]`."""
    shape = (*query.shape[:3], key.shape[2])
    products = _grouped(query, key.shape[1]) @ key[:, :, None].swapaxes(-1, -2)
    scores = products.reshape(shape) * query.dtype.type(scale)
    for mask in masks:
        scores = np.where(mask, scores, -np.inf) if mask.dtype == bool else scores + mask
    if causal:
        scores = np.where(np.tri(*shape[2:]) > 0, scores, -np.inf)
    peak = np.max(scores, -1, initial=-np.inf, keepdims=True)
    if masks:
        peak = np.where(peak == -np.inf, 0, peak)
    weights = np.exp(scores - peak).astype(query.dtype)
    total = weights.sum(-1, keepdims=True)
    return np.where(total == 0, 0, weights / np.where(total == 0, 1, total))


def _attention(
    query: np.ndarray, key: np.ndarray, value: np.ndarray, *masks: np.ndarray, is_causal: bool, scale: float
) -> np.ndarray:
    weights = _weights(query, key, masks, is_causal, scale)
    mean = _grouped(weights, key.shape[1]) @ value[:, :, None]
    return mean.reshape(*query.shape[:3], value.shape[3])


def _slopes(weights: np.ndarray, value: np.ndarray, dy: np.ndarray) -> np.ndarray:
    """The gradient of the scores."""
    slopes = (_grouped(dy, value.shape[1]) @ value[:, :, None].swapaxes(-1, -2)).reshape(weights.shape)
    return weights * (slopes - (weights * slopes).sum(-1, keepdims=True))


def _query_gradient(
    query: np.ndarray, key: np.ndarray, value: np.ndarray, dy: np.ndarray, *masks: np.ndarray,
    is_causal: bool, scale: float,
) -> np.ndarray:  # fmt: skip
    slopes = _slopes(_weights(query, key, masks, is_causal, scale), value, dy) * query.dtype.type(scale)
    return (_grouped(slopes, key.shape[1]) @ key[:, :, None]).reshape(query.shape)


def _key_gradient(
    query: np.ndarray, key: np.ndarray, value: np.ndarray, dy: np.ndarray, *masks: np.ndarray,
    is_causal: bool, scale: float,
) -> np.ndarray:  # fmt: skip
    slopes = _slopes(_weights(query, key, masks, is_causal, scale), value, dy) * query.dtype.type(scale)
    heads = key.shape[1]
    return (_grouped(slopes, heads).swapaxes(-1, -2) @ _grouped(query, heads)).sum(2, dtype=query.dtype)


def _value_gradient(
    query: np.ndarray, key: np.ndarray, value: np.ndarray, dy: np.ndarray, *masks: np.ndarray,
    is_causal: bool, scale: float,
) -> np.ndarray:  # fmt: skip
    weights, heads = _weights(query, key, masks, is_causal, scale), value.shape[1]
    return (_grouped(weights, heads).swapaxes(-1, -2) @ _grouped(dy, heads)).sum(2, dtype=query.dtype)


# Gradients.


class _Parts(NamedTuple):
    """One call in ordinary operations, its heads `[N, G, H / G, ...]`, keys and values repeated for each group."""

    node: Node
    query: Node
    key: Node
    value: Node
    weights: Node

    @classmethod
    def of(cls, node: Node, masks: Sequence[Node]) -> _Parts:
        query, key, value = map(_widened, node.inputs[:3])
        groups = key.shape[1]
        query, key, value = _split(query, groups), _spread(key, query), _spread(value, query)
        scores = lang.matmul(query, lang.transpose(key)) * node["scale"]
        for mask in masks:
            mask = _widened(mask)
            grouped = _split(mask, groups) if mask.shape[1] > 1 else lang.expand_dims(mask, 2)
            scores = lang.select(grouped, scores, -math.inf) if mask.dtype is bool_ else scores + grouped
        if node["is_causal"]:
            scores = lang.select(lang.band(lang.full(scores.shape[-2:], 1, bool_), None, 0), scores, -math.inf)
        if not scores.shape[-1]:
            return cls(node, query, key, value, scores)
        peak = lang.max(scores, -1, keepdims=True)
        if masks:
            peak = lang.select(lang.equal(peak, -math.inf), 0, peak)
        weights = lang.exp(scores - lang.stop_gradient(peak))
        total = lang.sum(weights, -1, keepdims=True)
        return cls(node, query, key, value, weights / lang.select(lang.equal(total, 0), 1, total))

    def slopes(self, back: Node) -> Node:
        """The gradient of the scores, from that of the weights."""
        return self.weights * (back - lang.sum(self.weights * back, -1, keepdims=True))

    def of_query(self, x: Node) -> Node:
        """`[N, G, H / G, L, *]` as `[N, H, L, *]`."""
        return lang.reshape(x, (*self.node.inputs[0].shape[:3], x.shape[-1]))

    def of_key(self, x: Node) -> Node:
        """`[N, G, H / G, S, *]` summed over the heads that share keys."""
        return lang.sum(x, 2)


def _widened(x: Node) -> Node:
    """16-bit floats are computed in float32, and rounded once where the cotangent is handed on."""
    return lang.cast(x, float32) if x.dtype.is_half else x


def _split(x: Node, groups: int) -> Node:
    return lang.reshape(x, (x.shape[0], groups, x.shape[1] // max(groups, 1), *x.shape[2:]))


def _spread(x: Node, query: Node) -> Node:
    """Keys or values, one for each head of queries."""
    share = query.shape[1] // max(x.shape[1], 1)
    return lang.broadcast_to(lang.expand_dims(x, 2), (*x.shape[:2], share, *x.shape[2:]))


def _attention_gradient(node: Node, dy: Node) -> Sequence[Node | None]:
    query, key, value, *masks = node.inputs
    found = [lang.apply(name, query, key, value, dy, *masks, **dict(node.attributes)) for name in GRADIENTS]
    if not masks:
        return found
    if masks[0].dtype is bool_:
        return (*found, None)
    parts = _Parts.of(node, masks)
    slopes = parts.slopes(lang.matmul(_split(_widened(dy), key.shape[1]), lang.transpose(parts.value)))
    return (*found, lang.sum_to(parts.of_query(slopes), masks[0].shape))


def _gradient_of_value(node: Node, dv: Node) -> Sequence[Node | None]:
    """<w, Pᵀ dy> = <P w, dy> for a cotangent w: attention with w in the place of the values."""
    query, key, _, dy, *masks = node.inputs
    attributes = dict(node.attributes)
    mean = lang.apply("attention", query, key, dv, *masks, **attributes)
    dq, dk, _, *dm = _attention_gradient(mean, dy)
    return (dq, dk, None, mean, *dm)


def _gradient_of(scores_from: str) -> Callable[[Node, Node], Sequence[Node | None]]:
    """Of scale * dS key (`"query"`) and scale * dSᵀ query (`"key"`), for a cotangent u.

    Both are linear in dS, of which the cotangent is scale * u keyᵀ or scale * query uᵀ. From there it goes on to dP,
    and in two ways to P.
    """

    def rule(node: Node, u: Node) -> Sequence[Node | None]:
        query, key, _, dy, *masks = node.inputs
        parts, scale = _Parts.of(node, masks), node["scale"]
        dy, u = _split(_widened(dy), key.shape[1]), _widened(u)
        u = _split(u, key.shape[1]) if scores_from == "query" else _spread(u, query)
        pair = (u, parts.key) if scores_from == "query" else (parts.query, u)
        back = lang.matmul(pair[0], lang.transpose(pair[1])) * scale
        dp = lang.matmul(dy, lang.transpose(parts.value))
        mean_back, mean_dp = (lang.sum(parts.weights * x, -1, keepdims=True) for x in (back, dp))
        of_weights = back * (dp - mean_dp) - mean_back * dp
        scores, of_dp = parts.slopes(of_weights), parts.slopes(back)
        slopes = parts.slopes(dp) * scale
        dq = lang.matmul(scores, parts.key) * scale
        dk = lang.matmul(lang.transpose(scores), parts.query) * scale
        if scores_from == "query":
            dk = dk + lang.matmul(lang.transpose(slopes), u)
        else:
            dq = dq + lang.matmul(slopes, u)
        found = (
            parts.of_query(dq),
            parts.of_key(dk),
            parts.of_key(lang.matmul(lang.transpose(of_dp), dy)),
            parts.of_query(lang.matmul(of_dp, parts.value)),
        )
        added = [None if m.dtype is bool_ else lang.sum_to(parts.of_query(scores), m.shape) for m in masks]
        return (*found, *added)

    return rule


# Records.


def _samples(gradient: bool) -> Callable[[], Iterable[Sample]]:
    cases: list[tuple[Shape, Shape, int, Shape | None, type, bool]] = [
        # query, key, features of a value, mask, its type, causal
        ((1, 1, 1, 1), (1, 1, 1, 1), 1, None, float, False),
        ((2, 3, 5, 4), (2, 3, 7, 4), 6, None, float, False),
        ((1, 2, 9, 3), (1, 2, 9, 3), 3, None, float, True),
        ((2, 4, 5, 2), (2, 2, 3, 2), 3, (2, 4, 5, 3), float, False),
        ((2, 2, 6, 3), (2, 1, 4, 3), 2, (2, 1, 1, 4), bool, False),
        ((1, 2, 3, 2), (1, 2, 5, 2), 1, (1, 2, 3, 5), bool, True),
        ((2, 2, 0, 3), (2, 2, 4, 3), 2, None, float, False),
        ((1, 2, 3, 2), (1, 2, 0, 2), 2, None, float, False),
        ((1, 2, 21, 19), (1, 1, 35, 19), 18, (1, 1, 1, 35), float, True),
    ]

    def samples() -> Iterable[Sample]:
        for query, key, features, mask, kind, causal in cases:
            value, y = (*key[:3], features), (*query[:3], features)
            inputs = [uniform(-2, 2, *query), uniform(-1, 2, *key), uniform(-3, 2, *value)]
            if gradient:
                inputs.append(uniform(-1, 1, *y))
            if mask is not None:
                inputs.append(uniform(-1, 2, *mask) if kind is float else uniform(-1, 2, *mask) > 0)
            yield Sample(tuple(inputs), {"is_causal": causal, "scale": 0.4})

    return samples


def _torch_attention(torch: Any, query: Any, key: Any, value: Any, *masks: Any, is_causal: bool, scale: float) -> Any:
    mask = torch.ones(query.shape[2], key.shape[2], dtype=torch.bool).tril() if is_causal else None
    for given in masks:
        if mask is None:
            mask = given
        elif given.dtype is torch.bool:
            mask = mask & given
        else:
            mask = given.masked_fill(~mask, -math.inf)
    return torch.nn.functional.scaled_dot_product_attention(
        query, key, value, mask, scale=scale, enable_gqa=query.shape[1] != key.shape[1]
    )


def _torch_gradient(of: int) -> Callable[..., Any]:
    def gradient(torch: Any, query: Any, key: Any, value: Any, dy: Any, *masks: Any, **attributes: Any) -> Any:
        operands = [x.detach().requires_grad_() for x in (query, key, value)]
        y = _torch_attention(torch, *operands, *masks, **attributes)
        return torch.autograd.grad(y, operands[of], dy)[0]

    return gradient


register(
    Primitive(
        name="attention",
        kind="attention",
        arity=None,
        attributes=("is_causal", "scale"),
        shape=_shape,
        dtype=_dtype(3),
        evaluate=_attention,
        gradient=_attention_gradient,
        torch=_torch_attention,
        samples=_samples(False),
    )
)
for _place, (_name, _evaluate, _rule) in enumerate(
    (
        (GRADIENTS[0], _query_gradient, _gradient_of("query")),
        (GRADIENTS[1], _key_gradient, _gradient_of("key")),
        (GRADIENTS[2], _value_gradient, _gradient_of_value),
    )
):
    register(
        Primitive(
            name=_name,
            kind="attention",
            arity=None,
            attributes=("is_causal", "scale"),
            shape=_gradient_shape(_place),
            dtype=_dtype(4),
            evaluate=_evaluate,
            gradient=_rule,
            torch=_torch_gradient(_place),
            samples=_samples(True),
        )
    )
