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
    return [
        Detection(*map(float, row[:4]), label=int(row[4]), score=float(row[5]), place=int(row[6]))
        for row in suppress(candidates(values, grid, anchors, threshold), nms)
    ]


def candidates(
    values: np.ndarray, grid: tuple[int, int], anchors: np.ndarray, threshold: float
) -> np.ndarray:
    """Return the boxes of `decode` of which none is suppressed yet.

    Returns:
        float64 (boxes, 7), best first: the fields of `Detection` in their order.
    """
    rows, columns = grid
    raw = values.reshape(ANCHORS, -1, rows, columns).astype(np.float64)
    with np.errstate(over="ignore"):  # what is far out is 0 or infinite, as on the chip
        objectness = _sigmoid(raw[:, 4])
        # No score is more than its place's objectness: only these places are decoded.
        anchor, row, column = places = np.nonzero(objectness > threshold)
        raw = raw[anchor, :, row, column]
        x = (_sigmoid(raw[:, 0]) + column) / columns
        y = (_sigmoid(raw[:, 1]) + row) / rows
        width = np.exp(raw[:, 2]) * anchors[anchor, 0] / columns
        height = np.exp(raw[:, 3]) * anchors[anchor, 1] / rows
        powers = np.exp(raw[:, 5:] - raw[:, 5:].max(1, keepdims=True))
    scores = objectness[places][:, None] * powers / powers.sum(1, keepdims=True)
    boxes = np.stack([x - width / 2, y - height / 2, x + width / 2, y + height / 2], -1)
    which, label = np.nonzero(scores > threshold)
    place = (anchor * rows + row) * columns + column
    found = np.column_stack([boxes[which], label, scores[which, label], place[which]])
    return found[np.argsort(-found[:, 5], kind="stable")]


def _sigmoid(values: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-values))


def suppress(found: np.ndarray, nms: float) -> np.ndarray:
    """Return those rows of `candidates` that overlap no better one of their class too much."""
    kept = np.ones(len(found), bool)
    for label in np.unique(found[:, 4]):
        (rows,) = np.nonzero(found[:, 4] == label)
        apart = overlaps(found[rows]) <= nms
        stays = np.ones(len(rows), bool)
        for place in range(len(rows)):
            if stays[place]:
                stays[place + 1 :] &= apart[place, place + 1 :]
        kept[rows] = stays
    return found[kept]


def overlaps(boxes: np.ndarray) -> np.ndarray:
    """Return the intersection over union of each box with each, float64 (n, n).

    `boxes` is (n, 4 or more): left, top, right, bottom, whatever.
    """
    low, high = boxes[:, :2].T[:, :, None], boxes[:, 2:4].T[:, :, None]
    low_too, high_too = (corner.transpose(0, 2, 1) for corner in (low, high))
    with np.errstate(invalid="ignore"):  # a box of infinite size overlaps none
        width, height = np.maximum(np.minimum(high, high_too) - np.maximum(low, low_too), 0)
        areas = np.prod(high - low, 0)
        shared = width * height
        together = areas + areas.T - shared
        return np.where(together > 0, shared / np.where(together > 0, together, 1), 0)


def reported(found: np.ndarray) -> np.ndarray:
    """Return what the firmware tells of suppressed boxes: the best class of each place.

    Returns:
        float64 (boxes, 7) in the firmware's order: anchor by anchor, row by row.
    """
    _, first = np.unique(found[:, 6], return_index=True)  # rows come best first
    return found[first]
