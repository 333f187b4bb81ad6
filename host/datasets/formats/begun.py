"""A data set that is begun without pictures: one file names its task and its labels.

Pictures come later, from a webcam or a form. The file is ours, and a layout of its own, so that
such a data set is received, checked, taken along and trained as any other.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import get_args

from ...files import zip_bytes
from ..dataset import Dataset, Task
from .listing import Listing, Unreadable

FILE = "maixforge-begun.json"


def archive(task: Task, labels: Sequence[str]) -> bytes:
    """Return the zip of a data set that has no pictures yet."""
    text = json.dumps({"task": task, "labels": list(labels)})
    return zip_bytes({FILE: text.encode()})


def is_begun(dataset: Dataset) -> bool:
    """Say whether what `formats.load` returned has no pictures because it is only begun."""
    return not dataset.samples and (dataset.root / FILE).is_file()


def load(listing: Listing) -> Dataset | None:
    """Return the data set that is begun in a folder; None where there are other files, too."""
    if listing.files != [FILE]:
        return None
    try:
        found = listing.json(FILE, b'"task"')
        task, labels = found["task"], found["labels"]
    except (Unreadable, TypeError, KeyError):
        return None
    names = isinstance(labels, list) and all(isinstance(one, str) for one in labels)
    if task not in get_args(Task) or not names or len(labels) > listing.limits.labels:
        return None
    return Dataset(task, listing.folder, tuple(dict.fromkeys(labels)), ())
