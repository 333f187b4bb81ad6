"""Pictures for classification: one folder per class, packed in any of the ways people pack them.

cat/1.jpg dog/1.jpg                         as MaixHub asks for it
pets/cat/1.jpg pets/dog/1.jpg               the same inside a folder, or several
maixforge/pets/cat/1.jpg                    what the collect script leaves on the card
train/cat/1.jpg valid/cat/2.jpg             split by hand
train/1/1.jpg vaild/1/31.jpg                M5Stack V-Training's collector (its spelling)
cat/1.jpg dog/1.jpg valid/cat/9.jpg         a folder for validation beside the classes
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from ...errors import Finding, Severity
from ..dataset import Dataset, Sample, Split
from ..limits import LIMITS, Limits
from ..tree import is_picture, list_files, natural, shorten

SPLITS: dict[str, Split] = {
    "train": "train",
    "training": "train",
    "valid": "valid",
    "val": "valid",
    "vaild": "valid",
    "validation": "valid",
    "test": "test",
    "testing": "test",
}


@dataclass(slots=True)
class _Folder:
    """A folder with pictures somewhere below it."""

    pictures: list[str] = field(default_factory=list)
    children: dict[str, _Folder] = field(default_factory=dict)

    def all_pictures(self) -> list[str]:
        below = [path for child in self.children.values() for path in child.all_pictures()]
        return self.pictures + below


def load(folder: Path, limits: Limits = LIMITS) -> Dataset:
    """Return the class folders in `folder` as a data set; labels in natural order.

    Sub-folders of a class belong to the class. A folder called train, valid, ... is a split
    only if there are folders with pictures in it, so that a class may be called "train".

    Raises:
        UserError: see `formats.load`.
    """
    files, empty = list_files(folder, limits)
    pictures = [path for path in files if is_picture(path)]
    tree = _tree(pictures)
    base, stray = _find_base(tree)
    placed, more_stray, nested = _place(base)
    labels = tuple(sorted({label for label, _, _ in placed}, key=natural))
    index = {label: number for number, label in enumerate(labels)}
    samples = [
        Sample(path, label=index[label], split=split)
        for label, split, path in sorted(placed, key=lambda item: natural(item[2]))
    ]
    findings = [
        *_many("other_files", "note", [path for path in files if not is_picture(path)]),
        *_many("pictures_outside_classes", "warning", stray + more_stray),
        *_many("class_folders_nested", "warning", nested),
        *_many("class_folders_empty", "warning", empty),
        *_split_findings(labels, samples),
    ]
    return Dataset("classify", folder, labels, tuple(samples), tuple(findings))


def _tree(pictures: Iterable[str]) -> _Folder:
    top = _Folder()
    for path in pictures:
        here = top
        for part in path.split("/")[:-1]:
            here = here.children.setdefault(part, _Folder())
        here.pictures.append(path)
    return top


def _find_base(top: _Folder) -> tuple[_Folder, list[str]]:
    """Go down through root folders to the one that holds the classes (or the splits).

    A root folder is the only one at its level and has folders with pictures in it.
    """
    stray: list[str] = []
    here = top
    while len(here.children) == 1:
        name, child = next(iter(here.children.items()))
        if not child.children or name.lower() in SPLITS:
            break
        stray += here.pictures
        here = child
    return here, stray


def _place(base: _Folder) -> tuple[list[tuple[str, Split, str]], list[str], list[str]]:
    """Return (label, split, path) of each picture, the stray pictures, the nested classes."""
    placed: list[tuple[str, Split, str]] = []
    stray = list(base.pictures)
    nested: list[str] = []
    for name, child in base.children.items():
        split: Split = SPLITS.get(name.lower(), "") if child.children else ""
        classes = child.children if split else {name: child}
        stray += child.pictures if split else []
        for label, pictures in classes.items():
            placed.extend((label, split, path) for path in pictures.all_pictures())
            nested += [f"{name}/{label}" if split else name] if pictures.children else []
    return placed, stray, nested


def _many(code: str, severity: Severity, paths: list[str]) -> list[Finding]:
    """Return one finding for all `paths`, none if there are none."""
    if not paths:
        return []
    paths = sorted(paths, key=natural)
    params = {"count": len(paths), "names": shorten(paths)}
    return [Finding(code, paths[0], severity, params)]


def _split_findings(labels: tuple[str, ...], samples: list[Sample]) -> list[Finding]:
    if labels and all(label.lower() in SPLITS for label in labels):
        return [Finding("split_without_classes", labels[0], params={"names": shorten(labels)})]
    trained = {sample.label for sample in samples if sample.split in ("train", "")}
    missing = [label for index, label in enumerate(labels) if index not in trained]
    return _many("class_without_training", "error", missing)
