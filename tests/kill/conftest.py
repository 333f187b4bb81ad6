"""Jobs that nobody has killed."""

import json

import killing
import pytest


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
