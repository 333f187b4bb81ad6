"""A mounted SD card: is it one that the board reads, what would change on it, write and read back.

MaixPy's FatFs reads FAT with an MBR partition table, no exFAT and no GPT (`ffconf.h` of MaixPy:
`FF_FS_EXFAT 0`, and no support for GPT in that version).
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Literal

import psutil

from ..errors import Finding, UserError
from ..files import sync_folder
from .package import KMODEL, KMX

FAT_NAMES = {"vfat", "msdos", "fat", "fat12", "fat16", "fat32"}
"""What Linux, macOS and Windows call a file system that the board reads."""
CLUSTER = 32 << 10
"""Files are counted in the usual clusters of large cards."""
SPARE = 1 << 20
PICTURE = 16 << 10
"""A 224x224 JPEG of quality 90 and its place in the tables, rounded up."""
MEMBERS_MAX, BYTES_MAX = 64, 64 << 20


@dataclass(frozen=True, slots=True)
class Card:
    """A folder that may be a card. `file_system` is in small letters, "" when unknown; `table` is
    "dos" (MBR), "gpt", "none" or "" when it cannot be told; sizes in bytes."""

    folder: Path
    mounted: bool
    device: str
    file_system: str
    table: str
    free: int
    total: int

    @property
    def pictures(self) -> int:
        """How many pictures of 224x224 pixels fit."""
        return self.free // PICTURE


@dataclass(frozen=True, slots=True)
class Change:
    """What writing does to one file of the card."""

    name: str
    bytes: int
    what: Literal["new", "same", "replaced"]


def inspect(folder: Path) -> Card:
    """Look at the card that is mounted at `folder`.

    Raises:
        UserError: `card_missing` (no such folder) or `card_read_only`.
    """
    if not folder.is_dir():
        raise UserError("card_missing", str(folder))
    folder = folder.resolve()
    parts = psutil.disk_partitions(all=True)
    part = next((one for one in parts if one.mountpoint == str(folder)), None)
    if not os.access(folder, os.W_OK) or (part and "ro" in part.opts.split(",")):
        raise UserError("card_read_only", str(folder))
    usage = shutil.disk_usage(folder)
    return Card(
        folder,
        part is not None,
        part.device if part else "",
        part.fstype.lower() if part else "",
        _partition_table(part.device) if part else "",
        usage.free,
        usage.total,
    )


def _partition_table(device: str) -> str:
    """Return the partition table of a device as `lsblk` of Linux knows it; "" elsewhere."""
    command = ["lsblk", "--json", "--output", "PTTYPE", device]
    try:
        done = subprocess.run(command, capture_output=True, check=True, timeout=10)
        found = json.loads(done.stdout)["blockdevices"][0]["pttype"]
    except (OSError, subprocess.SubprocessError, ValueError, LookupError):
        return ""
    return found or "none"


def problems(card: Card, files: Mapping[str, bytes]) -> list[Finding]:
    """Return what speaks against writing `files` to the card, errors and warnings."""
    found = []
    if not card.mounted:
        found.append(Finding("card_not_mounted", str(card.folder), "warning"))
    elif card.file_system and card.file_system not in FAT_NAMES:
        params = {"found": card.file_system}
        found.append(Finding("card_not_fat", str(card.folder), params=params))
    if card.table == "gpt":
        found.append(Finding("card_gpt", card.device))
    needed = SPARE + sum(-(-len(data) // CLUSTER) * CLUSTER for data in files.values())
    if needed > card.free:
        params = {"found": f"{card.free // 1000:,}", "needed": f"{needed // 1000:,}"}
        found.append(Finding("card_full", str(card.folder), params=params))
    if card.mounted and card.total > 32 * 1000**3 * 1.1:
        params = {"found": f"{card.total / 1000**3:.0f}"}
        found.append(Finding("card_large", str(card.folder), "note", params))
    if KMX in files and (card.folder / KMODEL).is_file():
        found.append(Finding("card_plain_model", KMODEL, "warning"))
    return found


def read_package(path: Path) -> dict[str, bytes]:
    """Return the files of an SD zip or a collector card's zip.

    Raises:
        UserError: `card_zip_unusable`: no zip, damaged, or not made for a card's root.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            members = [one for one in archive.infolist() if not one.is_dir()]
            _refuse_foreign(path, members)
            return {one.filename: archive.read(one) for one in members}
    except (OSError, zipfile.BadZipFile, zlib.error, RuntimeError) as error:
        raise UserError("card_zip_unusable", path.name, reason=str(error)) from error


def _refuse_foreign(path: Path, members: list[zipfile.ZipInfo]) -> None:
    names = [one.filename for one in members]
    if "boot.py" not in names:
        raise UserError("card_zip_unusable", path.name, reason="no boot.py")
    if len(members) > MEMBERS_MAX or sum(one.file_size for one in members) > BYTES_MAX:
        raise UserError("card_zip_unusable", path.name, reason=f"> {BYTES_MAX >> 20} MiB")
    for name in names:
        parts = PurePosixPath(name).parts
        if not name.isascii() or "\\" in name or ":" in name or ".." in parts or name[0] == "/":
            raise UserError("card_zip_unusable", path.name, reason=ascii(name))


def changes(card: Card, files: Mapping[str, bytes]) -> list[Change]:
    """Return what writing `files` would do, by name; nothing else on the card is touched."""
    found = []
    for name in sorted(files):
        path = card.folder / name
        same = path.is_file() and path.read_bytes() == files[name]
        what = "same" if same else "replaced" if path.exists() else "new"
        found.append(Change(name, len(files[name]), what))
    return found


def write(
    card: Card,
    files: Mapping[str, bytes],
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> None:
    """Write `files`, each whole or not at all, and read each back from the card.

    boot.py comes last, so that a card that was pulled too early starts nothing half.

    Args:
        card: where to.
        files: contents by name.
        progress: called with the bytes done and the bytes of all files.

    Raises:
        UserError: `card_write_failed` (with the reason) or `card_read_back` (it holds other bytes
            than were written: the card is worn out or a fake).
    """
    total, done = sum(map(len, files.values())), 0
    for name in sorted(files, key=lambda name: (name == "boot.py", name)):
        path = card.folder / name
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            _replace(path, files[name])
            kept = _read_from_device(path)
        except OSError as error:
            reason = error.strerror or str(error)
            raise UserError("card_write_failed", name, reason=reason) from error
        if kept != files[name]:
            raise UserError("card_read_back", name)
        done += len(files[name])
        progress(done, total)


def _replace(path: Path, data: bytes) -> None:
    """Write beside `path`, sync, rename. No chmod: FAT has no modes, and Linux refuses some."""
    handle, name = tempfile.mkstemp(prefix="~", suffix=".tmp", dir=path.parent)
    temporary = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    sync_folder(path.parent)


def _read_from_device(path: Path) -> bytes:
    """Read a file that was just written; where the system lets us, not out of its cache."""
    with path.open("rb") as file:
        if hasattr(os, "posix_fadvise"):
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        return file.read()
