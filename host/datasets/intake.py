"""Receive a data set: a zip from anybody, unpacked into the job's folder, or a folder at hand."""

from __future__ import annotations

import shutil
import zipfile
import zlib
from pathlib import Path

from ..errors import UserError
from ..files import is_disk_full, sync_folder, sync_tree
from .archive import PARSE_ERRORS, Member, bomb, check_size, open_archive
from .limits import LIMITS, Limits, Progress
from .tree import list_files

UNPACKED = "data"
"""Name of the folder, inside the job's folder, that holds what was unpacked."""

_PARTIAL = ".data.part"
_BLOCK = 64 * 1024


def receive(
    source: Path, folder: Path, limits: Limits = LIMITS, progress: Progress | None = None
) -> Path:
    """Return a folder with the files of `source`: a zip is unpacked to `folder/data`.

    A `source` that is a folder is checked and returned as it is. Nothing is ever written
    outside `folder`; after a failure nothing of the zip is left in it. What an interrupted
    earlier call left there is replaced. `progress` counts members.

    Raises:
        UserError: `source_missing`, one of the `zip_` codes of `archive.open_archive` and
            `tree.list_files`' `folder_` codes, or `disk_full`, `zip_unpack_failed`.
    """
    if source.is_dir():
        list_files(source, limits)
        return source
    if not source.is_file():
        raise UserError("source_missing", str(source))
    partial, target = folder / _PARTIAL, folder / UNPACKED
    folder.mkdir(parents=True, exist_ok=True)
    try:
        for old in (partial, target):
            shutil.rmtree(old, ignore_errors=True)
        partial.mkdir()
        _unpack(source, partial, limits, progress)
        sync_tree(partial)
        partial.rename(target)
        sync_folder(folder)
    except OSError as error:
        code = "disk_full" if is_disk_full(error) else "zip_unpack_failed"
        raise UserError(code, source.name, reason=error.strerror or str(error)) from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return target


def _unpack(source: Path, folder: Path, limits: Limits, progress: Progress | None) -> None:
    allowed = limits.total_bytes(source.stat().st_size)
    total = 0
    with open_archive(source, limits) as (archive, members):
        for done, member in enumerate(members, start=1):
            target = folder.joinpath(*member.path.split("/"))
            if member.is_folder:
                target.mkdir(parents=True, exist_ok=True)
            else:
                target.parent.mkdir(parents=True, exist_ok=True)
                total += _unpack_member(archive, member, target, limits, allowed - total)
            if progress:
                progress(done, len(members))
    if not total:
        raise UserError("zip_empty", source.name)


def _unpack_member(
    archive: zipfile.ZipFile, member: Member, target: Path, limits: Limits, allowed: int
) -> int:
    """Write one member and return its bytes, counted as they come out of the decompressor."""
    size = 0
    try:
        with archive.open(member.info) as stream, target.open("xb") as file:
            while block := stream.read(_BLOCK):
                size += len(block)
                check_size(member, size, limits)
                if size > allowed:
                    raise bomb(member.path, size, allowed)
                file.write(block)
    except (*PARSE_ERRORS, zlib.error, RuntimeError) as error:  # RuntimeError: encrypted
        raise UserError("zip_damaged", member.path, reason=str(error)) from error
    if size != member.info.file_size:
        raise UserError("zip_damaged", member.path, reason=f"{size} / {member.info.file_size}")
    return size
