"""The queue: Huey hands over one job at a time, each runs in a child process of its own.

The rows of the store are the truth: whose turn it is and who runs a job stands there (see
`lease`). Huey's table only wakes the worker, so it is emptied and filled again from the rows at
every start: nothing is lost and nothing runs twice.
"""

from __future__ import annotations

import logging
import os
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from threading import Event as Flag
from threading import Thread

from huey import SqliteHuey
from huey.consumer import Consumer
from sqlalchemy.exc import OperationalError

from ..config import SMTP_PASSWORD, Settings
from ..errors import UserError
from . import events, lease, locks, outbox, outcome, retention, room
from .processes import stop_group
from .spec import JobSpec
from .store import IDLE, Job, Store, now

LOG = logging.getLogger(__name__)
POLL_SECONDS = 0.25
"""How often a running job's events and its cancel mark are looked at."""
KEEP_SECONDS = 2.0
"""How often it is looked whether jobs can go on: those that rest, those whose worker is gone."""
CLEAN_SECONDS = 600.0
"""How often it is looked whether jobs are too old."""
GRACE_SECONDS = 5.0
"""How long a child has to end by itself before it is killed."""
MIRRORED = ("step", "fraction", "eta_seconds")
"""What of the newest event is shown in the row."""


def child_command(folder: Path) -> list[str]:
    """Return the command that runs the job in `folder`."""
    return [sys.executable, "-m", "host.jobs.child", str(folder)]


class _Consumer(Consumer):
    """Huey's worker threads inside our process, which handles its signals itself."""

    def _set_signal_handlers(self) -> None:
        pass


class JobQueue:
    """Takes jobs from the web and the CLI; after `start` it also runs them, one at a time."""

    def __init__(self, store: Store, settings: Settings) -> None:
        self.store = store
        self._settings = settings
        self._stopping = Flag()
        self._huey = SqliteHuey(
            "jobs",
            filename=str(store.data / "queue.sqlite3"),
            results=False,
            strict_fifo=True,
            fsync=True,
        )
        self._task = self._huey.task(name="run_job")(self.run)
        self._owner = lease.new_owner()
        self._consumer: _Consumer | None = None
        self._keeper: Thread | None = None
        self._lock: sqlite3.Connection | None = None

    def submit(
        self,
        job_id: str,
        spec: JobSpec,
        options: dict[str, object],
        submitter: str = "",
        mail: Mapping[str, object] | None = None,
    ) -> None:
        """Write the spec and put the job in the queue. A job that ended may be sent again.

        Submitters, whatever they are called, take turns. `mail` is what `outbox.ordered` returns.

        Raises:
            UserError: `job_missing`, or `job_state_wrong` when it waits or runs already.
        """
        outcome.write_spec(self.store.folder(job_id), self.store.get(job_id), spec)
        again = {"step": "", "fraction": 0.0, "eta_seconds": None, "cancel": False, "failure": []}
        again |= {"deaths": 0, "submitter": submitter}
        again |= {"turn": lease.turn_of(self.store, submitter)}
        again |= mail or outbox.ordered("", "")
        times = {"queued": now(), "started": None, "ended": None}
        values = {"name": spec.name, "options": options, "result": {}, **again, **times}
        if not self.store.move(job_id, IDLE, "queued", **values):
            state = self.store.get(job_id).state
            raise UserError("job_state_wrong", job_id, state=state, needed="checked")
        self._wake()

    def cancel(self, job_id: str) -> None:
        """Take the job out of the queue or have its process stopped (done within seconds).

        Raises:
            UserError: `job_missing`, or `job_state_wrong` when it neither waits nor runs.
        """
        self.store.get(job_id)
        if self.store.move(job_id, ("queued", "paused"), "cancelled", ended=now(), lease=None):
            return
        if not self.store.move(job_id, ("running",), "running", cancel=True):
            state = self.store.get(job_id).state
            raise UserError("job_state_wrong", job_id, state=state, needed="queued, running")

    @property
    def stopping(self) -> bool:
        """Whether the host is about to end."""
        return self._stopping.is_set()

    def position(self, job_id: str) -> int:
        """Return how many jobs end before this one starts, the running one included."""
        return len(self.store.before(job_id)) + len(self.store.jobs(("running",)))

    def start(self) -> None:
        """Take the data folder for this process, put back what was running, start working.

        Raises:
            UserError: `data_folder_in_use`.
        """
        self._lock = locks.hold(self.store.data / "host.lock", "data_folder_in_use")
        self.store.sweep()
        for job in self.store.jobs(("running",)):
            lease.give_back(self.store, job)  # nobody else works here, so their host is gone
        self.work()

    def work(self) -> None:
        """Start working, perhaps beside other hosts in the same folder."""
        self._huey.storage.flush_queue()
        for _ in self.store.waiting():
            self._wake()
        self._consumer = _Consumer(
            self._huey, workers=1, periodic=False, initial_delay=0.1, backoff=1.5, max_delay=0.5
        )
        self._consumer.start()
        self._keeper = Thread(target=self._keep, name="keeper", daemon=True)
        self._keeper.start()

    def interrupt(self) -> None:
        """Say that the host ends; `stop` must follow. May be called from a signal handler."""
        self._stopping.set()

    def stop(self) -> None:
        """Stop the running job (it goes back into the queue) and the worker threads."""
        self._stopping.set()
        if self._consumer is not None:
            self._consumer.stop(graceful=True)
        if self._keeper is not None:
            self._keeper.join()
        self._huey.storage.close()
        if self._lock is not None:
            self._lock.close()

    def run(self) -> None:
        """Run the next job to its end in this thread, if one waits."""
        job = None if self._stopping.is_set() else lease.take(self.store, self._owner)
        if job is None:
            return
        try:
            end = self._run_child(job)
        except OSError as error:
            if room.is_full(error):
                reasons = room.no_room(self.store.data, room.SPARE).findings
                end = lambda: outcome.pause(self.store, job, reasons)  # noqa: E731
            else:
                LOG.exception("job %s could not be run", job.id)
                found = UserError("job_process_unstartable", job.id, reason=str(error)).findings
                end = lambda: outcome.fail(self.store, job, found)  # noqa: E731
        self._insist(end)

    def _run_child(self, job: Job) -> Callable[[], object]:
        """Run the job's process; return what writes down how that ended."""
        folder = self.store.folder(job.id)
        outcome.clear(folder)
        events.mend(folder)
        message = "resumed" if job.started else "started"
        events.append(folder, {"message": message, "step": "receive", "fraction": 0.0})
        tail = events.Tail(folder)
        with (folder / "child.log").open("wb") as log:
            process = subprocess.Popen(
                child_command(folder),
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=_environment(self._settings.threads),
                start_new_session=True,
            )
            try:
                cancelled = self._watch(job, process, tail)
            finally:
                stop_group(process, GRACE_SECONDS)
                if process.stdin:
                    process.stdin.close()
        if self._stopping.is_set() and not cancelled and process.returncode != 0:
            return lambda: lease.give_back(self.store, job, Job.owner == self._owner)
        return lambda: outcome.settle(self.store, job, process.returncode, cancelled)

    def _watch(self, job: Job, process: subprocess.Popen[bytes], tail: events.Tail) -> bool:
        """Mirror events into the row until the child ends or is to end; True: cancelled.

        It is to end, too, when another worker has the job: this one slept for too long.
        """
        renewed = time.monotonic()
        while True:
            with suppress(subprocess.TimeoutExpired):
                process.wait(POLL_SECONDS)
            with suppress(OperationalError):  # the disk is full; the child will say so
                _mirror(self.store, job.id, tail)
                if process.returncode is None and time.monotonic() - renewed > lease.RENEW_SECONDS:
                    renewed = time.monotonic()
                    if not lease.renew(self.store, job.id, self._owner):
                        LOG.warning("job %s is no longer ours; its process is stopped", job.id)
                        return False
            if process.returncode is not None:
                return False
            if self.store.get(job.id).cancel:
                return True
            if self._stopping.is_set():
                return False

    def _insist(self, write: Callable[[], object]) -> None:
        """Write to the rows, and on a full disk again until there is room or the host ends."""
        while True:
            try:
                write()
                return
            except OperationalError:
                LOG.exception("the jobs' table cannot be written")
            if self._stopping.wait(KEEP_SECONDS):
                return  # the next start finds the job running and puts it back

    def _keep(self) -> None:
        """Let jobs wait again that can go on, wake the worker for what waits, clean old ones."""
        clean = 0.0
        while not self._stopping.wait(KEEP_SECONDS):
            try:
                lease.expire(self.store)
                outcome.resume(self.store)
                if time.monotonic() > clean:
                    clean = time.monotonic() + CLEAN_SECONDS
                    retention.clean(self.store, self._settings)
                if self.store.waiting() and not self._huey.pending_count():
                    self._wake()
            except (OperationalError, OSError):
                LOG.exception("the jobs' table cannot be read")

    def _wake(self) -> None:
        with suppress(sqlite3.OperationalError):  # on a full disk `_keep` will do it
            self._task()


def _mirror(store: Store, job_id: str, tail: events.Tail) -> None:
    """Copy the newest step and fraction into the row."""
    new = tail.read()
    values = {}
    for _, event in new:
        values |= {key: event.get(key) for key in MIRRORED if key in event}
    if values:
        store.update(job_id, **values)


def _environment(threads: int) -> dict[str, str]:
    """Return the child's environment; 0 threads leave the number to the libraries."""
    limit = {"OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS"} if threads else set()
    quiet = {"TF_CPP_MIN_LOG_LEVEL": "2", "PYTHONUNBUFFERED": "1"}
    inherited = {key: value for key, value in os.environ.items() if key != SMTP_PASSWORD}
    return {**inherited, **quiet, **dict.fromkeys(limit, str(threads))}
