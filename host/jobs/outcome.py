"""How a job's run begins and ends: its spec, its result or the reason why there is none."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable
from pathlib import Path

from ..errors import Finding, UserError
from ..files import atomic_write
from . import child, events, findings, pictures
from .spec import JobSpec
from .store import ENDED, Job, State, Store, now


def write_spec(folder: Path, job: Job, spec: JobSpec) -> None:
    """Write `spec.json`, unless the job waits or runs already.

    Raises:
        UserError: `job_state_wrong`.
    """
    if job.state not in ("checked", *ENDED):
        raise UserError("job_state_wrong", job.id, state=job.state, needed="checked")
    atomic_write(folder / child.SPEC, spec.to_json().encode())


def clear(folder: Path) -> None:
    """Remove how an earlier run ended, and the thumbnails of its worst pictures."""
    shutil.rmtree(folder / pictures.FOLDER, ignore_errors=True)
    for name in (child.RESULT, child.FAILURE):
        (folder / name).unlink(missing_ok=True)


def settle(store: Store, job_id: str, exit_code: int, cancelled: bool) -> None:
    """Set the state that the ended child has earned."""
    folder = store.folder(job_id)
    if cancelled:
        _end(store, job_id, "cancelled")
    elif exit_code == 0:
        _done(store, job_id, folder)
    elif exit_code == 1 and (folder / child.FAILURE).exists():
        fail(store, job_id, findings.from_json(_read(folder / child.FAILURE)))
    else:
        fail(store, job_id, [_death(folder, exit_code)])


def fail(store: Store, job_id: str, reasons: Iterable[Finding]) -> None:
    """Mark the job as failed, with its reasons."""
    _end(store, job_id, "failed", failure=findings.to_json(reasons))


def _done(store: Store, job_id: str, folder: Path) -> None:
    try:
        result = _read(folder / child.RESULT)
    except (OSError, ValueError) as error:
        fail(store, job_id, UserError("result_unreadable", job_id, reason=str(error)).findings)
        return
    _end(store, job_id, "done", result=result, fraction=1.0)


def _end(store: Store, job_id: str, state: State, **values: object) -> None:
    # The event comes first: a reader that sees the state has then every event.
    events.mend(store.folder(job_id))
    events.append(store.folder(job_id), {"message": state})
    end = {"ended": now(), "eta_seconds": None, "cancel": False}
    store.move(job_id, ("running",), state, **end, **values)


def _death(folder: Path, exit_code: int) -> Finding:
    """Return why a child without an answer ended, in plain words."""
    lines = (folder / "child.log").read_text("utf-8", "replace").strip().splitlines()
    last = lines[-1][-300:] if lines else "-"
    if exit_code < 0:
        return Finding(
            "job_process_killed", "child.log", params={"signal": -exit_code, "last": last}
        )
    return Finding("job_process_died", "child.log", params={"exit_code": exit_code, "last": last})


def _read(path: Path) -> dict:
    return json.loads(path.read_text("utf-8"))
