"""Attention under PyTorch's names and arguments."""

from __future__ import annotations

from typing import Any

from ...functional import attention
from ...graph.dtype import bool_
from ...graph.errors import ArgumentError, ShapeError
from ...ops import FUNCTIONS
from ...ops.random import default_generator
from ...tensor.core import Tensor, apply
from .dense import linear
from .image import pad

_cat = FUNCTIONS["cat"]


def scaled_dot_product_attention(
    query: Tensor, key: Tensor, value: Tensor, attn_mask: Tensor | None = None, dropout_p: float = 0.0,
    is_causal: bool = False, scale: float | None = None, enable_gqa: bool = False,
) -> Tensor:  # fmt: skip
    """softmax(query @ key.T * scale + mask) @ value; True in a bool mask is where to look."""
    seed, offset = default_generator.draw(_weights(query, key)) if dropout_p > 0 else (None, None)
    return apply(attention.scaled_dot_product_attention, (query, key, value, attn_mask, seed, offset), (
        ("is_causal", is_causal), ("scale", scale), ("dropout_p", dropout_p), ("enable_gqa", enable_gqa),
    ))  # fmt: skip


def _weights(query: Tensor, key: Tensor) -> int:
    return query.numel() // max(query.shape[-1], 1) * key.shape[-2]


def multi_head_attention_forward(
    query: Any, key: Any, value: Any, embed_dim_to_check: int, num_heads: int, in_proj_weight: Any, in_proj_bias: Any,
    bias_k: Any, bias_v: Any, add_zero_attn: bool, dropout_p: float, out_proj_weight: Any, out_proj_bias: Any,
    training: bool = True, key_padding_mask: Any = None, need_weights: bool = True, attn_mask: Any = None,
    use_separate_proj_weight: bool = False, q_proj_weight: Any = None, k_proj_weight: Any = None,
    v_proj_weight: Any = None, static_k: Any = None, static_v: Any = None, average_attn_weights: bool = True,
    is_causal: bool = False,
) -> tuple[Tensor, Tensor | None]:  # fmt: skip
    """Attention in `num_heads` parts (Vaswani et al. 2017): [L, N, E], or [L, E]; gives the output and the weights.

    In masks True is where *not* to look, as PyTorch has it here. The weights are averaged over heads unless
    `average_attn_weights` is False; None without `need_weights`.
    """
    batched = query.ndim == 3
    if query.ndim not in (2, 3):
        raise ShapeError(
            f"multi-head attention: query: expected [L, N, E] or [L, E]. Received: shape {tuple(query.shape)}"
        )
    if not batched:
        query, key, value = (x.unsqueeze(1) for x in (query, key, value))
        if key_padding_mask is not None:
            key_padding_mask = key_padding_mask.unsqueeze(0)
    length, batch, features = query.shape
    if features != embed_dim_to_check:
        raise ShapeError(f"multi-head attention: query: expected {embed_dim_to_check} features. Received: {features}")
    if is_causal and attn_mask is None:
        raise ArgumentError("multi-head attention: is_causal only says what attn_mask is: pass attn_mask too")
    separate = (q_proj_weight, k_proj_weight, v_proj_weight)
    weights = separate if use_separate_proj_weight else in_proj_weight.chunk(3)
    biases = (None,) * 3 if in_proj_bias is None else in_proj_bias.chunk(3)
    q, k, v = (linear(x, w, b) for x, w, b in zip((query, key, value), weights, biases, strict=True))
    if bias_k is not None and bias_v is not None:
        k, v = (_cat([x, b.expand(1, batch, b.shape[-1])]) for x, b in ((k, bias_k), (v, bias_v)))

    def heads(x: Any) -> Any:
        """[T, N, heads * E] as [N, heads, T, E]."""
        return x.reshape(x.shape[0], batch, num_heads, x.shape[-1] // num_heads).permute(1, 2, 0, 3)

    q, k, v = heads(q), heads(k), heads(v)
    if static_k is not None:
        k = static_k.reshape(batch, num_heads, *static_k.shape[1:])
    if static_v is not None:
        v = static_v.reshape(batch, num_heads, *static_v.shape[1:])
    if add_zero_attn:
        k, v = pad(k, (0, 0, 0, 1)), pad(v, (0, 0, 0, 1))
    added = k.shape[2] - key.shape[0]
    mask = _merged_mask(attn_mask, key_padding_mask, q, batch, num_heads, added)
    drop = dropout_p if training else 0.0
    if not need_weights:
        attended = scaled_dot_product_attention(q, k, v, mask, drop)
        shares = None
    else:
        seed, offset = default_generator.draw(_weights(q, k)) if drop > 0 else (None, None)
        shares = apply(attention.attention_weights, (q, k, mask, seed, offset), (("dropout_p", drop),))
        attended = shares @ v
    output = attended.permute(2, 0, 1, 3).reshape(length, batch, v.shape[-1] * num_heads)
    output = linear(output, out_proj_weight, out_proj_bias)
    if shares is not None and average_attn_weights:
        shares = shares.mean(1)
    if not batched:
        output = output.squeeze(1)
        shares = None if shares is None else shares.squeeze(0)
    return output, shares


def _merged_mask(mask: Any, padding: Any, q: Any, batch: int, heads: int, added: int) -> Any:
    """One mask in which True is where to look (or numbers to add), for [N, heads, L, S]."""
    if mask is not None:
        if mask.ndim == 2:
            mask = mask[None, None]
        elif mask.ndim == 3:
            mask = mask.reshape(batch, heads, *mask.shape[1:])
        else:
            raise ShapeError(
                f"multi-head attention: attn_mask: expected [L, S] or [N * heads, L, S]. Received: {tuple(mask.shape)}"
            )
    if padding is not None:
        padding = padding[:, None, None, :]
    masks = [m if not added else pad(m, (0, added)) for m in (mask, padding) if m is not None]
    if not masks:
        return None
    if all(m.dtype is bool_ for m in masks):
        hidden = masks[0] if len(masks) == 1 else masks[0] | masks[1]
        return ~hidden
    zeros = q.new_zeros(())
    numbers = [zeros.masked_fill(m, float("-inf")) if m.dtype is bool_ else m.to(q.dtype) for m in masks]
    return numbers[0] if len(numbers) == 1 else numbers[0] + numbers[1]
