"""Which pictures stand for all of them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..datasets.dataset import Sample


def stratified(samples: Sequence[Sample], count: int) -> list[Sample]:
    """Return at most `count` samples, as many of each class as there are, spread evenly."""
    classes: dict[int, list[Sample]] = {}
    for sample in samples:
        classes.setdefault(sample.label or 0, []).append(sample)
    each = -(-count // max(len(classes), 1))
    return [
        members[int(place)]
        for _, members in sorted(classes.items())
        for place in np.linspace(0, len(members) - 1, min(each, len(members))).round()
    ]
