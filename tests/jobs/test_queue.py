import json
import os
import signal
import subprocess
import sys

import psutil
import pytest
from host_help import wait_for

from host.errors import UserError
from host.jobs import events, findings
from host.jobs.queue import JobQueue
from host.jobs.spec import JobSpec


def send(queue, job, name):
    queue.submit(job.id, JobSpec(source="upload.zip", name=name), {"preset": "fast"})
    return job.id


def ended(store, job_id):
    return wait_for(lambda: (job := store.get(job_id)).ended and job)


def running_pids(store, job_id):
    path = store.folder(job_id) / "pids.json"
    return wait_for(lambda: path.exists() and path.read_text() and json.loads(path.read_text()))


def gone(pids):
    """True when none of the processes runs any more (a zombie does not)."""
    return not any(
        psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
        for pid in pids
    )


@pytest.mark.parametrize(
    ("name", "code", "found"),
    [
        ("crash", "job_process_died", "the oven is cold"),
        ("killed", "job_process_killed", "-"),
        ("refuse", "option_invalid", "x"),
        ("garbage", "result_unreadable", "Expecting"),
    ],
)
def test_every_bad_end_has_its_reason(queue, store, add_job, name, code, found):
    job = ended(store, send(queue, add_job(), name))
    assert job.state == "failed"
    [reason] = findings.from_json(job.failure)
    assert reason.code == code
    assert found in reason.as_dict()["found"] + str(reason.params)
    assert reason.text("fix")


def test_the_log_of_a_crash_is_kept(queue, store, add_job):
    job_id = send(queue, add_job(), "crash")
    ended(store, job_id)
    log = (store.folder(job_id) / "child.log").read_text()
    assert "first line" in log
    assert "RuntimeError" in log


def test_cancel_stops_the_whole_group_of_a_child_that_ignores_it(queue, store, add_job):
    job_id = send(queue, add_job(), "slow")
    pids = running_pids(store, job_id)
    wait_for(lambda: store.get(job_id).step == "train")
    assert store.get(job_id).fraction == 0.25
    queue.cancel(job_id)
    assert ended(store, job_id).state == "cancelled"
    assert gone(pids)
    assert [event["message"] for _, event in events.Tail(store.folder(job_id)).read()] == [
        "started",
        "epoch",
        "cancelled",
    ]


def test_one_job_at_a_time_in_the_order_of_arrival(queue, store, add_job):
    first = send(queue, add_job(), "slow")
    pids = running_pids(store, first)
    second, third = send(queue, add_job(), "crash"), send(queue, add_job(), "refuse")
    assert [job.id for job in store.waiting()] == [second, third]
    queue.cancel(first)
    assert ended(store, second).ended < ended(store, third).ended
    assert gone(pids)


def test_a_waiting_job_is_cancelled_at_once(queue, store, add_job):
    first = send(queue, add_job(), "slow")
    running_pids(store, first)
    second = send(queue, add_job(), "crash")
    queue.cancel(second)
    assert store.get(second).state == "cancelled"
    queue.cancel(first)
    ended(store, first)
    assert store.get(second).started is None


def test_wrong_moments_are_refused(queue, store, add_job):
    job = add_job()
    with pytest.raises(UserError, match="job_state_wrong"):
        queue.cancel(job.id)
    send(queue, job, "slow")
    running_pids(store, job.id)
    with pytest.raises(UserError, match="job_state_wrong"):
        send(queue, job, "slow")
    with pytest.raises(UserError, match="job_missing"):
        queue.cancel("nobody")


def test_stopping_the_host_puts_the_job_back_and_a_new_host_runs_it(
    queue, store, settings, add_job
):
    job_id = send(queue, add_job(), "slow")
    pids = running_pids(store, job_id)
    queue.stop()
    assert gone(pids)
    assert store.get(job_id).state == "queued"
    (store.folder(job_id) / "pids.json").unlink()
    second = JobQueue(store, settings)
    second.start()
    running_pids(store, job_id)
    assert store.get(job_id).state == "running"
    second.stop()


def test_what_a_dead_host_left_running_is_queued_before_the_rest(
    store, settings, add_job, monkeypatch
):
    waiting, running, stopped = add_job(), add_job(), add_job()
    queue = JobQueue(store, settings)
    for job in (running, stopped, waiting):
        send(queue, job, "crash")
    store.move(running.id, ("queued",), "running")
    store.move(stopped.id, ("queued",), "running", cancel=True)
    monkeypatch.setattr(queue, "work", lambda: None)
    queue.start()
    assert [job.id for job in store.waiting()] == [running.id, waiting.id]
    assert store.get(stopped.id).state == "cancelled"
    queue.stop()


def test_two_hosts_do_not_share_a_data_folder(queue, store, settings):
    other = JobQueue(store, settings)
    with pytest.raises(UserError, match="data_folder_in_use"):
        other.start()
    other.stop()


def test_a_failed_job_may_be_sent_again(queue, store, add_job):
    job = add_job()
    ended(store, send(queue, job, "crash"))
    send(queue, job, "refuse")
    wait_for(lambda: (now := store.get(job.id)).state == "failed" and "option" in str(now.failure))


@pytest.mark.skipif(os.name != "posix", reason="process groups are POSIX")
def test_a_child_ends_when_its_host_is_killed():
    """The real child's thread, without a pipeline: it waits for the end of its input."""
    code = (
        "import threading, time; from host.jobs import child;"
        "threading.Thread(target=child._end_with_the_host, daemon=True).start();"
        "print('ready', flush=True); time.sleep(600)"
    )
    host_code = (
        "import subprocess, sys, time;"
        f"p = subprocess.Popen([sys.executable, '-c', {code!r}], stdin=subprocess.PIPE,"
        " stdout=subprocess.PIPE, start_new_session=True);"
        "p.stdout.readline(); print(p.pid, flush=True); time.sleep(600)"
    )
    host = subprocess.Popen([sys.executable, "-c", host_code], stdout=subprocess.PIPE)
    assert host.stdout
    child_pid = int(host.stdout.readline())
    assert not gone([child_pid])
    host.send_signal(signal.SIGKILL)
    host.wait()
    host.stdout.close()
    wait_for(lambda: gone([child_pid]))
