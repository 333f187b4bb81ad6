"""The files of a folder with boxes: read within limits, and pictures found by what labels say."""

from __future__ import annotations

import csv
import json
import re
from collections import defaultdict
from collections.abc import Iterable
from functools import cached_property
from pathlib import Path
from typing import Any

from ..limits import LIMITS, MIB, Limits
from ..tree import is_picture, list_files
from .folders import SPLITS, Split

_HEAD = 64 * 1024
_CONTAINERS = 500_000
"""Lists and objects in the JSON of a data set, at most: each takes 20 times its text in memory."""
_WORD = re.compile(r"[a-z]+")
_NAMES = ("labels.txt", "classes.txt", "obj.names", "_darknet.labels")


class Unreadable(Exception):  # noqa: N818 - a finding about one file, not a failure
    """A label file cannot be taken: the code of the finding, and why."""

    def __init__(self, code: str, reason: object = "") -> None:
        self.code, self.reason = code, str(reason)
        super().__init__(code)


class Listing:
    """The files below `folder`, in natural order, and which of them are pictures."""

    def __init__(self, folder: Path, limits: Limits = LIMITS) -> None:
        self.folder, self.limits = folder, limits
        self.files = list_files(folder, limits)[0]
        self.pictures = [path for path in self.files if is_picture(path)]
        self._parsed: dict[str, Any] = {}
        self._json_bytes = 0

    def ending(self, *suffixes: str) -> list[str]:
        """Return the files whose names end so, in any case."""
        return [path for path in self.files if path.lower().endswith(suffixes)]

    def head(self, path: str) -> bytes:
        """Return the first 64 KiB of a file, b"" when it cannot be read."""
        try:
            with (self.folder / path).open("rb") as file:
                return file.read(_HEAD)
        except OSError:
            return b""

    def data(self, path: str, most: int = MIB) -> bytes:
        """Return a file of at most `most` bytes.

        Raises:
            Unreadable: `labels_too_large`, `labels_damaged`.
        """
        try:
            with (self.folder / path).open("rb") as file:
                data = file.read(most + 1)
        except OSError as error:
            raise Unreadable("labels_damaged", error.strerror) from error
        if len(data) > most:
            raise Unreadable("labels_too_large", f"{most / MIB:.0f} MB")
        return data

    def text(self, path: str, most: int = MIB) -> str:
        """Return a text of at most `most` bytes: UTF-8 (a mark at its start is dropped) or GBK."""
        data = self.data(path, most)
        try:
            return data.decode("utf-8-sig")
        except UnicodeDecodeError:
            return data.decode("gb18030", "replace")

    def json(self, path: str, *words: bytes) -> Any:
        """Return what a JSON file with one of the `words` near its start holds, else None.

        All files together may have `Limits.label_bytes`.

        Raises:
            Unreadable: `labels_too_large`, `labels_damaged`.
        """
        if path in self._parsed:
            return self._parsed[path]
        if not any(word in self.head(path) for word in words):
            return None
        if (self.folder / path).stat().st_size + self._json_bytes > self.limits.label_bytes:
            raise Unreadable("labels_too_large", f"{self.limits.label_bytes / MIB:.0f} MB")
        data = self.data(path, self.limits.label_bytes)
        self._json_bytes += len(data)
        if data.count(b"[") + data.count(b"{") > _CONTAINERS:
            raise Unreadable("labels_too_large", f"{_CONTAINERS} [ {{")
        try:
            found = json.loads(data.removeprefix(b"\xef\xbb\xbf"))
        except (ValueError, RecursionError) as error:  # also: not UTF-8, a number of 5,000 digits
            raise Unreadable("labels_damaged", error) from error
        self._parsed[path] = found
        return found

    def rows(self, path: str) -> list[dict[str, str]]:
        """Return the rows of a CSV file with a header, whose names are in lower case.

        Raises:
            Unreadable: `labels_too_large`, `labels_damaged`.
        """
        lines = self.text(path, self.limits.label_bytes).splitlines()
        try:
            rows = list(csv.reader(lines))
        except csv.Error as error:
            raise Unreadable("labels_damaged", error) from error
        header = [name.strip().lower() for name in rows[0]] if rows else []
        return [dict(zip(header, row, strict=False)) for row in rows[1:] if row]

    def class_names(self) -> tuple[str, list[str]]:
        """Return the file that lists the labels, nearest to the top, and its lines; "" for none."""
        found = [
            path
            for path in self.files
            if path.lower().endswith(".names") or path.rpartition("/")[2].lower() in _NAMES
        ]
        for path in sorted(found, key=lambda path: path.count("/")):
            try:
                lines = self.text(path).splitlines()
            except Unreadable:
                continue
            return path, [line.strip() for line in lines if line.strip()]
        return "", []

    @cached_property
    def _by_name(self) -> dict[str, list[str]]:
        return _index(self.pictures, lambda path: path.rpartition("/")[2].casefold())

    @cached_property
    def _by_stem(self) -> dict[str, list[str]]:
        return _index(self.pictures, lambda path: stem(path).casefold())

    def find(self, name: str, near: str) -> str | None:
        """Return the picture that the label file `near` calls `name`: a path of any system.

        Of several with the same name the one whose folders agree best is taken: those that
        `name` gives, then those of `near`. An extension that has changed does not matter.
        None when there is no such picture, or when two fit equally well.
        """
        path = name.replace("\\", "/").removeprefix("file:")
        last = path.rpartition("/")[2].casefold()
        return _best(self._by_name.get(last, []), path, near) or self.find_stem(path, near)

    def find_stem(self, name: str, near: str) -> str | None:
        """Return the picture that has the stem of `name`, as `find` does."""
        return _best(self._by_stem.get(stem(name).casefold(), []), name, near)

    def pairs(self, label_files: Iterable[str]) -> dict[str, str | None]:
        """Return the picture of each label file by its stem.

        A picture that several label files could mean belongs to the one whose folders agree best.
        """
        found = {path: self.find_stem(path, path) for path in label_files}
        claims: defaultdict[str, list[str]] = defaultdict(list)
        for path, picture in found.items():
            if picture:
                claims[picture].append(path)
        for picture, paths in claims.items():
            best = max(_agreement(picture, path, path) for path in paths)
            for path in paths:
                if _agreement(picture, path, path) != best:
                    found[path] = None
        return found


def stem(path: str) -> str:
    """Return the name of `path` without its folders and its last extension."""
    name = path.rpartition("/")[2]
    return name.rpartition(".")[0] or name


def split_of(path: str) -> Split:
    """Return the split that a folder of `path` names, the nearest first; "" for none."""
    return _first_split(reversed(path.lower().split("/")[:-1]))


def split_of_file(path: str) -> Split:
    """Return the split that a label file stands for by a word of its name, or by its folder."""
    return _first_split(_WORD.findall(path.rpartition("/")[2].lower())) or split_of(path)


def _first_split(words: Iterable[str]) -> Split:
    found: list[Split] = [SPLITS[word] for word in words if word in SPLITS]
    return found[0] if found else ""


def _index(paths: Iterable[str], key: Any) -> dict[str, list[str]]:
    found: defaultdict[str, list[str]] = defaultdict(list)
    for path in paths:
        found[key(path)].append(path)
    return found


def _best(paths: list[str], name: str, near: str) -> str | None:
    here = split_of(near)
    paths = [path for path in paths if not here or split_of(path) in (here, "")]
    if len(paths) <= 1:
        return paths[0] if paths else None
    ranked = sorted(((_agreement(path, name, near), path) for path in paths), reverse=True)
    return ranked[0][1] if ranked[0][0] > ranked[1][0] else None


def _agreement(path: str, name: str, near: str) -> tuple[int, int, bool]:
    """Return how many folders `path` shares with the end of `name`, and with `near`."""
    folders = path.casefold().split("/")[:-1]
    asked = [part for part in name.casefold().split("/")[:-1] if part not in ("", ".", "..")]
    tail = _common(reversed(folders), reversed(asked))
    label = near.casefold().split("/")[:-1]
    shared = len(set(folders) & set(label)) + _common(iter(folders), iter(label))
    return tail, shared, folders == label


def _common(one: Iterable[str], other: Iterable[str]) -> int:
    count = 0
    for a, b in zip(one, other, strict=False):
        if a != b:
            break
        count += 1
    return count
