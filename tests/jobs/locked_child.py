"""Stands in for the child of a job: notes whose it is, holds the lock, works until it is let go."""

import json
import os
import sys
import threading
import time
from contextlib import closing
from pathlib import Path

from host.jobs import child, locks

folder = Path(sys.argv[1])
threading.Thread(target=child._end_with_the_host, daemon=True).start()
with closing(locks.hold(folder / locks.RUN, "job_folder_in_use", 20)):
    with (folder / "runs.log").open("a") as log:
        log.write(f"{os.getppid()}\n")
    while not (folder.parent.parent / "go").exists():
        time.sleep(0.02)
    (folder / "result.json").write_text(json.dumps({"by": os.getppid()}))
