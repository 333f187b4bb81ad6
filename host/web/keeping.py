"""Keeping a job when old ones are cleaned away, and taking it elsewhere as one zip."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

from flask import Blueprint, Response, jsonify, redirect, request, send_file, url_for
from werkzeug.wrappers import Response as BaseResponse

from ..errors import UserError
from ..jobs import project
from .openapi import BYTES, answer, describe
from .state import host

blueprint = Blueprint("keeping", __name__)
_KEPT = {"type": "boolean"}
_BODY = {"type": "object", "properties": {"kept": _KEPT}}


@blueprint.get("/jobs/<job_id>/project.zip")
def export(job_id: str) -> Response:
    """Send the project of a job: its data, edits and choices."""
    return _project(job_id)


@blueprint.get("/api/jobs/<job_id>/project")
@describe(BYTES, kind="application/zip")
def api_export(job_id: str) -> Response:
    """Send the project of a job: its data, edits and choices. `POST /api/jobs` takes it."""
    return _project(job_id)


@blueprint.post("/jobs/<job_id>/keep")
def keep(job_id: str) -> BaseResponse:
    """Keep the job when old ones are cleaned away, or no longer."""
    _keep(job_id, request.form.get("kept") != "false")
    return redirect(url_for("pages.job", job_id=job_id), 303)


@blueprint.post("/api/jobs/<job_id>/keep")
@describe(answer(kept=_KEPT), body=_BODY, kinds=("application/json",))
def api_keep(job_id: str) -> Response:
    """Keep the job when old ones are cleaned away, or (`kept` false) no longer."""
    value = request.get_json(silent=True)
    kept = value.get("kept", True) if isinstance(value, dict) else None
    return jsonify(ok=True, kept=_keep(job_id, kept))


def _keep(job_id: str, kept: object) -> bool:
    store = host().store
    store.get(job_id)
    if not isinstance(kept, bool):
        raise UserError("option_invalid", "kept", value=str(kept), needed="true, false")
    store.update(job_id, kept=kept)
    return kept


def _project(job_id: str) -> Response:
    store = host().store
    name = store.get(job_id).name
    folder = TemporaryDirectory(prefix=".project-", dir=store.jobs_folder)
    try:
        path = project.export(store, job_id, Path(folder.name) / "project.zip")
        answer = send_file(path, as_attachment=True, download_name=f"{name}-project.zip")
    except BaseException:
        folder.cleanup()
        raise
    answer.call_on_close(folder.cleanup)
    return answer
