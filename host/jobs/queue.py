"""The queue: Huey hands over one job at a time, each runs in a child process of its own.

The rows of the store are the truth. Huey's table only wakes the worker, so it is emptied and
filled again from the rows at every start: nothing is lost and nothing runs twice.
"""

from __future__ import annotations

import logging
import os
import sqlite3
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from threading import Event as Flag

from huey import SqliteHuey
from huey.consumer import Consumer

from ..config import Settings
from ..errors import UserError
from . import events, outcome
from .processes import stop_group
from .spec import JobSpec
from .store import ENDED, Store, now

LOG = logging.getLogger(__name__)
POLL_SECONDS = 0.25
"""How often a running job's events and its cancel mark are looked at."""
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
        self._consumer: _Consumer | None = None
        self._lock: sqlite3.Connection | None = None

    def submit(self, job_id: str, spec: JobSpec, options: dict[str, object]) -> None:
        """Write the spec and put the job in the queue. A job that ended may be sent again.

        Raises:
            UserError: `job_missing`, or `job_state_wrong` when it waits or runs already.
        """
        outcome.write_spec(self.store.folder(job_id), self.store.get(job_id), spec)
        again = {"step": "", "fraction": 0.0, "eta_seconds": None, "cancel": False, "failure": []}
        times = {"queued": now(), "started": None, "ended": None}
        values = {"name": spec.name, "options": options, "result": {}, **again, **times}
        if not self.store.move(job_id, ("checked", *ENDED), "queued", **values):
            state = self.store.get(job_id).state
            raise UserError("job_state_wrong", job_id, state=state, needed="checked")
        self._task(job_id)

    def cancel(self, job_id: str) -> None:
        """Take the job out of the queue or have its process stopped (done within seconds).

        Raises:
            UserError: `job_missing`, or `job_state_wrong` when it neither waits nor runs.
        """
        self.store.get(job_id)
        if self.store.move(job_id, ("queued",), "cancelled", ended=now()):
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
        waiting = [job.id for job in self.store.waiting()]
        before = waiting.index(job_id) if job_id in waiting else 0
        return before + len(self.store.jobs(("running",)))

    def start(self) -> None:
        """Take the data folder for this process, put back what was running, start working.

        Raises:
            UserError: `data_folder_in_use`.
        """
        self._lock = _lock(self.store.data)
        self.store.sweep()
        self._requeue()
        self._consumer = _Consumer(
            self._huey, workers=1, periodic=False, initial_delay=0.1, backoff=1.5, max_delay=0.5
        )
        self._consumer.start()

    def interrupt(self) -> None:
        """Say that the host ends; `stop` must follow. May be called from a signal handler."""
        self._stopping.set()

    def stop(self) -> None:
        """Stop the running job (it goes back into the queue) and the worker threads."""
        self._stopping.set()
        if self._consumer is not None:
            self._consumer.stop(graceful=True)
        self._huey.storage.close()
        if self._lock is not None:
            self._lock.close()

    def run(self, job_id: str) -> None:
        """Run one queued job to its end in this thread; what is not queued is passed over."""
        if self._stopping.is_set():
            return
        values = {"started": now(), "step": "receive", "fraction": 0.0}
        if not self.store.move(job_id, ("queued",), "running", **values):
            return
        try:
            self._run_child(job_id)
        except OSError as error:
            LOG.exception("job %s could not be run", job_id)
            finding = UserError("job_process_unstartable", job_id, reason=str(error)).findings
            outcome.fail(self.store, job_id, finding)

    def _run_child(self, job_id: str) -> None:
        folder = self.store.folder(job_id)
        outcome.clear(folder)
        events.mend(folder)
        events.append(folder, {"message": "started", "step": "receive", "fraction": 0.0})
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
                cancelled = self._watch(job_id, process, tail)
            finally:
                stop_group(process, GRACE_SECONDS)
                if process.stdin:
                    process.stdin.close()
        if self._stopping.is_set() and not cancelled and process.returncode != 0:
            self.store.move(job_id, ("running",), "queued")
        else:
            outcome.settle(self.store, job_id, process.returncode, cancelled)

    def _watch(self, job_id: str, process: subprocess.Popen[bytes], tail: events.Tail) -> bool:
        """Mirror events into the row until the child ends or is to end; True: cancelled."""
        while True:
            with suppress(subprocess.TimeoutExpired):
                process.wait(POLL_SECONDS)
            _mirror(self.store, job_id, tail)
            if process.returncode is not None:
                return False
            if self.store.get(job_id).cancel:
                return True
            if self._stopping.is_set():
                return False

    def _requeue(self) -> None:
        """Make Huey's table equal to the rows; running ones are first, they were before."""
        self._huey.storage.flush_queue()
        for job in self.store.jobs(("running",)):
            if job.cancel:
                self.store.move(job.id, ("running",), "cancelled", ended=now())
            else:
                self.store.move(job.id, ("running",), "queued")
        for job in self.store.waiting():
            self._task(job.id)


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
    return {**os.environ, **quiet, **dict.fromkeys(limit, str(threads))}


def _lock(data: Path) -> sqlite3.Connection:
    """Hold a lock that the system lets go when the process ends, on every system alike."""
    connection = sqlite3.connect(
        data / "host.lock", timeout=0, isolation_level=None, check_same_thread=False
    )
    try:
        connection.execute("BEGIN EXCLUSIVE")
    except sqlite3.OperationalError as error:
        connection.close()
        raise UserError("data_folder_in_use", str(data)) from error
    return connection
