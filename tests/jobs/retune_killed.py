"""Choose values of a done job in copies of its data folder, and die at every durable step.

`python retune_killed.py DATA JOB`: the copies DATA-0, DATA-1 .. stay as each kill left them; the
last one was not killed. Prints the names of the steps, one a line. Run in a process of its own,
which forks: no threads and no TensorFlow are in it.
"""

import os
import shutil
import signal
import sys
from pathlib import Path

from host.jobs import retune
from host.jobs.store import Store
from host.jobs.trial import Values

CHOSEN = Values(0.62, 0.45)


def main(data: Path, job_id: str) -> None:
    number = 0
    while True:
        copy = data.with_name(f"{data.name}-{number}")
        shutil.copytree(data, copy)
        child = os.fork()
        if not child:
            _die_at(number)
            store = Store(copy)
            retune.retune(store, job_id, CHOSEN)
            os._exit(0)
        status = os.waitpid(child, 0)[1]
        if os.WIFEXITED(status):
            sys.exit(os.WEXITSTATUS(status))
        number += 1


def _die_at(number: int) -> None:
    """Kill this process at the step `number`: before or after a sync, a new name, a removal."""
    left = [number]

    def point(name: str) -> None:
        if not left[0]:
            print(name, flush=True)
            os.kill(os.getpid(), signal.SIGKILL)
        left[0] -= 1

    def around(room: object, name: str) -> None:
        done = getattr(room, name)

        def watched(*args, **rest):
            point(f"before {name}")
            result = done(*args, **rest)
            point(f"after {name}")
            return result

        setattr(room, name, watched)

    for room, name in (
        (os, "fsync"), (os, "replace"), (os, "mkdir"), (shutil, "rmtree"), (Store, "move"),
    ):  # fmt: skip
        around(room, name)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
