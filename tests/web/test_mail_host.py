"""Mails of a host as a process: from the order in the page to the mail, killed at every step."""

import json
import os
import socket
import subprocess
import sys
import time

import pytest
from host_help import FAKE_CHILD, wait_for
from mail_help import READER, Handler, mail_server

from host.config import Settings
from host.jobs import outbox
from host.jobs.queue import JobQueue
from host.jobs.spec import JobSpec
from host.jobs.store import Store, new_id

pytestmark = pytest.mark.skipif(os.name != "posix", reason="signals are POSIX")

CODE = """
import json, os, sys
from pathlib import Path
from host.config import Settings
from host.jobs import lease, outbox, queue
from host.server import serve
given = json.loads(sys.argv[1])
queue.child_command = lambda folder: [sys.executable, sys.argv[2], str(folder)]
queue.GRACE_SECONDS = 0.3
outbox.POLL_SECONDS = 0.05
outbox.CLAIM_SECONDS = 1.0
outbox.PAUSES = (0.2, 0.2)
serve(Settings(**{**given, "data": Path(given["data"])}), lambda url: print(url, flush=True))
"""


@pytest.fixture
def start(tmp_path):
    """Start a host with these settings on the test's data folder; it is killed at the end."""
    running = []

    def begin(given):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        settings = json.dumps({**given, "data": str(tmp_path / "data"), "port": port})
        command = [sys.executable, "-c", CODE, settings, str(FAKE_CHILD)]
        process = subprocess.Popen(command, stdout=subprocess.PIPE)
        running.append(process)
        assert process.stdout.readline()
        return process

    yield begin
    for process in running:
        kill(process)


@pytest.fixture
def store(tmp_path):
    opened = Store(tmp_path / "data")
    yield opened
    opened.close()


def kill(process):
    process.kill()
    process.wait()
    process.stdout.close()


def order(store, name="shapes"):
    """Put a job with a mail into the queue of a host that is not running."""
    job_id = new_id()
    store.folder(job_id).mkdir()
    (store.folder(job_id) / "upload.zip").write_bytes(b"PK\x05\x06" + bytes(18))
    store.add(job_id, name)
    queue = JobQueue(store, Settings(data=store.data))
    spec = JobSpec(source="upload.zip", name=name)
    queue.submit(job_id, spec, {}, mail=outbox.ordered(READER, "en"))
    queue.stop()
    return job_id


def reached(store, job_id, *states, state="done"):
    def check():
        job = store.get(job_id)
        return job.state == state and job.mail_state in states

    wait_for(check)


@pytest.mark.parametrize(("name", "state"), [("shapes", "done"), ("refuse", "failed")])
def test_one_mail_though_the_host_is_killed_afterwards(store, start, name, state):
    handler = Handler()
    job_id = order(store, name)
    with mail_server(handler) as given:
        host = start(given)
        reached(store, job_id, "sent", state=state)
        kill(host)
        start(given)
        time.sleep(1)
    assert len(handler.mails) == 1


def test_killed_before_the_job_ends(store, start):
    handler = Handler()
    job_id = order(store, "slow")
    with mail_server(handler) as given:
        host = start(given)
        wait_for((store.folder(job_id) / "pids.json").exists)
        kill(host)
        spec = store.folder(job_id) / "spec.json"
        spec.write_text(spec.read_text().replace('"slow"', '"quick"'))
        assert not handler.mails
        start(given)
        reached(store, job_id, "sent")
    assert len(handler.mails) == 1


def test_killed_while_the_server_is_away(store, start):
    handler = Handler()
    job_id = order(store)
    with mail_server(handler) as gone:
        pass
    host = start(gone)
    wait_for(lambda: store.get(job_id).mail_info["tries"] >= 1)
    kill(host)
    with mail_server(handler) as given:
        store.update(job_id, mail_state="waiting", mail_next=None)
        start(given)
        reached(store, job_id, "sent")
    assert len(handler.mails) == 1


def test_killed_when_the_server_has_the_mail_but_has_not_answered(store, start):
    handler = Handler()
    handler.go_on.clear()
    job_id = order(store)
    with mail_server(handler) as given:
        host = start(given)
        assert handler.has_it.wait(60)
        assert store.get(job_id).mail_state == "sending"
        kill(host)
        handler.go_on.set()
        start(given)
        reached(store, job_id, "unsure")
        time.sleep(0.5)
    assert len(handler.mails) == 1


def test_a_server_that_does_not_answer_holds_nothing_up(store, start):
    handler = Handler()
    handler.go_on.clear()
    first = order(store)
    with mail_server(handler) as given:
        host = start(given)
        assert handler.has_it.wait(60)
        second = order(store)
        wait_for(lambda: store.get(second).state == "done")
        assert store.get(first).mail_state == "sending"
        host.terminate()
        host.wait(30)
