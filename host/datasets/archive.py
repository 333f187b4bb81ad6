"""The table of contents of a hostile zip: every member is judged before one byte is unpacked.

Built on the standard library's `zipfile`, which parses the format but trusts it. What is refused
here: names that leave the folder, links and devices, two names for one file, encrypted members,
overlapping members (quines, bombs that reuse one block), nested archives, sizes past the limits.
"""

from __future__ import annotations

import re
import stat
import struct
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ..errors import UserError
from .limits import MIB, Limits
from .tree import decode_name, is_litter, spelling

_ENTRY = b"PK\x01\x02"
_ENCRYPTED = 0x1 | 0x40 | 0x2000
_UTF8 = 0x800
_DOS_REPARSE_POINT = 0x400
_LOCAL_HEADER = 30
_DRIVE = re.compile(r"^[A-Za-z]:")
_ARCHIVE = re.compile(r"\.(zip|rar|7z|tar|t?gz|t?bz2|t?xz|zst|jar|apk|iso|cab)$", re.IGNORECASE)
_KINDS = (
    (b"Rar!", "RAR"),
    (b"7z\xbc\xaf", "7z"),
    (b"\x1f\x8b", "gzip"),
    (b"BZh", "bzip2"),
    (b"\xfd7zXZ", "xz"),
    (b"\xff\xd8\xff", "JPEG"),
    (b"\x89PNG", "PNG"),
    (b"%PDF", "PDF"),
)

PARSE_ERRORS = (
    zipfile.BadZipFile,
    zipfile.LargeZipFile,
    NotImplementedError,
    struct.error,
    ValueError,  # includes UnicodeDecodeError: a name flagged as UTF-8 that is none
    OverflowError,
    EOFError,
)
"""What `zipfile` raises for broken archives."""


@dataclass(frozen=True, slots=True)
class Member:
    """One file or folder of an archive; `path` has forward slashes and no trailing one."""

    path: str
    info: zipfile.ZipInfo
    is_folder: bool


@contextmanager
def open_archive(source: Path, limits: Limits) -> Iterator[tuple[zipfile.ZipFile, list[Member]]]:
    """Open the zip at `source` and yield it with its members, each found harmless so far.

    Sizes are only what the headers say: whoever unpacks must count the bytes that come out.
    Litter is left out of the members, after it was judged like the rest.

    Raises:
        UserError: `zip_too_large`, `zip_not_a_zip`, `zip_damaged`, `zip_too_many_members`,
            `zip_path_escapes`, `zip_name_bad`, `zip_name_clash`, `zip_link`,
            `zip_encrypted`, `zip_method`, `zip_nested`, `zip_bomb`, `zip_overlap`.
    """
    _check_file(source, limits)
    try:
        archive = zipfile.ZipFile(source)
    except (*PARSE_ERRORS, OSError) as error:  # OSError: an offset before the file
        raise UserError("zip_damaged", source.name, reason=str(error)) from error
    with archive:
        members = [_member(info, limits) for info in archive.infolist()]
        _check_clashes(members)
        _check_sizes(members, source, limits)
        _check_overlaps(archive, source)
        yield archive, [member for member in members if not is_litter(member.path)]


def _check_file(source: Path, limits: Limits) -> None:
    """Refuse by size, by kind, and by the number of members, before `zipfile` reads them all.

    Each member has an entry that starts with a signature. Counting it bounds the memory that
    the table of contents takes, whatever the counters of the file say.
    """
    size = source.stat().st_size
    if size > limits.zip_bytes:
        found, needed = f"{size / MIB:.1f}", f"{limits.zip_bytes / MIB:.0f}"
        raise UserError("zip_too_large", source.name, found=found, needed=needed)
    entries, tail = 0, b""
    with source.open("rb") as file:
        head = file.read(8)
        if not head.startswith((b"PK\x03\x04", b"PK\x05\x06")):
            kinds = (name for magic, name in _KINDS if head.startswith(magic))
            found = next(kinds, f"{head.hex(' ')} ...") if size else "0 bytes"
            raise UserError("zip_not_a_zip", source.name, found=found)
        file.seek(0)
        while block := file.read(MIB):
            block = tail + block
            entries += block.count(_ENTRY)
            tail = block[1 - len(_ENTRY) :]
            if entries > limits.members:
                raise UserError("zip_too_many_members", source.name, needed=limits.members)


def _member(info: zipfile.ZipInfo, limits: Limits) -> Member:
    """Judge one member by itself."""
    name = _name(info)
    path = name.rstrip("/")
    _check_name(name, path, limits)
    is_folder = name.endswith("/")
    kind = stat.S_IFMT(info.external_attr >> 16)
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR) or info.external_attr & _DOS_REPARSE_POINT:
        raise UserError("zip_link", name)
    if info.flag_bits & _ENCRYPTED:
        raise UserError("zip_encrypted", name)
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise UserError("zip_method", name, found=info.compress_type)
    if _ARCHIVE.search(path) and not is_litter(path):
        raise UserError("zip_nested", name)
    return Member(path, info, is_folder)


def _name(info: zipfile.ZipInfo) -> str:
    """Return the whole name (`zipfile` cuts it at a NUL), decoded as well as can be."""
    name = info.orig_filename
    if info.flag_bits & _UTF8:
        return name
    try:
        return decode_name(name.encode("cp437"))
    except UnicodeEncodeError:  # decoded by a newer zipfile from an extra field
        return name


def _check_name(name: str, path: str, limits: Limits) -> None:
    parts = path.split("/")
    if "\\" in name or name.startswith("/") or _DRIVE.match(name) or ".." in parts:
        raise UserError("zip_path_escapes", _printable(name))
    if (
        any(ord(char) < 32 or ord(char) == 127 or char == ":" for char in name)
        or any(not part.strip(". ") for part in parts)
        or any(len(part.encode()) > limits.name_bytes for part in parts)
        or len(parts) > limits.depth
    ):
        raise UserError("zip_name_bad", _printable(name))


def _printable(name: str) -> str:
    return "".join(char if char.isprintable() else "?" for char in name[:200])


def _check_clashes(members: list[Member]) -> None:
    """Refuse two members that some file system takes for one, and a file used as a folder."""
    spellings: dict[str, str] = {}
    files: set[str] = set()
    for member in members:
        key = path = ""
        parts = member.path.split("/")
        for depth, part in enumerate(parts, start=1):
            key, path = f"{key}/{spelling(part)}", f"{path}/{part}"
            is_file = depth == len(parts) and not member.is_folder
            other = spellings.get(key, path)
            if other != path or key in files or (is_file and key in spellings):
                raise UserError("zip_name_clash", member.path, other=other[1:])
            spellings[key] = path
            if is_file:
                files.add(key)


def _check_sizes(members: list[Member], source: Path, limits: Limits) -> None:
    """Refuse by what the headers admit; the bytes themselves are counted while unpacking."""
    for member in members:
        check_size(member, member.info.file_size, limits)
    total = sum(member.info.file_size for member in members)
    allowed = limits.total_bytes(source.stat().st_size)
    if total > allowed:
        raise bomb(source.name, total, allowed)


def check_size(member: Member, size: int, limits: Limits) -> None:
    """Refuse a member of `size` unpacked bytes that is too large or too well compressed.

    Raises:
        UserError: `zip_bomb`.
    """
    allowed = limits.member_bytes
    if size > limits.ratio_floor:
        allowed = min(allowed, max(limits.ratio * member.info.compress_size, limits.ratio_floor))
    if size > allowed:
        raise bomb(member.path, size, allowed)


def bomb(path: str, size: int, allowed: int) -> UserError:
    """Return the refusal of something that unpacks to more than `allowed` bytes."""
    return UserError("zip_bomb", path, found=f"{size / MIB:.1f}", needed=f"{allowed / MIB:.1f}")


def _check_overlaps(archive: zipfile.ZipFile, source: Path) -> None:
    """Refuse members that share bytes with each other or with the table of contents."""
    infos = sorted(archive.infolist(), key=lambda info: info.header_offset)
    ends = [info.header_offset for info in infos[1:]] + [archive.start_dir][: len(infos)]
    with source.open("rb") as file:
        for info, end in zip(infos, ends, strict=True):
            header = b""
            if info.header_offset >= 0:
                file.seek(info.header_offset)
                header = file.read(_LOCAL_HEADER)
            if len(header) < _LOCAL_HEADER or not header.startswith(b"PK\x03\x04"):
                raise UserError("zip_damaged", source.name, reason=_printable(info.orig_filename))
            name_length, extra_length = struct.unpack_from("<HH", header, 26)
            start = info.header_offset + _LOCAL_HEADER + name_length + extra_length
            if start + info.compress_size > end:
                raise UserError("zip_overlap", _printable(info.orig_filename))
