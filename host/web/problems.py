"""Every failure has one shape: findings, as JSON for the API and as a page for people."""

from __future__ import annotations

import logging

from flask import Flask, Response, jsonify, render_template, request
from flask_wtf.csrf import CSRFError
from werkzeug.exceptions import HTTPException, SecurityError

from ..datasets.limits import in_mb
from ..errors import Finding, UserError, describe
from ..files import is_disk_full
from . import language
from .state import host

LOG = logging.getLogger(__name__)

STATUS = {
    "upload_too_large": 413,
    "zip_too_large": 413,
    "upload_missing": 400,
    "added_nothing": 400,
    "added_class_missing": 400,
    "added_file_too_large": 413,
    "added_too_large": 413,
    "form_expired": 400,
    "request_refused": 400,
    "option_invalid": 400,
    "option_unknown": 400,
    "body_wrong": 400,
    "edit_unreadable": 400,
    "edit_nothing": 409,
    "job_missing": 404,
    "page_missing": 404,
    "file_missing": 404,
    "picture_missing": 404,
    "job_state_wrong": 409,
    "mail_not_failed": 409,
    "board_ports_closed": 403,
    "board_port_taken": 409,
    "board_transfer_missing": 404,
    "login_needed": 401,
    "login_wrong": 401,
    "token_wrong": 401,
    "host_name_untrusted": 400,
    "login_too_often": 429,
    "uploads_too_many": 429,
    "access_file_broken": 500,
    "streams_busy": 503,
    "disk_full": 507,
    "host_failed": 500,
}
"""HTTP status by the code of the first finding; what is not here is 422, bad data."""

RETRY_SECONDS = {"streams_busy": 5, "login_too_often": 900, "uploads_too_many": 600}
"""What `Retry-After` says, by the code."""


def register(app: Flask) -> None:
    """Let `app` answer every failure with findings."""
    app.register_error_handler(UserError, answer)
    app.register_error_handler(CSRFError, lambda _: answer(UserError("form_expired")))
    app.register_error_handler(HTTPException, _http)
    app.register_error_handler(Exception, _unexpected)


def answer(error: UserError, status: int | None = None) -> Response:
    """Return the findings of `error` with their status, in the language of the request."""
    status = status or STATUS.get(error.code, 422)
    if asks_api():
        response = jsonify(ok=False, error=error.code, findings=as_dicts(error.findings))
    else:
        page = render_template("problem.html", findings=as_dicts(error.findings), status=status)
        response = Response(page, content_type="text/html; charset=utf-8")
    return finished(response, error, status)


def finished(response: Response, error: UserError, status: int | None = None) -> Response:
    """Give an answer the status and the headers that belong to `error`."""
    response.status_code = status or STATUS.get(error.code, 422)
    if error.code in RETRY_SECONDS:
        response.headers["Retry-After"] = str(RETRY_SECONDS[error.code])
    if response.status_code == 401 and asks_api():
        response.headers["WWW-Authenticate"] = 'Bearer realm="MaixForge"'
    return response


def plain(error: UserError) -> Response:
    """Return what `answer` does, but no page: for names whose pages are none of ours."""
    if asks_api():
        return answer(error)
    text = "\n".join(describe(one, language.current()) for one in error.findings)
    return finished(Response(text, content_type="text/plain; charset=utf-8"), error)


def asks_api() -> bool:
    """Say whether the request is one of the API, whose answers are JSON."""
    return request.path.startswith("/api/")


def as_dicts(findings: tuple[Finding, ...] | list[Finding]) -> list[dict[str, str]]:
    """Return findings as the API shows them, errors first."""
    order = ("error", "warning", "note")
    ordered = sorted(findings, key=lambda one: order.index(one.severity))
    return [one.as_dict(language.current()) for one in ordered]


def too_large(found: int) -> UserError:
    """Return the error for an upload of `found` bytes."""
    return UserError("upload_too_large", **in_mb(found, host().settings.upload_bytes))


def _http(error: HTTPException) -> Response:
    if error.code == 413:
        return answer(too_large(request.content_length or 0))
    if error.code == 404:
        return answer(UserError("page_missing", request.path))
    status = error.code or 500
    refused = UserError("request_refused", request.path, reason=f"{status} {error.name}")
    if isinstance(error, SecurityError):  # not a name at all: no address can be built
        return plain(refused)
    response = answer(refused, status)
    for name, value in error.get_headers():  # such as Allow; the body's are ours
        if not name.startswith("Content-"):
            response.headers.setdefault(name, value)
    return response


def _unexpected(error: Exception) -> Response:
    """Tell the user without a traceback; the log has it."""
    if isinstance(error, OSError) and is_disk_full(error):
        return answer(UserError("disk_full", reason=error.strerror or ""))
    LOG.error("%s %s failed", request.method, request.path, exc_info=error)
    return answer(UserError("host_failed", request.path))
