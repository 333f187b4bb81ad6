"""What a detector's raw values mean, and how wrong they are.

The meaning is fixed by the firmware's region layer (YOLOv2: sigmoid of x, y and objectness, exp
of width and height, softmax of the classes). The loss on it is of today: CIoU of the decoded
boxes (arXiv:1911.08287), objectness that is to say the IoU, and several anchors for each object.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from .anchors import COUNT
from .detect_net import BOX
from .detect_options import DetectOptions

MATCH = 0.5
"""Every anchor whose shape has at least this IoU with an object is responsible for it, too."""

IGNORE = 0.6
"""Places whose box has more IoU with an object than this are not told that there is none."""

EXPONENT = 8.0
"""Largest exponent of width and height while training."""

SMALL = 1e-7


@dataclass(frozen=True, slots=True)
class Region:
    """The grid of predictions: `anchors` (5, 2) in cells, `grid` rows and columns, `size` pixels.

    `size` is width and height of the input, `classes` how many labels there are.
    """

    anchors: tuple[tuple[float, float], ...]
    grid: tuple[int, int]
    size: tuple[int, int]
    classes: int

    @property
    def cell(self) -> tuple[float, float]:
        """Width and height of a cell in pixels of the input; 240 pixels are 7 cells, not 7.5."""
        return self.size[0] / self.grid[1], self.size[1] / self.grid[0]

    def decode(self, values: Any) -> tuple[Any, Any, Any]:
        """Return boxes, objectness and classes of raw values (n, rows, columns, 5 * (5 + classes)).

        Boxes (n, rows, columns, 5, 4): left, top, right, bottom in pixels of the input.
        Objectness (n, rows, columns, 5) and classes (..., 5, classes) stay logits.
        """
        import tensorflow as tf  # noqa: PLC0415

        rows, columns = self.grid
        raw: Any = tf.reshape(values, (-1, rows, columns, COUNT, BOX + self.classes))
        corner = tf.stack(tf.meshgrid(tf.range(columns), tf.range(rows)), -1)[:, :, None]
        cell = tf.constant(self.cell, tf.float32)
        middle = (tf.sigmoid(raw[..., :2]) + tf.cast(corner, tf.float32)) * cell
        half = tf.exp(tf.minimum(raw[..., 2:4], EXPONENT)) * tf.constant(self.anchors) * cell / 2
        return tf.concat([middle - half, middle + half], -1), raw[..., 4], raw[..., BOX:]


def iou(one: Any, other: Any) -> Any:
    """Return the IoU of boxes (..., 4), each with its counterpart."""
    import tensorflow as tf  # noqa: PLC0415

    low, high = tf.maximum(one[..., :2], other[..., :2]), tf.minimum(one[..., 2:], other[..., 2:])
    shared = tf.reduce_prod(tf.maximum(high - low, 0.0), -1)
    areas = [tf.reduce_prod(box[..., 2:] - box[..., :2], -1) for box in (one, other)]
    return shared / (areas[0] + areas[1] - shared + SMALL)


def ciou(found: Any, wanted: Any) -> tuple[Any, Any]:
    """Return IoU and CIoU of boxes (..., 4), each with its counterpart."""
    import tensorflow as tf  # noqa: PLC0415

    overlap = iou(found, wanted)
    hull = tf.maximum(found[..., 2:], wanted[..., 2:]) - tf.minimum(found[..., :2], wanted[..., :2])
    diagonal = tf.reduce_sum(hull**2, -1) + SMALL
    apart = (found[..., :2] + found[..., 2:] - wanted[..., :2] - wanted[..., 2:]) / 2
    angles = []
    for box in (found, wanted):
        side = box[..., 2:] - box[..., :2]
        angles.append(tf.atan(side[..., 0] / (side[..., 1] + SMALL)))
    shape = 4 / math.pi**2 * (angles[0] - angles[1]) ** 2
    weight = tf.stop_gradient(shape / (1 - overlap + shape + SMALL))
    return overlap, overlap - tf.reduce_sum(apart**2, -1) / diagonal - weight * shape


def responsible(region: Region, boxes: Any, labels: Any) -> tuple[Any, Any]:
    """Return which predictions are to find which objects.

    Args:
        region: the grid.
        boxes: (n, m, 4) in pixels of the input.
        labels: (n, m), -1 where there is no object.

    Returns:
        Places int64 (p, 4): picture, row, column, anchor; and numbers (p, 2): picture, object.
        Responsible is the cell with the object's middle, with the anchor whose shape fits best
        and with all whose shape has IoU `MATCH` with it.
    """
    import tensorflow as tf  # noqa: PLC0415

    cell = tf.constant(region.cell, tf.float32)
    limit = tf.constant([region.grid[1] - 1, region.grid[0] - 1], tf.int64)
    middle = (boxes[..., :2] + boxes[..., 2:]) / 2 / cell
    column_row = tf.clip_by_value(tf.cast(middle, tf.int64), 0, limit)
    shape, anchors = (boxes[..., 2:] - boxes[..., :2]) / cell, tf.constant(region.anchors)
    shared = tf.reduce_prod(tf.minimum(shape[:, :, None], anchors), -1)
    whole: Any = tf.reduce_prod(shape, -1)[:, :, None] + tf.reduce_prod(anchors, -1) - shared
    fits = shared / (whole + SMALL)
    best: Any = tf.one_hot(tf.argmax(fits, -1), COUNT, on_value=True, off_value=False)
    chosen = tf.where((best | (fits >= MATCH)) & (labels >= 0)[:, :, None])
    objects = chosen[:, :2]
    cells = tf.gather_nd(column_row, objects)
    return tf.stack([chosen[:, 0], cells[:, 1], cells[:, 0], chosen[:, 2]], -1), objects


def region_loss(
    region: Region, values: Any, boxes: Any, labels: Any, options: DetectOptions
) -> dict[str, Any]:
    """Return the loss of raw values and its parts `box`, `object`, `label`, `range`, scalars.

    All are per responsible prediction; `loss` is their weighted sum. `boxes` (n, m, 4) and
    `labels` (n, m) are as `responsible` takes them.
    """
    import tensorflow as tf  # noqa: PLC0415

    found, objectness, classes = region.decode(values)
    places, objects = responsible(region, boxes, labels)
    count = tf.maximum(tf.cast(tf.shape(places)[0], tf.float32), 1.0)
    overlap, closeness = ciou(tf.gather_nd(found, places), tf.gather_nd(boxes, objects))
    said = tf.nn.sparse_softmax_cross_entropy_with_logits(
        tf.gather_nd(labels, objects), tf.gather_nd(classes, places)
    )
    # Two objects may share a place: the better fit counts.
    nothing = tf.zeros_like(objectness)
    target = tf.tensor_scatter_nd_max(nothing, places, tf.stop_gradient(overlap))
    taught = tf.tensor_scatter_nd_max(nothing, places, tf.ones_like(overlap))
    near = iou(found[:, :, :, :, None], boxes[:, None, None, None])
    near = tf.reduce_max(tf.where((labels >= 0)[:, None, None, None], near, 0.0), -1)
    counts = tf.where((taught > 0) | (near <= IGNORE), 1.0, 0.0)
    limit = options.value_limit or math.inf
    logits = tf.clip_by_value(objectness, -limit, limit)
    guess = tf.nn.sigmoid_cross_entropy_with_logits(target, logits)
    parts = {
        "box": tf.reduce_sum(1 - closeness) / count,
        "object": tf.reduce_sum(counts * guess) / count,
        "label": tf.reduce_sum(said) / count,
        "range": tf.reduce_sum(tf.maximum(tf.abs(values) - limit, 0.0) ** 2) / count,
    }
    total = options.box_weight * parts["box"] + parts["object"] + parts["label"] + parts["range"]
    return {"loss": total, **parts}
