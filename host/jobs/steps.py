"""Which steps of a job are done: a run that was cut off goes on after the last one.

A step writes its files whole (see `host.files`), then its mark, `steps/NAME.json`. The mark holds
what the order and the data were, what the step found out, and the digests of its files: a step
whose mark does not fit all of these is done again, any other never.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from .. import __version__
from ..files import atomic_write
from . import added, edits
from .spec import JobSpec

FOLDER = "steps"
PLACES = ("source", "test", "data_folder", "firmware_folder", "nncase_python")
"""Fields of a spec that say where something lies: what lies there counts, not where."""


def fingerprint(folder: Path, spec: JobSpec) -> str:
    """Return a hash of all that decides what a job makes: its order, its data, our version.

    Raises:
        UserError: as `edits.read`.
    """
    order = {name: value for name, value in asdict(spec).items() if name not in PLACES}
    data = [digest(folder / name) for name in (spec.source, spec.test, edits.NAME) if name]
    data += [digest(added.file_of(folder, one)) for one in edits.read(folder).added]
    text = json.dumps([__version__, bool(spec.test), order, data], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def digest(path: Path) -> str:
    """Return the SHA-256 of a file, of a folder that of all names and contents, "" of nothing."""
    if path.is_dir():
        files = sorted(one for one in path.rglob("*") if one.is_file())
        rows = [(one.relative_to(path).as_posix(), digest(one)) for one in files]
        return hashlib.sha256(json.dumps(rows).encode()).hexdigest()
    if not path.is_file():
        return ""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


class Steps:
    """The steps of one job in their order. `seconds` is what they took, in whichever run."""

    def __init__(self, folder: Path, order: str) -> None:
        """`order` is the job's `fingerprint`; marks of another one do not count."""
        self.folder, self.order, self.seconds = folder, order, 0.0
        (folder / FOLDER).mkdir(exist_ok=True)

    def do(self, name: str, work: Callable[[], tuple[Any, Iterable[str]]], also: str = "") -> Any:
        """Return what a step has found out (JSON); `work` is called unless the step is done.

        Args:
            name: of the step.
            work: does it and returns JSON and the names of its files and folders, in the job's.
            also: what else decides what it makes.
        """
        path, began = self._path(name), time.monotonic()
        mark = self._read(path)
        if not mark or mark["order"] != [self.order, also] or not self._whole(mark["files"]):
            value, files = work()
            mark = {
                "order": [self.order, also],
                "value": value,
                "files": {one: digest(self.folder / one) for one in files},
                "seconds": time.monotonic() - began,
            }
            text = json.dumps(mark, allow_nan=False)
            atomic_write(path, text.encode())
            mark = json.loads(text)  # a later run reads the same
        self.seconds += mark["seconds"]
        return mark["value"]

    def forget(self, name: str) -> None:
        """Let a step be done again by the next run, as its work may end better then."""
        self._path(name).unlink(missing_ok=True)

    def _path(self, name: str) -> Path:
        return self.folder / FOLDER / f"{name}.json"

    def _read(self, path: Path) -> dict[str, Any] | None:
        return json.loads(path.read_bytes()) if path.is_file() else None

    def _whole(self, files: dict[str, str]) -> bool:
        return all(digest(self.folder / name) == known for name, known in files.items())
