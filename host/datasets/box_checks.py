"""What makes boxes trainable: labels that have some, enough of each."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import replace

from ..errors import Finding
from .dataset import Dataset, Sample
from .limits import Rules
from .tree import shorten


def outline(sample: Sample) -> Hashable:
    """Return what two pictures with the same boxes share: labels and edges in whole pixels."""
    return frozenset(
        (box.label, *map(round, (box.left, box.top, box.right, box.bottom))) for box in sample.boxes
    )


def check_boxes(dataset: Dataset, rules: Rules) -> tuple[Dataset, list[Finding]]:
    """Return `dataset` without labels that have no box, and what is wrong with its counts.

    Boxes for testing are none to learn from and do not count.
    """
    counts = dataset.counts()
    unused = [label for label, count in counts.items() if not count]
    if len(unused) == len(counts):
        return dataset, [Finding("boxes_none")]
    findings: list[Finding] = []
    if unused:
        params = {"count": len(unused), "names": shorten(unused)}
        findings.append(Finding("labels_without_boxes", unused[0], "warning", params))
        dataset = _without(dataset, unused)
    number = len(dataset.labels)
    if number > rules.classes_max:  # counts of each would only be noise
        names = shorten(dataset.labels, rules.classes_max)
        params = {"found": number, "names": names, "needed": rules.classes_max}
        return dataset, [*findings, Finding("labels_many", params=params)]
    learned = [sample for sample in dataset.samples if sample.split != "test"]
    for label, count in dataset.with_samples(learned).counts().items():
        findings += _judge(label, count, rules)
    return dataset, findings


def _judge(label: str, count: int, rules: Rules) -> list[Finding]:
    params = {"found": count, "needed": rules.boxes_min}
    if count < rules.boxes_min:
        return [Finding("boxes_too_few", label, params=params)]
    if count < rules.boxes_advised:
        params["needed"] = rules.boxes_advised
        return [Finding("boxes_few", label, "warning", params)]
    if count > rules.boxes_max:
        params["needed"] = rules.boxes_max
        return [Finding("boxes_many", label, "warning", params)]
    return []


def _without(dataset: Dataset, unused: list[str]) -> Dataset:
    labels = [label for label in dataset.labels if label not in unused]
    places = {
        index: labels.index(label) for index, label in enumerate(dataset.labels) if label in labels
    }
    samples = [
        replace(sample, boxes=tuple(replace(box, label=places[box.label]) for box in sample.boxes))
        for sample in dataset.samples
    ]
    return replace(dataset, labels=tuple(labels), samples=tuple(samples))
