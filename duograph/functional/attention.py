"""Attention: scaled dot products, and the splitting and joining of heads around them."""

from __future__ import annotations

import math

from ..graph import language as g
from ..graph.composite import composite
from ..graph.dtype import bool_
from ..graph.node import Node, Shape
from ..graph.primitives.rules import broadcast_shapes
from .activation import softmax
from .checks import check_argument, check_floating, check_same_dtype, check_shape, widen
from .dropout import kept
from .linear import band, linear

FEWEST_QUERIES = 8
"""For fewer, as when a text is written word by word, the weights are no larger than what they are made of, and a kernel
that takes queries in blocks would waste most of its work."""


@composite
def scaled_dot_product_attention(
    query: Node,
    key: Node,
    value: Node,
    mask: Node | None = None,
    seed: Node | None = None,
    offset: Node | None = None,
    *,
    is_causal: bool = False,
    scale: float | None = None,
    dropout_p: float = 0.0,
    enable_gqa: bool = False,
) -> Node:
    """softmax(query @ key.T * scale + mask) @ value (Vaswani et al. 2017).

    `query` is `[..., L, E]`, `key` `[..., S, E]`, `value` `[..., S, Ev]`, the result `[..., L, Ev]`. `mask` broadcasts
    to `[..., L, S]`: a bool mask says where to look, a float one is added. `is_causal` looks at no later position.
    `scale` is 1 / sqrt(E) where None. Dropout of the weights needs `seed` and `offset` (0-d uint64). With
    `enable_gqa` the heads, third axis from the end, of key and value are repeated to those of the query. A row that
    may look nowhere gives zeros.
    """
    _check(query, key, mask, is_causal)
    check_same_dtype(query=query, value=value)
    check_shape(
        value.ndim >= 2 and value.shape[-2] == key.shape[-2], "value", f"{key.shape[-2]} rows, as key has", value
    )
    if dropout_p > 0 or query.shape[-2] < FEWEST_QUERIES:
        weights = attention_weights(
            query, key, mask, seed, offset, is_causal=is_causal, scale=scale, dropout_p=dropout_p, enable_gqa=enable_gqa
        )
        return g.matmul(weights, _repeated(value, query) if enable_gqa else value)
    shared = enable_gqa and _heads(key, query) == _heads(value, query)
    if enable_gqa and not shared:
        key, value = _repeated(key, query), _repeated(value, query)
    leads = [x.shape[:-2] for x in (query, key, value)]
    if shared:  # one head of keys and values is read by several of queries
        leads[1:] = [(*lead[:-1], 1) for lead in leads[1:]]
    lead = broadcast_shapes(*leads)
    heads = lead[-1] if lead else 1
    wide_key, wide_value = (_four_axes(x, lead, x.shape[-3] if shared else heads) for x in (key, value))
    if mask is not None:
        mask = _mask_of_four_axes(mask, (*lead, query.shape[-2], key.shape[-2]), query)
    factor = _factor(query, scale)
    query = _four_axes(query, lead, heads)
    result = g.attention(query, wide_key, wide_value, mask, scale=factor, is_causal=is_causal)
    return g.reshape(result, (*lead, *result.shape[-2:]))


@composite
def attention_weights(
    query: Node,
    key: Node,
    mask: Node | None = None,
    seed: Node | None = None,
    offset: Node | None = None,
    *,
    is_causal: bool = False,
    scale: float | None = None,
    dropout_p: float = 0.0,
    enable_gqa: bool = False,
) -> Node:
    """The weights `[..., L, S]` of `scaled_dot_product_attention`."""
    _check(query, key, mask, is_causal)
    if enable_gqa:
        key = _repeated(key, query)
    scores = widen(g.matmul(query * _factor(query, scale), g.transpose(key)))
    if is_causal:
        scores = g.select(band(scores.shape[-2], scores.shape[-1], 0), scores, -math.inf)
    elif mask is not None:
        scores = _masked(scores, mask, query)
    weights = softmax(scores, axis=-1) if mask is None else _softmax_or_zeros(scores)
    if dropout_p > 0:
        check_argument(seed is not None and offset is not None, "dropout_p", "0 without seed and offset", dropout_p)
        assert seed is not None
        assert offset is not None
        stays = kept(seed, offset, weights.shape, dropout_p)
        weights = g.select(stays, weights * (1 / (1 - dropout_p) if dropout_p < 1 else 0), 0)
    return g.cast(weights, query.dtype)


@composite
def projected_heads(x: Node, weight: Node, bias: Node | None = None, *, heads: int) -> Node:
    """`x [..., T, in]` mapped by `weight [heads * E, in]` and split: `[..., heads, T, E]`."""
    check_shape(x.ndim >= 2, "x", "[..., positions, features]", x)
    check_shape(weight.ndim == 2 and weight.shape[0] % heads == 0, "weight", f"a multiple of {heads} rows", weight)
    return split_heads(linear(x, weight, bias), heads=heads)


@composite
def split_heads(x: Node, *, heads: int) -> Node:
    """`[..., T, heads * E]` as `[..., heads, T, E]`."""
    check_shape(x.ndim >= 2 and x.shape[-1] % heads == 0, "x", f"a multiple of {heads} features in the last axis", x)
    return g.transpose(g.reshape(x, (*x.shape[:-1], heads, x.shape[-1] // heads)), -3, -2)


@composite
def join_heads(x: Node) -> Node:
    """`[..., heads, T, E]` as `[..., T, heads * E]`."""
    check_shape(x.ndim >= 3, "x", "[..., heads, positions, features]", x)
    y = g.transpose(x, -3, -2)
    return g.reshape(y, (*y.shape[:-2], y.shape[-2] * y.shape[-1]))


def _check(query: Node, key: Node, mask: Node | None, is_causal: bool) -> None:
    check_floating(query=query)
    check_same_dtype(query=query, key=key)
    check_argument(not is_causal or mask is None, "is_causal", "False where a mask is given", is_causal)
    for name, x in (("query", query), ("key", key)):
        check_shape(x.ndim >= 2, name, "[..., positions, features]", x)
    check_shape(key.shape[-1] == query.shape[-1], "key", f"{query.shape[-1]} features, as query has", key)


def _factor(query: Node, scale: float | None) -> float:
    return 1 / math.sqrt(max(query.shape[-1], 1)) if scale is None else scale


def _heads(x: Node, query: Node) -> int:
    """The heads of keys or values, each of which as many heads of queries read."""
    for name, t in (("query", query), ("key and value", x)):
        check_shape(t.ndim >= 3, name, "[..., heads, positions, features] with enable_gqa", t)
    heads = x.shape[-3]
    fits = query.shape[-3] % heads == 0 if heads else not query.shape[-3]
    check_shape(fits, "query", f"a multiple of {heads} heads, those of key and value", query)
    return heads


def _repeated(x: Node, query: Node) -> Node:
    """The heads of `x` repeated to as many as `query` has, each standing beside its copies."""
    heads, wanted = _heads(x, query), query.shape[-3]
    spread = g.broadcast_to(g.expand_dims(x, -3), (*x.shape[:-2], wanted // max(heads, 1), *x.shape[-2:]))
    return g.reshape(spread, (*x.shape[:-3], wanted, *x.shape[-2:]))


def _four_axes(x: Node, lead: Shape, heads: int) -> Node:
    """`[..., positions, features]` as `[N, heads, positions, features]`, where `lead` is [*batch, heads of queries]."""
    batch = lead[:-1]
    return g.reshape(g.broadcast_to(x, (*batch, heads, *x.shape[-2:])), (math.prod(batch), heads, *x.shape[-2:]))


def _mask_of_four_axes(mask: Node, scores: Shape, query: Node) -> Node:
    """A mask that broadcasts to `scores`, [*batch, heads, L, S], as one of [N or 1, heads or 1, L or 1, S]."""
    _check_mask(mask, scores, query)
    *batch, heads, rows, _ = (1,) * (max(len(scores), 3) - mask.ndim) + mask.shape
    whole = scores[:-3]
    if any(size != 1 for size in batch):
        batch = list(whole)
    wide = g.broadcast_to(mask, (*batch, heads, rows, scores[-1]))
    return g.reshape(wide, (math.prod(batch), heads, rows, scores[-1]))


def _check_mask(mask: Node, scores: Shape, query: Node) -> None:
    holds = mask.ndim <= len(scores) and broadcast_shapes(mask.shape, scores) == scores
    check_shape(holds, "mask", f"a shape that broadcasts to {list(scores)}", mask)
    if mask.dtype is not bool_:
        check_same_dtype(query=query, mask=mask)


def _masked(scores: Node, mask: Node, query: Node) -> Node:
    _check_mask(mask, scores.shape, query)
    return g.select(mask, scores, -math.inf) if mask.dtype is bool_ else scores + widen(mask)


def _softmax_or_zeros(scores: Node) -> Node:
    """The softmax of the last axis; where that is all -inf, and the softmax would be NaN, zeros."""
    nowhere = g.equal(g.max(scores, -1, keepdims=True), -math.inf)
    return g.select(nowhere, 0, softmax(g.select(nowhere, 0, scores), axis=-1))
