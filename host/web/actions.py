"""What the pages and the API both do with jobs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from flask import Response, send_file

from ..errors import UserError
from ..files import file_inside
from ..jobs import findings, project, submit
from ..jobs.store import Job
from .forms import job_form
from .state import host
from .submitter import submitter
from .uploads import store_upload

DOWNLOADS: Mapping[str, tuple[str, str]] = {
    "sd.zip": ("sd_zip", "application/zip"),
    "model.kfpkg": ("kfpkg", "application/zip"),
    "m.kmodel": ("kmodel", "application/octet-stream"),
    "m.kmx": ("seal.kmx", "application/octet-stream"),
    "m_v5.kmodel": ("canmv.kmodel", "application/octet-stream"),
}
"""What can be downloaded: the name in the address, its key in the result (a dot goes deeper), the
type."""


def receive() -> Job:
    """Take the upload of this request; what is refused leaves nothing behind."""
    here = host()
    with submit.arriving(here.store) as (job_id, folder):
        name = store_upload(folder)
        with _called(f"{submit.plain_name(name)}.zip"):
            if project.is_project(folder / submit.UPLOAD):
                return project.receive(here.store, here.settings, job_id)
            return submit.check(here.store, here.settings, job_id, name)


@contextmanager
def _called(name: str) -> Iterator[None]:
    """Tell of the upload by the name that its sender gave it."""
    try:
        yield
    except UserError as error:
        raise UserError.of(
            replace(one, path=name) if one.path == submit.UPLOAD else one for one in error.findings
        ) from error


def start(job_id: str) -> Job:
    """Put the job in the queue with the options of this request.

    Raises:
        UserError: `job_missing`, `job_state_wrong`, what is wrong with an option, or what is wrong
            with data that were edited.
    """
    here = host()
    job = here.store.get(job_id)
    wrong = [one for one in findings.from_json(job.findings) if one.severity == "error"]
    if wrong:
        raise UserError.of(wrong)
    form = job_form(job.dataset.get("task", "classify"))
    here.queue.submit(job_id, form.spec(job.name), form.options(), submitter(), form.mail_order())
    return here.store.get(job_id)


def files(job: Job) -> list[str]:
    """Return the names of what can be downloaded of a job now."""
    return [name for name in DOWNLOADS if _file(job, name)]


def sizes(job: Job) -> dict[str, int]:
    """Return the bytes of what can be downloaded of a job now, by name."""
    return {name: path.stat().st_size for name in DOWNLOADS if (path := _file(job, name))}


def download(job_id: str, name: str) -> Response:
    """Send a file of the result, always as an attachment; nothing else can be named.

    Raises:
        UserError: `job_missing` or `file_missing`.
    """
    job = host().store.get(job_id)
    path = _file(job, name)
    if not path:
        raise UserError("file_missing", name)
    kind = DOWNLOADS[name][1]
    return send_file(path, kind, as_attachment=True, download_name=f"{job.name}-{name}")


def _file(job: Job, name: str) -> Path | None:
    """Return where a file of a result lies, None unless it is there and may be given away."""
    sealed = "seal" in (job.result or {})
    if name not in DOWNLOADS or job.state != "done" or (sealed and name == "m.kmodel"):
        return None
    folder = host().store.folder(job.id)
    part, _, deeper = DOWNLOADS[name][0].partition(".")
    named = job.result.get(part, "")
    return file_inside(folder, named.get(deeper, "") if isinstance(named, dict) else named)
