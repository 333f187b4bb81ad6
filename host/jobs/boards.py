"""Data sets from the card of a board at a serial port of this computer, fetched in the background.

What has arrived is kept until all is there, so a transfer that broke off goes on when it is asked
for again, also after the host was started anew.
"""

from __future__ import annotations

import hashlib
import logging
import re
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Event, Lock, Thread
from typing import Literal

from ..config import Settings
from ..datasets import formats
from ..datasets.limits import in_mb
from ..deploy import serial_files, serial_port
from ..errors import Finding, UserError
from ..files import write_zip
from . import adding, submit
from .retention import TRANSFERS
from .store import Store

LOG = logging.getLogger(__name__)

HOME = "/sd/maixforge"
"""Where the collectors keep their data sets."""
KEPT = 50
"""Ended transfers that can still be asked for."""
_PATH = re.compile(rf"{HOME}/(?!\.{{1,2}}\Z)[^/\\\0]{{1,60}}")

TransferState = Literal["running", "done", "failed", "cancelled"]


@dataclass(slots=True)
class Transfer:
    """A data set that is fetched: `done` of `total` bytes, at `rate` bytes a second.

    `into` is the job that gets the pictures, "" for a new one; `job` is that job once it has them.
    """

    id: str
    port: str
    path: str
    into: str
    state: TransferState = "running"
    done: int = 0
    total: int = 0
    rate: float = 0.0
    job: str = ""
    findings: tuple[Finding, ...] = ()


class _CancelledError(Exception):
    """The transfer is not wanted any more."""


class Boards:
    """The serial ports of this computer; one thing at a time at each."""

    def __init__(self, store: Store, settings: Settings) -> None:
        self._store, self._settings = store, settings
        self._lock = Lock()
        self._busy: set[str] = set()
        self._transfers: dict[str, Transfer] = {}
        self._wanted: dict[str, Event] = {}

    def datasets(self, port: str) -> list[str]:
        """Return the paths of the data sets on the card of the board at `port`.

        The program on the board is stopped.

        Raises:
            UserError: `board_port_unknown`, `board_port_taken`, or as `serial_port.connected` and
                `serial_files.listing`.
        """
        with self._held(port), serial_port.connected(port) as link:
            found = serial_files.listing(link, HOME)
        return [one.path for one in found if one.folder and _PATH.fullmatch(one.path)]

    def take(self, port: str, path: str, into: str = "") -> Transfer:
        """Begin to fetch the data set `path`: for a new job, or for the classifier's job `into`.

        Raises:
            UserError: `board_port_unknown`, `board_port_taken`, `board_path_missing`,
                `job_missing`, `job_state_wrong`, `board_into_detector`.
        """
        if not _PATH.fullmatch(path):
            raise UserError("board_path_missing", path[:80], reason="ENOENT")
        if into:
            adding_to = self._store.idle(into)
            if adding_to.dataset.get("task") == "detect":
                raise UserError("board_into_detector", adding_to.name)
        self._hold(port)
        transfer = Transfer(secrets.token_hex(8), port, path, into)
        with self._lock:
            self._transfers[transfer.id] = transfer
            self._wanted[transfer.id] = Event()
            for old in [*self._transfers][:-KEPT]:
                if self._transfers[old].state != "running":
                    del self._transfers[old], self._wanted[old]
        Thread(target=self._run, args=(transfer,), daemon=True).start()
        return transfer

    def get(self, transfer_id: str) -> Transfer:
        """Return a transfer.

        Raises:
            UserError: `board_transfer_missing`.
        """
        found = self._transfers.get(transfer_id)
        if not found:
            raise UserError("board_transfer_missing", transfer_id[:80])
        return found

    def cancel(self, transfer_id: str) -> Transfer:
        """Stop a transfer before its next piece; what has arrived is kept for the next time."""
        found = self.get(transfer_id)
        self._wanted[transfer_id].set()
        return found

    def running(self) -> list[Transfer]:
        """Return the transfers that are under way."""
        with self._lock:
            return [one for one in self._transfers.values() if one.state == "running"]

    def _run(self, transfer: Transfer) -> None:
        try:
            self._fetch(transfer)
            transfer.state = "done"
        except _CancelledError:
            transfer.state = "cancelled"
        except UserError as error:
            transfer.findings, transfer.state = error.findings, "failed"
        except Exception:
            LOG.exception("fetching %s from %s failed", transfer.path, transfer.port)
            transfer.findings = (Finding("host_failed", transfer.path),)
            transfer.state = "failed"
        finally:
            self._release(transfer.port)

    def _fetch(self, transfer: Transfer) -> None:
        key = hashlib.sha256(f"{transfer.port}\n{transfer.path}".encode()).hexdigest()[:16]
        folder = self._store.data / TRANSFERS / key
        folder.mkdir(parents=True, exist_ok=True)
        limit = self._settings.upload_bytes

        def progress(done: int, total: int, rate: float) -> None:
            if total > limit:
                raise UserError("upload_too_large", transfer.path, **in_mb(total, limit))
            transfer.done, transfer.total, transfer.rate = done, total, rate
            if self._wanted[transfer.id].is_set():
                raise _CancelledError

        with serial_port.connected(transfer.port) as link:
            made = serial_files.pull(link, transfer.path, folder, progress)
        start = len(transfer.path) + 1
        names = sorted(path[start:] for path in (*made.copied, *made.kept))
        files = {name: folder / name for name in names}
        transfer.job = self._add(transfer, files) if transfer.into else self._new(transfer, files)
        shutil.rmtree(folder, ignore_errors=True)

    def _new(self, transfer: Transfer, files: dict[str, Path]) -> str:
        """Make a job of the files; others that lie beside them are of an older transfer."""
        name = transfer.path.rpartition("/")[2]
        with submit.arriving(self._store) as (job_id, folder):
            members = {f"{name}/{inside}": path for inside, path in files.items()}
            write_zip(folder / submit.UPLOAD, members)
            return submit.check(self._store, self._settings, job_id, name).id

    def _add(self, transfer: Transfer, files: dict[str, Path]) -> str:
        """Add the pictures to a job, class by class."""
        limits = submit.limits_of(self._settings)
        with submit.arriving(self._store) as (_, folder):
            for inside, path in files.items():
                place = folder / "data" / inside
                place.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(path, place)
            found = formats.load(folder / "data", limits, folder)
            if found.task == "detect":
                raise UserError("board_into_detector", transfer.path)
            for number, label in enumerate(found.labels):
                mine = [one for one in found.samples if one.label == number]
                pictures = ((one.path, (found.root / one.path).read_bytes()) for one in mine)
                adding.add_pictures(self._store, self._settings, transfer.into, pictures, label)
            shutil.rmtree(folder, ignore_errors=True)
        return transfer.into

    @contextmanager
    def _held(self, port: str) -> Iterator[None]:
        self._hold(port)
        try:
            yield
        finally:
            self._release(port)

    def _hold(self, port: str) -> None:
        # A name that is none of the list could be a file or an address for pyserial.
        if port not in {one.name for one in serial_port.ports()}:
            raise UserError("board_port_unknown", port[:80])
        with self._lock:
            if port in self._busy:
                raise UserError("board_port_taken", port)
            self._busy.add(port)

    def _release(self, port: str) -> None:
        with self._lock:
            self._busy.discard(port)
