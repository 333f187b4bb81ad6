"""When a waiting job will start, judged by the jobs that were done here before."""

from __future__ import annotations

from statistics import median

from .store import Job, Store

LATEST = 20
"""So many jobs of a kind, the last ones, say how long the next takes."""


def starts_in(store: Store, job_id: str) -> float | None:
    """Return seconds until a waiting job starts, None where nobody can know.

    That is what the running job says of itself, and of each that is before this one what jobs of
    its kind (task and preset) took a picture.
    """
    done = store.jobs(("done",))
    times = [job.eta_seconds for job in store.jobs(("running",))]
    times += [_takes(job, done) for job in store.before(job_id)]
    known = [time for time in times if time is not None]
    return sum(known) if len(known) == len(times) else None


def _takes(job: Job, done: list[Job]) -> float | None:
    alike = [one for one in done if _kind(one) == _kind(job)][:LATEST]
    rates = [
        one.result["seconds"] / one.dataset["pictures"]
        for one in alike
        if one.result.get("seconds") and one.dataset.get("pictures")
    ]
    return median(rates) * job.dataset.get("pictures", 0) if rates else None


def _kind(job: Job) -> tuple[object, object]:
    return job.dataset.get("task"), job.options.get("preset")
