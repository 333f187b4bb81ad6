"""A host that dies while it packs other values: the old packages are whole, or the new ones."""

import re
import subprocess
import sys
import zipfile
from pathlib import Path

import judging

from host.jobs import retune
from host.jobs.result_types import TUNED
from host.jobs.store import Store
from host.jobs.trial import Values

SCRIPT = Path(__file__).with_name("retune_killed.py")


def threshold(folder, result):
    """That of boot.py on the card, which has to be whole and has to be what the job says."""
    with zipfile.ZipFile(folder / result["sd_zip"]) as card:
        assert card.testzip() is None
        found = float(re.search(r"'threshold': ([\d.]+)", card.read("boot.py").decode())[1])
    with zipfile.ZipFile(folder / result["kfpkg"]) as flash:
        assert flash.testzip() is None
    assert found == result["threshold"]
    return found


def test_killed_at_every_step_the_packages_are_the_old_or_the_new_ones(tmp_path):
    data = tmp_path / "data"
    job_id, _ = judging.colours(data)
    store = Store(data)
    folder = store.folder(job_id)
    result = store.get(job_id).result
    store.update(job_id, result={**result, "kfpkg": "model.kfpkg"})
    retune.retune(store, job_id, Values(0.4, 0.35))  # so that something is there to be removed
    store.close()
    done = subprocess.run(
        [sys.executable, str(SCRIPT), str(data), job_id],
        capture_output=True, text=True, check=False, timeout=120, cwd=Path.cwd(),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    points = done.stdout.split("\n")[:-1]
    assert {"before move", "after move", "after fsync", "before rmtree"} <= set(points)
    found = []
    for number in range(len(points) + 1):
        store = Store(tmp_path / f"data-{number}")
        folder = store.folder(job_id)
        found.append(threshold(folder, store.get(job_id).result))
        again = retune.retune(store, job_id, Values(0.7, 0.3)).result
        assert threshold(folder, again) == 0.7
        assert [one.name for one in (folder / TUNED).iterdir()] == [
            Path(again["sd_zip"]).parent.name
        ]
        store.close()
    assert found == sorted(found) and set(found) == {0.4, 0.62}
    assert found[points.index("before move")] == 0.4 and found[points.index("after move")] == 0.62
