import io
import re

import colour_detector as detector
import pytest
from host_help import box_zip, fake_command

from host.config import Settings
from host.deploy import kfpkg, package, sdcard
from host.jobs import queue as queue_module
from host.jobs.spec import JobSpec
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


@pytest.fixture(scope="session")
def model():
    return detector.network()


@pytest.fixture
def done_detector(upload, here, model):
    """Make a done detector job whose package was really packed; `key` seals it."""

    def finish(key=None):
        job_id = upload(box_zip(), "squares.zip").json["id"]
        folder = here.store.folder(job_id)
        spec = JobSpec("upload.zip", "squares", data_folder=str(here.settings.data))
        (folder / "spec.json").write_text(spec.to_json())
        (folder / "m.kmodel").write_bytes(model)
        anchors = [list(detector.ANCHORS[at : at + 2]) for at in range(0, 10, 2)]
        packed = package.create(
            folder / "package", model, name="squares", labels=detector.LABELS, anchors=anchors,
            options=package.BoardOptions(threshold=0.4, nms=0.3), key=key,
        )  # fmt: skip
        sdcard.build(packed, folder / "sd.zip")
        kfpkg.build(packed, folder / "model.kfpkg")
        result = {
            "task": "detect", "labels": list(detector.LABELS), "input": [224, 224],
            "float": {"map50": 0.9, "map": 0.5}, "int8": {"map50": 0.9, "map": 0.5},
            "anchors": anchors, "threshold": 0.4, "nms": 0.3, "kmodel": "m.kmodel",
            "sd_zip": "sd.zip", "kfpkg": "model.kfpkg", "kmodel_bytes": len(model),
            "ram_bytes": len(model), "ms": 20.0, "seconds": 1.0, "fit": "letterbox",
        }  # fmt: skip
        if key:
            result["seal"] = {
                "board": "front door", "board_id": packed.seal.board, "strength": "bound",
                "kmx": "package/m.kmx", "kmx_bytes": packed.seal.bytes,
            }  # fmt: skip
        here.store.update(job_id, state="done", result=result)
        return job_id

    return finish
