"""How good are the boxes? Tables, thresholds and the worst pictures of the float or INT8 model.

Boxes are parts (0..1) of the input picture; what reaches outside is cut off, as the screen does.
A share whose denominator is 0 is 0: `support` and `boxes` say when there was nothing to find.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..errors import UserError
from .detect_errors import KINDS, JudgedPicture, judge_pictures
from .detect_match import Matches, match

LEAST_SCORE = 0.005
"""Answers come with all boxes that score more, so that the curves are whole."""
NMS_VALUES = (0.2, 0.3, 0.4, 0.5, 0.6)
"""What `recommend_nms` is to choose from."""
THRESHOLDS = np.arange(1, 100) / 100
"""Thresholds that are tried; two digits, as boot.py has them."""

ROOM = 10
"""Boxes of a picture that the firmware has room for; more overwrite other memory (obj_info_t of
sipeed_yolo2.h)."""


@dataclass(frozen=True, slots=True)
class DetectorClassScore:
    """One class; precision, recall and F1 are those at the report's threshold."""

    label: str
    ap50: float
    """Area under precision over recall at an IoU of 0.5."""
    ap: float
    """Its mean over the IoUs 0.5, 0.55 .. 0.95."""
    precision: float
    """Of the boxes found, the part that are right: an IoU of 0.5 with a true box."""
    recall: float
    """Of the true boxes, the part that were found."""
    f1: float
    """Harmonic mean of both."""
    support: int
    """True boxes of this class."""
    found: int
    """Boxes the model shows of it."""
    curve: np.ndarray
    """Precision at the recalls 0, 0.01 .. 1 at an IoU of 0.5, float64 (101,)."""


@dataclass(frozen=True, slots=True)
class ThresholdCurve:
    """All classes together over `THRESHOLDS`, (99,) each."""

    precision: np.ndarray
    recall: np.ndarray
    f1: np.ndarray
    fullest: np.ndarray
    """Most boxes found in one picture."""

    def best(self) -> float:
        """Return the threshold of the best F1 that leaves no picture more than `ROOM` boxes.

        Of equally good ones it is the middle of the longest stretch.
        """
        f1 = np.where(self.fullest <= max(ROOM, self.fullest.min()), self.f1, -1)
        best = np.append(f1 >= f1.max() - 1e-9, False)
        edges = np.flatnonzero(np.diff(best, prepend=False)).reshape(-1, 2)
        first, end = edges[np.argmax(edges[:, 1] - edges[:, 0])]
        return float(THRESHOLDS[(first + end - 1) // 2])

    def at(self, threshold: float) -> tuple[float, float, float]:
        """Return precision, recall and F1 at the tried threshold that is nearest."""
        place = int(np.abs(THRESHOLDS - threshold).argmin())
        return float(self.precision[place]), float(self.recall[place]), float(self.f1[place])


@dataclass(frozen=True, slots=True)
class DetectorReport:
    """Answers of one model to one set of pictures."""

    labels: tuple[str, ...]
    pictures: int
    boxes: int
    """True boxes in all pictures."""
    map50: float
    """Mean of `ap50` over the classes that have true boxes."""
    map: float
    """The same of `ap`: mAP50-95."""
    threshold: float
    """Least score of the boxes that the rest of the report is about."""
    recommended: float
    """`ThresholdCurve.best` of these pictures."""
    classes: tuple[DetectorClassScore, ...]
    curve: ThresholdCurve
    errors: dict[str, int]
    """How many boxes are of each of `detect_errors.KINDS`."""
    fullest: int
    """Most boxes found in one picture: no more than `ROOM` where any threshold serves."""
    worst: tuple[JudgedPicture, ...]
    """All pictures, the worst first."""
    paths: tuple[str, ...]
    """Names of the pictures in the order of `matches`."""
    matches: Matches
    """All boxes, for any threshold."""

    @property
    def precision(self) -> float:
        """Of the boxes found, the part that are right."""
        return self.curve.at(self.threshold)[0]

    @property
    def recall(self) -> float:
        """Of the true boxes, the part that were found."""
        return self.curve.at(self.threshold)[1]

    @property
    def f1(self) -> float:
        """Harmonic mean of precision and recall."""
        return self.curve.at(self.threshold)[2]

    @property
    def crowded(self) -> bool:
        """Whether the recommended threshold would find more if the firmware had more room."""
        return bool(self.curve.at(self.recommended)[2] < self.curve.f1.max() - 1e-9)

    @property
    def mistakes(self) -> tuple[JudgedPicture, ...]:
        """The pictures with an error, the worst first."""
        return tuple(picture for picture in self.worst if picture.wrong)

    def as_dict(self, worst: int = 24) -> dict[str, Any]:
        """Return plain values for JSON: curves of about 50 points, the `worst` worst pictures."""
        alone = ("labels", "classes", "curve", "worst", "paths", "matches")
        plain = {name: getattr(self, name) for name in self.__slots__ if name not in alone}
        return {
            **plain,
            "labels": list(self.labels),
            **{name: getattr(self, name) for name in ("precision", "recall", "f1", "crowded")},
            "classes": [
                {name: getattr(score, name) for name in DetectorClassScore.__slots__}
                | {"curve": _short(score.curve[::2])}
                for score in self.classes
            ],
            "curve": {
                "threshold": _short(THRESHOLDS[1::2]),
                **{name: _short(getattr(self.curve, name)[1::2])
                   for name in ThresholdCurve.__slots__},
            },
            "worst": [picture.as_dict() for picture in self.worst[:worst]],
        }  # fmt: skip


def evaluate_detector(
    found: Sequence[np.ndarray],
    truth: Sequence[np.ndarray],
    labels: Sequence[str],
    paths: Sequence[str],
    threshold: float | None = None,
) -> DetectorReport:
    """Judge boxes against the true ones.

    Args:
        found: for each picture float (m, 6): left, top, right, bottom (parts of the picture),
            label, score; all that score more than `LEAST_SCORE`.
        truth: for each picture float (k, 5): left, top, right, bottom, label.
        labels: names of the labels.
        paths: names of the pictures.
        threshold: least score of a box that is shown (two digits); by default the recommended.

    Raises:
        UserError: `nothing_to_judge` (no pictures).
        ValueError: the shapes do not belong together, or a number is not finite.
    """
    if not len(truth):
        raise UserError("nothing_to_judge")
    if len(paths) != len(truth):
        raise ValueError(f"{len(truth)} pictures, {len(paths)} paths")
    matches = match(found, truth, len(labels))
    curve = _curve(matches)
    recommended = curve.best()
    threshold = recommended if threshold is None else threshold
    classes = _classes(matches, labels, threshold)
    filled = [one for one in classes if one.support]
    worst = judge_pictures(matches, threshold, labels, paths)
    kinds = [box.kind for picture in worst for box in picture.marks]
    return DetectorReport(
        labels=tuple(labels),
        pictures=len(truth),
        boxes=len(matches.truth),
        map50=_mean(one.ap50 for one in filled),
        map=_mean(one.ap for one in filled),
        threshold=threshold,
        recommended=recommended,
        classes=classes,
        curve=curve,
        errors={kind: kinds.count(kind) for kind in KINDS},
        fullest=max(len(picture.found) for picture in worst),
        worst=worst,
        paths=tuple(paths),
        matches=matches,
    )


def recommend_nms(
    found: Mapping[float, Sequence[np.ndarray]], truth: Sequence[np.ndarray], labels: Sequence[str]
) -> float:
    """Return the NMS value (largest IoU of two boxes of a label) whose best F1 is the best.

    `found` has the answers as in `evaluate_detector` by NMS value, e.g. by those of `NMS_VALUES`.
    Among equals it is the one in the middle.
    """
    best = {}
    for nms, boxes in sorted(found.items()):
        curve = _curve(match(boxes, truth, len(labels), ious=(0.5,)))
        best[nms] = curve.at(curve.best())[2]
    equal = [nms for nms, f1 in best.items() if f1 >= max(best.values()) - 1e-9]
    return equal[len(equal) // 2]


def _curve(matches: Matches) -> ThresholdCurve:
    score, right = matches.found[:, 5], matches.partner >= 0
    shown = score > THRESHOLDS[:, None]
    shares = _shares((shown & right).sum(1), shown.sum(1), len(matches.truth))
    pictures = matches.found[:, 6].astype(int)
    fullest = [np.bincount(pictures[row], minlength=1).max() for row in shown]
    return ThresholdCurve(*shares, fullest=np.array(fullest))


def _shares(right: Any, found: Any, boxes: Any) -> tuple[Any, Any, Any]:
    """Return precision, recall and F1."""
    return (
        right / np.maximum(found, 1),
        right / np.maximum(boxes, 1),
        2 * right / np.maximum(found + boxes, 1),
    )


def _classes(
    matches: Matches, labels: Sequence[str], threshold: float
) -> tuple[DetectorClassScore, ...]:
    shown = matches.found[:, 5] > threshold
    classes = []
    for number, label in enumerate(labels):
        mine = shown & (matches.found[:, 4] == number)
        found, right = int(mine.sum()), int((mine & (matches.partner >= 0)).sum())
        support = int((matches.truth[:, 4] == number).sum())
        precision, recall, f1 = map(float, _shares(right, found, support))
        curves = matches.precision[:, :, number]
        classes.append(
            DetectorClassScore(
                label=label,
                ap50=float(curves[0].mean()),
                ap=float(curves.mean()),
                precision=precision,
                recall=recall,
                f1=f1,
                support=support,
                found=found,
                curve=curves[0],
            )
        )
    return tuple(classes)


def _mean(values: Iterable[float]) -> float:
    every = list(values)
    return sum(every) / len(every) if every else 0.0


def _short(values: np.ndarray) -> list[float]:
    return [round(value, 4) for value in values.tolist()]
