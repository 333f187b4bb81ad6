"""A lock that the system lets go when its process ends, however it ends, on every system alike."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from ..errors import UserError

RUN = "run.lock"
"""Held by the process that runs the job of a folder."""


def hold(path: Path, code: str, seconds: float = 0.0) -> sqlite3.Connection:
    """Return the lock `path`; closing it lets it go. It is waited for at most `seconds`.

    Raises:
        UserError: `code`, with the folder as its place: another process holds it.
    """
    connection = sqlite3.connect(
        path, timeout=seconds, isolation_level=None, check_same_thread=False
    )
    try:
        connection.execute("BEGIN EXCLUSIVE")
    except sqlite3.OperationalError as error:
        connection.close()
        raise UserError(code, str(path.parent)) from error
    return connection
