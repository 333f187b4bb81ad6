"""The options of a training by its task; nothing here loads a trainer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..trainer.detect_options import detect_options_for
from ..trainer.options import options_for


def options_of(task: str, preset: str, choices: Mapping[str, Any]) -> Any:
    """Return the options of a preset with some changed, of a classifier or ("detect") a detector.

    Raises:
        UserError: what is wrong with one, or with all of them together.
    """
    choose = detect_options_for if task == "detect" else options_for
    return choose(preset, **choices)
