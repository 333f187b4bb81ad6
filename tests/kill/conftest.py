"""Jobs that nobody has killed, and one that waits for a host."""

import json

import killing
import pytest
from processes import send

from host.jobs.store import Store, new_id


@pytest.fixture(scope="session")
def undisturbed(tmp_path_factory):
    """A function that returns the folder of a job nobody has killed and the points of its run."""
    known = {}

    def get(task):
        if task not in known:
            folder = killing.new_job(tmp_path_factory.mktemp("undisturbed") / task, task)
            code, points = killing.run(folder)
            assert code == 0, (folder / "child.log").read_text()
            assert len(points) == len(set(points))
            card = json.loads((folder / "model" / "card.json").read_bytes())
            assert card["kept"]["stage"] == "tune"  # so that what is resumed counts
            known[task] = folder, points
        return known[task]

    return get


@pytest.fixture
def job(tmp_path):
    """A job that waits in a data folder; returns store and id."""
    store = Store(tmp_path / "data")
    job_id = new_id()
    killing.new_job(store.folder(job_id), "classify")
    facts = {"task": "classify", "labels": ["a", "b"], "counts": {"a": 8, "b": 8}, "pictures": 16}
    store.add(job_id, "tiny", dataset=facts)
    send(store, job_id)
    yield store, job_id
    store.close()
