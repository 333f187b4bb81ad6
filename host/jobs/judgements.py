"""What both models said of every validation picture: `report/judged.json`, behind the figures.

Of a classifier the file has the answer to each picture, of a detector the boxes and their true
partners: partners are given best first, so one list serves every threshold.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from ..trainer.detect_errors import KINDS as BOX_KINDS
from ..trainer.detect_errors import JudgedPicture, judge_picture, judge_pictures
from ..trainer.detect_evaluate import THRESHOLDS, DetectorReport
from ..trainer.detect_match import Matches
from ..trainer.evaluate import ClassifierReport
from .pictures import REPORT

NAME = "judged.json"
KINDS = ("int8", "float")
ANSWER_KINDS = ("right", "wrong", "unsure")
"""What a classifier's answer can be; unsure: it scores less than the threshold."""

LEAST = float(THRESHOLDS[0])
"""Lowest threshold that can be asked for."""
KEPT = 20_000
"""Boxes of a model that are kept, the surest ones: some 2 MB, 50 a picture of 400."""

Entry = Mapping[str, Any]
"""A `Judged` of `trainer.evaluate`, or a `JudgedPicture` of `trainer.detect_errors`, as JSON, and
`number`, which the picture has at every threshold."""


@dataclass(frozen=True, slots=True)
class Said:
    """What one model said of every picture.

    `least` is the lowest threshold that it can be judged at, None where the file has judgements of
    one threshold only (a detector of an older version).
    """

    pictures: tuple[Entry, ...]
    boxes: Matches | None
    labels: tuple[str, ...]
    least: float | None

    def entries(self, threshold: float) -> list[Entry]:
        """Return all pictures judged at `threshold`, the worst first."""
        if self.boxes is None:
            return [{**one, "number": number} for number, one in enumerate(self.pictures)]
        paths = [one["path"] for one in self.pictures]
        numbers = {path: number for number, path in enumerate(paths)}
        found = judge_pictures(self.boxes, threshold, self.labels, paths)
        return [_entry(one, numbers[one.path]) for one in found]

    def entry(self, number: int, threshold: float) -> Entry | None:
        """Return the picture `number` judged at `threshold`; None: there is none."""
        if not 0 <= number < len(self.pictures):
            return None
        one = self.pictures[number]
        if self.boxes is None:
            return {**one, "number": number}
        found = judge_picture(self.boxes, threshold, self.labels, one["path"], number)
        return _entry(found, number)


def to_json(reports: Mapping[str, Any]) -> bytes:
    """Return what the reports "int8" and "float" know of every picture."""
    return json.dumps({kind: _plain(reports[kind]) for kind in KINDS}).encode()


def read(folder: Path) -> Mapping[str, Said]:
    """Return what the job in `folder` has of both kinds; nothing of jobs of older versions."""
    path = folder / REPORT / NAME
    return _read(path, path.stat().st_mtime_ns) if path.is_file() else {}


def kinds(entry: Entry, threshold: float) -> list[str]:
    """Return what a picture counts as: one of `ANSWER_KINDS`, or one of `BOX_KINDS` for each box.

    Boxes are those found and the true ones that none stands for, so that "right" counts once.
    """
    if "found" in entry:
        missed = (box for box in entry["truth"] if box["kind"] == "missed")
        return [box["kind"] for box in (*entry["found"], *missed)]
    if entry["score"] < threshold:
        return ["unsure"]
    return ["right" if entry["truth"] == entry["predicted"] else "wrong"]


def errors(entry: Entry) -> list[str]:
    """Return what is wrong with a detector's picture, once a box."""
    return [kind for kind in kinds(entry, LEAST) if kind != "right"]


def counts(entries: Sequence[Entry], threshold: float) -> dict[str, int]:
    """Return how many boxes, or of a classifier pictures, are of each kind."""
    found = [kind for one in entries for kind in kinds(one, threshold)]
    known = BOX_KINDS if entries and "found" in entries[0] else ANSWER_KINDS
    return {kind: found.count(kind) for kind in known}


def sureness(said: Said) -> dict[str, list[float]]:
    """Return a classifier's curve over the threshold: what it answers, and what of that is right.

    "threshold", "answered" (part of all pictures that are answered) and "right" (part of those,
    1.0 when there are none), at 0.02, 0.04 .. 0.98.
    """
    scores = np.array([one["score"] for one in said.pictures])
    right = np.array([one["truth"] == one["predicted"] for one in said.pictures])
    shown = scores >= THRESHOLDS[1::2, None]
    answered = shown.sum(1)
    hits = np.where(answered, (shown & right).sum(1) / np.maximum(answered, 1), 1.0)
    rows = {"threshold": THRESHOLDS[1::2], "answered": answered / len(scores), "right": hits}
    return {name: [round(one, 4) for one in row.tolist()] for name, row in rows.items()}


@lru_cache(maxsize=4)
def _read(path: Path, _written: int) -> Mapping[str, Said]:
    return {kind: _said(one) for kind, one in json.loads(path.read_bytes()).items()}


def _said(kept: Any) -> Said:
    if isinstance(kept, list):
        once = bool(kept) and "found" in kept[0]
        return Said(tuple(kept), None, (), None if once else LEAST)
    found = np.array(kept["found"], np.float64).reshape(-1, 7)
    truth = np.array(kept["truth"], np.float64).reshape(-1, 6)
    unused = np.empty((0, 0, 0))
    boxes = Matches(found, truth, np.array(kept["partner"], np.int64), unused)
    pictures = tuple({"path": path} for path in kept["paths"])
    return Said(pictures, boxes, tuple(kept["labels"]), kept["least"])


def _plain(report: ClassifierReport | DetectorReport) -> Any:
    if isinstance(report, ClassifierReport):
        return [asdict(one) for one in report.worst]
    matches = report.matches
    rows = np.argsort(-matches.found[:, 5], kind="stable")
    rows = rows[matches.found[rows, 5] > LEAST]
    # What is left out has to score less than any threshold that may be asked for.
    cut = float(matches.found[rows[KEPT], 5]) if len(rows) > KEPT else 0.0
    rows, least = np.sort(rows[:KEPT]), THRESHOLDS.searchsorted(min(cut, THRESHOLDS[-1]))
    return {
        "labels": report.labels,
        "paths": report.paths,
        "truth": matches.truth.tolist(),
        "found": matches.found[rows].tolist(),
        "partner": matches.partner[rows].tolist(),
        "least": float(THRESHOLDS[least]),
    }


def _entry(one: JudgedPicture, number: int) -> Entry:
    return {**one.as_dict(boxes=None), "number": number}
