import pytest
from host_help import fake_command

from host.config import Settings
from host.jobs import queue as queue_module
from host.jobs.queue import JobQueue
from host.jobs.store import Store, new_id


@pytest.fixture
def settings(tmp_path):
    return Settings(data=tmp_path / "data")


@pytest.fixture
def store(settings):
    opened = Store(settings.data)
    yield opened
    opened.close()


@pytest.fixture
def fake_child(monkeypatch):
    monkeypatch.setattr(queue_module, "child_command", fake_command)
    monkeypatch.setattr(queue_module, "GRACE_SECONDS", 0.5)


@pytest.fixture
def queue(store, settings, fake_child):
    """A queue that works; it is stopped at the end."""
    made = JobQueue(store, settings)
    made.start()
    yield made
    made.stop()


@pytest.fixture
def add_job(store):
    """Add a job in state checked, with its folder."""

    def add(name="shapes"):
        job_id = new_id()
        store.folder(job_id).mkdir()
        return store.add(job_id, name)

    return add
