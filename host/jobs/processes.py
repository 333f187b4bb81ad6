"""Ending a child process with everything it started."""

from __future__ import annotations

import os
import signal
import subprocess
from contextlib import suppress

import psutil


def stop_group(process: subprocess.Popen[bytes], grace: float) -> None:
    """End `process`, which leads a session of its own, and all of its group.

    It is asked first and killed after `grace` seconds; what is left of the group when the
    process itself has ended is killed at once.
    """
    if os.name != "posix":
        _stop_tree(process)
        return
    if process.poll() is None:
        _signal_group(process.pid, signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            process.wait(grace)
    _signal_group(process.pid, signal.SIGKILL)
    process.wait()


def _signal_group(group: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.killpg(group, number)


def _stop_tree(process: subprocess.Popen[bytes]) -> None:
    """Do the same where there are no process groups (Windows)."""
    with suppress(psutil.NoSuchProcess):
        for one in psutil.Process(process.pid).children(recursive=True):
            with suppress(psutil.NoSuchProcess):
                one.kill()
    process.kill()
    process.wait()
