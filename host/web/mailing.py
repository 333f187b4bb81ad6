"""Where the mail about a job stands, and sending it again."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, jsonify, redirect, url_for
from werkzeug.wrappers import Response as BaseResponse

from ..jobs import findings, outbox
from ..jobs.store import Job
from . import problems
from .openapi import MAIL, answer, describe
from .state import host

blueprint = Blueprint("mailing", __name__)


@blueprint.app_context_processor
def shared() -> dict[str, Any]:
    """Let the pages of a job say where its mail stands, and all pages whether there are mails."""
    return {"mail_of": shown, "mails": bool(host().settings.smtp_host)}


@blueprint.post("/jobs/<job_id>/mail")
def again(job_id: str) -> BaseResponse:
    """Send a mail again that was not sent for certain."""
    outbox.again(host().store, job_id)
    return redirect(url_for("pages.job", job_id=job_id), 303)


@blueprint.post("/api/jobs/<job_id>/mail")
@describe(answer(mail=MAIL), status=202)
def api_again(job_id: str) -> tuple[Response, int]:
    """Send the mail of an ended job again that failed or may not have arrived."""
    outbox.again(host().store, job_id)
    return jsonify(ok=True, mail=shown(host().store.get(job_id))), 202


def shown(job: Job) -> dict[str, Any] | None:
    """Return where a job's mail stands, as `openapi.MAIL` has it; None: none was asked for."""
    if not job.mail_state:
        return None
    told = findings.from_json(job.mail_info.get("findings", []))
    return {
        "to": outbox.masked(job.mail),
        "state": job.mail_state,
        "next": job.mail_next.isoformat() if job.mail_next else None,
        "findings": problems.as_dicts(told),
    }
