"""Curves over the threshold as the result page draws them: each point leads to its pictures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from flask import url_for
from flask_babel import gettext as _

from ..jobs import judgements
from ..jobs.judgements import Said
from ..jobs.store import Job

WIDTH, HEIGHT = 400, 240
LEFT, RIGHT, TOP, BOTTOM = 40, 8, 10, 40
"""Room around the plot, in units of the drawing."""
TICKS = (0.0, 0.25, 0.5, 0.75, 1.0)


@dataclass(frozen=True, slots=True)
class Line:
    """One line: its name, its key (also its colour's class), and `points` of a polyline."""

    name: str
    key: str
    points: str


@dataclass(frozen=True, slots=True)
class Point:
    """One threshold with its figures in percent; `url` leads to its pictures, "" to none.

    `left` and `width` are those of its strip in the first drawing, `x` and `y` its place in the
    second one, in units of the drawings.
    """

    threshold: float
    values: tuple[float, ...]
    url: str
    left: float
    width: float
    x: float
    y: float
    advised: bool


@dataclass(frozen=True, slots=True)
class Curves:
    """Both drawings of one model: lines over the threshold, and their points over each other.

    `other` is the second drawing's line, `axes` the names of its axes (across, up).
    """

    kind: str
    lines: tuple[Line, ...]
    points: tuple[Point, ...]
    mark: float
    other: str
    axes: tuple[str, str]


def of(job: Job, judged: Mapping[str, Said]) -> list[Curves]:
    """Return the curves of the INT8 and the float model of a done job, if it has any."""
    report = job.result.get("report", {})
    found = []
    for kind in judgements.KINDS:
        said = judged.get(kind)
        curve = report.get(kind, {}).get("curve")
        if not curve and said and said.pictures and "score" in said.pictures[0]:
            curve = judgements.sureness(said)
        if curve:
            found.append(_curves(job, kind, curve, said))
    return found


def across(part: float) -> float:
    """Return where 0..1 lies across a drawing."""
    return round(LEFT + part * (WIDTH - LEFT - RIGHT), 1)


def up(part: float) -> float:
    """Return where 0..1 lies up a drawing."""
    return round(HEIGHT - BOTTOM - part * (HEIGHT - TOP - BOTTOM), 1)


def _curves(job: Job, kind: str, curve: Mapping[str, Sequence[float]], said: Said | None) -> Curves:
    names = {
        "precision": _("Precision"),
        "recall": _("Recall"),
        "f1": "F1",
        "answered": _("Answered"),
        "right": _("Right of those"),
    }
    keys = [key for key in names if key in curve]
    x, y = ("recall", "precision") if "recall" in curve else ("answered", "right")
    thresholds = curve["threshold"]
    advised = (job.result.get("advised") or job.result).get("threshold", 0.5)
    nearest = min(thresholds, key=lambda one: abs(one - advised))
    width = round(across(thresholds[1]) - across(thresholds[0]), 1)

    def point(place: int, threshold: float) -> Point:
        return Point(
            threshold=threshold,
            values=tuple(100 * curve[key][place] for key in keys),
            url=_url(job, kind, threshold, said),
            left=round(across(threshold) - width / 2, 1),
            width=width,
            x=across(curve[x][place]),
            y=up(curve[y][place]),
            advised=threshold == nearest,
        )

    lines = [Line(names[key], key, _points(thresholds, curve[key])) for key in keys]
    return Curves(
        kind=kind,
        lines=tuple(lines),
        points=tuple(point(*one) for one in enumerate(thresholds)),
        mark=across(advised),
        other=_points(curve[x], curve[y]),
        axes=(names[x], names[y]),
    )


def _points(xs: Sequence[float], ys: Sequence[float]) -> str:
    return " ".join(f"{across(x)},{up(y)}" for x, y in zip(xs, ys, strict=True))


def _url(job: Job, kind: str, threshold: float, said: Said | None) -> str:
    if said is None or said.least is None or threshold < said.least:
        return ""
    shown = f"{threshold:g}"
    return url_for("judged.page", job_id=job.id, kind=kind, threshold=shown)
