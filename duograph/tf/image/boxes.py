"""Bounding boxes: suppression of overlapping ones, and random ones."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

import duograph.torch as torch

from .. import dtypes
from ..random import _generator, _on_host, keyed
from ..tensors import Tensor, convert_to_tensor

__all__ = [
    "CombinedNonMaxSuppression", "combined_non_max_suppression", "non_max_suppression", "non_max_suppression_overlaps",
    "non_max_suppression_padded", "non_max_suppression_with_scores", "sample_distorted_bounding_box",
    "stateless_sample_distorted_bounding_box",
]  # fmt: skip


def _overlaps(box: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    """Intersection over union of a box (y1, x1, y2, x2), whose corners may be in either order, with others."""

    def ordered(b: np.ndarray) -> tuple[np.ndarray, ...]:
        return (
            np.minimum(b[..., 0], b[..., 2]), np.minimum(b[..., 1], b[..., 3]),
            np.maximum(b[..., 0], b[..., 2]), np.maximum(b[..., 1], b[..., 3]),
        )  # fmt: skip

    top, left, bottom, right = ordered(box)
    tops, lefts, bottoms, rights = ordered(boxes)
    height = np.maximum(np.minimum(bottom, bottoms) - np.maximum(top, tops), 0)
    width = np.maximum(np.minimum(right, rights) - np.maximum(left, lefts), 0)
    area, areas = (bottom - top) * (right - left), (bottoms - tops) * (rights - lefts)
    union = area + areas - height * width
    return np.where((area > 0) & (areas > 0), height * width / np.where(union > 0, union, 1), 0.0)


def _suppress(
    similarity: Callable[[int, list[int]], np.ndarray],
    scores: np.ndarray,
    most: int,
    threshold: float,
    score_threshold: float,
    sigma: float = 0.0,
) -> tuple[list[int], list[float]]:
    """Boxes in the order of their scores, without those that overlap with one chosen before; with `sigma` > 0 their
    scores fall by a Gaussian of the overlap instead (Bodla et al., 2017)."""
    waiting = [(float(s), i) for i, s in enumerate(scores) if s > score_threshold]
    chosen: list[int] = []
    kept: list[float] = []
    current = {i: s for s, i in waiting}
    seen: dict[int, int] = dict.fromkeys(current, 0)  # how many chosen boxes each waiting one has been compared with
    while current and len(chosen) < most:
        best = max(current, key=lambda i: (current[i], -i))
        score = current[best]
        fresh = chosen[seen[best] :]
        overlap = similarity(best, fresh) if fresh else np.empty(0)
        if sigma > 0:
            score *= float(np.prod(np.where(overlap <= threshold, np.exp(-(overlap**2) / (2 * sigma)), 0.0)))
        elif np.any(overlap > threshold):
            del current[best]
            continue
        seen[best] = len(chosen)
        if score == current[best]:
            chosen.append(best)
            kept.append(score)
            del current[best]
        elif score > score_threshold:
            current[best] = score
        else:
            del current[best]
    return chosen, kept


def _by_overlap(boxes: np.ndarray) -> Callable[[int, list[int]], np.ndarray]:
    return lambda box, others: _overlaps(boxes[box], boxes[others])


def non_max_suppression(
    boxes: Any,
    scores: Any,
    max_output_size: Any,
    iou_threshold: float = 0.5,
    score_threshold: float = float("-inf"),
    name: str | None = None,
) -> Tensor:
    """The int32 indices of at most `max_output_size` boxes (y1, x1, y2, x2), best score first, that overlap with no
    better one by more than `iou_threshold`."""
    array = convert_to_tensor(boxes).numpy()
    chosen, _ = _suppress(
        _by_overlap(array), convert_to_tensor(scores).numpy(), int(max_output_size), iou_threshold, score_threshold
    )
    return torch.tensor(chosen, dtype=dtypes.int32)


def non_max_suppression_with_scores(
    boxes: Any,
    scores: Any,
    max_output_size: Any,
    iou_threshold: float = 0.5,
    score_threshold: float = float("-inf"),
    soft_nms_sigma: float = 0.0,
    name: str | None = None,
) -> tuple[Tensor, Tensor]:
    """As `non_max_suppression`, with the scores; `soft_nms_sigma` > 0 lowers scores instead of dropping boxes."""
    array = convert_to_tensor(boxes).numpy()
    threshold = 1.0 if soft_nms_sigma > 0 and iou_threshold >= 1 else iou_threshold
    chosen, kept = _suppress(
        _by_overlap(array), convert_to_tensor(scores).numpy(), int(max_output_size), threshold, score_threshold,
        soft_nms_sigma,
    )  # fmt: skip
    return torch.tensor(chosen, dtype=dtypes.int32), torch.tensor(kept, dtype=dtypes.float32)


def non_max_suppression_overlaps(
    overlaps: Any,
    scores: Any,
    max_output_size: Any,
    overlap_threshold: float = 0.5,
    score_threshold: float = float("-inf"),
    name: str | None = None,
) -> Tensor:
    """As `non_max_suppression`, with the overlaps given as a square matrix."""
    matrix = convert_to_tensor(overlaps).numpy()
    chosen, _ = _suppress(
        lambda box, others: matrix[box, others], convert_to_tensor(scores).numpy(), int(max_output_size),
        overlap_threshold, score_threshold,
    )  # fmt: skip
    return torch.tensor(chosen, dtype=dtypes.int32)


def non_max_suppression_padded(
    boxes: Any,
    scores: Any,
    max_output_size: Any,
    iou_threshold: float = 0.5,
    score_threshold: float = float("-inf"),
    pad_to_max_output_size: bool = False,
    name: str | None = None,
    sorted_input: bool = False,
    canonicalized_coordinates: bool = False,
    tile_size: int = 512,
) -> tuple[Tensor, Tensor]:
    """The indices of `non_max_suppression`, filled up with zeros if asked, and how many are valid."""
    chosen = non_max_suppression(boxes, scores, max_output_size, iou_threshold, score_threshold)
    count = chosen.shape[0]
    if pad_to_max_output_size:
        chosen = torch.nn.functional.pad(chosen, (0, int(max_output_size) - count))
    return chosen, torch.tensor(count, dtype=dtypes.int32)


class CombinedNonMaxSuppression(NamedTuple):
    """Boxes, scores and classes of a batch, filled up with zeros, and how many of each image are valid."""

    nmsed_boxes: Tensor
    nmsed_scores: Tensor
    nmsed_classes: Tensor
    valid_detections: Tensor


def combined_non_max_suppression(
    boxes: Any,
    scores: Any,
    max_output_size_per_class: Any,
    max_total_size: Any,
    iou_threshold: float = 0.5,
    score_threshold: float = float("-inf"),
    pad_per_class: bool = False,
    clip_boxes: bool = True,
    name: str | None = None,
) -> CombinedNonMaxSuppression:
    """`non_max_suppression` of each class of each image: boxes (batch, n, 1 or classes, 4), scores (batch, n, classes);
    the best `max_total_size` of an image are kept."""
    every, chances = convert_to_tensor(boxes).numpy(), convert_to_tensor(scores).numpy()
    batch, _, classes = chances.shape
    total, most = int(max_total_size), int(max_output_size_per_class)
    if pad_per_class:
        total = min(total, most * classes)
    made_boxes = np.zeros((batch, total, 4), np.float32)
    made_scores, made_classes = np.zeros((batch, total), np.float32), np.zeros((batch, total), np.float32)
    valid = np.zeros(batch, np.int32)
    for image in range(batch):
        found = []
        for label in range(classes):
            own = every[image, :, label if every.shape[2] > 1 else 0]
            chosen, kept = _suppress(_by_overlap(own), chances[image, :, label], most, iou_threshold, score_threshold)
            found += [(score, label, own[i]) for i, score in zip(chosen, kept, strict=True)]
        found.sort(key=lambda item: -item[0])
        valid[image] = len(found[:total])
        for place, (score, label, box) in enumerate(found[:total]):
            made_boxes[image, place] = np.clip(box, 0, 1) if clip_boxes else box
            made_scores[image, place], made_classes[image, place] = score, label
    return CombinedNonMaxSuppression(*(torch.tensor(a) for a in (made_boxes, made_scores, made_classes, valid)))


def sample_distorted_bounding_box(
    image_size: Any,
    bounding_boxes: Any,
    seed: Any = 0,
    min_object_covered: float = 0.1,
    aspect_ratio_range: Any = None,
    area_range: Any = None,
    max_attempts: int | None = None,
    use_image_if_no_bounding_boxes: bool | None = None,
    name: str | None = None,
) -> tuple[Tensor, Tensor, Tensor]:
    """A random box of an image that holds a given part of one of its objects: `begin` and `size`, to be given to
    tf.slice, and the box (1, 1, 4) in parts of the image. After `max_attempts` (100) the whole image."""
    from ..errors import InvalidArgumentError

    height, width, _ = (int(n) for n in convert_to_tensor(image_size).tolist())
    objects = convert_to_tensor(bounding_boxes, dtypes.float32).numpy().reshape(-1, 4)
    if not len(objects) and not use_image_if_no_bounding_boxes:
        raise InvalidArgumentError(
            "sample_distorted_bounding_box expected a bounding box. Received: none; "
            "use_image_if_no_bounding_boxes=True takes the whole image"
        )
    host = _on_host(_generator(seed if seed != 0 else None))
    low_ratio, high_ratio = aspect_ratio_range or (0.75, 1.33)
    low_area, high_area = area_range or (0.05, 1.0)
    top = left = 0
    rows, columns = height, width
    for _ in range(max_attempts or 100):
        ratio = host.uniform(low_ratio, high_ratio)
        area = host.uniform(low_area, high_area) * height * width
        tall, wide = round((area / ratio) ** 0.5), round((area * ratio) ** 0.5)
        if not (0 < tall <= height and 0 < wide <= width):
            continue
        y, x = int(host.integers(0, height - tall + 1)), int(host.integers(0, width - wide + 1))
        if _covers((y / height, x / width, (y + tall) / height, (x + wide) / width), objects, min_object_covered):
            top, left, rows, columns = y, x, tall, wide
            break
    box = [top / height, left / width, (top + rows) / height, (left + columns) / width]
    return (
        torch.tensor([top, left, 0], dtype=dtypes.int32),
        torch.tensor([rows, columns, -1], dtype=dtypes.int32),
        torch.tensor([[box]], dtype=dtypes.float32),
    )


def stateless_sample_distorted_bounding_box(
    image_size: Any, bounding_boxes: Any, seed: Any, *args: Any, **kwargs: Any
) -> tuple[Tensor, Tensor, Tensor]:
    """`sample_distorted_bounding_box`, the same for the same `seed`, a pair of integers."""
    return sample_distorted_bounding_box(image_size, bounding_boxes, keyed(seed), *args, **kwargs)


def _covers(box: tuple[float, ...], objects: np.ndarray, part: float) -> bool:
    """Whether a box holds that part of the area of at least one object (without objects: of anything)."""
    if not len(objects):
        return True
    height = np.minimum(box[2], objects[:, 2]) - np.maximum(box[0], objects[:, 0])
    width = np.minimum(box[3], objects[:, 3]) - np.maximum(box[1], objects[:, 1])
    area = (objects[:, 2] - objects[:, 0]) * (objects[:, 3] - objects[:, 1])
    return bool(np.any(np.maximum(height, 0) * np.maximum(width, 0) >= part * area))
