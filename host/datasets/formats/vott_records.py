"""VoTT's TFRecord export (and others of that kind): the pictures lie inside the records.

test-TFRecords-export/0.tfrecord 1.tfrecord tf_label_map.pbtxt

VoTT writes a file per picture. Its `image/object/class/label` counts from 0, -1 when the tag was
deleted, while the ids of tf_label_map.pbtxt count from 1 (tensorFlowRecords.ts): so
`class/text` is trusted, and the numbers only where there is no text, as TensorFlow means them.
A picture that was loaded from a .tfrecord comes out with a record around it (VoTT issue 1012);
it is found by its first bytes.
"""

from __future__ import annotations

import atexit
import re
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from ...errors import UserError
from ...files import is_disk_full
from ..dataset import Dataset, Split
from ..limits import LIMITS, Limits
from .gather import Gather, Mark
from .listing import Listing, Unreadable, split_of_file, stem
from .tfrecord import Features, example, floats, integers, is_records, records, texts

PICTURES = "pictures"
"""Name of the folder, inside the job's folder, that holds the pictures of records."""

_SUFFIX = re.compile(r"\.(tf)?records?(-\d+-of-\d+)?$", re.IGNORECASE)
_KINDS = ((b"\xff\xd8\xff", ".jpg"), (b"\x89PNG\r\n\x1a\n", ".png"))
_OTHERS = ((b"GIF8", ".gif"), (b"BM", ".bmp"), (b"RIFF", ".webp"))
_NEST = 64 * 1024
_ODD = re.compile(r"[^\w .()%+,@=-]")
_ITEM = re.compile(r"item\s*\{([^{}]*)\}")
_ID = re.compile(r"\bid\s*:\s*(\d{1,9})")
_NAME = re.compile(r"""\bname\s*:\s*(["'])((?:\\.|(?!\1)[^\\])*)\1""")
_EDGES = ("xmin", "ymin", "xmax", "ymax")


def label_files(listing: Listing) -> list[str]:
    """Return the files that are TFRecords by their first checksum, or by their name."""
    return [
        path
        for path in listing.files
        if _SUFFIX.search(path) or (not path.count(".") and is_records(listing.head(path)))
    ]


def load(
    folder: Path, limits: Limits = LIMITS, listing: Listing | None = None, into: Path | None = None
) -> Dataset:
    """Return the pictures and boxes of the records in `folder`.

    The pictures are written to `into/pictures`, which is the root of the data set; without
    `into` to a temporary folder that is removed when the process ends.

    Raises:
        UserError: see `formats.load`; `boxes_too_many`, `labels_too_many`, `disk_full`.
    """
    listing = listing or Listing(folder, limits)
    if into is None:
        into = Path(tempfile.mkdtemp(prefix="maixforge-"))
        atexit.register(shutil.rmtree, into, ignore_errors=True)
    target = into / PICTURES
    shutil.rmtree(target, ignore_errors=True)
    labels, files = _label_map(listing)
    unpacking = _Unpacking(target, dict(labels))
    try:
        target.mkdir(parents=True)
        for path in label_files(listing):
            unpacking.file(listing.folder / path, path, limits.member_bytes)
    except OSError as error:
        if is_disk_full(error):
            raise UserError("disk_full", folder.name, reason=error.strerror) from error
        raise
    gather = Gather(Listing(target, limits))
    for name, marks, split in unpacking.pictures:
        gather.add(name, marks, split=split)
    for code, path, detail in unpacking.notes:
        gather.note(code, path, detail)
    for path in set(listing.files) - set(label_files(listing)) - files:
        gather.note("other_files", path)
    if unpacking.pictures:
        gather.note("vott_records", label_files(listing)[0])
    return gather.dataset([name for _, name in labels])


def _label_map(listing: Listing) -> tuple[list[tuple[int, str]], set[str]]:
    """Return ids and names of the label maps, and their files."""
    found: dict[int, str] = {}
    files = set(listing.ending(".pbtxt"))
    for path in sorted(files):
        try:
            text = listing.text(path)
        except Unreadable:
            continue
        for item in _ITEM.findall(text):
            number, name = _ID.search(item), _NAME.search(item)
            if number and name:
                found.setdefault(int(number[1]), re.sub(r"\\(.)", r"\1", name[2]))
    return sorted(found.items()), files


class _Unpacking:
    """Writes the pictures of records to a folder and remembers their boxes."""

    def __init__(self, target: Path, labels: dict[int, str]) -> None:
        self.target, self.labels = target, labels
        self.pictures: list[tuple[str, list[Mark], Split]] = []
        self.notes: list[tuple[str, str, str]] = []
        self._names: set[str] = set()

    def file(self, source: Path, path: str, most: int) -> None:
        """Unpack one file; what cannot be had is noted."""
        for number, data in enumerate(records(source, most)):
            where = f"{path} #{number}" if number else path
            try:
                if isinstance(data, Unreadable):
                    raise data
                self._record(example(data), path, where)
            except Unreadable as error:
                self.notes.append((error.code, where, f"({error.reason})"))

    def _record(self, features: Features, path: str, where: str) -> None:
        encoded = features.get("image/encoded", [])
        if len(encoded) != 1 or not isinstance(encoded[0], memoryview):
            raise Unreadable("record_damaged", "image/encoded")
        picture, suffix, nested = unwrap(bytes(encoded[0]))
        if nested:
            self.notes.append(("record_nested", where, ""))
        marks = list(self._marks(features))
        said = [
            text
            for key in ("image/filename", "image/source_id")
            for text in texts(features.get(key, []))
        ]
        name = self._name(said[0] if said else "", stem(path), suffix)
        (self.target / name).write_bytes(picture)
        self.pictures.append((name, marks, split_of_file(path)))

    def _marks(self, features: Features) -> Iterator[Mark]:
        edges = [floats(features.get(f"image/object/bbox/{edge}", [])) for edge in _EDGES]
        labels = texts(features.get("image/object/class/text", []))
        if not labels:
            numbers = integers(features.get("image/object/class/label", []))
            labels = [self.labels.get(number, f"label {number}") for number in numbers]
        if {len(one) for one in edges} != {len(labels)}:
            raise Unreadable("record_damaged", "image/object")
        for label, *box in zip(labels, *edges, strict=True):
            yield Mark(label, *box, relative=True)

    def _name(self, said: str, record: str, suffix: str) -> str:
        """Return a file name that is safe and not taken, like the one that the record says."""
        plain = _ODD.sub("_", stem(said.replace("\\", "/"))).strip(". ")[:40] or record[:40]
        name, number = f"{plain}{suffix}", 1
        while name.casefold() in self._names:
            number += 1
            name = f"{plain}-{number}{suffix}"
        self._names.add(name.casefold())
        return name


def unwrap(data: bytes) -> tuple[bytes, str, bool]:
    """Return the picture in `data`, the ending of its kind, and whether it was wrapped."""
    for magic, suffix in (*_KINDS, *_OTHERS):
        if data.startswith(magic):
            return data, suffix, False
    if data[4:8] != b"ftyp":  # a HEIC picture has a JPEG in it, but is none
        places = [(data.find(magic, 0, _NEST), suffix) for magic, suffix in _KINDS]
        if inside := sorted(found for found in places if found[0] > 0):
            return data[inside[0][0] :], inside[0][1], True
    return data, ".jpg", False
