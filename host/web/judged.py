"""The pictures behind a figure of a result: a cell of the confusion matrix, a kind of error."""

from __future__ import annotations

from flask import Blueprint, Response, render_template, request

from ..errors import UserError
from ..jobs import judgements, pictures
from ..jobs.judgements import KINDS, Entry
from ..jobs.store import Job
from . import view
from .state import host

blueprint = Blueprint("judged", __name__)

COUNT = 60
"""Pictures of one page."""


@blueprint.get("/jobs/<job_id>/judged/<kind>")
def page(job_id: str, kind: str) -> str:
    """Show the validation pictures of a model ("int8" or "float"), the worst first.

    `truth` and `answer` ask for those of a class that were taken for one, `error` for those with
    such a box, `after` for those behind so many.
    """
    job, entries = _open(job_id, kind)
    asked = {name: request.args.get(name, "") for name in ("truth", "answer", "error")}
    found = [(number, one) for number, one in enumerate(entries) if _is(one, **asked)]
    after = max(request.args.get("after", 0, type=int), 0)
    return render_template(
        "job_judged.html",
        job=job,
        stage=view.stage(job.state),
        detects="nms" in job.result,
        kind=kind,
        asked={name: value for name, value in asked.items() if value},
        error_names=view.error_names(),
        mistakes=view.mistakes,
        total=len(found),
        after=after,
        next=after + COUNT if after + COUNT < len(found) else None,
        entries=found[after : after + COUNT],
        texts=view.texts(),
    )


@blueprint.get("/jobs/<job_id>/judged/<kind>/<int:number>.jpg")
def picture(job_id: str, kind: str, number: int) -> Response:
    """Send one of them, written anew by us."""
    job, entries = _open(job_id, kind)
    folder = host().store.folder(job_id)
    name = f"{kind}-{number}.jpg"
    data = pictures.thumbnail(folder, job.result, entries, number, name)
    return Response(data, content_type="image/jpeg")


def _open(job_id: str, kind: str) -> tuple[Job, list[Entry]]:
    job = host().store.done(job_id)
    known = judgements.read(host().store.folder(job_id))
    if kind not in KINDS or kind not in known:
        raise UserError("page_missing", request.path)
    return job, known[kind]


def _is(one: Entry, truth: str, answer: str, error: str) -> bool:
    """Say whether a picture is asked for; a detector's has no class, a classifier's no boxes."""
    if "found" in one:
        return not error or error in judgements.errors(one)
    return truth in ("", one["truth"]) and answer in ("", one["predicted"])
