"""Classes drawn instead of all: candidate samplers, and the losses that use them.

A loss over many classes is estimated from the true ones and some that are drawn, whose logits are corrected by how
often they were to be expected: Gutmann and Hyvärinen, "Noise-contrastive estimation"; Jean et al., "On Using Very Large
Target Vocabulary for Neural Machine Translation".
"""

from __future__ import annotations

from typing import Any, NamedTuple

import duograph.torch as torch

from . import dtypes
from .errors import InvalidArgumentError, report
from .nn import embedding_lookup, sigmoid_cross_entropy_with_logits, softmax_cross_entropy_with_logits
from .random import _generator
from .tensors import Tensor, convert_to_tensor

__all__ = ["log_uniform_candidate_sampler", "nce_loss", "sampled_softmax_loss", "uniform_candidate_sampler"]

_HIT = torch.finfo(torch.float32).max


class Candidates(NamedTuple):
    """Classes drawn, and how often the true classes and those drawn were to be expected."""

    sampled_candidates: Tensor
    true_expected_count: Tensor
    sampled_expected_count: Tensor


def log_uniform_candidate_sampler(
    true_classes: Any, num_true: int, num_sampled: int, unique: bool, range_max: int, seed: Any = None,
    name: str | None = None,
) -> Candidates:  # fmt: skip
    """`num_sampled` int64 classes below `range_max`, of probability log((c + 2) / (c + 1)) / log(range_max + 1): for
    classes that are sorted by how often they occur. `unique` classes are drawn until there are as many different ones.
    """
    classes = torch.arange(range_max, dtype=torch.float32)
    return _draw(torch.log1p(1 / (classes + 1)), true_classes, int(num_sampled), unique, seed)


def uniform_candidate_sampler(
    true_classes: Any, num_true: int, num_sampled: int, unique: bool, range_max: int, seed: Any = None,
    name: str | None = None,
) -> Candidates:  # fmt: skip
    """`num_sampled` int64 classes below `range_max`, each as likely; see `log_uniform_candidate_sampler`."""
    return _draw(torch.ones(range_max), true_classes, int(num_sampled), unique, seed)


def _draw(weights: Tensor, true_classes: Any, count: int, unique: bool, seed: Any) -> Candidates:
    if unique and count > len(weights):
        raise InvalidArgumentError(
            f"unique candidates: expected num_sampled of at most {len(weights)}, range_max. Received: {count}"
        )
    generator = _generator(seed)
    probability = weights / torch.sum(weights)
    drawn = torch.multinomial(probability, count, replacement=not unique, generator=generator)
    expected = probability * count
    if unique:
        # It takes a geometric number of tries until a class comes that is not among those found.
        found = torch.cumsum(probability[drawn], 0)[:-1]
        more = torch.floor(torch.log(1 - torch.rand(count - 1, generator=generator)) / torch.log(found)) + 1
        tries = 1 + torch.sum(more)
        # TensorFlow takes the count of independent tries where none was in vain.
        expected = torch.where(tries == count, expected, -torch.expm1(tries * torch.log1p(-probability)))
    classes = convert_to_tensor(true_classes).to(dtypes.int64)
    return Candidates(drawn, expected[classes], expected[drawn])


def _sampled_logits(
    weights: Any, biases: Any, labels: Any, inputs: Any, num_sampled: int, num_classes: int, num_true: int,
    sampled_values: Any, remove_accidental_hits: bool, seed: Any,
) -> tuple[Tensor, Tensor]:  # fmt: skip
    """Labels and logits of shape (batch, num_true + num_sampled)."""
    weights, biases, inputs = convert_to_tensor(weights), convert_to_tensor(biases), convert_to_tensor(inputs)
    labels = convert_to_tensor(labels).to(dtypes.int64).reshape(-1, num_true)
    if sampled_values is None:
        sampled_values = log_uniform_candidate_sampler(labels, num_true, num_sampled, True, num_classes, seed)
    sampled, true_count, count = (convert_to_tensor(x).detach() for x in sampled_values)
    sampled = sampled.to(dtypes.int64)
    of_true = torch.sum(inputs.unsqueeze(1) * embedding_lookup(weights, labels), dim=-1) + biases[labels]
    of_sampled = torch.matmul(inputs, embedding_lookup(weights, sampled).t()) + biases[sampled]
    if remove_accidental_hits:
        hits = torch.any(labels.unsqueeze(-1) == sampled, dim=1)
        of_sampled = torch.where(hits, of_sampled - _HIT, of_sampled)
    logits = torch.cat([of_true - torch.log(true_count), of_sampled - torch.log(count)], dim=1)
    found = torch.cat([torch.ones_like(of_true) / num_true, torch.zeros_like(of_sampled)], dim=1)
    return found, logits


def nce_loss(
    weights: Any, biases: Any, labels: Any, inputs: Any, num_sampled: int, num_classes: int, num_true: int = 1,
    sampled_values: Any = None, remove_accidental_hits: bool = False, partition_strategy: str = "mod",
    name: str | None = None,
) -> Tensor:  # fmt: skip
    """Noise-contrastive estimation: for each row of `inputs` (batch, dim) the binary cross entropies of its true
    classes, `labels` (batch, num_true), and of the classes drawn, summed.

    `weights` are (num_classes, dim), `biases` (num_classes,).
    """
    found, logits = _sampled_logits(
        weights, biases, labels, inputs, num_sampled, num_classes, num_true, sampled_values, remove_accidental_hits,
        None,
    )  # fmt: skip
    return torch.sum(sigmoid_cross_entropy_with_logits(labels=found, logits=logits), dim=1)


def sampled_softmax_loss(
    weights: Any, biases: Any, labels: Any, inputs: Any, num_sampled: int, num_classes: int, num_true: int = 1,
    sampled_values: Any = None, remove_accidental_hits: bool = True, seed: Any = None, name: str | None = None,
    partition_strategy: str = "mod",
) -> Tensor:  # fmt: skip
    """The cross entropy of a softmax over the true classes and those drawn; arguments as of `nce_loss`."""
    found, logits = _sampled_logits(
        weights, biases, labels, inputs, num_sampled, num_classes, num_true, sampled_values, remove_accidental_hits,
        seed,
    )  # fmt: skip
    return softmax_cross_entropy_with_logits(labels=found, logits=logits)


report(globals(), __all__)
