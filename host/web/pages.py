"""The pages. They work without scripts; scripts make them live."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, redirect, render_template, send_file, url_for
from werkzeug.wrappers import Response as BaseResponse

from ..errors import UserError
from ..jobs import findings, judgements, pictures
from . import access, actions, curves, expecting, knobs, language, problems, scanning, view
from .forms import job_form
from .state import host

blueprint = Blueprint("pages", __name__)

CHARTS = ("precision_recall", "errors")
"""Drawings of a detector's report that its page shows."""


@blueprint.app_context_processor
def shared() -> dict[str, Any]:
    """Give every template what the frame of the page needs."""
    return {"languages": language.NAMES, "language": language.current(), "states": view.states()}


@blueprint.get("/")
def home() -> str:
    """Show the drop zone and the jobs."""
    here = host()
    return render_template(
        "home.html",
        jobs=here.store.jobs(),
        settings=here.settings,
        texts=view.texts(),
        percent=view.score_percent,
    )


@blueprint.post("/upload")
@access.upload
def upload() -> BaseResponse:
    """Take a data set from the form of a browser without scripts."""
    return _to_job(actions.receive().id)


@blueprint.get("/jobs/<job_id>")
def job(job_id: str) -> str:
    """Show a job as it stands: the check, the live training or the result."""
    here = host()
    one = here.store.get(job_id)
    shown = view.result(one) if one.state == "done" else None
    page, task = _page_of(one.state), one.dataset.get("task", "classify")
    # What it has is not of this request but the row's, which may be of another host.
    form = job_form(task, data={"name": one.name, **one.options}, meta={"csrf": False})
    judged = judgements.read(here.store.folder(job_id)) if shown else {}
    return render_template(
        f"job_{page}.html",
        job=one,
        settings=here.settings,
        stage=view.stage(one.state),
        findings=problems.as_dicts(findings.from_json(one.findings)),
        failure=problems.as_dicts(findings.from_json(one.failure)),
        bars=view.bars(one, here.settings),
        mark=view.mark(one, here.settings),
        detects=view.detects(one),
        marks=view.marks(one),
        blocked=not one.trainable,
        form=form,
        about=expecting.shown(one, form) if page != "live" else {},
        minutes_text=expecting.minutes_text,
        steps=view.steps(one),
        canmv_problems=problems.as_dicts(
            findings.from_json((one.result or {}).get("canmv_problems", []))
        ),
        shown=shown,
        doubts=problems.as_dicts(shown.doubts) if shown else [],
        mistakes=view.mistakes,
        error_names=view.error_names(),
        judged=judged,
        threshold_curves=curves.of(one, judged) if shown else [],
        drawing=curves,
        position=here.queue.position(job_id),
        knob_helps=knobs.helps(),
        room=view.room_mb(one, here.store.data),
        texts=view.texts() | scanning.texts(),
    )


@blueprint.post("/jobs/<job_id>/start")
def start(job_id: str) -> BaseResponse:
    """Put the job in the queue."""
    return _to_job(actions.start(job_id).id)


@blueprint.post("/jobs/<job_id>/cancel")
def cancel(job_id: str) -> BaseResponse:
    """Stop a job that waits or runs."""
    host().queue.cancel(job_id)
    return _to_job(job_id)


@blueprint.post("/jobs/<job_id>/delete")
def delete(job_id: str) -> BaseResponse:
    """Delete a job and its files."""
    host().store.remove(job_id)
    return redirect(url_for("pages.home"))


@blueprint.get("/jobs/<job_id>/files/<name>")
def download(job_id: str, name: str) -> Response:
    """Send a file of the result, always as an attachment; nothing else can be named."""
    return actions.download(job_id, name)


@blueprint.get("/jobs/<job_id>/worst/<int:number>.jpg")
def worst(job_id: str, number: int) -> Response:
    """Send one of the worst pictures, written anew by us."""
    one = host().store.get(job_id)
    data = pictures.worst_thumbnail(host().store.folder(job_id), one.result, number)
    return Response(data, content_type="image/jpeg")


@blueprint.get("/jobs/<job_id>/layers.png")
def layers(job_id: str) -> Response:
    """Send the drawing of the job's kmodel."""
    path = host().store.folder(job_id) / pictures.LAYERS
    if host().store.get(job_id).state != "done" or not path.is_file():
        raise UserError("picture_missing", path.name)
    return send_file(path, "image/png")


@blueprint.get("/jobs/<job_id>/report/<name>.png")
def chart(job_id: str, name: str) -> Response:
    """Send one of the report's drawings; nothing else can be named."""
    path = host().store.folder(job_id) / pictures.REPORT / f"{name}.png"
    if name not in CHARTS or host().store.get(job_id).state != "done" or not path.is_file():
        raise UserError("picture_missing", f"{name}.png")
    return send_file(path, "image/png")


def _page_of(state: str) -> str:
    pages = {"queued": "live", "running": "live", "paused": "live", "done": "result"}
    return pages.get(state, "check")


def _to_job(job_id: str) -> BaseResponse:
    return redirect(url_for("pages.job", job_id=job_id), 303)
