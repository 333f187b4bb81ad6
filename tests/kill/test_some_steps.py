"""What the default run tries of what the slow tests beside this one try at every point."""

import os

import killing
import pytest
from processes import kill_and_compare

from host.jobs import child

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="the processes are forked")
WRITES = ("half of training/tune-epoch.npz", "half of m.kmodel", "half of steps/package.json")


def test_a_job_that_is_killed_before_every_sixth_rename(undisturbed, tmp_path):
    """One job, killed again and again before a file takes its name."""
    other, points = undisturbed("classify")
    folder = killing.new_job(tmp_path / "job", "classify")
    renames = [name for name in points if name.startswith(("before replace", "before rename"))][::6]
    hit = killing.everywhere(folder, other, renames)
    assert sorted(hit) == sorted(renames)
    assert len(hit) >= 5
    killing.same(folder, other)


def test_a_job_rests_at_chosen_writes(undisturbed, tmp_path):
    other, points = undisturbed("classify")
    folder = killing.new_job(tmp_path / "job", "classify")
    for write in WRITES:
        wanted = {name for name in points if name.startswith(write)}
        code, passed = killing.rests(folder, wanted)
        assert code == child.PAUSE
        assert wanted & set(passed)
    assert killing.rests(folder)[0] == 0
    killing.same(folder, other)


def test_a_host_and_a_child_are_killed_once_each(undisturbed, job, tmp_path):
    assert kill_and_compare(job, undisturbed("classify")[0], tmp_path, kills=2, seed=1) == 2
