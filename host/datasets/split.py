"""Decide which pictures train and which validate: stratified, seeded, near duplicates together."""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import replace

from ..errors import Finding, Severity
from .dataset import Dataset, Sample, Split
from .tree import shorten

VALID_FEW = 5
"""With at least this many pictures of a class in its own `valid` folder, none are added.
M5Stack V-Training's collector writes five (numbers 31 to 35 of each class)."""

Group = list[int]
"""Positions of samples that stay together."""


def split(dataset: Dataset, fraction: float = 0.2, seed: int = 0) -> Dataset:
    """Return `dataset` with every sample's split set to train, valid or test.

    Of each class about `fraction` of what is not for testing goes to validation, whole groups
    only, at least one picture. Splits that the data set brings are kept, except that a group
    that lies on both sides goes to training as a whole (with a note), and that a class with
    fewer than `VALID_FEW` validation pictures gets more. The choice depends on the seed, the
    label and the order of the samples, so a further class changes nothing for the others.

    For detection a picture counts for the rarest of its labels, and pictures without boxes are
    a class of their own. Nothing is added to `VALID_FEW` validation pictures that the data set
    brings, of whatever labels; labels without a validation box are told.
    """
    splits: list[Split] = [sample.split for sample in dataset.samples]
    moved = _heal(dataset.samples, splits)
    empty: list[str] = []
    detects = dataset.task == "detect"
    chosen_already = detects and splits.count("valid") >= VALID_FEW
    for label, stratum in (_by_rarest_label if detects else _by_label)(dataset):
        places = [place for place in stratum if splits[place] != "test"]
        if not places or chosen_already:
            continue
        if not _choose(dataset.samples, splits, places, fraction, f"{seed}:{label}"):
            empty.append(label)
    if detects:
        empty = _unvalidated(dataset, splits)
    samples = [
        replace(sample, split=chosen or "train")
        for sample, chosen in zip(dataset.samples, splits, strict=True)
    ]
    weight: Severity = "warning" if detects else "error"  # other labels still have a score
    findings = _findings(moved, empty, _seen_tests(dataset.samples), weight)
    return dataset.with_samples(samples).with_findings(findings)


def _by_label(dataset: Dataset) -> Iterator[tuple[str, Group]]:
    for index, label in enumerate(dataset.labels or ("",)):
        yield label, [n for n, one in enumerate(dataset.samples) if (one.label or 0) == index]


def _by_rarest_label(dataset: Dataset) -> Iterator[tuple[str, Group]]:
    """Yield each label with the pictures whose rarest label it is; last those without boxes.

    Near duplicates count as one picture, so that a group lies in one stratum.
    """
    counts = Counter(box.label for sample in dataset.samples for box in sample.boxes)
    everything = list(range(len(dataset.samples)))
    found: defaultdict[int, Group] = defaultdict(list)
    for group in _groups(dataset.samples, everything):
        labels = {box.label for place in group for box in dataset.samples[place].boxes}
        rarest = min(labels, key=lambda label: (counts[label], label), default=-1)
        found[rarest] += group
    for index, label in enumerate((*dataset.labels, "")):
        places = found.get(index if label else -1, [])
        yield label, sorted(places)


def _unvalidated(dataset: Dataset, splits: Sequence[Split]) -> list[str]:
    """Return the labels of which validation has no box."""
    pairs = zip(dataset.samples, splits, strict=True)
    seen = {box.label for sample, chosen in pairs if chosen == "valid" for box in sample.boxes}
    return [label for index, label in enumerate(dataset.labels) if index not in seen]


def _heal(samples: Sequence[Sample], splits: list[Split]) -> list[str]:
    """Move validation pictures whose near duplicates train to the training side; name them."""
    trained = {
        sample.group
        for sample, chosen in zip(samples, splits, strict=True)
        if chosen in ("train", "") and sample.group >= 0
    }
    moved: list[str] = []
    for place, sample in enumerate(samples):
        if splits[place] == "valid" and sample.group in trained:
            splits[place] = "train"
            moved.append(sample.path)
    return moved


def _choose(
    samples: Sequence[Sample], splits: list[Split], places: Group, fraction: float, seed: str
) -> bool:
    """Mark the validation pictures of one class in `splits`; say whether there are any."""
    have = sum(splits[place] == "valid" for place in places)
    if have >= VALID_FEW:
        return True
    free = _groups(samples, [place for place in places if splits[place] != "valid"])
    random.Random(seed).shuffle(free)  # noqa: S311 - a reproducible choice, not a secret
    wanted = max(1, round(fraction * len(places)))
    for group in free[1:]:  # the first stays for training, however few there are
        if have + len(group) <= wanted:
            _validate(splits, group)
            have += len(group)
    if not have and len(free) > 1:
        _validate(splits, min(free, key=len))
        have = 1
    return have > 0


def _validate(splits: list[Split], group: Group) -> None:
    for place in group:
        splits[place] = "valid"


def _groups(samples: Sequence[Sample], places: Group) -> list[Group]:
    groups: defaultdict[object, Group] = defaultdict(list)
    for place in places:
        alone = samples[place].group < 0
        groups[("alone", place) if alone else samples[place].group].append(place)
    return list(groups.values())


def _seen_tests(samples: Sequence[Sample]) -> list[str]:
    """Return the test pictures that have near duplicates among the others."""
    others = {sample.group for sample in samples if sample.split != "test"} - {-1}
    return [s.path for s in samples if s.split == "test" and s.group in others]


def _findings(
    moved: list[str], empty: list[str], seen: list[str], weight: Severity
) -> list[Finding]:
    findings: list[Finding] = []
    for code, paths in (("validation_moved", moved), ("test_like_training", seen)):
        if paths:
            params = {"count": len(paths), "names": shorten(paths)}
            findings.append(Finding(code, paths[0], "warning", params))
    findings += [Finding("class_without_validation", label, weight) for label in empty]
    return findings
