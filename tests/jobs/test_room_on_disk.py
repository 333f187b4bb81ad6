"""A full disk lets a job rest, says why, and lets it go on when there is room."""

import errno
import json
from pathlib import Path

import pytest
from host_help import wait_for

from host.errors import UserError
from host.jobs import child, events, findings, outcome, pipeline, room
from host.jobs import queue as queue_module
from host.jobs.queue import JobQueue
from host.jobs.spec import JobSpec
from host.trainer.checkpoint import open_array
from host.trainer.detect_options import detect_options_for
from host.trainer.options import options_for


@pytest.fixture
def disk(monkeypatch):
    """The free bytes, to be changed by the test; whoever rests is looked after soon."""
    free = {"bytes": 10**12}
    monkeypatch.setattr(room, "free_bytes", lambda _folder: free["bytes"])
    monkeypatch.setattr(outcome, "RETRY_SECONDS", 0.2)
    monkeypatch.setattr(queue_module, "KEEP_SECONDS", 0.1)
    return free


def send(queue, job, name):
    queue.submit(job.id, JobSpec(source="upload.zip", name=name), {})
    return job.id


def test_a_job_rests_and_goes_on(disk, queue, store, add_job):
    disk["bytes"] = 5 * room.MIB
    job_id = send(queue, add_job(), "full")
    job = wait_for(lambda: (one := store.get(job_id)).state == "paused" and one)
    [reason] = findings.from_json(job.failure)
    assert reason.code == "disk_room"
    assert reason.text("found") == "5 MB are free where the jobs are"
    assert reason.text("needed") == "about 192 MB"
    for part in ("what", "found", "needed", "fix"):
        assert reason.text(part, "zh") != reason.text(part)
    assert (job.ended, job.owner) == (None, "")
    with pytest.raises(UserError, match="job_state_wrong"):
        store.remove(job_id)
    disk["bytes"] = 10**12
    job = wait_for(lambda: (one := store.get(job_id)).state == "done" and one)
    assert job.failure == []
    said = [event["message"] for _, event in events.Tail(store.folder(job_id)).read()]
    assert said == ["started", "paused", "resumed", "done"]


def test_others_go_on_and_a_resting_job_can_be_cancelled(disk, queue, store, add_job):
    disk["bytes"] = 0
    job_id = send(queue, add_job(), "full")
    wait_for(lambda: store.get(job_id).state == "paused")
    other = send(queue, add_job(), "refuse")
    wait_for(lambda: store.get(other).state == "failed")
    queue.cancel(job_id)
    assert store.get(job_id).state == "cancelled"


def test_a_disk_too_full_for_the_log_lets_the_job_rest(disk, queue, store, add_job, monkeypatch):
    append = events.append

    def full(folder, event):
        if not disk["bytes"]:
            raise OSError(errno.ENOSPC, "No space left on device")
        append(folder, event)

    monkeypatch.setattr(events, "append", full)
    disk["bytes"] = 0
    job_id = send(queue, add_job(), "refuse")
    wait_for(lambda: store.get(job_id).state == "paused")
    disk["bytes"] = 10**12
    wait_for(lambda: store.get(job_id).state == "failed")


def test_a_table_that_cannot_be_written_is_written_later(store, settings, add_job, monkeypatch):
    from sqlalchemy.exc import OperationalError

    monkeypatch.setattr(queue_module, "KEEP_SECONDS", 0.01)
    queue, tries = JobQueue(store, settings), []

    def write():
        tries.append(1)
        if len(tries) < 3:
            raise OperationalError("UPDATE", {}, Exception("database or disk is full"))

    queue._insist(write)
    assert len(tries) == 3
    queue.stop()


@pytest.mark.parametrize(
    ("error", "code", "written"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), child.PAUSE, "disk_room"),
        (OSError(errno.EDQUOT, "Disk quota exceeded"), child.PAUSE, "disk_room"),
        (UserError("disk_full", "up.zip", reason="x"), child.PAUSE, "disk_room"),
        (RuntimeError("write failed: errno = 28, No space left on device"), 75, "disk_room"),
        (UserError("job_folder_in_use", "x"), child.PAUSE, "job_folder_in_use"),
        (UserError("picture_missing", "x"), 1, "picture_missing"),
    ],
)
def test_what_a_child_does_about_an_error(tmp_path, monkeypatch, error, code, written):
    def run(_folder, _spec, report):
        report({"message": "room", "values": {"needed_bytes": 300 * room.MIB}})
        raise error

    monkeypatch.setattr(pipeline, "run", run)
    monkeypatch.setattr(child, "_end_with_the_host", lambda: None)
    monkeypatch.setattr(child.os, "nice", lambda _: None)
    (tmp_path / "spec.json").write_text(JobSpec("x").to_json())
    assert child.main([str(tmp_path)]) == code
    [finding] = json.loads((tmp_path / "failure.json").read_text())
    assert finding["code"] == written
    if written == "disk_room":
        assert finding["params"]["needed_bytes"] == 300 * room.MIB


def test_an_error_of_ours_is_no_full_disk(tmp_path, monkeypatch):
    def run(*_):
        raise RuntimeError("a bug")

    monkeypatch.setattr(pipeline, "run", run)
    monkeypatch.setattr(child, "_end_with_the_host", lambda: None)
    monkeypatch.setattr(child.os, "nice", lambda _: None)
    (tmp_path / "spec.json").write_text(JobSpec("x").to_json())
    with pytest.raises(RuntimeError):
        child.main([str(tmp_path)])


def test_the_estimate_grows_with_the_data_and_has_its_limit():
    classify = [room.estimate(options_for("best"), count) for count in (100, 1000, 30_000)]
    assert classify == sorted(classify)
    assert classify[0] > room.SPARE
    detect = room.estimate(detect_options_for("fast"), 1000)
    assert detect == pytest.approx(room.SPARE + 3 * 224 * 224 * (1.96 * 800 + 200), rel=1e-6)
    facts = {"task": "classify", "pictures": 1000}
    assert room.of_job(facts) >= room.estimate(options_for("fast"), 1000)
    with pytest.raises(UserError, match="disk_room"):
        room.require(Path("/"), 1 << 60)


def test_a_large_array_has_its_room_before_it_is_written(tmp_path, monkeypatch):
    import os

    array = open_array(tmp_path / "a.npy", "uint8", (3, 1_000_000), new=True)
    assert (tmp_path / "a.npy").stat().st_blocks * 512 >= 3_000_000
    array[1] = 7
    array.flush()
    assert open_array(tmp_path / "a.npy", "uint8", (3, 1_000_000), new=False)[1].sum() == 7_000_000

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", full)
    with pytest.raises(OSError, match="No space"):
        open_array(tmp_path / "b.npy", "uint8", (9,), new=True)
    assert not (tmp_path / "b.npy").exists()
