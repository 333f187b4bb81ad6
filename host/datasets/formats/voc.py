"""Pascal VOC: one XML a picture, with boxes in pixels counted from 1, last ones included.

images/1.jpg xml/1.xml labels.txt            the collector's card, maix_train
1.jpg 1.xml                                  labelImg
train/1.jpg train/1.xml valid/2.jpg ...      Roboflow
JPEGImages/ Annotations/ ImageSets/Main/     VOC2007, split by train.txt, val.txt, test.txt

The XML belongs to the picture with its own stem, else to the one that its <filename> names.
"""

from __future__ import annotations

import re
from collections import defaultdict
from pathlib import Path
from xml.etree.ElementTree import Element

from ..dataset import Dataset, Split
from ..limits import LIMITS, Limits
from . import safe_xml
from .folders import SPLITS
from .gather import Gather, Mark
from .listing import Listing, Unreadable, stem

_ROOT = re.compile(rb"<annotation[\s>]|<!DOCTYPE|<!ENTITY", re.IGNORECASE)
_SET = re.compile(r"(?:^|(?<=/))ImageSets/Main/([^/]+)\.txt$", re.IGNORECASE)
_EDGES = ("xmin", "ymin", "xmax", "ymax")


def label_files(listing: Listing) -> list[str]:
    """Return the XML files that look like annotations (or like an attempt on the parser)."""
    return [path for path in listing.ending(".xml") if _ROOT.search(_ascii(listing.head(path)))]


def _ascii(head: bytes) -> bytes:
    return head.replace(b"\0", b"")  # UTF-16


def load(folder: Path, limits: Limits = LIMITS, listing: Listing | None = None) -> Dataset:
    """Return the pictures and boxes in `folder`; labels as labels.txt orders them.

    A picture without XML becomes one without boxes, with a warning. A box whose label
    labels.txt does not have is an error.

    Raises:
        UserError: see `formats.load`; `boxes_too_many`, `labels_too_many`.
    """
    listing = listing or Listing(folder, limits)
    gather = Gather(listing)
    splits = _image_sets(listing, gather)
    pairs = listing.pairs(label_files(listing))
    for path, picture in pairs.items():
        try:
            root = safe_xml.parse(listing.data(path))
        except Unreadable as error:
            gather.refuse(path, error, picture)
            continue
        if root.tag != "annotation":
            continue
        gather.used.add(path)
        name = safe_xml.text(root, "filename") or path
        named = None if picture else listing.find(name, path)
        if picture or (named and named not in pairs.values()):
            _read(gather, path, root, picture or str(named), splits)
        else:
            gather.note("labelled_picture_missing", path, name if name != path else "")
    gather.add_unlabelled("picture_unlabelled")
    names_file, lines = listing.class_names()
    gather.used.add(names_file)
    labels = _labels(lines, gather.labels())
    return gather.dataset(labels, strict=bool(labels))


def _read(gather: Gather, path: str, root: Element, picture: str, splits: dict[str, Split]) -> None:
    marks = []
    for number, one in enumerate(root.iterfind("object"), start=1):
        mark = _mark(one)
        if mark:
            marks.append(mark)
        else:
            gather.box_unreadable(picture, path, f"<object> {number}")
    size = _number(root, "size/width"), _number(root, "size/height")
    stated = size[0] or 0.0, size[1] or 0.0
    gather.add(picture, marks, stated, splits.get(path, "") if splits else None)


def _mark(one: Element) -> Mark | None:
    edges = [_number(one, f"bndbox/{name}") for name in _EDGES]
    if None in edges:
        return None
    left, top, right, bottom = (edge for edge in edges if edge is not None)
    # A program that counts from 0 writes 0: there is nothing before the first pixel to cut off.
    left, top = max(left - 1, min(left, 0)), max(top - 1, min(top, 0))
    return Mark(safe_xml.text(one, "name"), left, top, right, bottom)


def _number(element: Element, path: str) -> float | None:
    try:
        return float(safe_xml.text(element, path))
    except ValueError:
        return None


def _image_sets(listing: Listing, gather: Gather) -> dict[str, Split]:
    """Return the split of each XML whose stem a file of ImageSets/Main lists."""
    listed: defaultdict[str, dict[str, Split]] = defaultdict(dict)
    for path in listing.ending(".txt"):
        name = _SET.search(path)
        if not name:
            continue
        gather.used.add(path)
        split = SPLITS.get(name[1].lower(), "")
        try:
            lines = listing.text(path).splitlines() if split else []
        except Unreadable as error:
            gather.refuse(path, error)
            continue
        stems = listed[path[: name.start()]]
        for line in map(str.strip, lines):
            if stems.setdefault(line, split) != split:
                gather.note("split_twice", path, line)
                stems[line] = "train" if "train" in (split, stems[line]) else ""
    return {
        path: stems[stem(path)]
        for top, stems in listed.items()
        for path in listing.ending(".xml")
        if path.startswith(top) and stem(path) in stems
    }


def _labels(lines: list[str], used: set[str]) -> list[str]:
    """Return the labels of labels.txt: one a line, or parted by blanks as maix_train does."""
    words = " ".join(lines).split()
    return words if used - set(lines) and used <= set(words) else lines
