"""Average precision of a detector while it trains: decoded in the graph, judged as at the end."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .detect_loss import Region
from .detect_match import MOST, match

THRESHOLD, NMS = 0.005, 0.45
"""Least score, largest IoU of two boxes of a label."""


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
    """Return COCO's average precision (classes, 10) of each label at each of `detect_match.IOUS`.

    Args:
        found: of each picture (m, 6): left, top, right, bottom, label, score.
        truth: of each picture (k, 5): left, top, right, bottom, label.
        classes: how many labels there are; a label without truth gets NaN.
    """
    matches = match(found, truth, classes)
    precision = matches.precision.mean(1).T
    precision[~np.isin(np.arange(classes), matches.truth[:, 4])] = np.nan
    return precision
