"""A data set as JSON: what the check has found out need not be found out again."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

from ..datasets.dataset import Box, Dataset, Sample
from . import findings


def to_json(dataset: Dataset, folder: Path) -> dict[str, Any]:
    """Return JSON values; a root inside of the job's `folder` is noted relative to it."""
    return {
        "task": dataset.task,
        "root": place_of(dataset.root, folder),
        "labels": list(dataset.labels),
        "samples": [asdict(sample) for sample in dataset.samples],
        "findings": findings.to_json(dataset.findings),
    }


def place_of(root: Path, folder: Path) -> str:
    """Return a root as it is noted: inside of `folder` relative to it, so that this can move."""
    return root.relative_to(folder).as_posix() if root.is_relative_to(folder) else str(root)


def from_json(values: dict[str, Any], folder: Path) -> Dataset:
    """Read what `to_json` returned."""
    samples = (
        Sample(**{**one, "boxes": tuple(Box(**box) for box in one["boxes"])})
        for one in values["samples"]
    )
    return Dataset(
        values["task"],
        folder / values["root"],
        tuple(values["labels"]),
        tuple(samples),
        tuple(findings.from_json(values["findings"])),
    )
