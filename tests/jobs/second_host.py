"""A host without pages that works in a data folder beside others, until its input ends."""

import sys
from pathlib import Path

from host.config import Settings
from host.jobs import lease
from host.jobs import queue as queue_module
from host.jobs.queue import JobQueue
from host.jobs.store import Store

lease.SECONDS, lease.RENEW_SECONDS = 2.0, 0.3
queue_module.KEEP_SECONDS = 0.1
child = Path(__file__).with_name("locked_child.py")
queue_module.child_command = lambda folder: [sys.executable, str(child), str(folder)]
settings = Settings(data=Path(sys.argv[1]))
queue = JobQueue(Store(settings.data), settings)
queue.work()
print("ready", flush=True)
sys.stdin.read()
queue.stop()
