"""The first steps of a job: data arrives, is checked, and is split; held-back data beside it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from ..datasets import checks, formats, intake
from ..datasets.dataset import Dataset
from ..datasets.limits import Limits, Rules
from ..datasets.split import split
from ..errors import Finding, UserError
from ..files import atomic_write
from . import edits
from .progress import Progress
from .spec import JobSpec

TEST_DATA = "test"
FINDINGS = "findings.json"
VALIDATION = 0.2
FEW = Rules(classes_min=1, images_min=1, images_max=10**9, boxes_min=1, boxes_advised=1)
"""Held-back data need not be large enough to train on."""


def look(
    source: Path,
    into: Path,
    limits: Limits,
    rules: Rules,
    progress: Progress | None = None,
    history: edits.History | None = None,
) -> Dataset:
    """Receive a zip (unpacked to `into/data`) or a folder, and check every picture.

    The data set is checked as its `history` makes it, as it will be trained on; pictures that were
    added lie in `into`.

    What is wrong with the data is in the findings of the data set.

    Raises:
        UserError: there is no data set to look at (a damaged or dangerous zip, no pictures).
    """
    root = intake.receive(source, into, limits)
    if progress:
        progress.begin("check")

    def tell(done: int, total: int) -> None:
        if progress:
            progress.tell(done / max(total, 1), "check")

    received = formats.load(root, limits, into)
    wanted = edits.edited(received, into, history) if history else received
    return checks.check(wanted, rules, tell, limits)


def usable(dataset: Dataset) -> Dataset:
    """Return a data set that is good enough to train.

    Raises:
        UserError: with every finding, errors first, when it is not.
    """
    if dataset.errors():
        raise UserError.of(sorted(dataset.findings, key=lambda one: one.severity))
    return dataset


def receive(folder: Path, spec: JobSpec, progress: Progress) -> tuple[Dataset, Dataset | None]:
    """Return the split data set of a job and, if there is one, the held-back one.

    The job's edits (see `edits`) are made to the first, none to the second.

    Raises:
        UserError: as `look`, `usable`, `edits.read` and `edits.apply`, and `test_label_unknown`,
            `test_task_wrong`.
    """
    progress.begin("receive")
    limits, rules = Limits(**spec.limits), Rules(**spec.rules)
    history = edits.read(folder)
    looked = look(folder / spec.source, folder, limits, rules, progress, history)
    dataset = split(usable(looked), VALIDATION, spec.seed)
    test = None
    if spec.test:
        held_back = look(folder / spec.test, folder / TEST_DATA, limits, FEW)
        test = _aligned(usable(held_back), dataset)
    _write_findings(folder, dataset.findings)
    return dataset, test


def _aligned(test: Dataset, dataset: Dataset) -> Dataset:
    """Return the held-back data with the labels of the training data."""
    if test.task != dataset.task:
        raise UserError("test_task_wrong", test.root.name, task=test.task, needed=dataset.task)
    places = {label.lower(): index for index, label in enumerate(dataset.labels)}
    unknown = [label for label in test.labels if label.lower() not in places]
    if unknown:
        raise UserError("test_label_unknown", unknown[0], needed=", ".join(dataset.labels))
    new = [places[label.lower()] for label in test.labels]
    samples = [
        replace(
            one,
            label=None if one.label is None else new[one.label],
            boxes=tuple(replace(box, label=new[box.label]) for box in one.boxes),
        )
        for one in test.samples
    ]
    return replace(test, labels=dataset.labels, samples=tuple(samples), findings=())


def _write_findings(folder: Path, findings: Sequence[Finding]) -> None:
    text = json.dumps([one.as_dict() for one in findings], indent=1, ensure_ascii=False)
    atomic_write(folder / FINDINGS, text.encode())
