"""The JSON API under /api. Success: {"ok": true, ...}; failure: the shape of `problems`."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, jsonify, request

from ..jobs import findings
from ..jobs.store import Job
from . import actions, events, problems
from .state import host

blueprint = Blueprint("api", __name__, url_prefix="/api")


@blueprint.post("/jobs")
def create() -> tuple[Response, int]:
    """Take a data set (a form with a zip in `file`, or a folder's files in `files`)."""
    return jsonify(ok=True, **as_dict(actions.receive())), 201


@blueprint.get("/jobs")
def jobs() -> Response:
    """List the jobs, newest first."""
    return jsonify(ok=True, jobs=[as_dict(job) for job in host().store.jobs()])


@blueprint.get("/jobs/<job_id>")
def job(job_id: str) -> Response:
    """Show one job, with its result when there is one."""
    one = host().store.get(job_id)
    return jsonify(ok=True, result=one.result or None, **as_dict(one))


@blueprint.post("/jobs/<job_id>/start")
def start(job_id: str) -> tuple[Response, int]:
    """Put a job in the queue; every option may be missing.

    They are name, preset, fit, backbone, firmware, seed, seal (the name of a board whose key is
    here) and machine_code (of a new one), of a classifier also canmv, of a detector size (such as
    240x240) and stride.
    """
    return jsonify(ok=True, **as_dict(actions.start(job_id))), 202


@blueprint.post("/jobs/<job_id>/cancel")
def cancel(job_id: str) -> tuple[Response, int]:
    """Stop a job that waits or runs; a running one ends within seconds."""
    host().queue.cancel(job_id)
    return jsonify(ok=True, **as_dict(host().store.get(job_id))), 202


@blueprint.delete("/jobs/<job_id>")
def delete(job_id: str) -> Response:
    """Delete a job that neither waits nor runs, with all its files."""
    host().store.remove(job_id)
    return jsonify(ok=True)


@blueprint.get("/jobs/<job_id>/events")
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
        **{key: value.isoformat() if value else None for key, value in times.items()},
        "options": job.options,
        **job.dataset,
        "findings": problems.as_dicts(findings.from_json(job.findings)),
        "failure": problems.as_dicts(findings.from_json(job.failure)),
    }
