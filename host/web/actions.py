"""What the pages and the API both do with jobs."""

from __future__ import annotations

from ..jobs import submit
from ..jobs.store import Job
from .forms import JobForm
from .state import host
from .uploads import store_upload


def receive() -> Job:
    """Take the upload of this request; what cannot be used leaves nothing behind."""
    here = host()
    with submit.arriving(here.store) as (job_id, folder):
        name = store_upload(folder)
        return submit.check(here.store, here.settings, job_id, name)


def start(job_id: str) -> Job:
    """Put the job in the queue with the options of this request."""
    here = host()
    job = here.store.get(job_id)
    form = JobForm(job.dataset.get("task", "classify"))
    here.queue.submit(job_id, form.spec(job.name), form.options())
    return here.store.get(job_id)
