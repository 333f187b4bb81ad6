"""A job as one zip, to take it to another host: its data, its edits and its choices.

What was made of them is not in it: the same data, choices and seed make the same bytes, and a host
need not believe what a stranger's zip says. Neither keys, boards nor mail addresses are in it.
"""

from __future__ import annotations

import json
import shutil
import zipfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

from ..config import Settings
from ..datasets import checks, intake
from ..datasets.dataset import Task
from ..datasets.labels import printable
from ..datasets.limits import MIB, Limits, in_mb
from ..datasets.pictures import quiet_decoders
from ..errors import UserError
from ..files import write_zip
from . import added, edits, submit
from .knobs import knobs
from .store import Job, Store

MARK = "maixforge-project.json"
"""A zip with this at its root is a project; it is written for no other purpose."""
DATA = "data-set.upload"
"""The upload as it came. Not called a zip: uploads with zips in them are refused."""
FORMAT = 1
CHOICES = ("preset", "fit", "backbone", "firmware", "seed", "canmv", "size", "stride")
"""Options of a job that go along, and so do its `knobs`; of a seal or a mail nothing does."""
_FILES = frozenset({MARK, DATA, edits.NAME})
_UNPACKED = "project"
_MARK_BYTES = 64 * 1024


def export(store: Store, job_id: str, out: Path) -> Path:
    """Write the project of a job to `out` and return that. Equal jobs give equal bytes.

    Raises:
        UserError: `job_missing`, `picture_missing`, or as `edits.read`.
    """
    job, folder = store.get(job_id), store.folder(job_id)
    options = _chosen(job.options)
    text = json.dumps({"format": FORMAT, "name": job.name, "options": options}, indent=1)
    members: dict[str, bytes | Path] = {MARK: text.encode(), DATA: folder / submit.UPLOAD}
    if journal := edits.journal(folder):
        members[edits.NAME] = journal
    for path in edits.history_of(journal).added:  # of this journal, whatever is edited meanwhile
        file = added.file_of(folder, path)
        if not file.is_file():
            raise UserError("picture_missing", path)
        members[f"{added.FOLDER}/{file.name}"] = file
    write_zip(out, members, compress=False)
    return out


def is_project(path: Path) -> bool:
    """Say whether a zip claims to be a project; nothing in it is believed for that."""
    try:
        with zipfile.ZipFile(path) as archive:
            return MARK in archive.namelist()
    except (OSError, ValueError, zipfile.BadZipFile, NotImplementedError):
        return False


def receive(store: Store, settings: Settings, job_id: str) -> Job:
    """Make the new job `job_id` of the project that was uploaded to its folder.

    The zip, and then the upload inside, pass the intake as any other.

    Raises:
        UserError: `project_damaged`, or what is wrong with the zip, the data or the edits.
    """
    folder = store.folder(job_id)
    upload, into = folder / submit.UPLOAD, folder / _UNPACKED
    plain = submit.limits_of(settings)
    most = plain.zip_bytes + edits.JOURNAL_BYTES + MIB
    # Those of the upload inside are counted, too.
    members = plain.members + len(_FILES)
    limits = replace(plain, zip_bytes=most, member_bytes=plain.zip_bytes, members=members)
    root = intake.receive(upload, into, limits)
    strange = {one.name for one in root.iterdir()} - _FILES - {added.FOLDER}
    if strange:
        raise UserError("project_damaged", printable(min(strange)), reason="?")
    name, options = _read_mark(root / MARK)
    if not (root / DATA).is_file():
        raise UserError("project_damaged", DATA, reason="-")
    (root / DATA).replace(upload)
    if (root / edits.NAME).is_file():
        (root / edits.NAME).replace(folder / edits.NAME)
    _take_added(root / added.FOLDER, folder, plain)
    shutil.rmtree(into)
    submit.check(store, settings, job_id, name)
    store.update(job_id, options=options)
    return store.get(job_id)


def _take_added(source: Path, folder: Path, limits: Limits) -> None:
    """Take the added pictures that the journal names; there may be no others.

    Whether they are pictures is found out with the received ones.
    """
    paths = edits.read(folder).added
    names = {added.file_of(folder, one).name for one in paths}
    there = {one.name for one in source.iterdir()} if source.is_dir() else set()
    if names != there:
        raise UserError("project_damaged", printable(min(names ^ there)), reason=added.FOLDER)
    total = (folder / submit.UPLOAD).stat().st_size
    for name in sorted(names):
        size = (source / name).stat().st_size
        total += size
        if size > limits.member_bytes or total > limits.zip_bytes:
            raise UserError("added_too_large", name, **in_mb(total, limits.zip_bytes))
        if not added.is_whole(source / name):
            raise UserError("project_damaged", name, reason="sha256")
    if names:
        source.replace(folder / added.FOLDER)
    with quiet_decoders():
        samples = [added.sample(folder, one) for one in paths]
    checks.require_pixels(sum(one.width * one.height for one in samples), limits)


def import_file(store: Store, settings: Settings, source: Path) -> Job:
    """Make a new job of the project in the file `source`.

    Raises:
        UserError: as `receive`, or `project_damaged`: it is none.
    """
    with submit.arriving(store) as (job_id, folder):
        if not is_project(source):
            raise UserError("project_damaged", source.name, reason=MARK)
        shutil.copyfile(source, folder / submit.UPLOAD)
        return receive(store, settings, job_id)


def _chosen(options: Mapping[str, Any]) -> dict[str, Any]:
    known = {*CHOICES, *(one.name for task in get_args(Task) for one in knobs(task))}
    return {key: options[key] for key in sorted(known & set(options))}


def _read_mark(path: Path) -> tuple[str, dict[str, Any]]:
    try:
        if path.stat().st_size > _MARK_BYTES:
            raise ValueError("it is too long")
        values = json.loads(path.read_text("utf-8"))
        if values["format"] != FORMAT:
            raise ValueError("another version of MaixForge wrote it")
        options = _chosen(values["options"])
        for value in options.values():
            if not isinstance(value, str | int | float) or len(str(value)) > submit.NAME_LENGTH:
                raise ValueError("an option is no word and no number")
        return str(values["name"]), options
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise UserError("project_damaged", path.name, reason=str(error)) from error
