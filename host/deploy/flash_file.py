"""What a file would put into a board's flash: read strictly, told in parts, written anew.

kflash extracts a zip and parses its list by a regular expression; so no foreign file reaches it.
It gets a kfpkg that `write_kfpkg` makes of the parts that were checked here.
"""

from __future__ import annotations

import itertools
import json
import re
import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import Finding, UserError
from ..files import write_zip
from . import firmware_image, seal
from .firmware import BANNER
from .flash_map import (
    FILES_ADDRESS,
    FIRMWARE_ADDRESS,
    FLASH_BYTES,
    HEADER_BYTES,
    MODEL_ADDRESS,
    SECTOR,
)
from .kfpkg import FLASH_LIST, flash_list

PARTS_MAX, LIST_BYTES_MAX = 32, 64 << 10
NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+ -]{0,99}")
KMODELS = (b"\x03\0\0\0", b"LDMK", b"\x13\x27\0\0", b"LDMS", b"LDME")
"""How files begin that `KPU.load` reads: V3, V4, and Sipeed's locked ones."""
BROKEN_ZIP = (OSError, zipfile.BadZipFile, zlib.error, RuntimeError, EOFError, ValueError)
"""What zipfile raises for damaged files, besides those that it names."""
ADDRESS = re.compile(r'("address"\s*:\s*)(0[xX][0-9a-fA-F]+)')


@dataclass(frozen=True, slots=True)
class Part:
    """Bytes for one place of the flash. With `header` the tool puts the boot ROM's header and
    SHA-256 around them."""

    name: str
    address: int
    data: bytes
    header: bool = False

    @property
    def flashed(self) -> bytes:
        """The bytes as they will lie in the flash."""
        return firmware_image.plain(self.data) if self.header else self.data

    @property
    def end(self) -> int:
        """The address behind the last byte."""
        return self.address + len(self.data) + HEADER_BYTES * self.header


@dataclass(frozen=True, slots=True)
class FlashFile:
    """The parts of a file by address, and warnings about what writing them would do."""

    name: str
    parts: tuple[Part, ...]
    findings: tuple[Finding, ...] = ()

    @property
    def bytes(self) -> int:
        """How many bytes will be written."""
        return sum(len(part.flashed) for part in self.parts)


def read(path: Path) -> FlashFile:
    """Read a kfpkg, a firmware (.bin), a kmodel or a sealed model.

    A plain firmware goes to address 0 and gets its header there, a boot image goes there as it
    is, models go to 0x300000.

    Raises:
        UserError: `flash_file_missing`, `flash_file_kind`, `flash_file_sd_zip`,
            `flash_file_damaged`, `flash_list_unusable`, `flash_too_large`, `flash_overlap`,
            `flash_not_bootable`.
    """
    try:
        if path.stat().st_size > FLASH_BYTES + (1 << 20):
            raise UserError("flash_too_large", path.name, end=f"{path.stat().st_size:,}")
        data = path.read_bytes()
    except OSError as error:
        raise UserError("flash_file_missing", path.name, reason=error.strerror or "") from error
    found = _read_kfpkg(path) if data.startswith(b"PK\x03\x04") else [_single(path, data)]
    parts = sorted(found, key=lambda part: part.address)
    _check(path.name, parts)
    return FlashFile(path.name, tuple(parts), tuple(_warnings(parts)))


def encrypted(file: FlashFile, key: bytes) -> FlashFile:
    """Return `file` with its firmware encrypted for the board that has `key` in its fuses.

    Raises:
        UserError: `flash_nothing_to_encrypt`: no plain firmware in it.
    """
    firmware = file.parts[0]
    if firmware.address != FIRMWARE_ADDRESS or firmware_image.is_encrypted(firmware.flashed):
        raise UserError("flash_nothing_to_encrypt", file.name)
    image = firmware.flashed
    code = image[5 : 5 + firmware_image.length(image)]
    sealed = Part(firmware.name, FIRMWARE_ADDRESS, firmware_image.encrypted(code, key))
    parts = (sealed, *file.parts[1:])
    _check(file.name, parts)
    return FlashFile(file.name, parts, tuple(_warnings(parts)))


def write_kfpkg(file: FlashFile, out: Path) -> None:
    """Write the parts as a kfpkg that holds nothing else, under names of ours."""
    names = [f"{number:02}-{part.name}" for number, part in enumerate(file.parts)]
    entries: list[dict[str, object]] = [
        {"address": part.address, "bin": name, "sha256Prefix": part.header}
        for name, part in zip(names, file.parts, strict=True)
    ]
    members: dict[str, bytes | Path] = {
        name: part.data for name, part in zip(names, file.parts, strict=True)
    }
    write_zip(out, {**members, FLASH_LIST: flash_list(entries)}, compress=False)


def _single(path: Path, data: bytes) -> Part:
    name = path.name if NAME.fullmatch(path.name) else "file.bin"
    suffix = path.suffix.lower()
    if data.startswith((*KMODELS, seal.MAGIC)) and suffix in (".kmodel", ".smodel", ".kmx"):
        return Part(name, MODEL_ADDRESS, data)
    if suffix == ".kmodel":
        raise UserError("flash_file_damaged", path.name, reason=f"{data[:4].hex(' ')} ...")
    if data.startswith(b"\x7fELF") or suffix != ".bin":
        raise UserError("flash_file_kind", path.name)
    if firmware_image.length(data) == len(data) - HEADER_BYTES:
        if not firmware_image.is_image(data):
            raise UserError("flash_file_damaged", path.name, reason="SHA-256")
        return Part(name, FIRMWARE_ADDRESS, data)
    return Part(name, FIRMWARE_ADDRESS, data, header=True)


def _read_kfpkg(path: Path) -> list[Part]:
    try:
        with zipfile.ZipFile(path) as archive:
            members = {one.filename: one for one in archive.infolist()}
            if FLASH_LIST not in members:
                code = "flash_file_sd_zip" if "boot.py" in members else "flash_file_kind"
                raise UserError(code, path.name)
            if len(members) != len(archive.infolist()):
                raise _unusable(path, "two members of one name")
            if members[FLASH_LIST].file_size > LIST_BYTES_MAX:
                raise _unusable(path, f"{FLASH_LIST}: {members[FLASH_LIST].file_size:,} bytes")
            entries = _entries(path, archive.read(FLASH_LIST))
            missing = [name for _, name, _ in entries if name not in members]
            if missing:
                raise _unusable(path, f"{missing[0]} is not in the file")
            total = sum(members[name].file_size for _, name, _ in entries)
            if total > FLASH_BYTES:  # before anything is unpacked
                raise UserError("flash_too_large", path.name, end=f"{total:,}")
            return [Part(name, at, archive.read(name), header) for at, name, header in entries]
    except BROKEN_ZIP as error:
        raise UserError("flash_file_damaged", path.name, reason=str(error)) from error


def _entries(path: Path, text: bytes) -> list[tuple[int, str, bool]]:
    """Return (address, name, header) of each entry; addresses may be 0x-literals, as kflash's."""
    try:
        found: Any = json.loads(ADDRESS.sub(r'\1"\2"', text.decode("utf-8")))["files"]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise _unusable(path, f"{FLASH_LIST}: {error}") from error
    if not isinstance(found, list) or not 1 <= len(found) <= PARTS_MAX:
        raise _unusable(path, f"{FLASH_LIST}: 1 ... {PARTS_MAX} files")
    return [_entry(path, one) for one in found]


def _entry(path: Path, entry: Any) -> tuple[int, str, bool]:
    values = entry if isinstance(entry, dict) else {}
    name, header = values.get("bin"), values.get("sha256Prefix")
    address = values.get("address")
    if isinstance(address, str) and re.fullmatch(r"0[xX][0-9a-fA-F]{1,8}|[0-9]{1,9}", address):
        address = int(address, 0 if address[:2].lower() == "0x" else 10)
    if not isinstance(address, int) or isinstance(address, bool) or address < 0 or address % SECTOR:
        raise _unusable(path, f"address: {ascii(values.get('address'))[:40]}")
    if not isinstance(name, str) or not NAME.fullmatch(name):
        raise _unusable(path, f"bin: {ascii(name)[:80]}")
    if not isinstance(header, bool):
        raise _unusable(path, f"sha256Prefix: {ascii(header)[:40]}")
    return address, name, header


def _unusable(path: Path, reason: str) -> UserError:
    return UserError("flash_list_unusable", path.name, reason=reason)


def _check(name: str, parts: Sequence[Part]) -> None:
    for part in parts:
        if not part.data:
            raise UserError("flash_file_damaged", part.name, reason="0 bytes")
        if part.end > FLASH_BYTES:
            raise UserError("flash_too_large", part.name, end=f"{part.end:,}")
        if (
            part.address == FIRMWARE_ADDRESS
            and not part.header
            and not firmware_image.is_image(part.data)
        ):
            raise UserError("flash_not_bootable", part.name)
    for one, other in itertools.pairwise(parts):
        if other.address < one.end:
            raise UserError("flash_overlap", name, first=one.name, second=other.name)


def _warnings(parts: Sequence[Part]) -> list[Finding]:
    """Return what a person should know before these parts are written."""
    found = []
    for part in parts:
        where = {"first": f"{part.address:#x}", "end": f"{part.end - 1:#x}"}
        image = part.flashed if part.address == FIRMWARE_ADDRESS else b""
        if image and firmware_image.is_encrypted(image):
            found.append(Finding("flash_encrypted", part.name, "warning"))
        elif image and not BANNER.search(image):
            found.append(Finding("flash_no_maixpy", part.name, "warning"))
        if image and part.end > MODEL_ADDRESS:
            found.append(Finding("flash_over_model", part.name, "warning", where))
        if not image and part.address < MODEL_ADDRESS:
            found.append(Finding("flash_inside_firmware", part.name, "warning", where))
        if part.end > FILES_ADDRESS:
            found.append(Finding("flash_over_files", part.name, "warning", where))
    return found
