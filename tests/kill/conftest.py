"""A process that is ready to be forked, and jobs that nobody has killed."""

import json

import killing
import pytest


@pytest.fixture(scope="session")
def loaded():
    """Load what the forked processes need; nothing of it may have begun to work."""
    import keras  # noqa: F401
    import matplotlib.pyplot  # noqa: F401
    import tensorflow  # noqa: F401

    from host.jobs import pipeline  # noqa: F401


@pytest.fixture(scope="session")
def undisturbed(loaded, tmp_path_factory):
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
