"""What is wrong with the boxes of a picture: missed, false, misplaced, mislabelled, doubled.

The kinds are those of TIDE (Bolya et al., ECCV 2020); here each true box explains one wrong one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from .detect_match import Matches, overlaps

KINDS = ("right", "missed", "false", "misplaced", "mislabelled", "doubled")
"""Right: an IoU of 0.5 with a true box of the label. Missed: a true box without any. Misplaced:
the label is right, the IoU is between 0.2 and 0.5. Mislabelled: the other way round. Doubled: one
more box on an object that has its box. False: none of these."""

WEIGHTS = {"mislabelled": 1.5, "false": 1.0, "missed": 0.75, "misplaced": 0.75, "doubled": 0.5}
"""How bad an error is, times the score of the box: a sure false alarm is worse than a miss."""

PLACED, NEAR = 0.5, 0.2
"""IoU of a box in its place, and of one that is meant for an object: a third of both is common."""

BOXES = 20
"""Boxes of a picture in JSON."""


@dataclass(frozen=True, slots=True)
class Mark:
    """A box (parts of the picture) and what is wrong with it; a true one has score None."""

    left: float
    top: float
    right: float
    bottom: float
    label: str
    score: float | None
    kind: str


@dataclass(frozen=True, slots=True)
class JudgedPicture:
    """One picture with its true boxes and those of the model, the surest first."""

    path: str
    truth: tuple[Mark, ...]
    """`kind` is that of the box that stands for it, or "missed"."""
    found: tuple[Mark, ...]

    @property
    def marks(self) -> tuple[Mark, ...]:
        """What counts: each box found, and each true one that none stands for."""
        return (*self.found, *(box for box in self.truth if box.kind == "missed"))

    @property
    def wrong(self) -> bool:
        """Whether anything is."""
        return any(box.kind != "right" for box in self.marks)

    @property
    def badness(self) -> float:
        """Sum of the errors."""
        return sum(WEIGHTS.get(box.kind, 0) * (box.score or 1.0) for box in self.marks)

    @property
    def lost(self) -> float:
        """Part of the picture that missed boxes take."""
        missed = [box for box in self.truth if box.kind == "missed"]
        return sum((box.right - box.left) * (box.bottom - box.top) for box in missed)

    @property
    def doubt(self) -> float:
        """How unsure the least sure right box is (0..1)."""
        return max((1 - (box.score or 0) for box in self.found if box.kind == "right"), default=0.0)

    def as_dict(self, boxes: int | None = BOXES) -> dict[str, Any]:
        """Return plain values for JSON: at most so many boxes of each, the wrong ones first."""
        return {
            "path": self.path,
            **{
                name: [
                    {key: getattr(box, key) for key in Mark.__slots__}
                    for box in sorted(every, key=lambda box: box.kind == "right")[:boxes]
                ]
                for name, every in (("truth", self.truth), ("found", self.found))
            },
        }


def judge_pictures(
    matches: Matches, threshold: float, labels: Sequence[str], paths: Sequence[str]
) -> tuple[JudgedPicture, ...]:
    """Return all pictures with the boxes that score more than `threshold`, the worst first."""
    judged = [
        judge_picture(matches, threshold, labels, path, number) for number, path in enumerate(paths)
    ]
    return tuple(sorted(judged, key=lambda one: (-one.badness, -one.lost, -one.doubt)))


def judge_picture(
    matches: Matches, threshold: float, labels: Sequence[str], path: str, number: int
) -> JudgedPicture:
    """Return the picture `path`, the `number`th one of `matches`."""
    (mine,) = np.nonzero((matches.found[:, 6] == number) & (matches.found[:, 5] > threshold))
    mine = mine[np.argsort(-matches.found[mine, 5], kind="stable")]
    (real,) = np.nonzero(matches.truth[:, 5] == number)
    found, truth = matches.found[mine], matches.truth[real]
    # A picture's true boxes are rows that follow each other; no partner is less than its first.
    kinds, met = _kinds(found, truth, matches.partner[mine] - (real[0] if len(real) else 0))
    return JudgedPicture(
        path,
        tuple(_mark(row, None, kind, labels) for row, kind in zip(truth, met, strict=True)),
        tuple(
            _mark(row, float(row[5]), kind, labels) for row, kind in zip(found, kinds, strict=True)
        ),
    )


def _mark(row: np.ndarray, score: float | None, kind: str, labels: Sequence[str]) -> Mark:
    left, top, right, bottom = (round(side, 5) for side in row[:4].tolist())
    return Mark(left, top, right, bottom, labels[int(row[4])], score, kind)


def _kinds(
    found: np.ndarray, truth: np.ndarray, partner: np.ndarray
) -> tuple[list[str], list[str]]:
    """Return the kinds of the boxes found (best first) and of the true ones.

    `partner` is the row of `truth` that a box is, or -1.
    """
    kinds = np.where(partner >= 0, "right", "false").astype(object)
    met = np.full(len(truth), "missed", object)
    met[partner[partner >= 0]] = "right"
    common = overlaps(found, truth)
    alike = found[:, 4:5] == truth[:, 4]
    meant = common >= np.where(alike, NEAR, PLACED)
    for box in np.flatnonzero((partner < 0) & meant.any(1)):
        free = meant[box] & (met == "missed")
        if free.any():
            # Its own label goes before the better place.
            place = int(np.argmax(np.where(free, common[box] + alike[box], -1)))
            kinds[box] = met[place] = "misplaced" if alike[box, place] else "mislabelled"
        else:
            kinds[box] = "doubled"
    return kinds.tolist(), met.tolist()
