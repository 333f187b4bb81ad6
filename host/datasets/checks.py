"""Check a data set: labels, counts, every picture, duplicates. One pass over the pictures.

What is an error and what a warning: a lost picture (empty, cut off, damaged, tiny) is dropped
with a warning, since nobody can mend it; one that is probably good but that we cannot take
(another format, too many pixels, another file under its name) is an error, so that the user
decides. Counts are taken after unusable pictures are gone.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import IO

from ..errors import Finding, Severity, UserError
from . import box_checks
from .dataset import Dataset, Sample, Task
from .duplicates import Fingerprint, digest, fingerprint, group_near, same_pixels
from .labels import check_labels
from .limits import LIMITS, RULES, Limits, Progress, Rules
from .pictures import decode, quiet_decoders
from .tree import shorten

_THREADS = 2
_DECODED_SIDE = 256
"""Large JPEGs are decoded no smaller than this: enough for every check below."""

_ERRORS = frozenset({"picture_format", "picture_too_large", "picture_not_a_picture"})


@dataclass(frozen=True, slots=True)
class Seen:
    """A sample after its picture was decoded, or with the `problem` that it has.

    It depends on the picture alone, not on its label or its boxes.
    """

    sample: Sample
    problem: Finding | None = None
    kinds: frozenset[str] = frozenset()
    animated: bool = False
    digest: bytes = b""
    fingerprint: Fingerprint | None = None


def check(
    dataset: Dataset,
    rules: Rules = RULES,
    progress: Progress | None = None,
    limits: Limits = LIMITS,
) -> Dataset:
    """Return `dataset` with all its findings, its sizes and groups, without unusable pictures.

    Width, height and group of each sample are filled in; of pictures that are the same within
    a class one is kept. Errors come first among the findings. `progress` counts pictures.

    Raises:
        UserError: `pictures_too_many_pixels`, to bound the time that a hostile set takes.
    """
    return judge(dataset, look(dataset, rules, progress, limits), rules)


def look(
    dataset: Dataset,
    rules: Rules = RULES,
    progress: Progress | None = None,
    limits: Limits = LIMITS,
) -> list[Seen]:
    """Decode every picture of `dataset`: the slow part of `check`, in the order of the samples.

    Raises:
        UserError: as `check`.
    """
    return list(_look_at_all(dataset, rules, limits, progress))


def judge(dataset: Dataset, seen: Sequence[Seen], rules: Rules = RULES) -> Dataset:
    """Return what `check` returns, from pictures that were looked at already.

    `seen` has one entry a sample of `dataset`, in its order, with that sample in it (its width and
    height filled in).
    """
    if not dataset.samples:
        code = "no_labelled_pictures" if dataset.task == "detect" else "no_pictures"
        return _sorted(dataset, [Finding(code), *dataset.findings])
    usable = [one for one in seen if one.problem is None]
    findings = _grouped(one.problem for one in seen if one.problem)
    findings += _conversions(usable)
    kept, same = _drop_same(usable, dataset.task)
    samples, alike = _group(kept, dataset)
    checked, counts = dataset.with_samples(samples), []
    if dataset.task == "detect":
        checked, counts = box_checks.check_boxes(checked, rules)
    else:
        counts = _check_counts(checked, rules)
    labels = check_labels(checked.labels, rules)
    return _sorted(checked, [*dataset.findings, *counts, *labels, *findings, *same, *alike])


def _sorted(dataset: Dataset, findings: Iterable[Finding]) -> Dataset:
    weights = {"error": 0, "warning": 1, "note": 2}
    ordered = sorted(findings, key=lambda finding: weights[finding.severity])
    return replace(dataset, findings=tuple(ordered))


def _look_at_all(
    dataset: Dataset, rules: Rules, limits: Limits, progress: Progress | None
) -> Iterator[Seen]:
    see = partial(_see, dataset, rules, limits)
    pixels = 0
    with quiet_decoders(), ThreadPoolExecutor(_THREADS) as pool:
        try:
            for done, one in enumerate(pool.map(see, dataset.samples), start=1):
                pixels += one.sample.width * one.sample.height
                require_pixels(pixels, limits)
                if progress:
                    progress(done, len(dataset.samples))
                yield one
        finally:
            pool.shutdown(cancel_futures=True)


def require_pixels(pixels: int, limits: Limits) -> None:
    """Do nothing unless the pictures of a data set together have too many pixels.

    Raises:
        UserError: `pictures_too_many_pixels`.
    """
    if pixels > limits.total_pixels:
        raise UserError("pictures_too_many_pixels", needed=limits.total_pixels // 1_000_000)


def _see(dataset: Dataset, rules: Rules, limits: Limits, sample: Sample) -> Seen:
    return look_at(dataset.file(sample), sample, rules, limits)


def look_at(source: Path | IO[bytes], sample: Sample, rules: Rules, limits: Limits) -> Seen:
    """Decode one picture (a path or an open file) that is or will be the one of `sample`."""
    try:
        picture = decode(source, sample.path, limits.pixels, _DECODED_SIDE)
    except UserError as error:
        return Seen(sample, error.findings[0])
    size = f"{picture.width}x{picture.height}"
    if min(picture.width, picture.height) < rules.side_min:
        params = {"count": 1, "found": f"{sample.path} {size}", "needed": rules.side_min}
        return Seen(sample, Finding("picture_too_small", sample.path, params=params))
    if sample.width and (sample.width, sample.height) != (picture.width, picture.height):
        params = {"count": 1, "found": f"{sample.path} {size}"}  # its head and its pixels disagree
        return Seen(sample, Finding("picture_unreadable", sample.path, params=params))
    return Seen(
        replace(sample, width=picture.width, height=picture.height),
        kinds=picture.kinds,
        animated=picture.animated,
        digest=digest(picture.image),
        fingerprint=fingerprint(picture.image),
    )


def _grouped(problems: Iterable[Finding]) -> list[Finding]:
    """Return one finding per code, which counts its pictures and names the first of them."""
    by_code: defaultdict[str, list[Finding]] = defaultdict(list)
    for problem in problems:
        by_code[problem.code].append(problem)
    return [_merge(code, found) for code, found in sorted(by_code.items())]


def _merge(code: str, found: list[Finding]) -> Finding:
    severity: Severity = "error" if code in _ERRORS else "warning"
    names = shorten(str(finding.params["found"]) for finding in found)
    params = {**found[0].params, "count": len(found), "found": names}
    return Finding(code, found[0].path, severity, params)


def _conversions(usable: Sequence[Seen]) -> list[Finding]:
    animated = [one.sample.path for one in usable if one.animated]
    findings = []
    if animated:
        params = {"count": len(animated), "names": shorten(animated)}
        findings.append(Finding("pictures_animated", animated[0], "warning", params))
    for kind in ("CMYK", "16-bit", "palette", "alpha", "EXIF"):
        paths = [one.sample.path for one in usable if kind in one.kinds]
        if paths:
            code = "pictures_rotated" if kind == "EXIF" else "pictures_converted"
            params = {"count": len(paths), "names": shorten(paths), "kind": kind}
            findings.append(Finding(code, paths[0], "note", params))
    return findings


def _drop_same(usable: Sequence[Seen], task: Task) -> tuple[list[Seen], list[Finding]]:
    """Keep one of equal pictures in a class (rather one to train with); name the others.

    Equal pictures in two classes all stay: only the user knows which class is right. For
    detection "in a class" means: with the same boxes.
    """
    order = sorted(usable, key=lambda one: one.sample.split in ("valid", "test"))
    dropped: list[tuple[str, str]] = []
    torn: list[tuple[str, str]] = []
    for places in same_pixels([one.digest for one in order]):
        first: dict[object, str] = {}
        for sample in (order[place].sample for place in places):
            meaning = sample.label, box_checks.outline(sample)
            if meaning in first:
                dropped.append((sample.path, first[meaning]))
            else:
                torn += [(other, sample.path) for other in list(first.values())[:1]]
                first[meaning] = sample.path
    gone = {path for path, _ in dropped}
    kept = [one for one in usable if one.sample.path not in gone]
    found = _pairs("duplicates_dropped", "warning", dropped)
    if task == "detect":  # both stay, on one side of the split, as near duplicates do
        return kept, _pairs("picture_with_other_boxes", "warning", torn) + found
    return kept, _pairs("picture_in_two_classes", "error", torn) + found


def _pairs(code: str, severity: Severity, pairs: list[tuple[str, str]]) -> list[Finding]:
    if not pairs:
        return []
    names = shorten(f"{one} = {other}" for one, other in pairs)
    return [Finding(code, pairs[0][0], severity, {"count": len(pairs), "names": names})]


def _group(kept: Sequence[Seen], dataset: Dataset) -> tuple[list[Sample], list[Finding]]:
    """Give each set of near duplicates within a class a number; the others keep -1.

    For detection all pictures are one class.
    """
    detects = dataset.task == "detect"
    samples = [one.sample for one in kept]
    findings: list[Finding] = []
    offset = 0
    grouped = 0
    for index, label in enumerate([""] if detects else dataset.labels):
        places = [n for n, sample in enumerate(samples) if detects or sample.label == index]
        groups, giant = group_near([p for i in places if (p := kept[i].fingerprint) is not None])
        sizes = Counter(groups)
        for place, group in zip(places, groups, strict=True):
            if sizes[group] > 1:
                samples[place] = replace(samples[place], group=offset + group)
                grouped += 1
        offset += len(places)
        if giant:
            params = {"found": giant, "count": len(places)}
            code = "pictures_too_alike" if detects else "class_too_alike"
            findings.append(Finding(code, label, "warning", params))
    if grouped:
        number = len({sample.group for sample in samples} - {-1})
        first = next(sample.path for sample in samples if sample.group >= 0)
        params = {"count": grouped, "groups": number}
        findings.append(Finding("near_duplicates", first, "note", params))
    return samples, findings


def _check_counts(dataset: Dataset, rules: Rules) -> list[Finding]:
    number = len(dataset.labels)
    names = shorten(dataset.labels, rules.classes_max)
    params = {"found": number, "names": names}
    if number > rules.classes_max:  # a wrong layout: counts of each would only be noise
        return [Finding("classes_too_many", params=params | {"needed": rules.classes_max})]
    findings: list[Finding] = []
    if number < rules.classes_min:
        findings.append(Finding("classes_too_few", params=params | {"needed": rules.classes_min}))
    elif number < rules.classes_advised:
        params |= {"needed": rules.classes_advised}
        findings.append(Finding("classes_few", severity="warning", params=params))
    learned = [sample for sample in dataset.samples if sample.split != "test"]
    for label, count in dataset.with_samples(learned).counts().items():
        if count < rules.images_min:
            params = {"found": count, "needed": rules.images_min}
            findings.append(Finding("class_too_small", label, params=params))
        elif count > rules.images_max:
            params = {"found": count, "needed": rules.images_max}
            findings.append(Finding("class_too_large", label, params=params))
    return findings
