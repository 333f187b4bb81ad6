"""One job, one worker; and whose turn it is."""

import os
import signal
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from threading import Thread

import pytest
from host_help import wait_for

from host.jobs import expect, lease
from host.jobs.queue import JobQueue
from host.jobs.spec import JobSpec
from host.jobs.store import now


@pytest.fixture
def send(store, settings, add_job):
    """Send a job as somebody; nobody works."""
    queue = JobQueue(store, settings)

    def do(name, submitter, **options):
        job = add_job(name)
        queue.submit(job.id, JobSpec("upload.zip", name=name), options, submitter)
        return job.id

    yield do
    queue.stop()


def waiting(store):
    return [job.name for job in store.waiting()]


def test_submitters_take_turns(store, send):
    for name in ("a1", "a2", "a3", "b1", "b2", "c1"):
        send(name, name[0])
    assert waiting(store) == ["a1", "b1", "c1", "a2", "b2", "a3"]


def test_who_comes_later_waits_for_no_more_than_one_job_of_another(store, send):
    for name in ("a1", "a2", "a3"):
        send(name, "a")
    for done in ("a1", "a2"):
        job = lease.take(store, "w")
        assert job.name == done
        if done == "a1":
            store.move(job.id, ("running",), "done")
    send("b1", "b")
    send("b2", "b")
    assert waiting(store) == ["b1", "a3", "b2"]


def test_one_submitter_is_served_in_the_order_of_arrival(store, send):
    for number in range(4):
        send(str(number), "a")
    assert waiting(store) == ["0", "1", "2", "3"]


def test_the_place_in_the_queue_is_the_one_that_comes_true(store, settings, send):
    ids = {name: send(name, name[0]) for name in ("a1", "a2", "b1", "a3", "b2", "c1")}
    queue = JobQueue(store, settings)
    places = {queue.position(job_id): name for name, job_id in ids.items()}
    order = []
    while job := lease.take(store, "w"):
        order.append(job.name)
        store.move(job.id, ("running",), "done")
    assert order == [places[number] for number in range(6)]
    queue.stop()


def test_the_start_is_told_only_where_it_can_be_known(store, send):
    first, second = send("a", "a", preset="fast"), send("b", "a", preset="fast")
    facts = {"task": "classify", "pictures": 100}
    for job_id in (first, second):
        store.update(job_id, dataset=facts)
    assert expect.starts_in(store, first) == 0
    assert expect.starts_in(store, second) is None  # nobody knows how long the first takes
    old = send("old", "a", preset="fast")
    result = {"seconds": 30.0}
    store.move(old, ("queued",), "done", dataset={**facts, "pictures": 50}, result=result)
    assert expect.starts_in(store, second) == 60
    assert lease.take(store, "w").id == first
    assert expect.starts_in(store, second) is None
    store.update(first, eta_seconds=17.0)
    assert expect.starts_in(store, second) == 17


def test_of_many_workers_one_gets_a_job(store, send):
    for number in range(5):
        send(str(number), "a")
    got = []
    threads = [Thread(target=lambda n=n: got.append(lease.take(store, f"w{n}"))) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    names = [job.name for job in got if job]
    assert len(names) == len(set(names)) <= 5
    while job := lease.take(store, "late"):
        names.append(job.name)
    assert sorted(names) == ["0", "1", "2", "3", "4"]


def test_a_lease_that_ran_out_is_nobodys(store, send):
    job_id = send("a", "a")
    lease.take(store, "first")
    assert lease.renew(store, job_id, "first")
    assert not lease.renew(store, job_id, "second")
    lease.expire(store)
    assert store.get(job_id).state == "running"
    store.update(job_id, lease=now() - timedelta(seconds=1))
    lease.expire(store)
    assert store.get(job_id).state == "queued"
    assert not lease.renew(store, job_id, "first")
    assert lease.take(store, "second").id == job_id
    store.update(job_id, lease=now() - timedelta(seconds=1), cancel=True)
    lease.expire(store)
    assert store.get(job_id).state == "cancelled"


@pytest.fixture
def hosts(settings, tmp_path):
    """Two processes that work in the same data folder."""
    script = Path(__file__).with_name("second_host.py")
    started = [
        subprocess.Popen(
            [sys.executable, str(script), str(settings.data)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        )
        for _ in range(2)
    ]  # fmt: skip
    for one in started:
        assert one.stdout
        assert one.stdout.readline() == b"ready\n"
    yield started
    for one in started:
        one.send_signal(signal.SIGCONT)
        one.communicate(timeout=30)


def runs(store, job_id):
    path = store.folder(job_id) / "runs.log"
    return path.read_text().split() if path.exists() else []


@pytest.mark.timeout(120)
def test_two_hosts_never_run_one_job(store, send, hosts):
    ids = [send(str(number), "a") for number in range(8)]
    wait_for(lambda: len(store.jobs(("running",))) == 2, 30)  # one each, and both at work
    (store.data / "go").touch()
    wait_for(lambda: len(store.jobs(("done",))) == 8, 60)
    done = [runs(store, job_id) for job_id in ids]
    assert all(len(one) == 1 for one in done)
    assert {one[0] for one in done} == {str(host.pid) for host in hosts}


@pytest.mark.timeout(120)
@pytest.mark.skipif(os.name != "posix", reason="a process is stopped by a signal")
def test_a_host_that_sleeps_loses_its_job_and_stops_its_process(store, send, hosts):
    job_id = send("a", "a")
    [first] = wait_for(lambda: runs(store, job_id))
    sleeper = next(host for host in hosts if str(host.pid) == first)
    other = next(host for host in hosts if host is not sleeper)
    owner = store.get(job_id).owner
    sleeper.send_signal(signal.SIGSTOP)
    wait_for(lambda: store.get(job_id).owner not in ("", owner))
    assert runs(store, job_id) == [first]  # its process still holds the lock
    sleeper.send_signal(signal.SIGCONT)
    wait_for(lambda: runs(store, job_id) == [first, str(other.pid)])
    (store.data / "go").touch()
    wait_for(lambda: store.get(job_id).state == "done")
    assert store.get(job_id).result == {"by": other.pid}
    assert len(runs(store, job_id)) == 2
