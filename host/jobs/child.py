"""The process that runs one job: `python -m host.jobs.child FOLDER`.

It reads `spec.json`, runs the pipeline, appends to `events.jsonl` and ends with `result.json`
(exit 0) or, when the user can mend it, `failure.json` (exit 1). When the disk is full, or a process
of an earlier run still ends, it is to be started again later (exit 75, as sysexits.h has it; why is
in `failure.json` where that could be written). It ends itself and all it
started when the host that started it is gone: their only link is the child's standard input.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
from collections.abc import Mapping
from contextlib import closing, nullcontext, suppress
from pathlib import Path
from typing import Any

from ..errors import UserError
from ..files import atomic_write
from . import events, findings, locks, room
from .spec import JobSpec

SPEC, RESULT, FAILURE = "spec.json", "result.json", "failure.json"
PAUSE = 75
PAUSING = ("disk_room", "job_folder_in_use")
LOCK_SECONDS = 15.0
"""How long a process of an earlier run has to end."""


def main(arguments: list[str]) -> int:
    """Run the job in the folder `arguments[0]` and return the exit code."""
    folder = Path(arguments[0])
    threading.Thread(target=_end_with_the_host, daemon=True).start()
    if hasattr(os, "nice"):
        os.nice(10)  # the pages stay quick while a training uses every processor
    said: dict[str, Any] = {}
    try:
        return _run(folder, said)
    except (UserError, OSError, RuntimeError) as error:
        full = room.is_full(error)
        if not (full or isinstance(error, UserError)):
            raise
        if full:
            error = room.no_room(folder, said.get("needed_bytes", room.SPARE))
        assert isinstance(error, UserError)
        print(error, file=sys.stderr)
        paused = error.code in PAUSING
        with suppress(OSError) if paused else nullcontext():
            failure = json.dumps(findings.to_json(error.findings), indent=1)
            atomic_write(folder / FAILURE, failure.encode())
        return PAUSE if paused else 1


def _run(folder: Path, said: dict[str, Any]) -> int:
    """Run the pipeline; what its events say goes to `said` as well."""
    from .pipeline import run  # noqa: PLC0415 - loads the trainer

    spec = JobSpec.from_json((folder / SPEC).read_text("utf-8"))
    write = events.Writer(folder)

    def report(event: Mapping[str, Any]) -> None:
        said.update(event.get("values", {}))
        write(event)

    with closing(locks.hold(folder / locks.RUN, "job_folder_in_use", LOCK_SECONDS)):
        result = run(folder, spec, report)
        atomic_write(folder / RESULT, json.dumps(result, indent=1, allow_nan=False).encode())
    return 0


def _end_with_the_host() -> None:
    """Wait for the end of standard input; it comes when the host dies, however it dies."""
    # os.read holds no lock of Python's, so an ordinary exit is not held up by this thread.
    while os.read(0, 4096):
        pass
    if os.name == "posix" and os.getpgrp() == os.getpid():
        os.killpg(0, signal.SIGKILL)
    os._exit(3)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
