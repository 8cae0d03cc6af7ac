"""`tf.gradients`: derivatives in a graph."""

from __future__ import annotations

from typing import Any

import duograph.torch as torch
from duograph import autograd

from ..structure import flatten
from .symbolic import GraphTensor, replaced


class Gradients(GraphTensor):
    """The gradients of targets with respect to sources, all of them: a list."""

    def __init__(self, targets: list[Any], sources: list[GraphTensor], seeds: list[Any]) -> None:
        super().__init__(_gradients, (targets, sources, seeds), name="gradients")
        self.sources = sources

    def call(self, session: Any, value_of: Any) -> Any:
        return [value_of(s) for s in self.sources] if session is None else self.take(session, value_of, True)

    def take(self, session: Any, value_of: Any, keep: bool) -> Any:
        """The gradients. Further ones can be taken after, of these too, if the tape is to `keep` what they need."""
        targets, sources, seeds = self.args
        ys = [value_of(t) for t in targets]
        xs = [value_of(s) for s in sources]
        given = [torch.ones_like(y) if s is None else replaced(s, value_of) for y, s in zip(ys, seeds, strict=True)]
        pairs = [(y, s) for y, s in zip(ys, given, strict=True) if y.requires_grad]
        wanted = [x for x in xs if x.requires_grad]
        found = iter(
            autograd.grad(
                [y for y, _ in pairs], wanted, [s for _, s in pairs],
                retain_graph=keep, create_graph=keep, allow_unused=True,
            )
            if pairs and wanted
            else ()
        )  # fmt: skip
        gradients = [next(found, None) if x.requires_grad else None for x in xs]
        return [torch.zeros_like(x) if g is None else g for x, g in zip(xs, gradients, strict=True)]


def _gradients() -> Any:
    raise AssertionError("gradients are taken by a session")


def _part(parts: Any, place: int) -> Any:
    return parts[place]


def depends(target: GraphTensor, source: GraphTensor) -> bool:
    """Whether the target is computed from the source."""
    seen: set[int] = set()
    waiting = [target]
    while waiting:
        tensor = waiting.pop()
        if tensor is source:
            return True
        if id(tensor) not in seen:
            seen.add(id(tensor))
            waiting += tensor.inputs()
    return False


def gradients(
    ys: Any, xs: Any, grad_ys: Any = None, name: str = "gradients", stop_gradients: Any = None, **_: Any
) -> list[Any]:
    """The gradients of the sum of `ys` with respect to each of `xs`; None for one on which they do not depend."""
    if stop_gradients is not None:
        raise NotImplementedError("gradients(stop_gradients=...): use tf.stop_gradient on those tensors")
    targets, sources = flatten(ys), flatten(xs)
    seeds = [None] * len(targets) if grad_ys is None else flatten(grad_ys)
    group = Gradients(targets, sources, seeds)
    return [
        GraphTensor(_part, (group, k), name="grad", spec=source._described())
        if any(depends(t, source) for t in targets)
        else None
        for k, source in enumerate(sources)
    ]
