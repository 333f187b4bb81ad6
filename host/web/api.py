"""The JSON API under /api. Success: {"ok": true, ...}; failure: the shape of `problems`."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, current_app, jsonify, request

from .. import __version__
from ..jobs import expect, findings
from ..jobs.store import Job
from . import actions, events, mailing, openapi, problems
from .access import upload
from .openapi import BYTES, TEXT, answer, describe, many, ref
from .state import host

blueprint = Blueprint("api", __name__, url_prefix="/api")

API = 1
"""Grows when a client that was written for the last number would go wrong."""

_UPLOAD = {"type": "object", "properties": {"file": BYTES, "files": many(BYTES)}}
_OPTIONS = {
    "type": "object",
    "properties": {
        **dict.fromkeys(("name", "preset", "fit", "backbone", "firmware", "seal"), TEXT),
        "seed": {"type": "integer", "minimum": 0, "maximum": 2**31 - 1},
        "machine_code": {**TEXT, "writeOnly": True},
        "mail": {**TEXT, "writeOnly": True, "description": "Address to tell of the end."},
        "canmv": {"type": "boolean"},
        "size": {**TEXT, "examples": ["240x240"]},
        "stride": TEXT,
    },
}
_EVENT = {
    "type": "object",
    "properties": {"event": {"enum": ["progress", "state", "end"]}, "data": TEXT, "id": TEXT},
    "required": ["event", "data"],
    "description": "One of the stream's events; `data` is JSON, see host/web/events.py.",
}
_RESULT = {"allOf": [ref("Job"), answer(result={"type": ["object", "null"]})]}


@blueprint.get("/openapi.json")
@describe({"type": "object"})
def specification() -> Response:
    """Show this document."""
    return jsonify(openapi.document(current_app))


@blueprint.get("/host")
@describe(answer(version=TEXT, api={"type": "integer"}, upload_bytes={"type": "integer"}))
def about() -> Response:
    """Say which host this is: its version, that of its API, the largest upload."""
    return jsonify(ok=True, version=__version__, api=API, upload_bytes=host().settings.upload_bytes)


@blueprint.post("/jobs")
@upload
@describe(ref("Job"), status=201, body=_UPLOAD, kinds=("multipart/form-data",))
def create() -> tuple[Response, int]:
    """Take a data set (a form with a zip in `file`, or a folder's files in `files`).

    One that cannot be trained yet (`trainable` is false, `findings` say why) is a job all the same,
    so that it can be mended; it is refused when none of its pictures can be used.
    """
    return jsonify(ok=True, **as_dict(actions.receive())), 201


@blueprint.get("/jobs")
@describe(answer(jobs=many(ref("JobRow"))))
def jobs() -> Response:
    """List the jobs, newest first."""
    return jsonify(ok=True, jobs=[as_dict(job) for job in host().store.jobs()])


@blueprint.get("/jobs/<job_id>")
@describe(_RESULT)
def job(job_id: str) -> Response:
    """Show one job, with its result when there is one."""
    one = host().store.get(job_id)
    return jsonify(ok=True, result=one.result or None, **as_dict(one))


@blueprint.post("/jobs/<job_id>/start")
@describe(ref("Job"), status=202, body=_OPTIONS)
def start(job_id: str) -> tuple[Response, int]:
    """Put a job in the queue; every option may be missing.

    They are name, preset, fit, backbone, firmware, seed, seal (the name of a board whose key is
    here), machine_code (of a new one), mail (an address to tell of the end) and size (such as
    240x240), of a classifier also canmv, of a detector stride; and every other setting of the
    training by its name, such as tune_epochs (the page lists them under More, Every setting).
    """
    return jsonify(ok=True, **as_dict(actions.start(job_id))), 202


@blueprint.post("/jobs/<job_id>/cancel")
@describe(ref("Job"), status=202)
def cancel(job_id: str) -> tuple[Response, int]:
    """Stop a job that waits or runs; a running one ends within seconds."""
    host().queue.cancel(job_id)
    return jsonify(ok=True, **as_dict(host().store.get(job_id))), 202


@blueprint.delete("/jobs/<job_id>")
@describe()
def delete(job_id: str) -> Response:
    """Delete a job that neither waits nor runs, with all its files."""
    host().store.remove(job_id)
    return jsonify(ok=True)


@blueprint.get("/jobs/<job_id>/files/<name>")
@describe(BYTES, kind="application/octet-stream")
def download(job_id: str, name: str) -> Response:
    """Send a file of the result; the job's `files` are the names."""
    return actions.download(job_id, name)


@blueprint.get("/jobs/<job_id>/events")
@describe(_EVENT, kind="text/event-stream", query={"after": {"type": "integer", "minimum": 0}})
def stream(job_id: str) -> Response:
    """Send the job's events (SSE); `Last-Event-ID` or `?after=` says what is known already."""
    after = request.headers.get("Last-Event-ID") or request.args.get("after", "")
    return events.response(job_id, int(after) if after.isdecimal() and len(after) < 10 else 0)


def as_dict(job: Job) -> dict[str, Any]:
    """Return a job as the API shows it; times in ISO 8601, UTC."""
    times = {key: getattr(job, key) for key in ("created", "started", "ended")}
    return {
        "id": job.id,
        "name": job.name,
        "state": job.state,
        "step": job.step,
        "fraction": job.fraction,
        "eta_seconds": job.eta_seconds,
        "position": host().queue.position(job.id) if job.state == "queued" else None,
        "starts_in": expect.starts_in(host().store, job.id) if job.state == "queued" else None,
        **{key: value.isoformat() if value else None for key, value in times.items()},
        "options": job.options,
        **job.dataset,
        "trainable": job.trainable,
        "files": actions.files(job),
        "findings": problems.as_dicts(findings.from_json(job.findings)),
        "failure": problems.as_dicts(findings.from_json(job.failure)),
        "mail": mailing.shown(job),
    }
