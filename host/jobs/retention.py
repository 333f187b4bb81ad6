"""Old jobs are cleaned away, when the settings say what is old."""

from __future__ import annotations

import logging
import shutil
import time
from datetime import timedelta

from ..config import Settings
from ..errors import UserError
from .room import taken_bytes
from .store import IDLE, Job, Store, now

LOG = logging.getLogger(__name__)
TRANSFERS = "boards"
"""Inside of the data folder: what has arrived of transfers from boards that are not whole."""
TRANSFER_DAYS = 7
"""So long it waits for its transfer to go on."""


def clean(store: Store, settings: Settings) -> list[str]:
    """Delete what is too old or too much, the oldest first; return the ids.

    Jobs that wait, run or rest are never deleted, nor those that are kept; they count.
    """
    _clean_transfers(store)
    gone = []
    for job in too_old(store, settings):
        try:
            store.remove(job.id)
        except UserError:  # somebody has just sent or deleted it
            continue
        gone.append(job.id)
        LOG.info("job %s is cleaned away", job.id)
    return gone


def _clean_transfers(store: Store) -> None:
    oldest = time.time() - TRANSFER_DAYS * 86400
    for folder in (store.data / TRANSFERS).glob("*"):
        if all(one.stat().st_mtime < oldest for one in (folder, *folder.rglob("*"))):
            shutil.rmtree(folder, ignore_errors=True)


def too_old(store: Store, settings: Settings) -> list[Job]:
    """Return the jobs that the settings do not let stay, the oldest first."""
    if not (settings.keep_days or settings.keep_jobs or settings.keep_bytes):
        return []
    jobs = store.jobs()
    free = [job for job in jobs if job.state in IDLE and not job.kept]
    count = len(jobs)
    sizes = {job.id: taken_bytes(store.folder(job.id)) for job in jobs if settings.keep_bytes}
    total = sum(sizes.values())
    oldest = now() - timedelta(days=settings.keep_days)
    found = []
    for job in sorted(free, key=lambda job: job.ended or job.created):
        if (
            (settings.keep_days and (job.ended or job.created) < oldest)
            or (settings.keep_jobs and count > settings.keep_jobs)
            or (settings.keep_bytes and total > settings.keep_bytes)
        ):
            found.append(job)
            count, total = count - 1, total - sizes.get(job.id, 0)
    return found
