"""What the templates show, computed from rows: bars, heat, sizes. No HTML here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flask_babel import gettext as _

from ..config import Settings
from ..datasets.limits import MIB
from ..errors import Finding
from ..jobs import room
from ..jobs.doubts import doubts
from ..jobs.events import STEPS
from ..jobs.judgements import errors
from ..jobs.pictures import worst
from ..jobs.store import Job

HEATS = 9
"""Shades of a confusion matrix; heat-0 is none."""


@dataclass(frozen=True, slots=True)
class Bar:
    """One class of the data set. `percent` and `mark` (the minimum) are 0..100 of the width."""

    label: str
    count: int
    percent: float
    mark: float
    enough: bool


def bars(job: Job, settings: Settings) -> list[Bar]:
    """Return the class bars of a checked data set: its pictures, or boxes, of each class."""
    counts: dict[str, int] = job.dataset.get("counts", {})
    least = mark(job, settings)
    widest = max([*counts.values(), round(least * 1.25)])
    return [
        Bar(label, count, 100 * count / widest, 100 * least / widest, count >= least)
        for label, count in counts.items()
    ]


def mark(job: Job, settings: Settings) -> int:
    """Return what the line across the bars stands for: pictures needed, or boxes advised."""
    return settings.boxes_advised if detects(job) else settings.images_min


MARKS = {
    "duplicates_dropped": "same",
    "near_duplicates": "near",
    "picture_in_two_classes": "torn",
    "picture_with_other_boxes": "torn",
    **dict.fromkeys(
        (f"picture_{kind}" for kind in ("empty", "truncated", "unreadable", "too_small")), "broken"
    ),
}
"""Where the Data page shows the pictures of a finding, by its code."""


def marks(job: Job) -> list[str]:
    """Return the marks (see `gallery.MARKS`) that a job's findings speak of."""
    return list(dict.fromkeys(MARKS[one["code"]] for one in job.findings if one["code"] in MARKS))


def detects(job: Job) -> bool:
    """Say whether a job makes a detector."""
    return job.dataset.get("task") == "detect"


@dataclass(frozen=True, slots=True)
class Cell:
    """One field of a confusion matrix; `heat` is 0..9 by its share of the row."""

    count: int
    heat: int
    right: bool


def matrix(counts: list[list[int]]) -> list[list[Cell]]:
    """Return a confusion matrix (rows: truth, columns: answer) with its heats."""
    return [
        [Cell(count, -(-HEATS * count // max(sum(row), 1)), i == j) for j, count in enumerate(row)]
        for i, row in enumerate(counts)
    ]


@dataclass(frozen=True, slots=True)
class Shown:
    """A result as the page shows it. Accuracies or mAP50 in percent, `drop` in points.

    `doubts` are warnings about the result, `chosen_fit` is the firmware that the job was made for
    (one entry or none).
    """

    float_percent: float
    int8_percent: float
    drop: float
    doubts: list[Finding]
    frames: float
    classes: list[dict[str, Any]]
    matrices: dict[str, list[list[Cell]]]
    worst: list[dict[str, Any]]
    chosen_fit: list[dict[str, Any]]
    other_fits: list[dict[str, Any]]


def result(job: Job) -> Shown:
    """Return what the result page shows of a done job."""
    data = job.result
    report = data.get("report", {})
    percent = [score_percent(data[kind]) for kind in ("float", "int8")]
    fits = data.get("firmware_fit", [])
    build = data.get("target", job.options).get("firmware")
    chosen = [one for one in fits if one["id"] == build] or fits[:1]
    return Shown(
        float_percent=percent[0],
        int8_percent=percent[1],
        drop=percent[0] - percent[1],
        doubts=doubts(data),
        frames=1000 / data["ms"] if data.get("ms") else 0.0,
        classes=_classes(report),
        matrices={
            kind: matrix(report[kind]["confusion"])
            for kind in ("float", "int8")
            if "confusion" in report.get(kind, {})
        },
        worst=[{"number": number, **one} for number, one in enumerate(worst(data))],
        chosen_fit=chosen,
        other_fits=[one for one in fits if one not in chosen],
    )


def score_percent(figures: Mapping[str, float]) -> float:
    """Return the one figure of a model, 0..100: its accuracy, or a detector's mAP50."""
    return 100 * figures["map50" if "map50" in figures else "accuracy"]


def kind_names() -> dict[str, str]:
    """Return what a box or an answer counts as (see `judgements.kinds`), in the page's language."""
    return {"right": _("right"), "wrong": _("wrong"), "unsure": _("not sure"), **error_names()}


def error_names() -> dict[str, str]:
    """Return what can be wrong with a box (see `judgements.errors`), in the page's language."""
    return {
        "missed": _("missed"),
        "false": _("false"),
        "misplaced": _("badly placed"),
        "mislabelled": _("wrong class"),
        "doubled": _("doubled"),
    }


def mistakes(picture: Mapping[str, Any]) -> str:
    """Return what is wrong with a picture of a detector's report, in the page's language."""
    kinds, names = errors(picture), error_names()
    return ", ".join(f"{kinds.count(kind)} {text}" for kind, text in names.items() if kind in kinds)


def _classes(report: dict[str, Any]) -> list[dict[str, Any]]:
    """Return per class the float and the INT8 model's figures side by side."""
    if not report:
        return []
    pairs = zip(report["float"]["classes"], report["int8"]["classes"], strict=True)
    return [{"label": one["label"], "float": one, "int8": other} for one, other in pairs]


def steps(job: Job) -> list[tuple[str, str]]:
    """Return a job's steps with their names in the page's language."""
    names = {
        "receive": _("Unpack"),
        "check": _("Check"),
        "train": _("Train"),
        "compile": _("Compile for the K210"),
        "evaluate": _("Measure on the simulated K210"),
        "seal": _("Seal for one board"),
        "package": _("Pack"),
    }
    return [(step, names[step]) for step in STEPS if step != "seal" or job.options.get("seal")]


def states() -> dict[str, str]:
    """Return the states' names in the page's language."""
    return {
        "checked": _("ready to train"),
        "queued": _("waiting"),
        "running": _("training"),
        "paused": _("paused"),
        "done": _("done"),
        "failed": _("failed"),
        "cancelled": _("cancelled"),
    }


def room_mb(job: Job, data: Path) -> dict[str, int]:
    """Return how much room on the disk a training takes at most and how much is free, in MB."""
    needed, free = room.of_job(job.dataset), room.free_bytes(data)
    return {"needed": -(-needed // MIB), "free": free // MIB}


def stage(state: str) -> int:
    """Return where in data, check, train, result a job of this state is (0..3); 4 is deploy."""
    return {"checked": 1, "cancelled": 1, "done": 3}.get(state, 2)


def texts() -> dict[str, str]:
    """Return what the scripts say, in the page's language; {n} and the like are filled there."""
    return {
        "uploading": _("Sending: {percent} %"),
        "checking": _("Checking every picture ..."),
        "trying": _("Asking the simulated K210 ..."),
        "failed": _("failed"),
        "no_answer": _("The host did not answer. Is it still running?"),
        "too_large": _("{found} MB is more than the {needed} MB that the host takes."),
        "seconds": _("about {n} s left"),
        "minutes": _("about {n} min left"),
        "position": _("Jobs before this one: {n}"),
        "next": _("Starts in a moment"),
        "cancelling": _("Stopping ..."),
        "started": _("started"),
        "resumed": _("going on"),
        "paused": _("paused"),
        "room": _("room on the disk: about {needed_mb} MB needed, {free_mb} MB free"),
        "starts_in": _("Jobs before this one: {n}; starts in about {min} min"),
        "done": _("done"),
        "cancelled": _("cancelled"),
        "epoch": _("round {n}"),
        "train_features": _("looking at every picture"),
        "train_head": _("learning the classes"),
        "train_tune": _("fine-tuning"),
        "canmv": _("kmodel V5 for CanMV"),
        "train_finish": _("keeping the best"),
        "loss": _("loss"),
        "accuracy": _("accuracy"),
        "valid_loss": _("loss kept aside"),
        "valid_accuracy": _("accuracy kept aside"),
        "valid_map50": _("mAP50 kept aside"),
        "sure_delete": _("Delete this job and all its files?"),
        "connection": _("Connection lost; trying again ..."),
    }


def camera_texts() -> dict[str, str]:
    """Return what `static/camera.js` says where there is no camera, in the page's language."""
    return {
        "camera_insecure": _(
            "Browsers give a camera only to pages of the same computer, or with https. Open this "
            "page on the host's own computer as http://127.0.0.1:{port}/, or through a tunnel: "
            "ssh -L {port}:127.0.0.1:{port} NAME-OF-THE-HOST, or put a proxy with https before the "
            "host (docs/security.md). Or choose files: a phone takes them with its own camera."
        ),
        "camera_denied": _(
            "The browser does not let this page use the camera. Allow it beside the address, in "
            "the system's settings for privacy too, then try again."
        ),
        "camera_none": _("No camera was found. Plug one in, then try again."),
        "camera_busy": _(
            "The camera gives no picture. Close other programs that use it, then try again."
        ),
        "camera_failed": _("The camera cannot be used: {reason}"),
        "camera_gone": _("The camera is gone. Plug it in, then try again."),
        "camera_number": _("Camera {n}"),
        "rate": _("{n} answers a second"),
    }
