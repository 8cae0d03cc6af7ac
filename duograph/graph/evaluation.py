"""What a node means: its primitive's `evaluate`, with the rules of 16-bit floats."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .node import Node


def evaluate(node: Node, inputs: Sequence[np.ndarray]) -> np.ndarray:
    """One node's result. 16-bit floats compute in float32 and round once, at the end."""
    op = node.op
    if not op.moves_bits and any(i.dtype.is_half for i in node.inputs):
        inputs = [x.astype(np.float32) if i.dtype.is_half else x for i, x in zip(node.inputs, inputs, strict=True)]
    with np.errstate(all="ignore"):
        result = np.asarray(op.evaluate(*inputs, **dict(node.attributes)))
        if result.dtype != node.dtype.numpy:
            result = result.astype(node.dtype.numpy)
    if result.shape != node.shape:
        raise AssertionError(f"{node!r}: evaluate gave shape {result.shape}")
    return result
