"""The adaptive softmax."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from ...graph.errors import ArgumentError, ShapeError
from ...graph.lines import user_line
from ...ops import FUNCTIONS
from ...tensor.core import Tensor
from .. import functional as F
from ..containers import ModuleList, Sequential
from ..module import Module
from .linear import Linear


class AdaptiveLogSoftmaxResult(NamedTuple):
    """The log-probability of each target, and the mean loss."""

    output: Tensor
    loss: Tensor


class AdaptiveLogSoftmaxWithLoss(Module):
    """Log-softmax over many classes, frequent first, in clusters of decreasing width (Grave et al. 2017).

    `cutoffs` are where clusters end; cluster i has in_features / div_value^i features.
    """

    def __init__(
        self, in_features: int, n_classes: int, cutoffs: Sequence[int], div_value: float = 4.0, head_bias: bool = False,
        device: Any = None, dtype: Any = None,
    ) -> None:  # fmt: skip
        super().__init__()
        edges = list(cutoffs)
        if not edges or edges != sorted(set(edges)) or min(edges) <= 0 or max(edges) > n_classes - 1:
            raise ArgumentError(
                f"AdaptiveLogSoftmaxWithLoss: cutoffs: expected increasing numbers from 1 to {n_classes - 1}. "
                f"Received: {edges}"
            )
        self.in_features = in_features
        self.n_classes = n_classes
        self.cutoffs = [*edges, n_classes]
        self.div_value = div_value
        self.head_bias = head_bias
        self.shortlist_size = self.cutoffs[0]
        self.n_clusters = len(self.cutoffs) - 1
        self.head_size = self.shortlist_size + self.n_clusters
        self.head = Linear(in_features, self.head_size, head_bias, device, dtype)
        self.tail = ModuleList()
        for k in range(self.n_clusters):
            width = int(in_features // div_value ** (k + 1))
            size = self.cutoffs[k + 1] - self.cutoffs[k]
            self.tail.append(
                Sequential(Linear(in_features, width, False, device, dtype), Linear(width, size, False, device, dtype))
            )

    def reset_parameters(self) -> None:
        """Draw new weights."""
        self.head.reset_parameters()
        for projection, output in self.tail:
            projection.reset_parameters()
            output.reset_parameters()

    def forward(self, input_: Any, target_: Any) -> AdaptiveLogSoftmaxResult:
        batched = target_.ndim == 1
        if target_.ndim > 1 or input_.ndim != target_.ndim + 1:
            raise ShapeError(
                "AdaptiveLogSoftmaxWithLoss: expected [N, features] and [N], or [features] and []. "
                f"Received: {tuple(input_.shape)} and {tuple(target_.shape)}"
            ).located(user_line())
        x, target = (input_, target_) if batched else (input_.unsqueeze(0), target_.unsqueeze(0))
        picked = self.log_prob(x).gather(1, target.unsqueeze(1)).squeeze(1)
        return AdaptiveLogSoftmaxResult(picked if batched else picked.squeeze(0), -picked.mean())

    def log_prob(self, input: Any) -> Tensor:
        """The log-probabilities of all classes: [N, n_classes]."""
        head = F.log_softmax(self.head(input), 1)
        parts = [head[:, : self.shortlist_size]]
        for k, cluster in enumerate(self.tail):
            inside = F.log_softmax(cluster(input), 1)
            parts.append(inside + head[:, self.shortlist_size + k].unsqueeze(1))
        return FUNCTIONS["cat"](parts, 1)

    def predict(self, input: Any) -> Tensor:
        """The most probable class of each row."""
        return self.log_prob(input).argmax(1)
