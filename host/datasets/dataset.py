"""The data set that every other room works with. Immutable; it reads no file by itself."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from ..errors import Finding

Task = Literal["classify", "detect"]
Split = Literal["train", "valid", "test", ""]
"""Where a sample is used; "" means not decided yet."""


@dataclass(frozen=True, slots=True)
class Box:
    """One labelled box in pixels of the original picture: left, top inclusive; right, bottom
    exclusive; `label` is an index into `Dataset.labels`."""

    label: int
    left: float
    top: float
    right: float
    bottom: float


@dataclass(frozen=True, slots=True)
class Sample:
    """One picture. `path` is relative to `Dataset.root` with forward slashes.

    `width` and `height` are pixels as a viewer shows them (after EXIF rotation), 0 when not
    read yet. `label` is an index into `Dataset.labels` for classification, None for
    detection. `group` is equal for pictures that are duplicates or nearly so; a group is
    never split across train and validation.
    """

    path: str
    width: int = 0
    height: int = 0
    label: int | None = None
    boxes: tuple[Box, ...] = ()
    split: Split = ""
    group: int = -1


@dataclass(frozen=True, slots=True)
class Dataset:
    """A task, its ordered labels, its samples and what was found wrong while reading them."""

    task: Task
    root: Path
    labels: tuple[str, ...]
    samples: tuple[Sample, ...]
    findings: tuple[Finding, ...] = ()

    def counts(self) -> dict[str, int]:
        """Return pictures per label (classification) or boxes per label (detection)."""
        seen: Counter[int] = Counter()
        for sample in self.samples:
            if sample.label is not None:
                seen[sample.label] += 1
            seen.update(box.label for box in sample.boxes)
        return {label: seen[index] for index, label in enumerate(self.labels)}

    def of_split(self, split: Split) -> tuple[Sample, ...]:
        """Return the samples of one split, in order."""
        return tuple(sample for sample in self.samples if sample.split == split)

    def file(self, sample: Sample) -> Path:
        """Return where the picture of `sample` lies."""
        return self.root / sample.path

    def with_samples(self, samples: Sequence[Sample]) -> Dataset:
        """Return the same data set with other samples."""
        return replace(self, samples=tuple(samples))

    def with_findings(self, findings: Sequence[Finding]) -> Dataset:
        """Return the same data set with `findings` added to its own."""
        return replace(self, findings=self.findings + tuple(findings))

    def errors(self) -> tuple[Finding, ...]:
        """Return the findings that keep this data set from being trained."""
        return tuple(finding for finding in self.findings if finding.severity == "error")
