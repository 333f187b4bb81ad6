"""Pictures come into a job from the page: files, the webcam; and a job that is begun for them."""

from __future__ import annotations

from collections.abc import Iterator

from flask import Blueprint, Response, jsonify, redirect, render_template, request, url_for
from flask_babel import gettext as _
from werkzeug.wrappers import Response as BaseResponse

from ..jobs import adding, gallery
from ..jobs.added import is_added
from ..jobs.adding import Added
from ..jobs.store import Job
from . import access, data, view
from .api import as_dict
from .data import NUMBER, STATE
from .openapi import BYTES, TEXT, answer, describe, many, ref
from .state import host

blueprint = Blueprint("capture", __name__)

LAST = 12
"""Pictures that the capture page shows again when it is loaded anew."""

_ADD = {
    "type": "object",
    "properties": {
        "files": {**many(BYTES), "description": "JPEG, PNG, BMP, GIF or WebP files."},
        "label": {**TEXT, "description": "Of a classifier: the class of all of them."},
    },
    "required": ["files"],
}
_BEGIN = {
    "type": "object",
    "properties": {
        "name": TEXT,
        "task": {"type": "string", "enum": ["classify", "detect"]},
        "labels": {**TEXT, "description": "Names of classes, separated by commas or lines."},
    },
    "required": ["task"],
}


@blueprint.post("/api/jobs/<job_id>/pictures")
@describe(
    answer(added=many(NUMBER), known=NUMBER, changed=many(NUMBER), **STATE),
    status=201,
    body=_ADD,
    kinds=("multipart/form-data",),
)
def add(job_id: str) -> tuple[Response, int]:
    """Add pictures to a job that neither waits nor runs: all of them, or none and why.

    They are on the disk when this answers; `added` are their numbers, in the order of `files`, and
    `known` says how many were there before with the same bytes and class: sending twice does no
    harm. They get the class `label`, which may be a new one; those of a detector have no boxes yet.
    """
    done = _add(job_id)
    changed = gallery.changed(done.before, done.after)
    said = data.state(host().store.get(job_id), done.after)
    return jsonify(ok=True, added=done.numbers, known=done.known, changed=changed, **said), 201


@blueprint.post("/api/jobs/begin")
@access.upload
@describe(ref("Job"), status=201, body=_BEGIN)
def begin() -> tuple[Response, int]:
    """Make a job without pictures, to which they are added: its name, task and labels."""
    return jsonify(ok=True, **as_dict(_begin())), 201


@blueprint.post("/begin")
@access.upload
def begin_page() -> BaseResponse:
    """Make a job without pictures from the form, and go where they are taken."""
    return redirect(url_for("capture.page", job_id=_begin().id), 303)


@blueprint.post("/jobs/<job_id>/pictures")
def add_page(job_id: str) -> BaseResponse:
    """Add pictures from the form of a browser without scripts."""
    _add(job_id)
    back = "capture.page" if request.form.get("back") == "capture" else "data.page"
    label = request.form.get("label", "").strip() or None
    return redirect(url_for(back, job_id=job_id, label=label), 303)


@blueprint.get("/jobs/<job_id>/capture")
def page(job_id: str) -> str:
    """Show the webcam, and what is taken with it."""
    job, shown = data.open_job(job_id)
    detects = shown.edited.task == "detect"
    said = data.state(job, shown)
    return render_template(
        "job_capture.html",
        job=job,
        stage=0,
        detects=detects,
        labels=shown.edited.labels,
        counts=said["counts"],
        pictures=len(shown.pictures),
        least=host().settings.images_min,
        last=[one.number for one in shown.pictures if is_added(one.sample.path)][-LAST:],
        editable=said["editable"],
        trainable=said["trainable"],
        texts=data.texts() | view.camera_texts() | _texts() | _verdicts(job),
    )


def _add(job_id: str) -> Added:
    here = host()
    label = request.form.get("label", "").strip()
    return adding.add_pictures(here.store, here.settings, job_id, _files(), label)


def _files() -> Iterator[tuple[str, bytes]]:
    for file in request.files.getlist("files"):
        if file.filename:
            yield file.filename, file.stream.read()


def _begin() -> Job:
    here = host()
    values = request.get_json(silent=True) if request.is_json else request.form
    values = values if isinstance(values, dict) else {}
    name, task, labels = (str(values.get(key, "")) for key in ("name", "task", "labels"))
    names = [one.strip() for line in labels.splitlines() for one in line.split(",")]
    return adding.begin(here.store, here.settings, name, task, [one for one in names if one])


def _verdicts(job: Job) -> dict[str, str]:
    """Return what stands beside the name of a job that was never trained, by `trainable`."""
    if job.state != "checked":
        return {}
    return {"true": view.states()["checked"], "false": _("cannot be trained yet")}


def _texts() -> dict[str, str]:
    """Return what the script says, in the page's language."""
    return {
        "starting": _("Asking for the camera ..."),
        "ready": _("The camera is on. Hold a class to record."),
        "ready_detect": _("The camera is on. Take a picture, then draw boxes on it."),
        "recording": _("Recording {label}"),
        "saved": _("{n} saved."),
        "waiting": _("{n} not saved yet, sending ..."),
        "lost": _(
            "No connection to the host: {n} pictures wait here and are sent as soon as it answers. "
            "Do not close this page."
        ),
        "refused": _("The host does not take these pictures; {n} wait here."),
        "deleted": _("Picture {n} deleted."),
        "dropped": _("{n} thrown away."),
        "delete": _("Delete picture {n}"),
        "draw": _("Draw boxes on picture {n}"),
        "of": _("{n} of {least}"),
        "class_new": _("Type the name of the class first."),
    }
