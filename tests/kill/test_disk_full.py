"""A real job whose disk is full: it rests with a reason, goes on, and makes the same bytes."""

import os
import subprocess

import killing
import pytest

from host.jobs import child

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="the processes are forked")


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("task", ["classify", "detect"])
def test_a_job_rests_at_every_write(undisturbed, tmp_path, task):
    other, points = undisturbed(task)
    folder = killing.new_job(tmp_path / "job", task)
    writes = {name for name in points if name.startswith("half of")}
    met = set()
    for _ in range(2 * len(writes)):
        left = writes - met
        code, passed = killing.rests(folder, left)
        if code == 0:
            break
        met |= {next(name for name in passed if name in left)}
    assert met >= {name for name in writes if "failure.json" not in name}
    killing.same(folder, other)


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount a small disk")
def test_a_small_disk_that_grows(undisturbed, tmp_path):
    """No estimate warns of it: the job meets the real end of a disk again and again."""
    other, _ = undisturbed("classify")
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1M", "tmpfs", str(disk)]
    if subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("this system lets nobody mount a disk")
    try:
        folder = killing.new_job(disk / "job", "classify")
        met = 0
        for size in range(1, 120):
            subprocess.run(["mount", "-o", f"remount,size={size}M", str(disk)], check=True)
            code, _ = killing.run(folder, spare=0)
            if code == 0:
                break
            met += 1
            assert code == child.PAUSE, (folder / "child.log").read_text()
            killing.never_half(folder, other)
            (folder / "failure.json").unlink(missing_ok=True)  # as the queue does
        assert met >= 3
        killing.same(folder, other)
    finally:
        subprocess.run(["umount", "-l", str(disk)], check=True)
