"""`serve` as a process of its own: it starts, stops, and survives being killed."""

import json
import os
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

import psutil
import pytest
from host_help import FAKE_CHILD, wait_for

from host.config import Settings
from host.errors import UserError
from host.jobs.queue import JobQueue
from host.jobs.spec import JobSpec
from host.jobs.store import Store, new_id
from host.server import create_app, listen
from host.web.state import KEY

pytestmark = pytest.mark.skipif(os.name != "posix", reason="signals are POSIX")

CODE = """
import sys
from pathlib import Path
from host.config import Settings
from host.jobs import queue
from host.server import serve
data, port, fake = sys.argv[1:]
queue.child_command = lambda folder: [sys.executable, fake, str(folder)]
queue.GRACE_SECONDS = 0.3
serve(Settings(data=Path(data), port=int(port)), lambda url: print(url, flush=True))
"""


@pytest.fixture
def port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture
def start(tmp_path, port):
    """Start a host on the test's data folder; it is killed at the end."""
    running = []

    def begin():
        command = [sys.executable, "-c", CODE, str(tmp_path / "data"), str(port), str(FAKE_CHILD)]
        process = subprocess.Popen(command, stdout=subprocess.PIPE)
        running.append(process)
        assert process.stdout
        assert process.stdout.readline().decode().strip() == f"http://127.0.0.1:{port}/"
        return process

    yield begin
    for process in running:
        process.kill()
        process.wait()
        process.stdout.close()


def get(port, path):
    return urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=60)


def slow_job(data):
    """Put a job that never ends into the queue of a host that is not running yet."""
    store = Store(data)
    job_id = new_id()
    store.folder(job_id).mkdir()
    store.add(job_id, "slow", dataset={"labels": ["a"], "pictures": 1, "counts": {"a": 1}})
    queue = JobQueue(store, Settings(data=data))
    queue.submit(job_id, JobSpec(source="upload.zip", name="slow"), {})
    queue.stop()
    return store, job_id


def test_a_term_signal_ends_it_quickly_although_streams_are_open(tmp_path, start, port):
    store, job_id = slow_job(tmp_path / "data")
    host = start()
    wait_for(lambda: store.get(job_id).step == "train")
    with get(port, f"/api/jobs/{job_id}/events") as stream:
        assert stream.readline() == b"retry: 1000\n"
        host.send_signal(signal.SIGTERM)
        assert host.wait(30) == 0
    assert store.get(job_id).state == "queued"
    store.close()


def test_after_kill_9_the_next_host_runs_the_job_again(tmp_path, start, port):
    store, job_id = slow_job(tmp_path / "data")
    host = start()
    pids = store.folder(job_id) / "pids.json"
    old = wait_for(lambda: pids.exists() and json.loads(pids.read_text() or "null"))
    host.kill()
    host.wait()
    assert store.get(job_id).state == "running"
    wait_for(lambda: not any(psutil.pid_exists(pid) for pid in old))
    pids.unlink()
    start()
    wait_for(lambda: pids.exists() and json.loads(pids.read_text() or "null"))
    with get(port, f"/api/jobs/{job_id}") as answer:
        assert json.load(answer)["state"] == "running"
    store.close()


def test_a_port_that_is_taken_is_named(tmp_path, port):
    with socket.socket() as other:
        other.bind(("127.0.0.1", port))
        other.listen()
        settings = Settings(data=tmp_path / "data", port=port)
        app = create_app(settings)
        with pytest.raises(UserError, match="port_in_use"):
            listen(app, settings)
        app.extensions[KEY].queue.stop()


def test_the_server_takes_more_than_the_limit_to_say_so(tmp_path, start, port):
    """A body over the limit is answered by a finding, not by a closed connection."""
    start()
    page = get(port, "/")
    token = page.read().decode().split('csrf-token" content="')[1].split('"')[0]
    cookie = page.headers["Set-Cookie"].split(";")[0]
    boundary = b"--x\r\nContent-Disposition: form-data; name=file; filename=a.zip\r\n\r\n"
    body = boundary + bytes(30 * 1024 * 1024) + b"\r\n--x--\r\n"
    request = urllib.request.Request(f"http://127.0.0.1:{port}/api/jobs", body)
    request.add_header("Content-Type", "multipart/form-data; boundary=x")
    request.add_header("X-CSRFToken", token)
    request.add_header("Cookie", cookie)
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(request, timeout=60)
    assert caught.value.code == 413
    assert json.load(caught.value)["error"] == "upload_too_large"
    assert [one.name for one in (tmp_path / "data" / "jobs").iterdir()] == []
    assert Path(tmp_path / "data" / "secret_key").stat().st_mode & 0o077 == 0
