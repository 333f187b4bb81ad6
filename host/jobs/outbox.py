"""Mails that are to be sent: they stand in the rows of their jobs, one thread sends them.

A mail waits from its job's order on, and is due when the job is done or failed; so nothing but the
row has to survive. It is sent at most once: before the server gets the dot that ends the message
the row says "sending", on the disk. What fails before that is tried again. When host or connection
end right after it nobody knows whether the server has taken the mail: it is not sent again, and
the page says so.
"""

from __future__ import annotations

import logging
from datetime import timedelta
from threading import Event, Thread
from typing import Any

from sqlalchemy.exc import OperationalError

from ..config import Settings
from ..errors import Finding, UserError
from . import findings, mail, smtp
from .store import ENDED, Job, Store, now

LOG = logging.getLogger(__name__)
POLL_SECONDS = 2.0
PAUSES = (60.0, 300.0, 1800.0, 7200.0)
"""Seconds before the second, third .. attempt; a job has one attempt more than there are."""
CLAIM_SECONDS = 3 * smtp.TIMEOUT
"""How long "sending" may last; later its host is gone."""
STOP_SECONDS = 3.0
TOLD: tuple[Any, ...] = ("done", "failed")
"""The states that a mail tells of; who cancels a job knows it."""


def ordered(address: str, language: str) -> dict[str, Any]:
    """Return the columns of a new order; an empty address asks for no mail."""
    state = "waiting" if address else ""
    info = {"language": language, "tries": 0, "findings": []}
    return {"mail": address, "mail_state": state, "mail_next": None, "mail_info": info}


def again(store: Store, job_id: str) -> None:
    """Let a mail that was not sent for certain wait again.

    Raises:
        UserError: `job_missing`, or `mail_not_failed`.
    """
    job = store.get(job_id)
    values = ordered(job.mail, job.mail_info.get("language", "en"))
    missed = Job.mail_state.in_(("failed", "unsure"))
    if not store.move(job_id, ENDED, job.state, missed, Job.queued == job.queued, **values):
        raise UserError("mail_not_failed", job_id)


class Outbox:
    """Sends the mails of a store in a thread of its own; `address` is that of the pages."""

    def __init__(self, store: Store, settings: Settings, address: str) -> None:
        self._store, self._settings, self._address = store, settings, address
        self._stopping = Event()
        self._thread = Thread(target=self._work, name="outbox", daemon=True)

    def start(self) -> None:
        """Start sending; does nothing without a mail server."""
        if self._settings.smtp_host:
            self._thread.start()

    def stop(self) -> None:
        """Stop; a server that does not answer is not waited for."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join(STOP_SECONDS)

    def send_due(self) -> None:
        """Send what is due now, one after the other."""
        for job in self._store.mails("sending", TOLD):
            if job.mail_next and job.mail_next < now():
                finding = Finding("mail_unsure", self._settings.smtp_host, params={"reason": "-"})
                self._settle(job, "unsure", [finding])
        for job in self._store.mails("waiting", TOLD):
            if not self._stopping.is_set() and (not job.mail_next or job.mail_next < now()):
                self._send(job)

    def _work(self) -> None:
        while not self._stopping.wait(POLL_SECONDS):
            try:
                self.send_due()
            except OperationalError:  # a full disk; the server need not hear of it every time
                LOG.exception("the jobs' table cannot be written")
                self._stopping.wait(PAUSES[0])

    def _send(self, job: Job) -> None:
        try:
            folder = self._store.folder(job.id)
            message = mail.compose(job, folder, self._settings, self._address)
            if smtp.deliver(self._settings, message, lambda: self._claim(job)):
                self._settle(job, "sent", [])
        except OperationalError:
            raise
        except UserError as error:
            self._failed(job, error)
        except Exception as error:  # one mail must not keep the others from being sent
            LOG.exception("the mail of job %s cannot be made", job.id)
            self._failed(job, UserError("internal_error", reason=type(error).__name__))

    def _failed(self, job: Job, error: UserError) -> None:
        """Note what went wrong; try again later where that may help."""
        LOG.warning("the mail of job %s was not sent: %s", job.id, error.code)
        tries = job.mail_info.get("tries", 0)
        if error.code == "mail_unsure":
            self._settle(job, "unsure", error.findings)
        elif error.code in smtp.LATER and tries < len(PAUSES):
            pause = now() + timedelta(seconds=PAUSES[tries])
            self._settle(job, "waiting", error.findings, pause)
        else:
            self._settle(job, "failed", error.findings)

    def _claim(self, job: Job) -> bool:
        """Mark the mail as being sent; False: another host sends it, or the job runs again."""
        end = now() + timedelta(seconds=CLAIM_SECONDS)
        return self._move(job, ("waiting",), mail_state="sending", mail_next=end)

    def _settle(self, job: Job, state: str, found: Any, again: Any = None) -> None:
        tries = job.mail_info.get("tries", 0) + 1
        told = findings.to_json(_masked(one, job.mail) for one in found)
        info = {**job.mail_info, "tries": tries, "findings": told}
        values = {"mail_state": state, "mail_next": again, "mail_info": info}
        self._move(job, ("waiting", "sending"), **values)

    def _move(self, job: Job, states: tuple[str, ...], **values: Any) -> bool:
        same = (Job.queued == job.queued, Job.mail_state.in_(states))
        return self._store.move(job.id, (job.state,), job.state, *same, **values)


def masked(address: str) -> str:
    """Return an address as the pages show it: enough for its owner."""
    local, at, domain = address.rpartition("@")
    return f"{local[:1]}…{at}{domain}"


def _masked(finding: Finding, address: str) -> Finding:
    """Take the address out of a server's words; to the job it is a warning only."""
    params = {
        key: value.replace(address, masked(address)) if isinstance(value, str) else value
        for key, value in finding.params.items()
    }
    return Finding(finding.code, finding.path, "warning", params)
