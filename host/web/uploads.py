"""Uploads: parsed into temporary files of the data folder, kept as one zip in the job's folder."""

from __future__ import annotations

import zipfile
from collections.abc import Sequence
from pathlib import Path
from tempfile import SpooledTemporaryFile
from typing import IO

from flask import Request, request
from werkzeug.datastructures import FileStorage

from ..errors import UserError
from ..jobs.submit import UPLOAD
from .state import host

MEMORY_BYTES = 512 * 1024
"""Parts up to this size stay in memory; larger ones are temporary files without a name."""
FORM_SPARE = 4 * 1024 * 1024
"""What the parts of a form may need besides the pictures: 20,000 names and headers."""


class UploadRequest(Request):
    """A request whose large parts lie in the data folder, not in the system's small /tmp."""

    def _get_file_stream(
        self,
        total_content_length: int | None,
        content_type: str | None,
        filename: str | None = None,
        content_length: int | None = None,
    ) -> IO[bytes]:
        return SpooledTemporaryFile(MEMORY_BYTES, dir=str(host().store.data))


def store_upload(folder: Path) -> str:
    """Write the request's data set to `upload.zip` in `folder` and return its name.

    The form has either one zip in the field `file`, or the files of a folder in the field
    `files` with their relative paths as names. These become members of a zip as they are: the
    intake's rules for hostile zips then judge them.

    Raises:
        UserError: `upload_missing`.
    """
    zips = [one for one in request.files.getlist("file") if one.filename]
    files = [one for one in request.files.getlist("files") if one.filename]
    if zips:
        zips[0].save(folder / UPLOAD)
        return zips[0].filename or ""
    if files:
        _pack(files, folder / UPLOAD)
        return (files[0].filename or "").replace("\\", "/").partition("/")[0]
    raise UserError("upload_missing")


def _pack(files: Sequence[FileStorage], path: Path) -> None:
    with zipfile.ZipFile(path, "x", zipfile.ZIP_STORED) as archive:
        for file in files:
            member = zipfile.ZipInfo()
            member.filename = file.filename or ""  # whole; the constructor would cut it at a NUL
            with archive.open(member, "w") as target:
                while block := file.stream.read(64 * 1024):
                    target.write(block)
