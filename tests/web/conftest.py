import io
import re

import pytest
from host_help import fake_command

from host.config import Settings
from host.jobs import queue as queue_module
from host.server import create_app
from host.web.state import KEY


@pytest.fixture
def settings(tmp_path):
    return Settings(data=tmp_path / "data")


@pytest.fixture
def app(settings, monkeypatch):
    monkeypatch.setattr(queue_module, "child_command", fake_command)
    monkeypatch.setattr(queue_module, "GRACE_SECONDS", 0.5)
    made = create_app(settings)
    yield made
    made.extensions[KEY].queue.stop()
    made.extensions[KEY].store.close()


@pytest.fixture
def here(app):
    """The settings, store and queue of the app."""
    return app.extensions[KEY]


@pytest.fixture
def client(app):
    return app.test_client()


@pytest.fixture
def token(client):
    return re.search(r'csrf-token" content="([^"]+)"', client.get("/").text)[1]


@pytest.fixture
def post(client, token):
    """Post to the API with the token."""

    def send(path, **rest):
        return client.post(path, headers={"X-CSRFToken": token}, **rest)

    return send


@pytest.fixture
def upload(post):
    """Send the bytes of a zip to the API."""

    def send(data, name="shapes.zip"):
        return post("/api/jobs", data={"file": (io.BytesIO(data), name)})

    return send
