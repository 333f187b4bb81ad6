"""Files and names of a folder as people pack them: what is litter, what is a picture."""

from __future__ import annotations

import os
import re
import stat
import unicodedata
from collections.abc import Iterable
from pathlib import Path, PurePosixPath

from ..errors import UserError
from .limits import LIMITS, Limits

PICTURE_SUFFIXES = frozenset(
    {".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".bmp", ".gif", ".webp"}
    | {".tif", ".tiff", ".heic", ".heif", ".avif", ".jp2", ".dng"}
)
"""Names that say "I am a picture"; the ones that cannot be read get a finding of their own."""

_LITTER = frozenset(
    {"__macosx", "thumbs.db", "ehthumbs.db", "desktop.ini", "@eadir", "$recycle.bin"}
    | {"system volume information"}
)
_DIGITS = re.compile(r"([0-9]+)")


def is_litter(path: str) -> bool:
    """Say whether `path` (forward slashes) is what computers leave about: hidden or a cache."""
    return any(part.startswith(".") or part.lower() in _LITTER for part in path.split("/"))


def is_picture(path: str) -> bool:
    """Say whether the name of `path` claims to be a picture."""
    return PurePosixPath(path).suffix.lower() in PICTURE_SUFFIXES


def natural(text: str) -> tuple[list[str | int], str]:
    """Return a sort key that puts class2 before class10; equal only for equal texts."""
    parts = _DIGITS.split(text.casefold())
    return [int(part) if index % 2 else part for index, part in enumerate(parts)], text


def spelling(name: str) -> str:
    """Return what two names share when some file system takes them for one: case, NFC, dots."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold()).rstrip(". ")


def decode_name(raw: bytes) -> str:
    """Return a file name of unknown encoding: UTF-8, else GBK (Chinese Windows), else CP437.

    Two bytes of GBK often happen to be one UTF-8 letter below U+0800. Those are taken for
    Chinese: names in UTF-8 that do not say so come from macOS, which decomposes letters.
    """
    for encoding in ("ascii", "gb2312", "utf-8", "gb18030"):
        try:
            text = raw.decode(encoding)
        except UnicodeDecodeError:
            continue
        if encoding != "gb2312" or max(_decode_utf8(raw)) < "\u0800":
            return text
    return raw.decode("cp437")


def _decode_utf8(raw: bytes) -> str:
    """Return `raw` as UTF-8, or as some letter below U+0800 if it is none."""
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return "?"


def shorten(names: Iterable[str], most: int = 10) -> str:
    """Return the first `most` names in one line, with an ellipsis where there are more."""
    listed = list(names)
    return ", ".join(listed[:most]) + (", …" if len(listed) > most else "")


def list_files(folder: Path, limits: Limits = LIMITS) -> tuple[list[str], list[str]]:
    """Return the files and the empty folders below `folder`, litter left out, in natural order.

    Paths are relative with forward slashes. Links are never followed.

    Raises:
        UserError: `folder_missing`, `folder_unreadable`, `folder_special_file` (a link, a
            device, a pipe), `folder_name_unreadable`, `folder_too_many_files`.
    """
    if not folder.is_dir():
        raise UserError("folder_missing", str(folder))
    try:
        files, empty = _walk(folder, limits.members)
    except OSError as error:
        raise UserError("folder_unreadable", str(folder), reason=error.strerror or "") from error
    return sorted(files, key=natural), sorted(empty, key=natural)


def _walk(folder: Path, most: int) -> tuple[list[str], list[str]]:
    files: list[str] = []
    empty: list[str] = []
    waiting = [""]
    while waiting:
        here = waiting.pop()
        entries = [entry for entry in os.scandir(folder / here) if not is_litter(entry.name)]
        if here and not entries:
            empty.append(here)
        for entry in entries:
            path = f"{here}/{entry.name}" if here else entry.name
            (waiting if _is_folder(entry, path) else files).append(path)
        if len(files) + len(waiting) + len(empty) > most:
            raise UserError("folder_too_many_files", str(folder), needed=most)
    return files, empty


def _is_folder(entry: os.DirEntry[str], path: str) -> bool:
    mode = entry.stat(follow_symlinks=False).st_mode
    try:
        path.encode()
    except UnicodeEncodeError:
        raise UserError("folder_name_unreadable", decode_name(os.fsencode(path))) from None
    if not (stat.S_ISDIR(mode) or stat.S_ISREG(mode)):
        raise UserError("folder_special_file", path)
    return stat.S_ISDIR(mode)
