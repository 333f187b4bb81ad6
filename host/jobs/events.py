"""`events.jsonl`: what a job said about itself, one JSON object a line, never rewritten.

A line's number, counted from 1, is its id: a reader that was away goes on after the last id it
has seen. A line without its line feed is still being written and is not read yet.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NotRequired, TypedDict, cast

NAME = "events.jsonl"

COUNT_SECONDS = 0.25

STEPS = ("receive", "check", "train", "compile", "evaluate", "seal", "package")
"""The steps of the pipeline in their order; only some jobs have `seal`."""


class Event(TypedDict):
    """One line. `time` is seconds since 1970, `fraction` 0..1 of the whole job.

    `message` is a short English key; `values` are numbers and words such as the trainer's
    stage, epoch, epochs, loss, accuracy, valid_loss, valid_accuracy (0..1).
    """

    time: float
    message: str
    step: NotRequired[str]
    fraction: NotRequired[float]
    eta_seconds: NotRequired[float | None]
    values: NotRequired[dict[str, float | str]]


def append(folder: Path, event: Mapping[str, Any]) -> None:
    """Add one event to the job's file; the time is set when it is missing.

    Values that are None or no finite number are left out: JSON has no word for them.
    """
    full = {"time": round(time.time(), 3), **event}
    if "values" in full:
        full["values"] = {key: value for key, value in full["values"].items() if _plain(value)}
    line = json.dumps(full, allow_nan=False) + "\n"
    with (folder / NAME).open("ab") as file:
        file.write(line.encode())


class Writer:
    """Appends events; of those that only count (same step and message, no loss) four a second.

    A check of 30,000 pictures would otherwise be 30,000 lines, and as many messages to a page.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._last: tuple[object, object] = (None, None)
        self._time = 0.0

    def __call__(self, event: Mapping[str, Any]) -> None:
        """Append `event` or leave it out."""
        kind, now = (event.get("step"), event.get("message")), time.monotonic()
        counts_only = kind == self._last and "loss" not in event.get("values", {})
        if counts_only and now - self._time < COUNT_SECONDS:
            return
        self._last, self._time = kind, now
        append(self._folder, event)


def _plain(value: object) -> bool:
    return isinstance(value, str) or (isinstance(value, int | float) and math.isfinite(value))


def mend(folder: Path) -> None:
    """End a line that a killed writer left open, so that the next one starts on its own."""
    path = folder / NAME
    if path.exists() and not path.read_bytes().endswith(b"\n"):
        with path.open("ab") as file:
            file.write(b"\n")


class Tail:
    """Reads events from where it stopped last time. `number` is the id of the last one read."""

    def __init__(self, folder: Path, after: int = 0) -> None:
        self.number = 0
        self._after = after
        self._path = folder / NAME
        self._offset = 0

    def read(self) -> list[tuple[int, Event]]:
        """Return the new complete events with their ids; damaged lines are passed over."""
        if not self._path.exists():
            return []
        with self._path.open("rb") as file:
            file.seek(self._offset)
            data = file.read()
        whole = data[: data.rfind(b"\n") + 1]
        self._offset += len(whole)
        found: list[tuple[int, Event]] = []
        for line in whole.splitlines():
            self.number += 1
            event = _parse(line)
            if event is not None and self.number > self._after:
                found.append((self.number, event))
        return found


def _parse(line: bytes) -> Event | None:
    try:
        event = json.loads(line)
    except ValueError:
        return None
    return cast(Event, event) if isinstance(event, dict) and "message" in event else None
