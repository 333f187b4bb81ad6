"""A job's page and the API keep a job and hand out its project; an upload may be one."""

import io
import zipfile

import pytest
from host_help import dataset_zip


@pytest.fixture
def job_id(upload):
    return upload(dataset_zip()).get_json()["id"]


@pytest.fixture
def project(client, job_id):
    answer = client.get(f"/jobs/{job_id}/project.zip")
    assert answer.status_code == 200
    assert "attachment" in answer.headers["Content-Disposition"]
    return answer.data


def test_a_project_becomes_a_job_where_data_sets_are_dropped(client, post, job_id, project):
    with zipfile.ZipFile(io.BytesIO(project)) as archive:
        assert set(archive.namelist()) == {"maixforge-project.json", "data-set.upload"}
    assert client.get(f"/api/jobs/{job_id}/project").data == project
    answer = post("/api/jobs", data={"file": (io.BytesIO(project), "any name.zip")})
    made, old = answer.get_json(), client.get(f"/api/jobs/{job_id}").get_json()
    assert answer.status_code == 201
    assert made["id"] != old["id"]
    for key in ("name", "counts", "state", "task"):
        assert made[key] == old[key]


def test_nothing_is_left_of_the_zip_that_was_sent(client, job_id, project, settings):
    assert [one.name for one in (settings.data / "jobs").iterdir()] == [job_id]


def test_keeping(client, post, job_id):
    from host.web.state import KEY

    store = client.application.extensions[KEY].store
    assert post(f"/api/jobs/{job_id}/keep", json={"kept": True}).get_json()["kept"] is True
    assert store.get(job_id).kept
    post(f"/jobs/{job_id}/keep", data={"kept": "false"})
    assert not store.get(job_id).kept
    refused = post(f"/api/jobs/{job_id}/keep", json={"kept": "perhaps"})
    assert (refused.status_code, refused.get_json()["error"]) == (400, "option_invalid")
    assert post("/api/jobs/nobody/keep", json={}).status_code == 404


def test_the_page_tells_how_much_room_a_training_takes(client, job_id):
    page = client.get(f"/jobs/{job_id}").text
    assert 'id="room"' in page
    assert "MB are free" in page
