"""The pictures behind a figure of a result: a cell of the confusion matrix, a point of a curve."""

from __future__ import annotations

import math
from collections.abc import Sequence

from flask import Blueprint, Response, render_template, request

from ..errors import UserError
from ..jobs import judgements, pictures
from ..jobs.judgements import KINDS, LEAST, Entry, Said
from ..jobs.store import Job
from ..jobs.trial import MOST, Values
from . import view
from .state import host

blueprint = Blueprint("judged", __name__)

COUNT = 60
"""Pictures of one page."""


@blueprint.get("/jobs/<job_id>/judged/<kind>")
def page(job_id: str, kind: str) -> str:
    """Show the validation pictures of a model ("int8" or "float"), the worst first.

    They are judged at `threshold`, by default the one of the report's figures. `truth` and
    `answer` ask for those of a class that were taken for one, `error` for those with such a box or
    answer, `after` for those behind so many.
    """
    job, said = _open(job_id, kind)
    threshold = _threshold(job, said)
    asked = {name: request.args.get(name, "") for name in ("truth", "answer", "error")}
    among = [one for one in said.entries(threshold) if _is(one, asked["truth"], asked["answer"])]
    error = asked["error"]
    found = [one for one in among if not error or error in judgements.kinds(one, threshold)]
    after = max(request.args.get("after", 0, type=int), 0)
    chosen = "threshold" in request.args and said.least is not None
    return render_template(
        "job_judged.html",
        job=job,
        stage=view.stage(job.state),
        detects="nms" in job.result,
        kind=kind,
        asked={name: value for name, value in asked.items() if value}
        | ({"threshold": f"{threshold:g}"} if chosen else {}),
        threshold=threshold,
        least=said.least,
        most=MOST,
        kind_names=view.kind_names(),
        counts=judgements.counts(among, threshold),
        figures=_figures(among, threshold),
        kinds_of=lambda one: judgements.kinds(one, threshold),
        mistakes=view.mistakes,
        total=len(found),
        after=after,
        next=after + COUNT if after + COUNT < len(found) else None,
        entries=found[after : after + COUNT],
        texts=view.texts(),
    )


@blueprint.get("/jobs/<job_id>/judged/<kind>/<int:number>.jpg")
def picture(job_id: str, kind: str, number: int) -> Response:
    """Send one of them, written anew by us, with the boxes that `threshold` leaves."""
    job, said = _open(job_id, kind)
    threshold = _threshold(job, said)
    entry = said.entry(number, threshold)
    if entry is None:
        raise UserError("picture_missing", str(number))
    # Only one threshold's pictures are kept: there are 99, and each takes but milliseconds.
    usual = "nms" not in job.result or threshold == _usual(job)
    name = f"{kind}-{number}.jpg" if usual else ""
    data = pictures.thumbnail(host().store.folder(job_id), job.result, entry, name)
    return Response(data, content_type="image/jpeg")


def _open(job_id: str, kind: str) -> tuple[Job, Said]:
    job = host().store.done(job_id)
    known = judgements.read(host().store.folder(job_id))
    if kind not in KINDS or kind not in known:
        raise UserError("page_missing", request.path)
    return job, known[kind]


def _usual(job: Job) -> float:
    """Return the threshold that the report's figures are about, or that boot.py has."""
    advised = job.result.get("advised")
    return advised["threshold"] if advised else Values.of(job.result).threshold


def _threshold(job: Job, said: Said) -> float:
    """Return the threshold that the request asks for, two digits.

    Raises:
        UserError: `option_invalid`.
    """
    text = request.args.get("threshold", "")
    if not text or said.least is None:
        return max(_usual(job), said.least or LEAST)
    try:
        value = round(float(text), 2)
    except (ValueError, OverflowError):
        value = math.nan
    if not said.least <= value <= MOST:
        needed = f"{said.least:g} ... {MOST:g}"
        raise UserError("option_invalid", "threshold", value=text[:80], needed=needed)
    return value


def _is(one: Entry, truth: str, answer: str) -> bool:
    """Say whether a picture is asked for; a detector's has no class."""
    return "found" in one or (truth in ("", one["truth"]) and answer in ("", one["predicted"]))


def _figures(entries: Sequence[Entry], threshold: float) -> dict[str, float]:
    """Return the shares (0..1) at a threshold: of boxes, or of a classifier's answers."""
    counts = judgements.counts(entries, threshold)
    right = counts["right"]
    if "unsure" in counts:
        sure = right + counts["wrong"]
        return {"answered": sure / max(len(entries), 1), "right": right / sure if sure else 1.0}
    shown = sum(len(one["found"]) for one in entries)
    there = sum(len(one["truth"]) for one in entries)
    return {
        "precision": right / max(shown, 1),
        "recall": right / max(there, 1),
        "f1": 2 * right / max(shown + there, 1),
    }
