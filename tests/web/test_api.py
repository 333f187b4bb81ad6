import io
import zipfile

import pytest
from host_help import dataset_zip, wait_for

SHAPE = {"ok", "error", "findings"}


@pytest.fixture
def job_id(upload):
    return upload(dataset_zip()).json["id"]


def test_a_job_runs_to_its_downloads(client, post, here, job_id):
    here.queue.start()
    answer = post(f"/api/jobs/{job_id}/start", json={"preset": "fast", "seed": 7})
    assert answer.status_code == 202
    assert answer.json["options"]["preset"] == "fast"
    job = wait_for(lambda: (now := client.get(f"/api/jobs/{job_id}").json)["ended"] and now)
    assert job["state"] == "done"
    assert job["fraction"] == 1.0
    assert job["result"]["int8"]["accuracy"] > 0.9
    card = client.get(f"/jobs/{job_id}/files/sd.zip")
    assert card.headers["Content-Disposition"].startswith("attachment; filename=shapes-sd.zip")
    assert "boot.py" in zipfile.ZipFile(io.BytesIO(card.data)).namelist()
    assert client.get(f"/jobs/{job_id}/files/model.kfpkg").status_code == 200
    worst = client.get(f"/jobs/{job_id}/worst/0.jpg")
    assert worst.content_type == "image/jpeg"
    assert worst.data.startswith(b"\xff\xd8")
    drawing = client.get(f"/jobs/{job_id}/layers.png")
    assert drawing.content_type == "image/png"
    assert drawing.data.startswith(b"\x89PNG")
    page = client.get(f"/jobs/{job_id}").text
    for text in ("95.8 %", "96.7 %", "heat-9", "too large", "files/sd.zip", "32×112×112", "38.2"):
        assert text in page


def test_a_job_that_is_not_done_has_no_drawing(client, job_id):
    assert client.get(f"/jobs/{job_id}/layers.png").status_code == 404


def test_another_training_does_not_show_the_pictures_of_the_last(client, post, here, job_id):
    here.queue.start()
    folder = here.store.folder(job_id)
    (folder / "thumbnails").mkdir()
    (folder / "thumbnails" / "0.jpg").write_bytes(b"old")
    post(f"/api/jobs/{job_id}/start", json={"name": "again"})
    wait_for(lambda: client.get(f"/api/jobs/{job_id}").json["state"] == "done")
    assert client.get(f"/jobs/{job_id}/worst/0.jpg").data.startswith(b"\xff\xd8")


def test_the_spec_carries_the_choices_and_the_settings(post, here, job_id):
    options = {"name": "n", "preset": "best", "fit": "letterbox", "seed": "9"}
    assert post(f"/api/jobs/{job_id}/start", data=options).status_code == 202
    spec = here.store.folder(job_id) / "spec.json"
    from host.jobs.spec import JobSpec

    read = JobSpec.from_json(spec.read_text())
    assert (read.name, read.preset, read.fit, read.seed) == ("n", "best", "letterbox", 9)
    assert read.source == "upload.zip"
    assert read.rules["images_min"] == 40
    assert read.limits["zip_bytes"] == here.settings.upload_bytes


@pytest.mark.parametrize(
    "options",
    [{"preset": "turbo"}, {"seed": "x"}, {"seed": "-1"}, {"fit": "../x"}, {"backbone": "vgg"}],
)
def test_options_that_do_not_exist_are_named(post, here, job_id, options):
    answer = post(f"/api/jobs/{job_id}/start", data=options)
    assert (answer.status_code, answer.json["error"]) == (400, "option_invalid")
    [finding] = answer.json["findings"]
    assert finding["path"] == next(iter(options))
    assert finding["found"] == next(iter(options.values()))
    assert here.store.get(job_id).state == "checked"


def test_wrong_moments_are_409(post, client, token, here, job_id):
    assert post(f"/api/jobs/{job_id}/cancel").status_code == 409
    assert post(f"/api/jobs/{job_id}/start").status_code == 202
    assert post(f"/api/jobs/{job_id}/start").status_code == 409
    answer = client.delete(f"/api/jobs/{job_id}", headers={"X-CSRFToken": token})
    assert answer.status_code == 409
    assert post(f"/api/jobs/{job_id}/cancel").json["state"] == "cancelled"
    assert post(f"/api/jobs/{job_id}/start").status_code == 202


def test_cancel_while_it_runs(post, client, here, job_id):
    here.queue.start()
    post(f"/api/jobs/{job_id}/start", json={"name": "slow"})
    wait_for(lambda: client.get(f"/api/jobs/{job_id}").json["step"] == "train")
    assert "Cancel" in client.get(f"/jobs/{job_id}").text
    assert post(f"/api/jobs/{job_id}/cancel").status_code == 202
    wait_for(lambda: client.get(f"/api/jobs/{job_id}").json["state"] == "cancelled")


def test_the_list_counts_places_in_the_queue(post, client, upload, job_id):
    second = upload(dataset_zip()).json["id"]
    for one in (job_id, second):
        post(f"/api/jobs/{one}/start")
    jobs = {one["id"]: one for one in client.get("/api/jobs").json["jobs"]}
    assert [jobs[one]["position"] for one in (job_id, second)] == [0, 1]


def test_delete_removes_everything(client, token, here, job_id):
    assert client.delete(f"/api/jobs/{job_id}", headers={"X-CSRFToken": token}).json["ok"]
    assert client.get(f"/api/jobs/{job_id}").status_code == 404
    assert not here.store.folder(job_id).exists()


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("/api/jobs/nobody", "job_missing"),
        ("/api/nothing", "page_missing"),
        ("/api/jobs/nobody/events", "job_missing"),
    ],
)
def test_errors_have_one_shape(client, path, code):
    answer = client.get(path)
    assert answer.status_code == 404
    assert set(answer.json) == SHAPE
    assert answer.json["error"] == code


def test_a_wrong_method_has_the_shape_too(client):
    answer = client.put("/api/jobs", headers={"X-CSRFToken": "x"})
    assert answer.status_code in (400, 405)
    assert set(answer.json) == SHAPE


def test_a_broken_body_has_the_shape_too(post, job_id):
    answer = post(f"/api/jobs/{job_id}/start", data=b"{", content_type="application/json")
    assert answer.status_code == 400
    assert set(answer.json) == SHAPE
