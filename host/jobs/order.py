"""An order from a terminal: its output folder and its training knobs."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ..errors import UserError
from ..files import atomic_write
from .child import SPEC
from .spec import JobSpec


def output_folder(folder: Path, spec: JobSpec) -> Path:
    """Make the folder and note the order in it; a later run in it goes on where this one ends.

    Raises:
        UserError: `output_folder_used`: it holds files that are not ours.
    """
    if folder.exists() and (
        not folder.is_dir() or (any(folder.iterdir()) and not (folder / SPEC).exists())
    ):
        raise UserError("output_folder_used", str(folder))
    folder.mkdir(parents=True, exist_ok=True)
    atomic_write(folder / SPEC, spec.to_json().encode())
    return folder.resolve()


def parse_overrides(pairs: Iterable[str]) -> dict[str, Any]:
    """Return the knobs of texts such as "tune_epochs=12" or "flip_horizontal=true".

    Raises:
        UserError: `train_option_invalid`.
    """
    knobs: dict[str, Any] = {}
    for pair in pairs:
        name, equals, text = pair.partition("=")
        if not equals:
            raise UserError("train_option_invalid", name, value="-", needed="NAME=VALUE")
        try:
            knobs[name.strip()] = json.loads(text)
        except ValueError:
            knobs[name.strip()] = text.strip()
    return knobs
