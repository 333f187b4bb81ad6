"""A job is killed at every durable step and goes on: the same bytes, nothing done twice."""

import os

import killing
import pytest

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="the processes are forked")


def killed_everywhere(folder, other, points=None):
    """Kill one job at each of `points` (None: all), one after the other; return those hit."""
    hit, epochs = [], []
    while True:
        left = killing.AllBut(set(hit)) if points is None else set(points) - set(hit)
        code, passed = killing.run(folder, left)
        begun = killing.epochs(folder)
        again, epochs = begun[len(epochs) :], begun
        assert len(set(again) & set(begun[: len(begun) - len(again)])) <= 1  # repeated
        assert len(again) == len(set(again))
        killing.never_half(folder, other)
        if code == 0:
            return hit
        assert code == -9, (folder / "child.log").read_text()
        hit.append(passed[-1])


def test_a_job_that_is_killed_before_every_sixth_rename(undisturbed, tmp_path):
    """One job, killed again and again before a file takes its name; the slow tests miss none."""
    other, points = undisturbed("classify")
    folder = killing.new_job(tmp_path / "job", "classify")
    renames = [name for name in points if name.startswith(("before replace", "before rename"))][::6]
    hit = killed_everywhere(folder, other, renames)
    assert sorted(hit) == sorted(renames)
    assert len(hit) >= 5
    killing.same(folder, other)


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("task", ["classify", "detect"])
def test_a_job_that_is_killed_at_every_point(undisturbed, tmp_path, task):
    """Also in the middle of every write, around every removal, and of every unpacked picture."""
    other, points = undisturbed(task)
    folder = killing.new_job(tmp_path / "job", task)
    hit = killed_everywhere(folder, other)
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
