"""A real host on a data folder, killed at random moments, or its job's process.

The worker is a thread of the host's process, so killing that kills both.
"""

import os
import random
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from contextlib import contextmanager

import killing
import psutil
from host_help import wait_for

from host.config import Settings
from host.jobs.queue import JobQueue


@contextmanager
def hosting(data, tmp_path):
    """Start `maixforge serve` in a process; at the end it is killed, if it still lives."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = {**os.environ, "MAIXFORGE_DATA": str(data), "MAIXFORGE_PORT": str(port)}
    with (tmp_path / "host.log").open("ab") as log:
        host = subprocess.Popen(
            [sys.executable, "-m", "host.cli", "serve"],
            env=environment, stdout=log, stderr=log,
        )  # fmt: skip
    try:
        yield host, f"http://127.0.0.1:{port}"
    finally:
        host.kill()
        host.wait()


def send(store, job_id):
    queue = JobQueue(store, Settings(data=store.data))
    queue.submit(job_id, killing.spec("classify"), {"preset": "fast"})
    queue.stop()


def answers(address):
    try:
        with urllib.request.urlopen(address, timeout=5):
            return True
    except OSError:
        return False


def children(folder):
    """The processes that work on a job."""
    found = []
    for one in psutil.process_iter(["cmdline"]):
        if str(folder) in (one.info["cmdline"] or []) and one.status() != psutil.STATUS_ZOMBIE:
            found.append(one)
    return found


def half_files(address, job_id, other):
    """What the host gives away before the job is done: nothing."""
    for name in killing.MADE:
        try:
            with urllib.request.urlopen(f"{address}/jobs/{job_id}/files/{name}", timeout=5) as got:
                yield name, got.read() == killing.made(other)[name]
        except OSError:
            continue


def kill_and_compare(job, other, tmp_path, kills, seed):
    """Kill at most so many times, until the job is done all the same; return how often."""
    store, job_id = job
    folder, random_moment, killed = store.folder(job_id), random.Random(seed), 0
    while killed < kills and store.get(job_id).state != "done":
        if store.get(job_id).state == "failed":  # its process died three times; a person asks again
            assert store.get(job_id).failure[0]["code"] == "job_process_killed"
            send(store, job_id)
        with hosting(store.data, tmp_path) as (host, address):
            wait_for(lambda address=address: answers(address), 60)
            wait_for(lambda: children(folder) or store.get(job_id).state == "done", 60)
            end = time.monotonic() + random_moment.uniform(0, 6)
            while time.monotonic() < end and children(folder):
                given = list(half_files(address, job_id, other))
                assert not given or store.get(job_id).state == "done"
                time.sleep(0.1)
            if killed % 2:
                for one in children(folder):
                    one.send_signal(signal.SIGKILL)
                time.sleep(random_moment.uniform(0, 3))
            host.kill()
            host.wait()
        killed += 1
        wait_for(lambda: not children(folder))  # nothing is left running
        killing.never_half(folder, other)
    if store.get(job_id).state == "failed":
        send(store, job_id)
    with hosting(store.data, tmp_path) as (_, address):
        wait_for(lambda: answers(address), 60)
        wait_for(lambda: store.get(job_id).state not in ("queued", "running"), 300)
        ended = store.get(job_id)
        assert ended.state == "done", ended.failure
        assert [whole for _, whole in half_files(address, job_id, other)] == [True] * 3
    killing.same(folder, other)
    wait_for(lambda: not children(folder))
    return killed
