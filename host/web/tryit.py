"""Try a job's kmodel on a picture, and give boot.py the values that were found so."""

from __future__ import annotations

import base64
import json
import math
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import IO, Any

from flask import Blueprint, Response, jsonify, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as BaseResponse

from ..datasets.limits import in_mb
from ..deploy import sdcard
from ..errors import UserError
from ..jobs import retune, trial
from ..jobs.store import Job
from ..jobs.trial import Trial, Values
from . import problems, view
from .api import as_dict
from .openapi import BYTES, TEXT, Schema, answer, closed, describe, many, ref
from .state import host

blueprint = Blueprint("tryit", __name__)

_PART: Schema = {"type": "number", "minimum": 0, "maximum": 1}
_ASKED = {
    "threshold": {"type": "number", "minimum": trial.LEAST, "maximum": trial.MOST},
    "nms": {**_PART, "description": "Of a detector."},
}
_EDGE: Schema = {**_PART, "description": "A part of the picture."}
_BOX = closed(label=TEXT, score=_PART, **dict.fromkeys(("left", "top", "right", "bottom"), _EDGE))
_CANDIDATE: Schema = {
    "type": "array",
    "items": {"type": ["number", "null"]},
    "minItems": 7,
    "maxItems": 7,
}
_TRIED = answer(
    task={"type": "string", "enum": ["classify", "detect"]},
    threshold=_PART,
    nms={"type": ["number", "null"]},
    picture={**TEXT, "contentEncoding": "base64", "contentMediaType": "image/jpeg"},
    scores=many(closed(label=TEXT, score=_PART)),
    objects=many(_BOX),
    candidates=many(_CANDIDATE),
)


@dataclass(frozen=True, slots=True)
class Score:
    """One class of a classifier's answer; `score` is 0..1."""

    label: str
    score: float


@blueprint.post("/api/jobs/<job_id>/try")
@describe(
    _TRIED,
    body={"type": "object", "properties": {"picture": BYTES, **_ASKED}, "required": ["picture"]},
    kinds=("multipart/form-data",),
)
def look(job_id: str) -> Response:
    """Show a picture to a done job's kmodel in the simulator; the picture is not kept.

    Of a classifier `scores` has every class, the best first; of a detector `objects` has what the
    firmware would report with `threshold` and `nms` (by default those of boot.py), and
    `candidates` all boxes that score more than 0.01, best first, before suppression: left, top,
    right, bottom (null: infinitely far), number of the label, score, number of the anchor and cell.
    `picture` is what the model saw.
    """
    job = host().store.done(job_id)
    values = Values.of(job.result).changed(request.form)
    seen = _try(job)
    return jsonify(
        ok=True,
        task=job.result["task"],
        threshold=values.threshold,
        nms=values.nms,
        picture=base64.b64encode(seen.picture).decode(),
        scores=[{"label": one.label, "score": one.score} for one in _scores(job, seen)],
        objects=_objects(job, seen, values),
        candidates=_candidates(seen),
    )


@blueprint.post("/api/jobs/<job_id>/values")
@describe(ref("Job"), body={"type": "object", "properties": _ASKED})
def change(job_id: str) -> Response:
    """Give a done job's boot.py another threshold or NMS: its card and kfpkg are packed anew.

    A sealed model stays sealed. What is not sent stays as it is; after a failure all does.
    """
    return jsonify(ok=True, **as_dict(_retune(job_id)))


@blueprint.get("/jobs/<job_id>/try")
def page(job_id: str) -> str:
    """Show where a picture can be dropped."""
    job = host().store.done(job_id)
    return _render(job, Values.of(job.result))


@blueprint.post("/jobs/<job_id>/try")
def show(job_id: str) -> BaseResponse | str:
    """Show the answer to the form's picture, or why there is none; the page's script reads it."""
    job = host().store.done(job_id)
    values = Values.of(job.result)
    try:
        values = values.changed(request.form)
        return _render(job, values, _try(job))
    except UserError as error:
        made = Response(_render(job, values, findings=problems.as_dicts(error.findings)))
        return problems.finished(made, error)


@blueprint.post("/jobs/<job_id>/values")
def use(job_id: str) -> BaseResponse:
    """Pack anew with the form's values and show the result, which names them."""
    _retune(job_id)
    return redirect(url_for("pages.job", job_id=job_id, _anchor="values"), 303)


def _retune(job_id: str) -> Job:
    job = host().store.done(job_id)
    body: Any = request.get_json(silent=True) if request.is_json else request.form
    if not isinstance(body, Mapping):
        raise UserError("body_wrong")
    return retune.retune(host().store, job_id, Values.of(job.result).changed(body))


def sent_picture() -> tuple[IO[bytes], str]:
    """Return the request's `picture`, open, and its name for messages.

    Raises:
        UserError: `try_picture_missing` or `try_picture_large`.
    """
    file = request.files.get("picture")
    if not file or not file.filename:
        raise UserError("try_picture_missing", "picture")
    name = file.filename.replace("\\", "/").rpartition("/")[2][:80]
    size, limit = file.stream.seek(0, os.SEEK_END), host().settings.member_bytes
    file.stream.seek(0)
    if size > limit:
        raise UserError("try_picture_large", name, **in_mb(size, limit))
    return file.stream, name


def _try(job: Job) -> Trial:
    here, (source, name) = host(), sent_picture()
    return trial.show(here.store.folder(job.id), job.result, source, name, here.settings.pixels)


def _scores(job: Job, seen: Trial) -> list[Score]:
    rows = [Score(*one) for one in zip(job.result["labels"], seen.scores, strict=False)]
    return sorted(rows, key=lambda one: -one.score)


def _objects(job: Job, seen: Trial, values: Values) -> list[dict[str, Any]]:
    """Return the boxes, best first; what reaches outside of the picture is cut off."""
    if values.nms is None:
        return []
    edges = ("left", "top", "right", "bottom")
    return [
        {
            "label": job.result["labels"][int(row[4])],
            "index": int(row[4]),
            "score": float(row[5]),
            **dict(zip(edges, map(float, row[:4].clip(0, 1)), strict=True)),
        }
        for row in seen.objects(values)
    ]


def _candidates(seen: Trial) -> list[list[float | None]]:
    """Return the candidates as JSON has them: no number is infinite there."""
    return [
        [value if math.isfinite(value) else None for value in map(float, row)]
        for row in seen.candidates
    ]


def _render(
    job: Job,
    values: Values,
    seen: Trial | None = None,
    findings: list[dict[str, str]] | None = None,
) -> str:
    shown: dict[str, Any] = {}
    if seen:
        shown = {
            "picture": "data:image/jpeg;base64," + base64.b64encode(seen.picture).decode(),
            "scores": _scores(job, seen),
            "objects": _objects(job, seen, values),
            "candidates": json.dumps(_candidates(seen), separators=(",", ":")),
        }
    return render_template(
        "job_try.html",
        job=job,
        stage=view.stage(job.state),
        detects=values.nms is not None,
        settings=host().settings,
        values=values,
        limits=(trial.LEAST, trial.MOST),
        room=trial.ROOM,
        seen=shown,
        findings=findings,
        window=sdcard.camera_window(tuple(job.result.get("input", (224, 224)))),
        texts=view.texts() | view.camera_texts(),
    )
