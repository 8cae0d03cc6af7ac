"""Connectionist temporal classification: the likelihood of a sequence under all its alignments."""

from __future__ import annotations

import math

from ..graph import language as g
from ..graph.composite import composite
from ..graph.dtype import int64
from ..graph.node import Node
from .checks import check_argument, check_choice, check_floating, check_integral, check_shape, widened

IMPOSSIBLE = -1e30
"""The logarithm of the probability 0. Finite, so that gradients through it are 0 and not NaN."""


@composite
@widened
def ctc(
    log_probs: Node,
    targets: Node,
    input_lengths: Node,
    target_lengths: Node,
    *,
    blank: int = 0,
    reduction: str = "mean",
    zero_infinity: bool = False,
) -> Node:
    """Minus the log-likelihood of `targets [N, S]` under `log_probs [T, N, C]` (Graves et al. 2006).

    Lengths `[N]` say how much of each sequence counts. "mean" divides each loss by its target length first. A target
    that cannot be aligned gives infinity, or 0 with `zero_infinity`.
    """
    check_choice("reduction", reduction, "none", "mean", "sum")
    check_floating(log_probs=log_probs)
    check_integral(targets=targets, input_lengths=input_lengths, target_lengths=target_lengths)
    check_shape(log_probs.ndim == 3, "log_probs", "[T, N, C]", log_probs)
    time, batch, classes = log_probs.shape
    check_argument(0 <= blank < classes, "blank", f"a class, 0 to {classes - 1}", blank)
    check_shape(targets.ndim == 2 and targets.shape[0] == batch, "targets", f"[{batch}, S]", targets)
    for name, lengths in (("input_lengths", input_lengths), ("target_lengths", target_lengths)):
        check_shape(lengths.shape == (batch,), name, f"shape {[batch]}", lengths)
    steps = g.expand_dims(g.cast(input_lengths, int64), 1)
    size = g.expand_dims(g.cast(target_lengths, int64), 1)
    # the targets with blanks around each: positions 0 to 2 S, of which the first 2 * size + 1 count
    count = targets.shape[1]
    inside = g.iota(count, int64) < size
    labels = g.expand_dims(g.select(inside, g.cast(targets, int64), blank), 2)
    between = g.concatenate((g.full(labels.shape, blank, int64), labels), 2)
    states = g.concatenate((g.reshape(between, (batch, 2 * count)), g.full((batch, 1), blank, int64)), 1)
    # a label may follow the label before it at once where they differ; the blanks between labels never do
    skips = ~g.equal(states, _moved(states, 2, -1))

    def emitted(t: int) -> Node:
        return g.take_along(g.reshape(g.narrow(log_probs, 0, t, 1), (batch, classes)), states, 1)

    starts = g.iota(states.shape[1], int64) < 2
    paths = g.select(g.broadcast_to(starts, states.shape), emitted(0), IMPOSSIBLE) if time else None
    check_shape(paths is not None, "log_probs", "at least one step in [T, N, C]", log_probs)
    assert paths is not None
    for t in range(1, time):
        two = g.select(skips, _moved(paths, 2, IMPOSSIBLE), IMPOSSIBLE)
        new = _log_add(paths, _moved(paths, 1, IMPOSSIBLE), two) + emitted(t)
        paths = g.select(g.full((), t, int64) < steps, new, paths)
    last = g.take_along(paths, size * 2, 1)
    label_last = g.take_along(paths, g.maximum(size * 2 - 1, 0), 1)
    label_last = g.select(size > 0, label_last, IMPOSSIBLE)
    losses = -g.reshape(_log_add(last, label_last, g.full(last.shape, IMPOSSIBLE, last.dtype)), (batch,))
    impossible = losses > -IMPOSSIBLE / 10
    losses = g.select(impossible, 0.0 if zero_infinity else math.inf, losses)
    if reduction == "mean":
        return g.mean(losses / g.cast(g.maximum(target_lengths, 1), losses.dtype))
    return losses if reduction == "none" else g.sum(losses)


def _moved(x: Node, by: int, fill: float) -> Node:
    """The last axis shifted to the right."""
    start = g.full((x.shape[0], min(by, x.shape[1])), fill, x.dtype)
    return g.concatenate((start, g.narrow(x, 1, 0, max(x.shape[1] - by, 0))), 1)


def _log_add(*terms: Node) -> Node:
    """log(sum(exp(terms)))."""
    peak = terms[0]
    for term in terms[1:]:
        peak = g.maximum(peak, term)
    peak = g.stop_gradient(peak)
    total = g.exp(terms[0] - peak)
    for term in terms[1:]:
        total = total + g.exp(term - peak)
    return g.log(total) + peak
