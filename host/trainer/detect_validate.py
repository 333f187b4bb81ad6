"""Average precision of a detector while it trains: decoding in the graph, COCO's rules in numpy."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .detect_loss import Region

THRESHOLD, NMS, MOST = 0.005, 0.45, 100
"""Least score, largest IoU of two boxes of a label, most boxes of a picture."""

LEVELS = np.linspace(0.5, 0.95, 10)
"""IoU from which on a box counts as found; COCO's mean is over these."""

RECALLS = np.linspace(0, 1, 101)


def boxes_of(region: Region, values: Any) -> tuple[Any, Any, Any, Any]:
    """Return boxes (n, 100, 4) in parts of the input, scores, labels (n, 100), and counts (n,).

    A box is left, top, right, bottom; a place gives one for each label, as in the firmware.
    """
    import tensorflow as tf  # noqa: PLC0415

    boxes, objectness, classes = region.decode(values)
    scores = tf.sigmoid(objectness)[..., None] * tf.nn.softmax(classes)
    places = int(np.prod(region.grid)) * len(region.anchors)
    boxes = tf.reshape(boxes / np.tile(region.size, 2).astype(np.float32), (-1, places, 1, 4))
    scores = tf.reshape(scores, (-1, places, region.classes))
    # It wants y before x; IoU does not mind.
    return tf.image.combined_non_max_suppression(
        boxes, scores, MOST, MOST, iou_threshold=NMS, score_threshold=THRESHOLD, clip_boxes=True
    )


def average_precision(
    found: Sequence[np.ndarray], truth: Sequence[np.ndarray], classes: int
) -> np.ndarray:
    """Return the average precision (classes, 10) of each label at each of `LEVELS`.

    Args:
        found: of each picture (m, 6): left, top, right, bottom, label, score.
        truth: of each picture (k, 5): left, top, right, bottom, label.
        classes: how many labels there are; a label without truth gets NaN.
    """
    result = np.full((classes, len(LEVELS)), np.nan)
    for label in range(classes):
        wanted = [boxes[boxes[:, 4] == label, :4] for boxes in truth]
        count = sum(map(len, wanted))
        if count:
            answers = [boxes[boxes[:, 4] == label] for boxes in found]
            result[label] = _label_precision(answers, wanted, count)
    return result


def _label_precision(
    answers: Sequence[np.ndarray], wanted: Sequence[np.ndarray], count: int
) -> np.ndarray:
    scores, right = [np.empty(0)], [np.empty((len(LEVELS), 0), bool)]
    for boxes, objects in zip(answers, wanted, strict=True):
        best_first = boxes[np.argsort(-boxes[:, 5], kind="stable")]
        scores.append(best_first[:, 5])
        right.append(_matches(_overlaps(best_first, objects)))
    order = np.argsort(-np.concatenate(scores), kind="stable")
    hits = np.concatenate(right, 1)[:, order].cumsum(1)
    precision = hits / np.arange(1, hits.shape[1] + 1)
    precision = np.maximum.accumulate(precision[:, ::-1], 1)[:, ::-1]
    precision = np.pad(precision, ((0, 0), (0, 1)))  # recalls that are never reached
    recall = hits / count
    return np.array([
        line[np.searchsorted(reached, RECALLS)].mean()
        for line, reached in zip(precision, recall, strict=True)
    ])  # fmt: skip


def _overlaps(boxes: np.ndarray, objects: np.ndarray) -> np.ndarray:
    """Return the IoU (boxes, objects)."""
    low = np.maximum(boxes[:, None, :2], objects[None, :, :2])
    high = np.minimum(boxes[:, None, 2:4], objects[None, :, 2:4])
    shared = np.maximum(high - low, 0).prod(-1)
    areas = [(one[:, 2:4] - one[:, :2]).prod(-1) for one in (boxes, objects)]
    return shared / (areas[0][:, None] + areas[1] - shared + 1e-12)


def _matches(overlaps: np.ndarray) -> np.ndarray:
    """Return whether each box (best first) finds an object that no better one has, (10, boxes)."""
    right = np.zeros((len(LEVELS), len(overlaps)), bool)
    for level, least in enumerate(LEVELS):
        free = np.ones(overlaps.shape[1], bool)
        for box, line in enumerate(overlaps):
            candidates = np.where(free, line, -1.0)
            if len(line) and candidates.max() >= least:
                free[candidates.argmax()] = False
                right[level, box] = True
    return right
