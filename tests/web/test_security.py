import io
import os
import re
import stat

import pytest
from host_help import dataset_zip

from host.config import Settings
from host.server import create_app
from host.web import security


@pytest.mark.parametrize("path", ["/", "/nowhere", "/api/jobs", "/static/style.css"])
def test_every_answer_has_the_headers(client, path):
    headers = client.get(path).headers
    policy = headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["X-Frame-Options"] == "DENY"


def pages(client, upload):
    job_id = upload(dataset_zip((41, 40, 40))).json["id"]
    return [client.get(path).text for path in ("/", f"/jobs/{job_id}", "/nowhere")]


def test_pages_hold_nothing_inline_and_nothing_from_elsewhere(client, upload):
    for page in pages(client, upload):
        assert not re.search(r"\sstyle=|\son[a-z]+=|<style|javascript:", page)
        for tag in re.findall(r"<script[^>]*>", page):
            assert "src=" in tag or "application/json" in tag
        for address in re.findall(r'(?:src|href)="([^"]+)"', page):
            assert address.startswith(("/", "#", "?")), address


@pytest.mark.parametrize("path", ["/api/jobs", "/upload", "/jobs/x/start", "/jobs/x/delete"])
def test_without_the_token_nothing_changes(client, here, path):
    answer = client.post(path, data={"file": (io.BytesIO(dataset_zip()), "a.zip")})
    assert answer.status_code == 400
    assert "form_expired" in answer.text
    assert here.store.jobs() == []


def test_a_foreign_name_for_this_host_is_refused(client):
    assert client.get("/", headers={"Host": "evil.example"}).status_code == 400
    assert client.get("/", headers={"Host": "localhost:8080"}).status_code == 200


@pytest.mark.skipif(os.name != "posix", reason="file modes are POSIX")
def test_the_key_is_made_once_and_only_its_owner_reads_it(tmp_path):
    path = tmp_path / "deep" / "key"
    key = security.secret_key(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert len(key) == security.KEY_BYTES
    assert security.secret_key(path) == key
    path.write_bytes(b"short")
    assert security.secret_key(path) not in (key, b"short")


def test_a_session_outlives_a_restart_of_the_host(tmp_path):
    settings = Settings(data=tmp_path / "d")
    first, second = (create_app(settings).secret_key for _ in range(2))
    assert first == second


@pytest.fixture
def done(upload, here):
    """A job that is done, whose result names files outside its folder."""
    job_id = upload(dataset_zip()).json["id"]
    folder = here.store.folder(job_id)
    (here.store.data / "outside.zip").write_bytes(b"secret")
    (folder / "link.kfpkg").symlink_to(here.store.data / "outside.zip")
    (folder / "dataset").mkdir()
    worst = [{"path": "../upload.zip"}, {"path": "/etc/passwd"}, {"path": "gone.jpg"}]
    report = {"int8": {"worst": worst}, "pictures": "dataset"}
    result = {"sd_zip": "../../outside.zip", "kfpkg": "link.kfpkg", "kmodel": ".", "report": report}
    here.store.update(job_id, state="done", result=result)
    return job_id


@pytest.mark.parametrize(
    "name",
    [
        "sd.zip",
        "model.kfpkg",
        "m.kmodel",
        "spec.json",
        "child.log",
        "../upload.zip",
        "..%2fupload.zip",
        "%2e%2e/%2e%2e/secret_key",
        "upload.zip",
    ],
)
def test_downloads_are_the_listed_files_inside_the_job(client, done, name):
    answer = client.get(f"/jobs/{done}/files/{name}")
    assert answer.status_code == 404
    assert b"secret" not in answer.data.replace(b"secret_key", b"")


@pytest.mark.parametrize("number", ["0", "1", "2", "3", "-1", "x"])
def test_worst_pictures_are_pictures_inside_the_data_set(client, done, number):
    assert client.get(f"/jobs/{done}/worst/{number}.jpg").status_code == 404


def test_ids_with_paths_find_no_job(client):
    for name in ("..", "%2e%2e", "..%2f..", "a%00b"):
        assert client.get(f"/jobs/{name}").status_code == 404
        assert client.get(f"/api/jobs/{name}").status_code == 404


def test_names_are_escaped(client, upload, here):
    job_id = upload(dataset_zip(), "<script>alert(1)<script>.zip").json["id"]
    page = client.get(f"/jobs/{job_id}").text
    assert "<script>alert" not in page
    assert "&lt;script&gt;" in page
