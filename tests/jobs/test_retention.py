"""Old jobs go, the oldest first; never one that is at work, never one that is kept."""

import os
import time
from dataclasses import replace
from datetime import timedelta

import pytest

from host.jobs import retention
from host.jobs.store import now


@pytest.fixture
def old(store, add_job):
    """Add a job that ended some days ago and has 1,000 bytes."""

    def add(days, state="done", **values):
        job = add_job(f"{days} days")
        ended = now() - timedelta(days=days) if state not in ("queued", "running") else None
        store.move(job.id, ("checked",), state, ended=ended, **values)
        (store.folder(job.id) / "m.kmodel").write_bytes(bytes(1000))
        return job.id

    return add


def left(store):
    return {job.id for job in store.jobs()}


def test_without_settings_nothing_goes(store, settings, old):
    old(10_000)
    assert retention.clean(store, settings) == []


def test_by_age(store, settings, old):
    ids = [old(days, state) for days, state in ((9, "done"), (8, "failed"), (6, "cancelled"))]
    assert retention.clean(store, replace(settings, keep_days=7)) == ids[:2]
    assert left(store) == {ids[2]}
    assert [one.name for one in store.jobs_folder.iterdir()] == [ids[2]]


@pytest.mark.parametrize("setting", [{"keep_jobs": 2}, {"keep_bytes": 2500}])
def test_by_number_and_by_bytes_the_oldest_go(store, settings, old, setting):
    ids = [old(days) for days in (4, 1, 3, 2)]
    assert retention.clean(store, replace(settings, **setting)) == [ids[0], ids[2]]
    assert retention.clean(store, replace(settings, **setting)) == []


def test_jobs_at_work_and_kept_ones_stay(store, settings, old):
    stay = {old(0, state) for state in ("queued", "running", "paused")} | {old(99, kept=True)}
    for job_id in stay:
        store.update(job_id, created=now() - timedelta(days=99))
    gone = old(50)
    narrow = replace(settings, keep_days=1, keep_jobs=1, keep_bytes=1)
    assert retention.clean(store, narrow) == [gone]
    assert left(store) == stay


@pytest.mark.parametrize(("days", "kept"), [(6, True), (8, False)])
def test_what_came_of_an_abandoned_transfer_waits_a_week(store, settings, days, kept):
    file = store.data / retention.TRANSFERS / "0123456789abcdef" / "nut" / "1.jpg"
    file.parent.mkdir(parents=True)
    file.write_bytes(b"half")
    then = time.time() - days * 86400
    for one in (file, *file.parents[:2]):
        os.utime(one, (then, then))
    retention.clean(store, settings)
    assert file.parents[1].exists() == kept
