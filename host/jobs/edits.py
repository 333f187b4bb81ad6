"""What the user changed in a job's data: a journal of edits, applied over what was received.

The received data set is never changed. `edits.jsonl` in the job's folder has one JSON object a
line, each fsynced before anybody hears of it; a line that a power cut left open counts for
nothing. "undo" and "redo" are lines like the others, so the journal only ever grows.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Lock
from typing import Any, Literal

from ..datasets.dataset import Box, Dataset, Sample
from ..datasets.formats.gather import SIDE_MIN
from ..datasets.labels import check_labels, printable
from ..datasets.limits import RULES
from ..errors import UserError
from ..files import sync_folder
from .added import extend, is_added

NAME = "edits.jsonl"
JOURNAL_BYTES = 16 * 1024 * 1024
"""A journal of this size takes no more edits; moving one picture takes about 60 bytes."""
BOXES = 500
"""Most boxes of one picture."""
BOX = ("label", "left", "top", "right", "bottom")
KINDS = ("move", "delete", "boxes", "rename", "add")
_TASKS = {"move": ("classify",), "boxes": ("detect",)}
"""Kinds of edits that only one task has."""

_writing = Lock()


@dataclass(frozen=True, slots=True)
class Edit:
    """One change, of `kind`:

    - move: `pictures` (paths) get the class `label`, a new one perhaps;
    - delete: `pictures` are left out;
    - boxes: the only one of `pictures` has `boxes` and no others, in pixels of the picture as a
      viewer shows it, each with the name of its label; none makes it a negative;
    - rename: `label` is called `to`; where `to` exists already the two become one;
    - add: `pictures` (see `added`) come into the data set, of a classifier with the class
      `label`, a new one perhaps, of a detector without boxes yet.
    """

    kind: Literal["move", "delete", "boxes", "rename", "add"]
    pictures: tuple[str, ...] = ()
    label: str = ""
    to: str = ""
    boxes: tuple[tuple[str, float, float, float, float], ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """Return the edit as the journal has it, without what is empty."""
        given = {"pictures": list(self.pictures), "label": self.label, "to": self.to}
        kept = {key: value for key, value in given.items() if value}
        listed = [dict(zip(BOX, box, strict=True)) for box in self.boxes]
        boxes = {"boxes": listed} if self.kind == "boxes" else {}
        return {"edit": self.kind, **kept, **boxes}


Step = Edit | Literal["undo", "redo"]


@dataclass(frozen=True, slots=True)
class History:
    """The edits in force, in order, and those that can be done again, the next one last.

    `added` are the pictures that were ever added, in order, also where that was undone: pictures
    have their numbers by their place for ever.
    """

    done: tuple[Edit, ...] = ()
    undone: tuple[Edit, ...] = ()
    added: tuple[str, ...] = ()

    def after(self, step: Step) -> History:
        """Return the history one step later.

        Raises:
            UserError: `edit_nothing` when there is nothing to undo or redo.
        """
        return _history((step,), self)


def _history(steps: Iterable[Step], before: History) -> History:
    done, undone, added = [*before.done], [*before.undone], dict.fromkeys(before.added)
    for step in steps:
        if isinstance(step, Edit):
            done.append(step)
            undone.clear()
            added |= dict.fromkeys(step.pictures if step.kind == "add" else ())
            continue
        source, target = (done, undone) if step == "undo" else (undone, done)
        if not source:
            raise UserError("edit_nothing", step)
        target.append(source.pop())
    return History(tuple(done), tuple(undone), tuple(added))


def parse(value: Any) -> Step:
    """Return the step that a JSON value describes.

    Raises:
        UserError: `edit_unreadable`.
    """
    try:
        return _parse(value)
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise UserError("edit_unreadable", reason=printable(str(error))[:200]) from error


def _parse(value: Any) -> Step:
    kind = value["edit"]
    if kind in ("undo", "redo") and len(value) == 1:
        return kind
    if kind not in KINDS:
        raise ValueError("edit: move, delete, boxes, rename, undo, redo")
    wanted = {
        "move": {"pictures", "label"},
        "delete": {"pictures"},
        "boxes": {"pictures", "boxes"},
        "rename": {"label", "to"},
        "add": {"pictures"} | ({"label"} & set(value)),
    }[kind]
    if set(value) != {"edit", *wanted}:
        raise ValueError(f"{kind}: {', '.join(sorted(wanted))}")
    label, to = (_text(value[key]) if key in wanted else "" for key in ("label", "to"))
    pictures = tuple(_text(one) for one in _list(value.get("pictures", [])))
    if "pictures" in wanted and len(set(pictures)) != max(len(pictures), 1):
        raise ValueError("pictures: one or more, each once")
    if kind == "boxes" and len(pictures) != 1:
        raise ValueError("boxes: of one picture")
    if kind == "add" and not all(map(is_added, pictures)):
        raise ValueError("add: pictures in added/")
    boxes = tuple(_box(one) for one in _list(value.get("boxes", [])))
    if len(boxes) > BOXES:
        raise ValueError(f"boxes: at most {BOXES}")
    return Edit(kind, pictures, label, to, boxes)


def _list(value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise TypeError("not a list")
    return value


def _text(value: Any) -> str:
    if not isinstance(value, str) or not value:
        raise TypeError("not a text")
    return value


def _box(value: Any) -> tuple[str, float, float, float, float]:
    if set(value) != set(BOX):
        raise ValueError(f"box: {', '.join(BOX)}")
    edges = [value[key] for key in BOX[1:]]
    if any(isinstance(one, bool | str) for one in edges):
        raise TypeError("box: an edge is no number")
    left, top, right, bottom = (round(float(one), 2) for one in edges)
    return _text(value["label"]), left, top, right, bottom


def read(folder: Path) -> History:
    """Return the history of the job in `folder`; an open last line is passed over.

    Raises:
        UserError: `edits_unreadable`, with the number of the line.
    """
    return history_of(journal(folder))


def journal(folder: Path) -> bytes:
    """Return the journal of the job in `folder` as it is now."""
    path = folder / NAME
    return path.read_bytes() if path.exists() else b""


def history_of(journal: bytes) -> History:
    """Return the history that a journal tells; see `read`."""
    lines, number = journal[: journal.rfind(b"\n") + 1].splitlines(), 0

    def steps() -> Iterator[Step]:
        nonlocal number
        for number, line in enumerate(lines, start=1):  # noqa: B007 - the error tells it
            yield parse(json.loads(line))

    try:
        return _history(steps(), History())
    except (ValueError, UserError) as error:
        raise UserError("edits_unreadable", NAME, line=number) from error


def add(folder: Path, dataset: Dataset, step: Step) -> History:
    """Append a step to the journal of `folder`; when this returns it is on the disk.

    `dataset` is the one that was received.

    Raises:
        UserError: `edit_nothing`, `edits_full`, `edits_unreadable`, what `apply` finds, or what is
            wrong with a new label. Nothing is written then.
    """
    with _writing:
        before = read(folder)
        after = before.after(step)
        if isinstance(step, Edit):
            _check_label(edited(dataset, folder, after), step)
        _append(folder / NAME, {"edit": step} if isinstance(step, str) else step.as_dict())
    return after


def _check_label(edited: Dataset, edit: Edit) -> None:
    """Refuse names of labels that the board could not write; others are none of this edit."""
    named = {edit.to or edit.label, *(box[0] for box in edit.boxes)} - {""}
    wrong = [one for label in sorted(named) for one in check_labels((label,), RULES)]
    twice = [one for one in check_labels(edited.labels, RULES) if one.code == "label_twice"]
    if wrong or twice:
        raise UserError.of([*wrong, *twice])


def _append(path: Path, value: Mapping[str, Any]) -> None:
    line = json.dumps(value, allow_nan=False).encode() + b"\n"
    is_new = not path.exists()
    with path.open("ab+") as file:
        file.seek(0)
        whole = file.read().rfind(b"\n") + 1
        if whole + len(line) > JOURNAL_BYTES:
            raise UserError("edits_full", NAME, needed=JOURNAL_BYTES // 1024**2)
        file.truncate(whole)  # what a power cut left open
        try:
            file.write(line)
            file.flush()
            os.fsync(file.fileno())
        except OSError:
            os.truncate(path, whole)
            raise
    if is_new:
        sync_folder(path.parent)


def edited(dataset: Dataset, folder: Path, history: History) -> Dataset:
    """Return the received data set of the job in `folder` as its history makes it.

    Raises:
        UserError: as `apply`.
    """
    return apply(extend(dataset, folder, history.added), history.done)


def apply(dataset: Dataset, edits: Iterable[Edit]) -> Dataset:
    """Return `dataset` with `edits`; labels that they left without any use are gone.

    Of added pictures those are in that an edit adds.

    Raises:
        UserError: `picture_missing` or `edit_label_unknown` for one that is not (or no longer)
            in the data set, `edit_box_outside`, `edit_unfit` for one of another task.
    """
    desk = _Desk(dataset)
    for edit in edits:
        labelled = dataset.task == "classify"
        unfit = edit.kind == "add" and bool(edit.label) != labelled
        if unfit or dataset.task not in _TASKS.get(edit.kind, (dataset.task,)):
            raise UserError("edit_unfit", edit.kind, task=dataset.task)
        getattr(desk, edit.kind)(edit)
    return desk.dataset()


class _Desk:
    """A data set while it is edited: labels keep their places until the end."""

    def __init__(self, dataset: Dataset) -> None:
        self._received = dataset
        self._labels = list(dataset.labels)
        self._known = {sample.path: sample for sample in dataset.samples}
        self._samples = {path: one for path, one in self._known.items() if not is_added(path)}
        self._unused = set(range(len(self._labels))) - _used(dataset.samples)

    def move(self, edit: Edit) -> None:
        place = self._place(edit.label)
        for path in edit.pictures:
            self._samples[path] = replace(self._sample(path), label=place)

    def add(self, edit: Edit) -> None:
        place = self._place(edit.label) if edit.label else None
        for path in edit.pictures:
            if path not in self._known:
                raise UserError("picture_missing", printable(path))
            self._samples[path] = replace(self._known[path], label=place)

    def delete(self, edit: Edit) -> None:
        for path in edit.pictures:
            del self._samples[self._sample(path).path]

    def boxes(self, edit: Edit) -> None:
        sample = self._sample(edit.pictures[0])
        for box in edit.boxes:
            _require_inside(sample, box)
        # Two equal boxes are one, as in label files.
        boxes = dict.fromkeys(Box(self._place(label), *edges) for label, *edges in edit.boxes)
        self._samples[sample.path] = replace(sample, boxes=tuple(boxes))

    def rename(self, edit: Edit) -> None:
        if edit.label not in self._labels:
            raise UserError("edit_label_unknown", printable(edit.label))
        old = self._labels.index(edit.label)
        if edit.to not in self._labels:
            self._labels[old] = edit.to
        elif edit.to != edit.label:
            new = self._labels.index(edit.to)
            self._unused -= {old}
            self._samples = {
                path: _relabelled(sample, {old: new}) for path, sample in self._samples.items()
            }

    def dataset(self) -> Dataset:
        """Return the data set with its labels counted anew."""
        wanted = _used(self._samples.values()) | self._unused
        kept = [place for place in range(len(self._labels)) if place in wanted]
        new = {place: number for number, place in enumerate(kept)}
        return replace(
            self._received,
            labels=tuple(self._labels[place] for place in kept),
            samples=tuple(_relabelled(one, new) for one in self._samples.values()),
        )

    def _place(self, label: str) -> int:
        if label not in self._labels:
            self._labels.append(label)
        return self._labels.index(label)

    def _sample(self, path: str) -> Sample:
        if path not in self._samples:
            raise UserError("picture_missing", printable(path))
        return self._samples[path]


def _require_inside(sample: Sample, box: Sequence[Any]) -> None:
    label, left, top, right, bottom = box
    edges = (left, top, right, bottom)
    inside = min(edges) >= 0 and right <= sample.width and bottom <= sample.height
    large = right - left >= SIDE_MIN and bottom - top >= SIDE_MIN
    if not (all(map(math.isfinite, edges)) and inside and large):
        found = f"{printable(label)} {','.join(f'{edge:g}' for edge in edges)}"
        size = f"{sample.width}x{sample.height}"
        raise UserError("edit_box_outside", sample.path, found=found, size=size)


def _used(samples: Iterable[Sample]) -> set[int]:
    pairs = ((sample.label, [box.label for box in sample.boxes]) for sample in samples)
    return {place for one, boxes in pairs for place in (one, *boxes) if place is not None}


def _relabelled(sample: Sample, new: Mapping[int, int]) -> Sample:
    """Return `sample` with the labels in `new` changed."""
    label = sample.label if sample.label is None else new.get(sample.label, sample.label)
    boxes = dict.fromkeys(replace(box, label=new.get(box.label, box.label)) for box in sample.boxes)
    return replace(sample, label=label, boxes=tuple(boxes))
