"""A real host is killed, or its job's process, at random moments; it goes on and nothing is left.

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
import pytest
from host_help import wait_for

from host.config import Settings
from host.jobs.queue import JobQueue
from host.jobs.store import Store, new_id

pytestmark = pytest.mark.skipif(os.name != "posix", reason="processes are killed by signals")


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


@pytest.fixture
def job(tmp_path):
    """A job that waits in a data folder; returns store and id."""
    store = Store(tmp_path / "data")
    job_id = new_id()
    killing.new_job(store.folder(job_id), "classify")
    facts = {"task": "classify", "labels": ["a", "b"], "counts": {"a": 8, "b": 8}, "pictures": 16}
    store.add(job_id, "tiny", dataset=facts)
    send(store, job_id)
    yield store, job_id
    store.close()


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


def test_a_host_and_a_child_are_killed_once_each(undisturbed, job, tmp_path):
    assert kill_and_compare(job, undisturbed("classify")[0], tmp_path, kills=2, seed=1) == 2


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("seed", range(4))
def test_many_random_kills(undisturbed, job, tmp_path, seed):
    killed = kill_and_compare(job, undisturbed("classify")[0], tmp_path, kills=12, seed=seed)
    print(killed, "kills")
    assert killed >= 2
