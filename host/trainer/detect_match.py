"""Which predicted box belongs to which true one: pycocotools, as everybody counts since COCO.

pycocotools and not faster-coco-eval: both give the same figures, but it is the definition itself,
needs numpy only, and one wheel serves every Python from 3.12 on.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from pycocotools.coco import COCO

IOUS = tuple(round(0.5 + 0.05 * step, 2) for step in range(10))
"""The intersections over union of mAP50-95."""
RECALLS = np.linspace(0, 1, 101)
"""Where COCO reads a precision-recall curve."""
MOST = 100
"""Boxes of a class and picture that count, the best first."""


@dataclass(frozen=True, slots=True)
class Matches:
    """Boxes of all pictures with their partners at the first IoU (0.5)."""

    found: np.ndarray
    """float64 (boxes, 7): left, top, right, bottom (0..1), label, score, picture."""
    truth: np.ndarray
    """float64 (boxes, 6): left, top, right, bottom (0..1), label, picture."""
    partner: np.ndarray
    """Row of `truth` that a row of `found` is, or -1, int64 (found,)."""
    precision: np.ndarray
    """float64 (IoUs, 101 recalls, classes); 0 where a class has no true box."""


def match(
    found: Sequence[np.ndarray],
    truth: Sequence[np.ndarray],
    classes: int,
    ious: Sequence[float] = IOUS,
) -> Matches:
    """Give each predicted box its true box, the best first, as COCO does.

    Args:
        found: for each picture float (m, 6): left, top, right, bottom (parts of the picture;
            what is outside is cut off), label, score.
        truth: for each picture float (k, 5): the same without the score.
        classes: number of labels.
        ious: least intersections over union at which a box counts as found.

    Raises:
        ValueError: a shape, a label or a size is wrong, or a number is not finite.
    """
    from pycocotools import coco, cocoeval  # noqa: PLC0415

    for module in (coco, cocoeval):
        vars(module)["print"] = _say_nothing  # stdout is the caller's
    if len(found) != len(truth):
        raise ValueError(f"answers for {len(found)} pictures, truths for {len(truth)}")
    predicted, real = _rows(found, 6, classes), _rows(truth, 5, classes)
    if not (real[:, 2:4] > real[:, :2]).all():
        raise ValueError("a true box has no area")
    pair = (_coco(rows, len(truth), classes) for rows in (real, predicted))
    judge: Any = cocoeval.COCOeval(*pair, iouType="bbox")
    judge.params.iouThrs, judge.params.maxDets = np.array(ious), [MOST]
    judge.params.areaRng, judge.params.areaRngLbl = [[0, 2]], ["all"]
    judge.evaluate()
    judge.accumulate()
    partner = np.full(len(predicted), -1)
    for one in filter(None, judge.evalImgs):
        partner[np.array(one["dtIds"], int) - 1] = one["dtMatches"][0].astype(int) - 1
    precision = np.maximum(judge.eval["precision"][:, :, :, 0, 0], 0)
    return Matches(predicted, real, partner, precision)


def overlaps(boxes: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Return the intersection over union of each with each: (n, 4 or more), (m, ..) -> (n, m)."""
    from pycocotools import mask  # noqa: PLC0415

    if not len(boxes) or not len(others):
        return np.zeros((len(boxes), len(others)))
    return np.asarray(mask.iou(_sides(boxes), _sides(others), [0] * len(others)))


def _say_nothing(*_: Any, **__: Any) -> None:
    """Stand in for `print` in pycocotools, which tells every step."""


def _rows(pictures: Sequence[np.ndarray], width: int, classes: int) -> np.ndarray:
    """Return the rows of all pictures, cut at the edges, with their picture's number at the end."""
    rows = [np.asarray(one, np.float64).reshape(-1, width) for one in pictures]
    count = [len(one) for one in rows]
    every = np.concatenate([*rows, np.empty((0, width))])
    if not np.isfinite(every).all():
        raise ValueError("a number of a box is not finite")
    if not np.isin(every[:, 4], np.arange(classes)).all():
        raise ValueError(f"a box has a label that is none of {classes}")
    every[:, :4] = every[:, :4].clip(0, 1)
    return np.column_stack([every, np.repeat(np.arange(len(rows)), count)])


def _sides(boxes: np.ndarray) -> np.ndarray:
    """Return left, top, width, height."""
    return np.column_stack([boxes[:, :2], boxes[:, 2:4] - boxes[:, :2]])


def _coco(rows: np.ndarray, pictures: int, classes: int) -> COCO:
    """Return boxes as a data set of pycocotools; numbers from 1 are ids, 0 means no partner."""
    from pycocotools.coco import COCO  # noqa: PLC0415

    data: Any = COCO()
    data.dataset = {
        "images": [{"id": number} for number in range(pictures)],
        "categories": [{"id": label} for label in range(classes)],
        "annotations": [
            {"id": number, "image_id": int(row[-1]), "category_id": int(row[4]), "iscrowd": 0,
             "bbox": sides, "area": sides[2] * sides[3], "score": row[5]}
            for number, (row, sides) in enumerate(
                zip(rows.tolist(), _sides(rows).tolist(), strict=True), 1
            )
        ],
    }  # fmt: skip
    data.createIndex()
    return data
