"""Boxes as label files have them become a data set; whatever is odd about them is told.

Boxes are kept as a viewer shows the picture. Where a label file states a size that is that of
the picture as stored, lying on its side, its boxes are turned with the picture (older labelImg);
otherwise they are taken as drawn on the upright picture, as browsers, VoTT and labelImg since
1.8.5 show it.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ...errors import Finding, Severity, UserError
from ..dataset import Box, Dataset, Sample, Split
from ..labels import printable
from ..pictures import measure, quiet_decoders
from ..tree import natural, shorten
from .listing import Listing, Unreadable, split_of

SIDE_MIN = 2.0
"""A box narrower or lower than this, in pixels, is a slip of the mouse."""
_SLACK = 0.5
_LABEL_LENGTH = 200
_NAMED = 11
"""Problems of one kind that are kept by name; one more than is shown."""

_SEVERITY: dict[str, Severity] = {
    "xml_dtd": "error",
    "label_unknown": "error",
    "labels_too_large": "error",
    "size_missing": "note",
    "crowds_left_out": "note",
    "pictures_without_boxes": "note",
    "pictures_not_listed": "note",
    "vott_records": "note",
    "other_files": "note",
}
"""What is not here is a warning."""


@dataclass(frozen=True, slots=True)
class Mark:
    """A box as a label file gives it: in pixels, or in parts of the picture when `relative`.

    Edges are those between pixels, counted from 0. `label` is "" where there is none.
    """

    label: str
    left: float
    top: float
    right: float
    bottom: float
    relative: bool = False

    def __str__(self) -> str:
        edges = (self.left, self.top, self.right, self.bottom)
        return f"{self.label[:40] or '?'} " + ",".join(f"{edge:.4g}" for edge in edges)


@dataclass(slots=True)
class _Picture:
    split: Split
    boxes: dict[tuple[object, ...], Mark] = field(default_factory=dict)
    size: tuple[int, int] = (0, 0)


class Gather:
    """Collects the pictures and boxes of one data set."""

    def __init__(self, listing: Listing) -> None:
        self.listing = listing
        self.used: set[str] = set()
        self._pictures: dict[str, _Picture] = {}
        self._spoiled: set[str] = set()
        self._lost: Counter[str] = Counter()
        self._unlabelled: set[str] = set()
        self._notes: defaultdict[str, list[tuple[str, object]]] = defaultdict(list)
        self._times: Counter[str] = Counter()
        self._needed: dict[str, str] = {}
        self._count = 0

    def note(self, code: str, path: str, detail: object = "", needed: str = "") -> None:
        """Remember that `path` has the problem `code`; one finding per code comes of it."""
        self._times[code] += 1
        if self._times[code] <= _NAMED:
            self._notes[code].append((path, detail))
        if needed:
            self._needed[code] = needed

    def jsons(
        self, paths: Iterable[str], words: Sequence[bytes]
    ) -> Iterator[tuple[str, dict[str, Any]]]:
        """Give each label file that can be read, and what it holds (see `Listing.json`)."""
        for path in paths:
            self.used.add(path)
            try:
                found = self.listing.json(path, *words)
            except Unreadable as error:
                self.refuse(path, error)
                continue
            yield path, found

    def refuse(self, path: str, error: Unreadable, picture: str | None = None) -> None:
        """Remember that the label file `path` was not taken; its picture is left out, too."""
        large = error.code == "labels_too_large"
        detail = f"({error.reason[:100]})" if error.reason and not large else ""
        self.note(error.code, path, detail, error.reason if large else "")
        self.used.add(path)
        if picture:
            self._spoiled.add(picture)

    def add(
        self,
        path: str,
        marks: Iterable[Mark],
        stated: tuple[float, float] | None = None,
        split: Split | None = None,
    ) -> None:
        """Add a picture with its boxes.

        `stated` is the width and height that the label file gives, None where its kind has
        none; `split` the one that the data set names, None to see it from the folders.

        Raises:
            UserError: `boxes_too_many`.
        """
        split = split_of(path) if split is None else split
        picture = self._pictures.get(path)
        if picture is None:
            picture = self._pictures[path] = _Picture(split)
        elif picture.split != split:
            self.note("split_twice", path)
            picture.split = "train" if "train" in (picture.split, split) else ""
        with quiet_decoders():
            measured = measure(self.listing.folder / path)
        if not measured:  # the check of all pictures says why
            return
        width, height, orientation = measured
        turned = orientation >= 5
        picture.size = (height, width) if turned else (width, height)
        place = self._placing(path, stated, (width, height), orientation)
        for mark in marks:
            self._count += 1
            if self._count > self.listing.limits.boxes:
                raise UserError("boxes_too_many", needed=self.listing.limits.boxes)
            self._add_box(path, picture, mark, place)
        if orientation > 1 and picture.boxes and place.unsure:
            self.note("boxes_orientation", path)

    def _placing(
        self,
        path: str,
        stated: tuple[float, float] | None,
        stored: tuple[int, int],
        orientation: int,
    ) -> _Placing:
        upright = (stored[1], stored[0]) if orientation >= 5 else stored
        if not stated:
            return _Placing(upright)
        if not all(math.isfinite(side) and side > 0 for side in stated):
            self.note("size_missing", path)
            return _Placing(upright)
        if stated == upright:
            return _Placing(upright, unsure=orientation < 5 or stored == upright)
        if stated == stored:
            return _Placing(upright, stored=stored, orientation=orientation, unsure=False)
        wide, high = upright[0] / stated[0], upright[1] / stated[1]
        if abs(wide / high - 1) < 0.02:
            self.note("boxes_scaled", path, f"{stated[0]:g}x{stated[1]:g}")
            return _Placing(upright, scale=(wide, high))
        self.note("size_differs", path, f"{stated[0]:g}x{stated[1]:g}")
        return _Placing(upright)

    def _add_box(self, path: str, picture: _Picture, mark: Mark, place: _Placing) -> None:
        edges = (mark.left, mark.top, mark.right, mark.bottom)
        label = _plain(mark.label)
        problem = ""
        if not label:
            problem = "label_missing"
        elif not all(map(math.isfinite, edges)):
            problem = "box_not_finite"
        elif not (mark.right > mark.left and mark.bottom > mark.top):
            problem = "box_empty"
        if problem:
            self._lost[path] += 1
            self.note(problem, path, mark)
            return
        found, cut = place.box(mark, label)
        if cut and min(found.right - found.left, found.bottom - found.top) <= 0:
            problem = "box_off_picture"
        elif min(found.right - found.left, found.bottom - found.top) < SIDE_MIN:
            problem = "box_empty"
        if problem:
            self._lost[path] += 1
            self.note(problem, path, mark)
            return
        if cut:
            self.note("box_outside", path, mark)
        rounded = tuple(round(edge) for edge in (found.left, found.top, found.right, found.bottom))
        if (label, *rounded) in picture.boxes:
            self.note("box_twice", path, mark)
            return
        picture.boxes[label, *rounded] = found

    def box_unreadable(self, path: str, label_file: str, detail: object) -> None:
        """Remember that `label_file` has a box of the picture `path` that cannot be read."""
        self.note("box_unreadable", label_file, detail)
        self._lost[path] += 1

    def unlabelled(self, code: str, path: str) -> None:
        """Remember that nobody has looked for boxes in the picture `path`."""
        self._unlabelled.add(path)
        self.note(code, path)

    def lose(self, path: str) -> None:
        """Remember that a box of the picture `path` is left out on purpose."""
        self._lost[path] += 1

    def tell_unlisted(self) -> None:
        """Tell the pictures that the data set does not list and that are not used."""
        for path in self.listing.pictures:
            if path not in self._pictures and path not in self._spoiled:
                self.note("pictures_not_listed", path)

    def add_unlabelled(self, code: str, splits: Mapping[str, Split] | None = None) -> None:
        """Take the pictures beside labelled ones that no label file names as negatives.

        They get the finding `code`, and their split from `splits` if there is any. Those
        elsewhere are told and not used.
        """
        folders = {path.rpartition("/")[0] for path in self._pictures}
        for path in self.listing.pictures:
            if path in self._pictures or path in self._spoiled:
                continue
            folder = path.rpartition("/")[0]
            inside = {"images", "jpegimages"} & set(folder.lower().split("/"))
            if folder in folders or inside or path in (splits or ()):
                self.add(path, (), split=splits.get(path) if splits else None)
                self.unlabelled(code, path)
            else:
                self.note("pictures_not_listed", path)

    def labels(self) -> set[str]:
        """Return the labels that boxes have."""
        return {mark.label for one in self._pictures.values() for mark in one.boxes.values()}

    def dataset(self, listed: Sequence[str], *, strict: bool = False) -> Dataset:
        """Return the data set: labels in the order of `listed`, others after them.

        With `strict` a label that is not in the list is an error, and its boxes are left out.
        """
        known = dict.fromkeys(map(_plain, listed))
        others = sorted(self.labels() - set(known), key=natural)
        if others and known and not strict:
            for label in others:
                self.note("label_unlisted", label)
        labels = [*known, *(() if strict else others)]
        if len(labels) > self.listing.limits.labels:
            most = self.listing.limits.labels
            raise UserError("labels_too_many", needed=most, found=len(labels))
        index = {label: place for place, label in enumerate(labels)}
        samples = [
            sample
            for path in sorted(self._pictures, key=natural)
            if (sample := self._sample(path, index))
        ]
        for path in self.listing.files:
            if path not in self.used and path not in self.listing.pictures:
                self.note("other_files", path)
        findings = [self._finding(code) for code in sorted(self._notes)]
        root = self.listing.folder
        return Dataset("detect", root, tuple(labels), tuple(samples), tuple(findings))

    def _sample(self, path: str, index: dict[str, int]) -> Sample | None:
        picture = self._pictures[path]
        boxes = []
        places: dict[tuple[object, ...], str] = {}
        for (label, *rounded), mark in picture.boxes.items():
            if mark.label not in index:
                self.note("label_unknown", path, mark.label)
                self._lost[path] += 1
                continue
            if places.setdefault(tuple(rounded), mark.label) != label:
                self.note("box_two_labels", path, f"{places[tuple(rounded)]}, {label}")
            edges = (mark.left, mark.top, mark.right, mark.bottom)
            boxes.append(Box(index[mark.label], *edges))
        if path in self._spoiled:
            return None
        if self._lost[path] and not boxes:
            self.note("pictures_left_out", path)
            return None
        width, height = picture.size
        if width and not boxes and path not in self._unlabelled:
            self.note("pictures_without_boxes", path)
        return Sample(path, width, height, boxes=tuple(boxes), split=picture.split)

    def _finding(self, code: str) -> Finding:
        notes = self._notes[code]
        names = shorten(printable(f"{path} {detail}".rstrip()) for path, detail in notes)
        params = {"count": self._times[code], "names": names}
        params["needed"] = self._needed.get(code, "")
        return Finding(code, printable(notes[0][0]), _SEVERITY.get(code, "warning"), params)


def _plain(label: str) -> str:
    """Return a label in one line, of a length and of letters that can be shown."""
    text = " ".join(label.split())[:_LABEL_LENGTH]
    return "".join(char if char.isprintable() else "?" for char in text)


@dataclass(frozen=True, slots=True)
class _Placing:
    """How boxes of a label file lie on the upright picture of `size` (width, height)."""

    size: tuple[int, int]
    scale: tuple[float, float] = (1.0, 1.0)
    stored: tuple[int, int] = (0, 0)
    orientation: int = 1
    unsure: bool = True

    def box(self, mark: Mark, label: str) -> tuple[Mark, bool]:
        """Return the box in pixels of the picture, cut at its edges, and whether it was cut."""
        width, height = self.size
        wide, high = (width, height) if mark.relative else self.scale
        edges = (mark.left * wide, mark.top * high, mark.right * wide, mark.bottom * high)
        left, top, right, bottom = turn(edges, self.stored, self.orientation)
        inside = (
            min(max(left, 0.0), float(width)),
            min(max(top, 0.0), float(height)),
            min(max(right, 0.0), float(width)),
            min(max(bottom, 0.0), float(height)),
        )
        moved = max(abs(a - b) for a, b in zip(inside, (left, top, right, bottom), strict=True))
        left, top, right, bottom = inside
        return Mark(label, left, top, right, bottom), moved > _SLACK


def turn(
    edges: tuple[float, float, float, float], stored: tuple[int, int], orientation: int
) -> tuple[float, float, float, float]:
    """Return a box of a picture of `stored` (width, height) as it lies after EXIF rotation.

    `orientation` is the EXIF tag 0x0112, 1 to 8.
    """
    width, height = stored
    left, top, right, bottom = edges
    if orientation in (2, 3, 7, 8):
        left, right = width - right, width - left
    if orientation in (3, 4, 6, 7):
        top, bottom = height - bottom, height - top
    return (top, left, bottom, right) if orientation >= 5 else (left, top, right, bottom)
