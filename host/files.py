"""Files that are either whole or absent: temporary name, fsync, rename. Zips with stable bytes."""

from __future__ import annotations

import errno
import io
import os
import shutil
import tempfile
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

PARTIAL = ".*.part*"
"""Names of files and folders that are being written."""
ZIP_EPOCH = (1980, 1, 1, 0, 0, 0)
"""The earliest time a zip can hold; ours carry no other, so that equal content is equal bytes."""


def is_disk_full(error: BaseException) -> bool:
    """Say whether an error is that of a full disk, or of a quota that is used up."""
    return isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT)


def sync_folder(folder: Path) -> None:
    """Make a rename inside `folder` durable (where the system lets a folder be synced)."""
    try:
        handle = os.open(folder, os.O_RDONLY)
    except OSError:  # Windows opens no folders
        return
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def sync_tree(folder: Path) -> None:
    """Bring the files in `folder` to the disk itself.

    One sync for all of them: 0.1 s, where a sync of each of 2,000 small files took 5 s.
    """
    if hasattr(os, "sync"):
        os.sync()
        return
    for path in folder.rglob("*"):  # Windows
        if path.is_file():
            with path.open("rb+") as file:
                os.fsync(file.fileno())


def file_inside(folder: Path, name: str) -> Path | None:
    """Return the file `name` of `folder`; None: there is none, or it lies elsewhere."""
    root = folder.resolve()
    path = (root / name).resolve()
    return path if path.is_relative_to(root) and path.is_file() else None


@contextmanager
def atomic_path(path: Path, *, mode: int = 0o644, replace: bool = True) -> Iterator[Path]:
    """Yield a temporary path beside `path`; when the block ends well it is synced and renamed.

    When the block fails nothing is left behind and an older `path` stays as it was. The temporary
    file is the owner's alone (0600) until it is whole and gets `mode`.

    Raises:
        FileExistsError: `path` exists and `replace` is false.
    """
    try:
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".part", dir=path.parent)
    except OSError as error:  # told with the name that was asked for
        raise OSError(error.errno, error.strerror, str(path)) from error
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        with temporary.open("rb+") as written:
            os.fsync(written.fileno())
        temporary.chmod(mode)
        if not replace:  # take the name first, or fail; FAT has no links that would do both
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, mode))
        temporary.replace(path)
        sync_folder(path.parent)
    finally:
        temporary.unlink(missing_ok=True)


def remove_partial(folder: Path) -> None:
    """Remove what writers that were killed have left in `folder`; nobody may be writing there."""
    for path in folder.glob(PARTIAL):
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)


def atomic_write(path: Path, data: bytes, *, mode: int = 0o644, replace: bool = True) -> None:
    """Write `data` to `path` whole or not at all; see `atomic_path`."""
    with atomic_path(path, mode=mode, replace=replace) as temporary:
        temporary.write_bytes(data)


def zip_bytes(members: Mapping[str, bytes]) -> bytes:
    """Return the bytes of a small zip; they depend on the members' names and contents only."""
    buffer = io.BytesIO()
    _fill_zip(buffer, members, zipfile.ZIP_DEFLATED)
    return buffer.getvalue()


def write_zip(path: Path, members: Mapping[str, bytes | Path], *, compress: bool = True) -> None:
    """Write a zip whose bytes depend on the members' names and contents only.

    Members are stored sorted by name; a `Path` value is read when it is its turn.
    """
    method = zipfile.ZIP_DEFLATED if compress else zipfile.ZIP_STORED
    with atomic_path(path) as temporary:
        _fill_zip(temporary, members, method)


def _fill_zip(target: Path | io.BytesIO, members: Mapping[str, bytes | Path], method: int) -> None:
    with zipfile.ZipFile(target, "w") as archive:
        for name in sorted(members):
            member = zipfile.ZipInfo(name, ZIP_EPOCH)
            member.external_attr = 0o644 << 16
            member.create_system = 3
            member.compress_type = method
            content = members[name]
            archive.writestr(member, content.read_bytes() if isinstance(content, Path) else content)
