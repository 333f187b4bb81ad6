"""Pictures come in through the pages and the API; a job is begun without any."""

import io
import re

import pytest
from host_help import box_zip, dataset_zip, picture

from host.config import Settings
from host.jobs import added


@pytest.fixture
def settings(tmp_path):
    return Settings(data=tmp_path / "data", images_min=3)


@pytest.fixture
def job_id(upload):
    return upload(dataset_zip((4, 4, 4))).json["id"]


@pytest.fixture
def boxed(upload):
    return upload(box_zip(24)).json["id"]


def form(*numbers, label="circle", shape="circle", **rest):
    files = [(io.BytesIO(picture(shape, 500 + n)), f"{n}.jpg") for n in numbers]
    return {"files": files, "label": label, **rest}


def test_pictures_are_added_and_what_changed_is_told(client, post, job_id):
    answer = post(f"/api/jobs/{job_id}/pictures", data=form(1, 2, label="star"))
    assert answer.status_code == 201, answer.json
    assert answer.json["added"] == [12, 13]
    assert answer.json["changed"] == [12, 13]
    assert answer.json["counts"]["star"] == 2
    assert (answer.json["trainable"], answer.json["undo"]) == (False, 1)
    again = post(f"/api/jobs/{job_id}/pictures", data=form(2, 3, label="star")).json
    assert (again["added"], again["known"], again["trainable"]) == ([13, 14], 1, True)
    shown = client.get(f"/api/jobs/{job_id}").json
    assert (shown["counts"]["star"], shown["trainable"]) == (3, True)
    assert client.get(f"/api/jobs/{job_id}/pictures/14/small.jpg").data.startswith(b"\xff\xd8")
    undone = post(f"/api/jobs/{job_id}/pictures/edits", json={"edit": "undo"}).json
    assert undone["changed"] == [14]


@pytest.mark.parametrize(
    ("data", "status", "code"),
    [
        ({"label": "circle"}, 400, "added_nothing"),
        (lambda: form(1, label=""), 400, "added_class_missing"),
        (lambda: form(1, label="猫"), 422, "label_not_ascii"),
        ({"files": (io.BytesIO(b"MZ" * 99), "a.jpg"), "label": "x"}, 422, "picture_not_a_picture"),
    ],
)
def test_what_cannot_be_added_is_refused(post, here, job_id, data, status, code):
    answer = post(f"/api/jobs/{job_id}/pictures", data=data() if callable(data) else data)
    assert (answer.status_code, answer.json["error"]) == (status, code)
    assert not (here.store.folder(job_id) / added.FOLDER).exists()


def test_nothing_is_added_by_strangers_or_as_an_edit(client, post, job_id):
    where = f"/api/jobs/{job_id}/pictures"
    assert client.post(where, data=form(1)).json["error"] == "form_expired"
    assert client.post(f"/jobs/{job_id}/pictures", data=form(1)).status_code == 400
    foreign = {"edit": "add", "pictures": [0], "label": "circle"}
    assert post(f"{where}/edits", json=foreign).json["error"] == "edit_unreadable"
    assert post("/api/jobs/nobody/pictures", data=form(1)).status_code == 404


def test_the_form_works_without_scripts(client, token, here, job_id, boxed):
    page = client.get(f"/jobs/{job_id}/data?label=circle").text
    assert f'action="/jobs/{job_id}/pictures"' in page
    answer = client.post(f"/jobs/{job_id}/pictures", data=form(1, csrf_token=token))
    assert (answer.status_code, answer.location) == (303, f"/jobs/{job_id}/data?label=circle")
    assert here.store.get(job_id).dataset["counts"]["circle"] == 5
    bad = {"csrf_token": token, "label": "circle", "files": (io.BytesIO(b"no"), "no.jpg")}
    answer = client.post(f"/jobs/{job_id}/pictures", data=bad)
    assert (answer.status_code, "no.jpg" in answer.text) == (422, True)
    one = form(1, csrf_token=token, label="", back="capture")
    assert client.post(f"/jobs/{boxed}/pictures", data=one).location == f"/jobs/{boxed}/capture"
    assert here.store.get(boxed).dataset["pictures"] == 25


def test_a_job_is_begun_on_the_start_page(client, token, here):
    assert 'action="/begin"' in client.get("/").text
    data = {"csrf_token": token, "name": "pets", "task": "classify", "labels": "cat, dog\nold dog,"}
    answer = client.post("/begin", data=data)
    assert answer.status_code == 303
    [job] = here.store.jobs()
    assert answer.location == f"/jobs/{job.id}/capture"
    assert (job.name, job.dataset["labels"]) == ("pets", ["cat", "dog", "old dog"])
    for page in (f"/jobs/{job.id}", f"/jobs/{job.id}/data", f"/jobs/{job.id}/capture", "/"):
        assert client.get(page).status_code == 200
    for page in (f"/jobs/{job.id}", "/"):
        assert "cannot be trained yet" in client.get(page).text
    data["labels"] = "猫"
    answer = client.post("/begin", data=data)
    assert (answer.status_code, len(here.store.jobs())) == (422, 1)


def test_a_program_begins_a_job_and_fills_it(post, client):
    job = post("/api/jobs/begin", json={"name": "x", "task": "classify", "labels": "a,b"})
    assert job.status_code == 201
    assert (job.json["trainable"], job.json["counts"]) == (False, {"a": 0, "b": 0})
    where = f"/api/jobs/{job.json['id']}"
    for label, shape in (("a", "circle"), ("b", "square")):
        answer = post(f"{where}/pictures", data=form(1, 2, 3, label=label, shape=shape)).json
    assert answer["trainable"], answer["findings"]
    assert post(f"{where}/start").status_code == 202
    assert client.get(f"{where}").json["state"] == "queued"
    answer = post("/api/jobs/begin", json={"task": "guess"})
    assert (answer.status_code, answer.json["error"]) == (400, "option_invalid")


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_capture_page_may_use_the_camera_and_no_other_page(client, job_id, boxed, language):
    for job in (job_id, boxed):
        answer = client.get(f"/jobs/{job}/capture?lang={language}")
        assert "camera=(self)" in answer.headers["Permissions-Policy"]
        assert "<script>" not in answer.text
        assert " style=" not in answer.text
        assert re.findall(r'<script type="module" src="[^"]+/(\w+)\.js"', answer.text) == [
            "capture", "add",
        ]  # fmt: skip
    assert "camera=()" in client.get(f"/jobs/{job_id}/data").headers["Permissions-Policy"]
    assert client.get("/jobs/nobody/capture").status_code == 404
