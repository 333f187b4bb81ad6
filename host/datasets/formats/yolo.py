"""YOLO: one text a picture, a line a box: class, middle and size in parts of the picture.

images/1.jpg labels/1.txt data.yaml                      Ultralytics; its yaml may name splits
train/images/1.jpg train/labels/1.txt data.yaml          Roboflow
images/train/1.jpg labels/train/1.txt                    split by folder
1.jpg 1.txt classes.txt                                  labelImg
obj/1.jpg obj/1.txt obj.names train.txt                  Darknet

A line with the corners of an outline (class x y x y ...) counts as the box around it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from ..dataset import Dataset, Split
from ..limits import LIMITS, Limits
from .folders import SPLITS
from .gather import Gather, Mark
from .listing import Listing, Unreadable, stem

_LINE = re.compile(r"\s*-?[0-9][0-9.]*(\s+[-+0-9.einfa]+){4,}\s*", re.IGNORECASE)
_YAML_BYTES, _YAML_DEPTH = 64 * 1024, 20


class _Loader(yaml.SafeLoader):
    """Safe YAML without aliases, which could be expanded without end, and without depths."""

    depth = 0

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            raise yaml.YAMLError("alias")
        self.depth += 1
        if self.depth > _YAML_DEPTH:
            raise yaml.YAMLError("depth")
        node = super().compose_node(parent, index)
        self.depth -= 1
        return node


def label_files(listing: Listing) -> list[str]:
    """Return the texts whose first line is a box, if one belongs to a picture or has a data.yaml.

    For a set in which nothing has a box yet, the data.yaml itself.
    """
    texts = [path for path in listing.ending(".txt") if _is_boxes(listing.head(path))]
    described = [path for path in listing.ending(".yaml", ".yml") if _description(listing, path)]
    if described or any(listing.find_stem(path, path) for path in texts):
        return texts or described
    return []


def _is_boxes(head: bytes) -> bool:
    lines = head.decode("utf-8", "replace").strip("\ufeff \r\n\t").splitlines()
    return bool(lines) and bool(_LINE.fullmatch(lines[0]))


def _description(listing: Listing, path: str) -> dict[str, Any]:
    """Return what a data.yaml says, {} when it is none."""
    try:
        found = yaml.load(listing.text(path, _YAML_BYTES), _Loader)  # noqa: S506 - a safe loader
    except (Unreadable, yaml.YAMLError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) and isinstance(found.get("names"), list | dict) else {}


def load(folder: Path, limits: Limits = LIMITS, listing: Listing | None = None) -> Dataset:
    """Return the pictures and boxes in `folder`; labels from data.yaml, classes.txt, *.names.

    A picture without text, or with an empty one, has no boxes. A class number without a name
    is an error.

    Raises:
        UserError: see `formats.load`; `boxes_too_many`, `labels_too_many`.
    """
    listing = listing or Listing(folder, limits)
    gather = Gather(listing)
    described, description = _find_description(listing, gather)
    names_file, names = ("", _names(description)) if description else listing.class_names()
    gather.used.add(names_file)
    splits = _splits(gather, described, description, names_file)
    unnamed = not names
    texts = [path for path in listing.ending(".txt") if path not in gather.used]
    for path, picture in listing.pairs(texts).items():
        _read(gather, path, picture, names, splits)
    gather.add_unlabelled("picture_unlabelled", splits)
    if unnamed:
        gather.note("classes_unnamed", names_file or "data.yaml")
    return gather.dataset(names, strict=bool(names))


def _find_description(listing: Listing, gather: Gather) -> tuple[str, dict[str, Any]]:
    paths = sorted(listing.ending(".yaml", ".yml"), key=lambda path: path.count("/"))
    for path in paths:
        if found := _description(listing, path):
            gather.used.add(path)
            return path, found
    return "", {}


def _names(description: dict[str, Any]) -> list[str]:
    """Return the names by class number; numbers that have none are called by the number."""
    names = description["names"]
    if isinstance(names, list):
        return [str(name) for name in names]
    numbers = [number for number in names if isinstance(number, int) and 0 <= number < 10_000]
    return [str(names.get(number, number)) for number in range(max(numbers, default=-1) + 1)]


def _read(
    gather: Gather, path: str, picture: str | None, names: list[str], splits: dict[str, Split]
) -> None:
    try:
        lines = gather.listing.text(path).splitlines()
    except Unreadable as error:
        gather.refuse(path, error, picture)
        return
    lines = [line for line in lines if line.strip("\ufeff \t")]
    boxes = bool(lines) and bool(_LINE.fullmatch(lines[0]))
    if not picture:
        if boxes:
            gather.used.add(path)
            gather.note("labelled_picture_missing", path)
        return
    gather.used.add(path)
    marks = []
    for number, line in enumerate(lines, start=1):
        mark = _mark(line, names)
        if mark:
            marks.append(mark)
        else:
            gather.box_unreadable(picture, path, f"{number}: {line[:60]}")
    gather.add(picture, marks, split=splits.get(picture) if splits else None)


def _mark(line: str, names: list[str]) -> Mark | None:
    try:
        first, *parts = (float(word) for word in line.split())
        number = int(first)
    except (ValueError, OverflowError):
        return None
    if number != first or len(parts) < 4 or len(parts) % 2:
        return None
    label = names[number] if 0 <= number < len(names) else str(number)
    if len(parts) == 4:
        x, y, width, height = parts
        edges = x - width / 2, y - height / 2, x + width / 2, y + height / 2
    else:
        edges = min(parts[::2]), min(parts[1::2]), max(parts[::2]), max(parts[1::2])
    return Mark(label, *edges, relative=True)


def _splits(
    gather: Gather, described: str, description: dict[str, Any], names_file: str
) -> dict[str, Split]:
    """Return the split of each picture that data.yaml or a list such as train.txt names."""
    found: dict[str, Split] = {}
    named: list[tuple[Split, str, str]] = [
        (SPLITS[key], str(place), described)
        for key, value in description.items()
        if key in SPLITS
        for place in (value if isinstance(value, list) else [value])
        if isinstance(place, str)
    ]
    for path in [] if named else gather.listing.ending(".txt"):
        split: Split = SPLITS.get(stem(path).lower(), "")
        if split and not gather.listing.find_stem(path, path):
            named.append((split, path, path))
    for split, place, near in named:
        for picture in _pictures_at(gather, place, near):
            # One folder for training and validation: nothing was decided.
            found[picture] = split if found.get(picture, split) == split else ""
    return found


def _pictures_at(gather: Gather, place: str, near: str) -> Iterator[str]:
    """Return the pictures that `place` in a data.yaml stands for: a folder, or a list of them."""
    listing = gather.listing
    parts = [part for part in place.replace("\\", "/").split("/") if part not in ("", ".", "..")]
    if parts and parts[-1].lower().endswith(".txt"):
        lists = [path for path in listing.ending(".txt") if path.split("/")[-1] == parts[-1]]
        for path in lists[:1]:
            try:
                lines = listing.text(path, listing.limits.label_bytes).splitlines()
            except Unreadable as error:
                gather.refuse(path, error)
                continue
            gather.used.add(path)
            yield from (one for line in lines if (one := listing.find(line.strip(), path)))
        return
    top = near.rpartition("/")[0]
    for start in range(len(parts)):
        folder = "/".join([*([top] if top else []), *parts[start:]]) + "/"
        if inside := [path for path in listing.pictures if path.startswith(folder)]:
            yield from inside
            return
