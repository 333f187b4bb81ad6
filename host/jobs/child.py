"""The process that runs one job: `python -m host.jobs.child FOLDER`.

It reads `spec.json`, runs the pipeline, appends to `events.jsonl` and ends with `result.json`
(exit 0) or, when the user can mend it, `failure.json` (exit 1). It ends itself and all it
started when the host that started it is gone: their only link is the child's standard input.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
from pathlib import Path

from ..errors import UserError
from ..files import atomic_write
from . import events, findings
from .spec import JobSpec

SPEC, RESULT, FAILURE = "spec.json", "result.json", "failure.json"


def main(arguments: list[str]) -> int:
    """Run the job in the folder `arguments[0]` and return the exit code."""
    folder = Path(arguments[0])
    threading.Thread(target=_end_with_the_host, daemon=True).start()
    if hasattr(os, "nice"):
        os.nice(5)  # the pages stay quick while a training uses every processor
    try:
        return _run(folder)
    except UserError as error:
        failure = json.dumps(findings.to_json(error.findings), indent=1)
        atomic_write(folder / FAILURE, failure.encode())
        print(error, file=sys.stderr)
        return 1


def _run(folder: Path) -> int:
    from .pipeline import run  # noqa: PLC0415 - loads the trainer

    spec = JobSpec.from_json((folder / SPEC).read_text("utf-8"))
    result = run(folder, spec, events.Writer(folder))
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
