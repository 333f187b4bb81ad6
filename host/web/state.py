"""What the views of one app share."""

from __future__ import annotations

from dataclasses import dataclass

from flask import current_app

from ..config import Settings
from ..jobs.queue import JobQueue
from ..jobs.store import Store

KEY = "maixforge"


@dataclass(frozen=True, slots=True)
class Host:
    """The settings, the jobs and their queue."""

    settings: Settings
    store: Store
    queue: JobQueue


def host() -> Host:
    """Return the host of the current app."""
    return current_app.extensions[KEY]
