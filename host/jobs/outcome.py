"""How a job's run begins and ends: its spec, its result or the reason why there is none."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

from ..errors import Finding, UserError
from ..files import atomic_write
from . import child, events, findings, pictures, room
from .result_types import TUNED
from .spec import JobSpec
from .store import IDLE, Job, State, Store, now

DEATHS = 2
"""So often a job whose process was killed goes on by itself."""
RETRY_SECONDS = 20.0
"""A paused job rests for at least so long."""


def write_spec(folder: Path, job: Job, spec: JobSpec) -> None:
    """Write `spec.json`, unless the job waits or runs already.

    Raises:
        UserError: `job_state_wrong`.
    """
    if job.state not in IDLE:
        raise UserError("job_state_wrong", job.id, state=job.state, needed="checked")
    atomic_write(folder / child.SPEC, spec.to_json().encode())


def clear(folder: Path) -> None:
    """Remove how an earlier run ended, its thumbnails, and what was packed anew since."""
    for name in (pictures.FOLDER, TUNED):
        shutil.rmtree(folder / name, ignore_errors=True)
    for name in (child.RESULT, child.FAILURE):
        (folder / name).unlink(missing_ok=True)


def settle(store: Store, job: Job, exit_code: int, cancelled: bool) -> None:
    """Set the state that the ended child has earned; `job` has the lease of the worker."""
    folder = store.folder(job.id)
    if cancelled:
        _end(store, job, "cancelled")
    elif exit_code == 0:
        _done(store, job, folder)
    elif exit_code < 0 and job.deaths < DEATHS:  # it goes on where it was killed
        waits = {"owner": "", "lease": None, "deaths": job.deaths + 1}
        store.move(job.id, ("running",), "queued", Job.owner == job.owner, **waits)
    elif exit_code == child.PAUSE:
        pause(store, job, _reasons(folder) or room.no_room(folder, room.SPARE).findings)
    elif exit_code == 1 and (folder / child.FAILURE).exists():
        fail(store, job, _reasons(folder))
    else:
        fail(store, job, [_death(folder, exit_code)])


def fail(store: Store, job: Job, reasons: Iterable[Finding]) -> None:
    """Mark the job as failed, with its reasons."""
    _end(store, job, "failed", failure=findings.to_json(reasons))


def pause(store: Store, job: Job, reasons: Iterable[Finding]) -> None:
    """Let the job rest, and say why; `resume` lets it wait again."""
    again = now() + timedelta(seconds=RETRY_SECONDS)
    values = {"failure": findings.to_json(reasons), "lease": again, "owner": "", "ended": None}
    _end(store, job, "paused", **values)


def resume(store: Store) -> None:
    """Let the paused jobs wait again whose time has come and for which there is room."""
    for job in store.jobs(("paused",)):
        needed = [one["params"].get("needed_bytes", 0) for one in job.failure]
        if room.free_bytes(store.data) >= max(needed, default=0):
            store.move(job.id, ("paused",), "queued", Job.lease < now(), failure=[], lease=None)


def _done(store: Store, job: Job, folder: Path) -> None:
    try:
        result = _read(folder / child.RESULT)
    except (OSError, ValueError) as error:
        fail(store, job, UserError("result_unreadable", job.id, reason=str(error)).findings)
        return
    _end(store, job, "done", result=result, fraction=1.0)


def _end(store: Store, job: Job, state: State, **values: object) -> None:
    if store.get(job.id).owner != job.owner:
        return  # another worker has it by now
    # The event comes first: a reader that sees the state has then every event.
    with suppress(OSError):  # a full disk must not keep the state from being told
        events.mend(store.folder(job.id))
        events.append(store.folder(job.id), {"message": state})
    end = {"ended": now(), "eta_seconds": None, "cancel": False, "owner": "", "lease": None}
    store.move(job.id, ("running",), state, Job.owner == job.owner, **{**end, **values})


def _reasons(folder: Path) -> list[Finding]:
    path = folder / child.FAILURE
    return findings.from_json(json.loads(path.read_text("utf-8"))) if path.exists() else []


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
