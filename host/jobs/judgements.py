"""What both models said of every validation picture: `report/judged.json`, behind the figures."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from functools import lru_cache
from pathlib import Path
from typing import Any

from .pictures import REPORT

NAME = "judged.json"
KINDS = ("int8", "float")

Entry = Mapping[str, Any]
"""A `Judged` of `trainer.evaluate`, or a `JudgedPicture` of `trainer.detect_errors`, as JSON."""


def to_json(reports: Mapping[str, Any]) -> bytes:
    """Return all pictures of the reports "int8" and "float", the worst first."""
    every = {kind: [_plain(one) for one in reports[kind].worst] for kind in KINDS}
    return json.dumps(every).encode()


def read(folder: Path) -> Mapping[str, list[Entry]]:
    """Return what the job in `folder` has of both kinds; nothing of jobs of older versions."""
    path = folder / REPORT / NAME
    return _read(path, path.stat().st_mtime_ns) if path.is_file() else {}


def errors(entry: Entry) -> list[str]:
    """Return what is wrong with a detector's picture (`trainer.detect_errors`), once a box."""
    marks = [*entry["found"], *(box for box in entry["truth"] if box["kind"] == "missed")]
    return [box["kind"] for box in marks if box["kind"] != "right"]


@lru_cache(maxsize=4)
def _read(path: Path, _written: int) -> Mapping[str, list[Entry]]:
    return json.loads(path.read_bytes())


def _plain(one: Any) -> Entry:
    return one.as_dict() if hasattr(one, "as_dict") else asdict(one)
