"""Every setting of a training that a person may change beside those of the form, as data.

Made from the fields of the trainers' data classes; what has a field of its own on the pages
(network, size, seed ...) is not among them.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, fields
from functools import cache
from typing import Any

from ..trainer import detect_options, options
from ..trainer.options import KINDS, MOST, PART, range_text
from .tasks import options_of

ELSEWHERE = ("size", "fit", "backbone", "seed", "stride", "augmentation")


@dataclass(frozen=True, slots=True)
class Knob:
    """One setting: its name, its value in each preset, its least and largest value."""

    name: str
    presets: dict[str, Any]
    least: float
    most: float

    @property
    def default(self) -> Any:
        """Its value in the preset `balanced`."""
        return self.presets["balanced"]

    @property
    def switch(self) -> bool:
        """Say whether it is on or off."""
        return isinstance(self.default, bool)

    @property
    def needed(self) -> str:
        """What its values may be."""
        return KINDS[bool] if self.switch else range_text(self.least, self.most)

    @property
    def kind(self) -> str:
        """What its values are; a text of ours."""
        return KINDS[type(self.default)]

    def parse(self, text: Any) -> Any:
        """Return the value of a text such as "12", "0.5" or "true", or of a number.

        Raises:
            ValueError: it is none of this setting's.
        """
        value = json.loads(text.strip().lower()) if isinstance(text, str) else text
        if self.switch is not isinstance(value, bool):
            raise ValueError(self.name)
        if self.switch:
            return value
        kinds = (int, float) if isinstance(self.default, float) else int
        if not isinstance(value, kinds) or not self.least <= value <= self.most:
            raise ValueError(self.name)
        return value


@cache
def knobs(task: str) -> tuple[Knob, ...]:
    """Return the settings of a task: first those of the course, then those of the views."""
    module: Any = detect_options if task == "detect" else options
    presets = {name: options_of(task, name, {}) for name in module.PRESETS}
    return tuple(_found(presets, module.RANGES, (0, MOST))) + tuple(
        _found({name: one.augmentation for name, one in presets.items()}, module.KNOB_RANGES, PART)
    )


def _found(
    presets: dict[str, Any], ranges: dict[str, tuple[float, float]], usual: tuple[float, float]
) -> Iterator[Knob]:
    for each in fields(presets["balanced"]):
        if each.name not in ELSEWHERE:
            values = {name: getattr(one, each.name) for name, one in presets.items()}
            yield Knob(each.name, values, *ranges.get(each.name, usual))
