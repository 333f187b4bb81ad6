"""A job's pictures as its Data page shows them: what was received, the edits, what is odd.

Decoding every picture is slow and depends on no label, so what it found out is kept in
`looked.json` beside the upload; after an edit the check is done again from that.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from pathlib import Path
from threading import BoundedSemaphore, Lock
from typing import Any, Literal

import numpy as np

from ..datasets import checks, formats, intake
from ..datasets.checks import Seen
from ..datasets.dataset import Dataset, Sample
from ..datasets.duplicates import same_pixels
from ..datasets.limits import Limits, Rules
from ..datasets.pictures import decode, quiet_decoders
from ..errors import Finding, UserError
from ..files import atomic_write
from . import added, dataset_json, edits, findings
from .pictures import jpeg

LOOKED = "looked.json"
LOOKED_ADDED = "looked"
PREVIEWS = "previews"
SIDES = {"small": 192, "large": 1280}
"""Most pixels of the longer side of a preview."""

Mark = Literal["", "near", "same", "torn", "broken"]
"""near: one of a group of near duplicates; same: left out, since an equal picture with equal
labels is in; torn: an equal picture has other labels; broken: cannot be used."""
MARKS: tuple[Mark, ...] = ("near", "same", "torn", "broken")

decoding = BoundedSemaphore(2)
"""A picture of 16 megapixels takes 50 MB while it is decoded."""
_looking = BoundedSemaphore(4)
"""Data sets that are decoded at one time, two pictures of each: many uploads at once take turns,
and neither fill the memory nor keep pages waiting."""


@dataclass(frozen=True, slots=True)
class Received:
    """The data set before all edits, and what its pictures are, in the order of its samples.

    In a gallery it has the pictures that were ever added, too, after those that were sent.
    """

    dataset: Dataset
    seen: tuple[Seen, ...]


@dataclass(frozen=True, slots=True)
class Picture:
    """One picture as edited. `number` is its place among the received ones, for ever.

    `group` is equal for near duplicates: the number of the first of them. Others have -1.
    """

    number: int
    sample: Sample
    label: str
    mark: Mark
    group: int
    problem: Finding | None


@dataclass(frozen=True, slots=True)
class Gallery:
    """The edited data set, what the check makes of it, and each of its pictures."""

    received: Received
    history: edits.History
    edited: Dataset
    checked: Dataset
    pictures: tuple[Picture, ...]

    def picture(self, number: int) -> Picture:
        """Return one picture.

        Raises:
            UserError: `picture_missing` when there is none of this number, or it was deleted.
        """
        for one in self.pictures:
            if one.number == number:
                return one
        raise UserError("picture_missing", str(number))

    def paths(self, numbers: Iterable[int]) -> tuple[str, ...]:
        """Return the paths of received pictures.

        Raises:
            UserError: `picture_missing`.
        """
        samples = self.received.dataset.samples
        paths = []
        for number in numbers:
            if not 0 <= number < len(samples):
                raise UserError("picture_missing", str(number))
            paths.append(samples[number].path)
        return tuple(paths)

    def marked(self, mark: Mark) -> tuple[Picture, ...]:
        """Return the pictures with a mark; near duplicates together."""
        found = [one for one in self.pictures if one.mark == mark]
        return tuple(sorted(found, key=lambda one: one.group) if mark == "near" else found)


def changed(before: Gallery, after: Gallery) -> list[int]:
    """Return the numbers of the pictures that are not the same in both, gone and new ones too."""
    old, new = ({one.number: one for one in each.pictures} for each in (before, after))
    names = before.edited.labels == after.edited.labels  # else boxes may mean other labels
    return sorted(
        number
        for number in old.keys() | new.keys()
        if old.get(number) != new.get(number) or not (names or not new[number].sample.boxes)
    )


def look(source: Path, folder: Path, limits: Limits, rules: Rules) -> Received:
    """Unpack the zip `source` to `folder/data`, decode every picture, keep what was found.

    Raises:
        UserError: as `intake.receive`, `formats.load` and `checks.look`.
    """
    root = intake.receive(source, folder, limits)
    dataset = formats.load(root, limits, folder)
    with _looking:
        received = Received(dataset, tuple(checks.look(dataset, rules, limits=limits)))
    values = {
        "for": _asked(limits, rules),
        "dataset": dataset_json.to_json(dataset, folder),
        "seen": [_seen_json(one) for one in received.seen],
    }
    atomic_write(folder / LOOKED, json.dumps(values).encode())
    return received


def show(source: Path, folder: Path, limits: Limits, rules: Rules) -> Gallery:
    """Return the gallery of the job in `folder`, whose upload is `source`.

    Raises:
        UserError: as `look` (which is done where its outcome is missing or for other settings),
            `edits.read` and `edits.apply`.
    """
    with _lock_of(folder):
        if not _kept(folder, _asked(limits, rules)):
            look(source, folder, limits, rules)
    stamps = _stamp(folder / LOOKED), _stamp(folder / edits.NAME)
    return _gallery(folder, stamps, limits, rules)


@lru_cache(maxsize=256)
def _lock_of(_folder: Path) -> Lock:
    """Return the lock of a job, so that its pictures are looked at once."""
    return Lock()


def keep(folder: Path, seen: Seen, limits: Limits, rules: Rules) -> None:
    """Keep what was found out about an added picture; when that is lost it is found out again."""
    made = _kept_place(folder, seen.sample.path)
    with suppress(OSError):  # the disk is full
        made.parent.mkdir(exist_ok=True)
        made.write_text(json.dumps({"for": _asked(limits, rules), "seen": _seen_json(seen)}))


def _look_at_added(folder: Path, sample: Sample, limits: Limits, rules: Rules) -> Seen:
    try:
        values = json.loads(_kept_place(folder, sample.path).read_bytes())
        if values["for"] == _asked(limits, rules):
            return _seen(sample, values["seen"])
    except (OSError, ValueError, KeyError):  # never kept, or a power cut left half of it
        pass
    with decoding, quiet_decoders():
        seen = checks.look_at(added.file_of(folder, sample.path), sample, rules, limits)
    keep(folder, seen, limits, rules)
    return seen


def _kept_place(folder: Path, path: str) -> Path:
    return folder / LOOKED_ADDED / f"{added.file_of(folder, path).name}.json"


def preview(folder: Path, received: Dataset, number: int, size: str) -> bytes:
    """Return a received picture as a JPEG of ours; it is made once. `size` is one of `SIDES`.

    Raises:
        UserError: `picture_missing`, or why it cannot be decoded.
    """
    if size not in SIDES or not 0 <= number < len(received.samples):
        raise UserError("picture_missing", f"{number} {size}")
    made = folder / PREVIEWS / f"{number}-{size}.jpg"
    if not made.exists():
        sample, side = received.samples[number], SIDES[size]
        path = received.file(sample).resolve()
        if not path.is_relative_to(folder.resolve()):
            raise UserError("picture_missing", sample.path)
        with decoding:
            image = decode(path, sample.path, side=side).image
            image.thumbnail((side, side))
        made.parent.mkdir(exist_ok=True)
        atomic_write(made, jpeg(image))
    return made.read_bytes()


def _asked(limits: Limits, rules: Rules) -> list[dict[str, int]]:
    return [asdict(limits), asdict(rules)]


def _stamp(path: Path) -> tuple[int, int]:
    """Return what changes when a file does."""
    try:
        facts = path.stat()
    except FileNotFoundError:
        return 0, 0
    return facts.st_mtime_ns, facts.st_size


def _kept(folder: Path, asked: list[dict[str, int]]) -> bool:
    """Say whether the outcome of a `look` for these settings is there, and its pictures."""
    stamp = _stamp(folder / LOOKED)
    if stamp == (0, 0):
        return False
    known, received = _read(folder, stamp)
    return known == asked and received.dataset.root.is_dir()


@lru_cache(maxsize=4)
def _read(folder: Path, _stamp: tuple[int, int]) -> tuple[list[dict[str, int]], Received]:
    values = json.loads((folder / LOOKED).read_bytes())
    dataset = dataset_json.from_json(values["dataset"], folder)
    pairs = zip(dataset.samples, values["seen"], strict=True)
    return values["for"], Received(dataset, tuple(_seen(*pair) for pair in pairs))


@lru_cache(maxsize=4)
def _gallery(folder: Path, stamps: Any, limits: Limits, rules: Rules) -> Gallery:
    history = edits.read(folder)
    received = _extended(folder, _read(folder, stamps[0])[1], history.added, limits, rules)
    edited = edits.apply(received.dataset, history.done)
    places = {one.sample.path: place for place, one in enumerate(received.seen)}
    seen = [_with(received.seen[places[one.path]], one) for one in edited.samples]
    checked = checks.judge(edited, seen, rules)
    groups = _groups(checked, places)
    torn = _torn([one for one in seen if one.sample.path in groups])
    pictures = tuple(
        Picture(
            number=places[one.sample.path],
            sample=one.sample,
            label="" if one.sample.label is None else edited.labels[one.sample.label],
            mark=_mark(one, groups, torn),
            group=groups.get(one.sample.path, -1),
            problem=one.problem,
        )
        for one in seen
    )
    return Gallery(received, history, edited, checked, pictures)


def _extended(
    folder: Path, received: Received, paths: Iterable[str], limits: Limits, rules: Rules
) -> Received:
    """Return what was received with the pictures that were ever added."""
    new = [_added(folder, path, limits, rules) for path in paths]
    samples = (*received.dataset.samples, *(sample for sample, _ in new))
    return Received(
        received.dataset.with_samples(samples), (*received.seen, *(seen for _, seen in new))
    )


@lru_cache(maxsize=8192)
def _added(folder: Path, path: str, limits: Limits, rules: Rules) -> tuple[Sample, Seen]:
    sample = added.sample(folder, path)
    return sample, _look_at_added(folder, sample, limits, rules)


def _groups(checked: Dataset, places: dict[str, int]) -> dict[str, int]:
    """Return the group of each picture that is in: the number of the group's first, or -1."""
    first: dict[int, int] = {-1: -1}
    return {one.path: first.setdefault(one.group, places[one.path]) for one in checked.samples}


def _with(seen: Seen, sample: Sample) -> Seen:
    size = {"width": seen.sample.width, "height": seen.sample.height}
    return replace(seen, sample=replace(sample, **size))


def _mark(one: Seen, groups: dict[str, int], torn: set[str]) -> Mark:
    path = one.sample.path
    if one.problem:
        return "broken"
    if path not in groups:
        return "same"
    return "torn" if path in torn else "near" if groups[path] >= 0 else ""


def _torn(kept: list[Seen]) -> set[str]:
    """Return the pictures that are in although an equal one is: their labels differ."""
    groups = same_pixels([one.digest for one in kept])
    return {kept[place].sample.path for places in groups for place in places}


def _seen_json(one: Seen) -> dict[str, Any]:
    return {
        "width": one.sample.width,
        "height": one.sample.height,
        "kinds": sorted(one.kinds),
        "animated": one.animated,
        "digest": one.digest.hex(),
        "print": "" if one.fingerprint is None else one.fingerprint.tobytes().hex(),
        "problem": findings.to_json([one.problem] if one.problem else []),
    }


def _seen(sample: Sample, values: dict[str, Any]) -> Seen:
    print_ = bytes.fromhex(values["print"])
    return Seen(
        replace(sample, width=values["width"], height=values["height"]),
        problem=next(iter(findings.from_json(values["problem"])), None),
        kinds=frozenset(values["kinds"]),
        animated=values["animated"],
        digest=bytes.fromhex(values["digest"]),
        fingerprint=np.frombuffer(print_, np.uint64) if print_ else None,
    )
