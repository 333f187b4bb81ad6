"""Every failure has one shape: findings, as JSON for the API and as a page for people."""

from __future__ import annotations

import errno
import logging

from flask import Flask, Response, jsonify, render_template, request
from flask_wtf.csrf import CSRFError
from werkzeug.exceptions import HTTPException, SecurityError

from ..errors import Finding, UserError
from . import language
from .state import host

LOG = logging.getLogger(__name__)

STATUS = {
    "upload_too_large": 413,
    "zip_too_large": 413,
    "upload_missing": 400,
    "form_expired": 400,
    "request_refused": 400,
    "option_invalid": 400,
    "job_missing": 404,
    "page_missing": 404,
    "file_missing": 404,
    "picture_missing": 404,
    "job_state_wrong": 409,
    "streams_busy": 503,
    "disk_full": 507,
    "host_failed": 500,
}
"""HTTP status by the code of the first finding; what is not here is 422, bad data."""

RETRY_SECONDS = {"streams_busy": 5}
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
    if _asks_api():
        response = jsonify(ok=False, error=error.code, findings=as_dicts(error.findings))
    else:
        page = render_template("problem.html", findings=as_dicts(error.findings), status=status)
        response = Response(page, content_type="text/html; charset=utf-8")
    response.status_code = status
    if error.code in RETRY_SECONDS:
        response.headers["Retry-After"] = str(RETRY_SECONDS[error.code])
    return response


def _asks_api() -> bool:
    return request.path.startswith("/api/")


def as_dicts(findings: tuple[Finding, ...] | list[Finding]) -> list[dict[str, str]]:
    """Return findings as the API shows them, errors first."""
    order = ("error", "warning", "note")
    ordered = sorted(findings, key=lambda one: order.index(one.severity))
    return [one.as_dict(language.current()) for one in ordered]


def too_large(found: int) -> UserError:
    """Return the error for an upload of `found` bytes."""
    limit = host().settings.upload_bytes
    return UserError("upload_too_large", found=megabytes(found), needed=megabytes(limit))


def megabytes(count: int) -> str:
    """Return bytes as MB (1024 x 1024 bytes) with one decimal, as file managers show them."""
    return f"{count / 1024 / 1024:.1f}"


def _http(error: HTTPException) -> Response:
    if error.code == 413:
        return answer(too_large(request.content_length or 0))
    if error.code == 404:
        return answer(UserError("page_missing", request.path))
    status = error.code or 500
    if isinstance(error, SecurityError) and not _asks_api():
        # A name that is not ours: no page can be built, for its links are not known.
        text = str(UserError("request_refused", reason=f"{status} {error.name}"))
        return Response(text, status, content_type="text/plain; charset=utf-8")
    reason = f"{status} {error.name}"
    return answer(UserError("request_refused", request.path, reason=reason), status)


def _unexpected(error: Exception) -> Response:
    """Tell the user without a traceback; the log has it."""
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return answer(UserError("disk_full", reason=error.strerror or ""))
    LOG.error("%s %s failed", request.method, request.path, exc_info=error)
    return answer(UserError("host_failed", request.path))
