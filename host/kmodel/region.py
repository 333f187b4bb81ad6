"""The YOLOv2 region decoding that MaixPy's firmware does in `kpu.run_yolo2`.

Fixed in firmware: five anchors; sigmoid for x, y and objectness, exp for width and height,
softmax over the classes; score = objectness * class probability; then suppression of overlapping
boxes class by class.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

ANCHORS = 5


@dataclass(frozen=True, slots=True)
class Detection:
    """A box in parts (0..1) of the picture, its class and its score.

    `place` is the number of its anchor and grid cell: anchor by anchor, row by row. A place gives
    one detection for every class that scores more than the threshold.
    """

    left: float
    top: float
    right: float
    bottom: float
    label: int
    score: float
    place: int


def decode(
    values: np.ndarray,
    grid: tuple[int, int],
    anchors: np.ndarray,
    threshold: float = 0.5,
    nms: float = 0.3,
) -> list[Detection]:
    """Decode one picture's raw output.

    Args:
        values: float32 (5 * (5 + classes) * rows * columns,) as `KPU.forward` gives them.
        grid: rows and columns of the last feature map.
        anchors: float (5, 2), width and height in grid cells.
        threshold: least score of a box.
        nms: boxes of a class that overlap a better one by more than this IoU are dropped.

    Returns:
        Detections, best first.
    """
    rows, columns = grid
    raw = values.reshape(ANCHORS, -1, rows, columns).astype(np.float64)
    x = (_sigmoid(raw[:, 0]) + np.arange(columns)) / columns
    y = (_sigmoid(raw[:, 1]) + np.arange(rows)[:, None]) / rows
    width = np.exp(raw[:, 2]) * anchors[:, 0, None, None] / columns
    height = np.exp(raw[:, 3]) * anchors[:, 1, None, None] / rows
    powers = np.exp(raw[:, 5:] - raw[:, 5:].max(1, keepdims=True))
    scores = _sigmoid(raw[:, 4])[:, None] * powers / powers.sum(1, keepdims=True)
    boxes = np.stack([x - width / 2, y - height / 2, x + width / 2, y + height / 2], -1)
    found = [
        Detection(
            *map(float, boxes[a, row, column]),
            label=int(label),
            score=float(scores[a, label, row, column]),
            place=int((a * rows + row) * columns + column),
        )
        for a, label, row, column in np.argwhere(scores > threshold)
    ]
    return _suppress(sorted(found, key=lambda one: -one.score), nms)


def _sigmoid(values: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-values))


def _suppress(found: list[Detection], nms: float) -> list[Detection]:
    kept: list[Detection] = []
    for one in found:
        if all(other.label != one.label or iou(one, other) <= nms for other in kept):
            kept.append(one)
    return kept


def iou(a: Detection, b: Detection) -> float:
    """Return intersection over union of two boxes."""
    width = min(a.right, b.right) - max(a.left, b.left)
    height = min(a.bottom, b.bottom) - max(a.top, b.top)
    shared = max(width, 0.0) * max(height, 0.0)
    areas = sum((one.right - one.left) * (one.bottom - one.top) for one in (a, b))
    return shared / (areas - shared) if areas > shared else 0.0
