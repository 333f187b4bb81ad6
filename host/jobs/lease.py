"""Whose a job is and whose turn it is.

The worker that holds a job's lease runs it. It renews the lease while it does; a lease that has run
out says that its worker is gone, and the job waits again. Giving and renewing are one SQL statement
each, so of several workers exactly one gets a job.

Submitters take turns: each one's first waiting job comes before anybody's second, and equal ones in
the order of their arrival.
"""

from __future__ import annotations

import secrets
from datetime import datetime, timedelta

from .store import UNENDED, Job, Store, now

SECONDS = 30.0
"""How long a lease lasts."""
RENEW_SECONDS = 5.0
"""How often its worker renews it."""


def new_owner() -> str:
    """Return a name for a worker that no other one has."""
    return secrets.token_urlsafe(9)


def turn_of(store: Store, submitter: str) -> int:
    """Return the turn of a job that `submitter` sends now: after all of their own that wait."""
    active = store.jobs(UNENDED)
    first = min((job.turn for job in active), default=0)
    own = max((job.turn for job in active if job.submitter == submitter), default=first - 1)
    return max(first, own + 1)


def take(store: Store, owner: str) -> Job | None:
    """Give the next waiting job to `owner` and return it; None: there is none.

    Its time `started` is that of an earlier run which was cut off, None at the first.
    """
    for job in store.waiting():
        values = {"owner": owner, "lease": _end(), "started": job.started or now()}
        values |= {"step": "receive", "fraction": 0.0}
        if store.move(job.id, ("queued",), "running", **values):
            job.owner = owner
            return job
    return None


def renew(store: Store, job_id: str, owner: str) -> bool:
    """Renew the lease; False: `owner` no longer has it and must stop at once."""
    return store.move(job_id, ("running",), "running", Job.owner == owner, lease=_end())


def expire(store: Store) -> None:
    """Let the jobs wait again whose workers have not renewed their leases."""
    for job in store.jobs(("running",)):
        give_back(store, job, Job.owner == job.owner, Job.lease < now())


def give_back(store: Store, job: Job, *conditions: object) -> bool:
    """Let a running job wait again in its old place; one that is to be cancelled is."""
    state = "cancelled" if job.cancel else "queued"
    ended = {"ended": now(), "cancel": False} if job.cancel else {}
    return store.move(job.id, ("running",), state, *conditions, owner="", lease=None, **ended)


def _end() -> datetime:
    return now() + timedelta(seconds=SECONDS)
