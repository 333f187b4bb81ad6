"""Pictures come into a job that is there already: from a form, a webcam, a board."""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Lock
from typing import cast, get_args

from ..config import Settings
from ..datasets import checks
from ..datasets.checks import Seen
from ..datasets.dataset import Sample, Task
from ..datasets.formats import begun
from ..datasets.labels import check_labels, printable
from ..datasets.limits import RULES, Limits, Rules, in_mb
from ..datasets.pictures import quiet_decoders
from ..errors import Finding, UserError
from ..files import atomic_write
from . import added, edits, gallery, submit
from .gallery import Gallery
from .room import taken_bytes
from .store import Job, Store

_adding = Lock()
"""One after the other, so that none takes back what another one has found there."""


@dataclass(frozen=True, slots=True)
class Added:
    """What came of `add_pictures`: the numbers of the pictures, in their order, and how many of
    them were in the data set before; the gallery before and after."""

    numbers: tuple[int, ...]
    known: int
    before: Gallery
    after: Gallery


def add_pictures(
    store: Store,
    settings: Settings,
    job_id: str,
    pictures: Iterable[tuple[str, bytes]],
    label: str = "",
) -> Added:
    """Add pictures to a job whose data may be edited, as one edit: all of them or none.

    When this returns they are on the disk, in the journal and checked. A picture whose bytes are
    in the data set already is not added again; it gets the class `label` all the same.

    Args:
        store: where the job is.
        settings: its limits hold for each picture, and for all of the job together.
        job_id: of a job that neither waits nor runs.
        pictures: a name for messages (any text) and the bytes of a file (JPEG, PNG, BMP, GIF,
            WebP) of each; kept as they are, turned by their EXIF orientation when they are used.
        label: the class of all of them, a new one perhaps; "" for a detector, whose pictures have
            no boxes at first.

    Raises:
        UserError: `job_missing`, `job_state_wrong`, `added_nothing`, `added_class_missing`,
            `edit_unfit`, what is wrong with the label, `added_too_many`, `added_too_large`,
            `pictures_too_many_pixels`, or all that is wrong with the pictures, each by its name.
            Nothing is added then.
    """
    with _adding:
        folder = store.folder(job_id)
        store.idle(job_id)
        before = submit.shown(store, settings, job_id)
        _check_label(before, label)
        present = {one.sample.path: one for one in before.pictures}
        tray = _Tray(folder, before, submit.limits_of(settings), submit.rules_of(settings))
        try:
            new = tray.fill(pictures)
            wanted = tuple(one for one in new if one not in present or present[one].label != label)
            with store.held(job_id):  # it may have been sent while the pictures came
                if wanted:
                    edits.add(folder, before.received.dataset, edits.Edit("add", wanted, label))
        except UserError:  # after any other the journal may have its line
            tray.clear()
            raise
        tray.keep()
        after = submit.check_again(store, settings, job_id)
    places = {one.path: number for number, one in enumerate(after.received.dataset.samples)}
    return Added(tuple(places[one] for one in new), len(new) - len(wanted), before, after)


def begin(store: Store, settings: Settings, name: str, task: str, labels: Sequence[str]) -> Job:
    """Make a job without pictures, to which they are added; it cannot be trained yet.

    Raises:
        UserError: `option_invalid` for another task, or what is wrong with the labels.
    """
    if task not in get_args(Task):
        needed = ", ".join(get_args(Task))
        raise UserError("option_invalid", "task", value=printable(task), needed=needed)
    names = list(dict.fromkeys(labels))
    limits = submit.limits_of(settings)
    if len(names) > limits.labels:
        raise UserError("labels_too_many", needed=limits.labels, found=len(names))
    wrong = check_labels(names, RULES)
    if wrong:
        raise UserError.of(wrong)
    with submit.arriving(store) as (job_id, folder):
        atomic_write(folder / submit.UPLOAD, begun.archive(cast("Task", task), names))
        return submit.check(store, settings, job_id, name)


def _check_label(shown: Gallery, label: str) -> None:
    task = shown.received.dataset.task
    if task == "classify" and not label:
        raise UserError("added_class_missing")
    if task == "detect" and label:
        raise UserError("edit_unfit", "label", task=task)
    wrong = check_labels((label,) if label else (), RULES)
    if wrong:
        raise UserError.of(wrong)


class _Tray:
    """Pictures on their way into a job."""

    def __init__(self, folder: Path, before: Gallery, limits: Limits, rules: Rules) -> None:
        self._folder, self._limits, self._rules = folder, limits, rules
        self._seen: dict[str, Seen] = {}
        self._problems: list[Finding] = []
        self._known = {one.path for one in before.received.dataset.samples}
        self._pixels = sum(one.sample.width * one.sample.height for one in before.received.seen)
        upload = folder / submit.UPLOAD
        self._bytes = taken_bytes(folder / added.FOLDER) + upload.stat().st_size
        self._new: list[Path] = []

    def fill(self, pictures: Iterable[tuple[str, bytes]]) -> tuple[str, ...]:
        """Bring the pictures to the disk and return their paths, each once."""
        try:
            for name, data in pictures:
                self._put(printable(name.replace("\\", "/").rpartition("/")[2]) or "?", data)
        except OSError:  # the disk is full
            self.clear()
            raise
        if self._problems:
            raise UserError.of(self._problems)
        if not self._seen:
            raise UserError("added_nothing")
        return tuple(self._seen)

    def _put(self, name: str, data: bytes) -> None:
        """Write one picture, or remember what is wrong with it."""
        if len(data) > self._limits.member_bytes:
            params = in_mb(len(data), self._limits.member_bytes)
            self._problems.append(Finding("added_file_too_large", name, params=params))
            return
        with gallery.decoding, quiet_decoders():
            seen = checks.look_at(io.BytesIO(data), Sample(name), self._rules, self._limits)
        if seen.problem:
            self._problems.append(seen.problem)
            return
        path = added.path_of(data)
        self._seen[path] = replace(seen, sample=replace(seen.sample, path=path))
        if path not in self._known:
            self._count(path)
        if added.write(self._folder, path, data):
            self._new.append(added.file_of(self._folder, path))
            self._bytes += len(data)
        if self._bytes > self._limits.zip_bytes:
            raise UserError("added_too_large", **in_mb(self._bytes, self._limits.zip_bytes))

    def _count(self, path: str) -> None:
        sample = self._seen[path].sample
        self._known.add(path)
        self._pixels += sample.width * sample.height
        if len(self._known) > self._limits.members:
            raise UserError("added_too_many", needed=self._limits.members)
        checks.require_pixels(self._pixels, self._limits)

    def keep(self) -> None:
        """Keep what was found out about the pictures, now that they are the job's."""
        for seen in self._seen.values():
            gallery.keep(self._folder, seen, self._limits, self._rules)

    def clear(self) -> None:
        """Remove what was written and will not be used."""
        for file in self._new:
            file.unlink(missing_ok=True)
