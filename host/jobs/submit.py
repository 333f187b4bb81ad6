"""A new job: data arrives in its own folder, is checked, and gets its row; or leaves nothing."""

from __future__ import annotations

import shutil
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import fields
from pathlib import Path
from typing import Any

from ..config import Settings
from ..datasets.dataset import Dataset
from ..datasets.formats import begun
from ..datasets.limits import Limits, Rules
from ..errors import UserError
from . import findings, gallery
from .result_types import DatasetSummary
from .store import Job, Store, new_id

UPLOAD = "upload.zip"
NAME_LENGTH = 60


@contextmanager
def arriving(store: Store) -> Iterator[tuple[str, Path]]:
    """Yield a new job's id and folder; the folder is removed again when the block fails."""
    job_id = new_id()
    folder = store.folder(job_id)
    folder.mkdir()
    try:
        yield job_id, folder
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise


def check(store: Store, settings: Settings, job_id: str, name: str) -> Job:
    """Check `upload.zip` in the job's folder, as edited if there is a journal, and add its row.

    What keeps the data set from being trained is among the findings of the job.

    Raises:
        UserError: nothing is there that could be mended: the zip is refused, no picture can be
            used. Or as `edits.read` and `edits.apply`.
    """
    folder = store.folder(job_id)
    gallery.look(folder / UPLOAD, folder, limits_of(settings), rules_of(settings))
    found = shown(store, settings, job_id)
    usable = any(one.problem is None for one in found.received.seen)
    if not (usable or begun.is_begun(found.received.dataset)):
        raise UserError.of(found.checked.findings)
    return store.add(job_id, plain_name(name), **_checked(found.checked))


def shown(store: Store, settings: Settings, job_id: str) -> gallery.Gallery:
    """Return the gallery of a job.

    Raises:
        UserError: as `gallery.show`.
    """
    folder = store.folder(job_id)
    return gallery.show(folder / UPLOAD, folder, limits_of(settings), rules_of(settings))


def check_again(store: Store, settings: Settings, job_id: str) -> gallery.Gallery:
    """Check the data of a job as edited by now, write to its row what was found, and return it.

    Raises:
        UserError: as `gallery.show`.
    """
    while True:
        found = shown(store, settings, job_id)
        store.update(job_id, **_checked(found.checked))
        # Another edit may have come meanwhile, and been written to the row before this one.
        if shown(store, settings, job_id).history == found.history:
            return found


def summary(dataset: Dataset) -> DatasetSummary:
    """Return what the pages show of a data set."""
    return DatasetSummary(
        task=dataset.task,
        labels=list(dataset.labels),
        counts=dataset.counts(),
        pictures=len(dataset.samples),
    )


def _checked(dataset: Dataset) -> dict[str, Any]:
    """Return what a job's row says of its data set."""
    return {"dataset": dict(summary(dataset)), "findings": findings.to_json(dataset.findings)}


def limits_of(settings: Settings) -> Limits:
    """Return the limits of an upload that the settings ask for."""
    chosen = {"members": settings.members, "member_bytes": settings.member_bytes}
    return Limits(
        zip_bytes=settings.upload_bytes, ratio=settings.ratio, pixels=settings.pixels, **chosen
    )


def rules_of(settings: Settings) -> Rules:
    """Return the rules of a data set that the settings ask for."""
    known = {one.name for one in fields(Rules)} & {one.name for one in fields(Settings)}
    return Rules(**{name: getattr(settings, name) for name in known})


def plain_name(text: str) -> str:
    """Return `text` without a folder, an ending .zip and control characters, cut to 60."""
    last = text.replace("\\", "/").rstrip("/").rpartition("/")[2]
    stem = last[:-4] if last.lower().endswith(".zip") else last
    kept = "".join(c for c in stem if unicodedata.category(c)[0] != "C").strip()
    return kept[:NAME_LENGTH] or "model"
