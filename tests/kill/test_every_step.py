"""A job is killed at every durable step and goes on: the same bytes, nothing done twice."""

import os

import killing
import pytest

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="the processes are forked")


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("task", ["classify", "detect"])
def test_a_job_that_is_killed_at_every_point(undisturbed, tmp_path, task):
    """Also in the middle of every write, around every removal, and of every unpacked picture."""
    other, points = undisturbed(task)
    folder = killing.new_job(tmp_path / "job", task)
    hit = killing.everywhere(folder, other)
    assert set(hit) >= set(points)
    killing.same(folder, other)
    print(task, len(points), "points,", len(hit), "kills")


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("task", ["classify", "detect"])
def test_jobs_that_are_killed_once(undisturbed, tmp_path, task):
    """A job for each point: killed there, resumed, compared."""
    other, points = undisturbed(task)
    for number, point in enumerate(points):
        folder = killing.new_job(tmp_path / str(number), task)
        assert killing.run(folder, {point})[0] == -9
        killing.never_half(folder, other)
        assert killing.run(folder)[0] == 0, (folder / "child.log").read_text()
        killing.same(folder, other)
        assert len(killing.epochs(folder)) <= len(killing.epochs(other)) + 1
