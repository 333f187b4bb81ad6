import io
import struct
import zipfile

import pytest
from host_help import dataset_zip, picture

from host.config import Settings
from host.errors import UserError
from host.jobs.submit import plain_name
from host.server import create_app
from host.web import uploads


def nothing_left(here):
    """No job, no folder, no temporary file."""
    files = {one.name for one in here.store.data.rglob("*") if one.is_file()}
    ours = {name for name in files if not name.startswith(("maixforge.sqlite3", "queue.sqlite3"))}
    return (
        ours == {"secret_key"} and not here.store.jobs() and not [*here.store.jobs_folder.iterdir()]
    )


def escape_zip():
    return dataset_zip(extra=[("../x.jpg", picture("circle", 1))])


def cut_zip():
    whole = dataset_zip()
    return whole[: len(whole) // 2]


def lying_zip():
    """A zip whose first member claims to be larger than it is."""
    data = bytearray(dataset_zip())
    struct.pack_into("<I", data, data.index(b"PK\x01\x02") + 24, 5_000_000)
    return bytes(data)


MENDABLE = {
    "one class": (lambda: dataset_zip((40,)), {"classes_too_few"}),
    "39 images": (lambda: dataset_zip((40, 39, 40)), {"class_too_small"}),
    "Chinese folders": (lambda: dataset_zip(labels=("圆", "方", "角")), {"label_not_ascii"}),
    "text named jpg": (
        lambda: dataset_zip(extra=[("circle/note.jpg", b"buy milk\n" * 20)]),
        {"picture_not_a_picture"},
    ),
}
BAD = {
    "cut in half": (cut_zip, {"zip_damaged"}),
    "../x inside": (escape_zip, {"zip_path_escapes"}),
    "lying sizes": (lying_zip, set()),
    "no zip": (lambda: b"hello", {"zip_not_a_zip"}),
    "empty": (lambda: b"", set()),
    "no usable picture": (
        lambda: dataset_zip(
            (0,), extra=[("a/1.jpg", b"x"), ("b/2.jpg", picture("circle", 1)[:99])]
        ),
        {"picture_not_a_picture"},
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_data_is_refused_with_its_finding_and_leaves_nothing(case, upload, here):
    make, codes = BAD[case]
    answer = upload(make())
    assert 400 <= answer.status_code < 500
    assert answer.json["ok"] is False
    assert answer.json["error"] == answer.json["findings"][0]["code"]
    for finding in answer.json["findings"]:
        assert set(finding) == {"code", "severity", "what", "path", "found", "needed", "fix"}
    errors = [one for one in answer.json["findings"] if one["severity"] == "error"]
    assert all(one["what"] and one["fix"] for one in errors)
    if codes:
        assert codes & {one["code"] for one in errors}
    assert nothing_left(here)


@pytest.mark.parametrize("case", MENDABLE)
def test_what_can_be_mended_becomes_a_job_that_cannot_be_trained_yet(case, upload, client, post):
    make, codes = MENDABLE[case]
    answer = upload(make())
    assert (answer.status_code, answer.json["state"]) == (201, "checked")
    assert answer.json["trainable"] is False
    errors = [one for one in answer.json["findings"] if one["severity"] == "error"]
    assert codes == {one["code"] for one in errors}
    assert all(one["what"] and one["fix"] for one in errors)
    page = client.get(f"/jobs/{answer.json['id']}").text
    assert all(f'data-code="{one["code"]}"' in page for one in answer.json["findings"])
    assert "cannot be trained yet" in page
    refused = post(f"/api/jobs/{answer.json['id']}/start")
    assert (refused.status_code, refused.json["error"]) == (422, errors[0]["code"])


def test_what_is_mended_can_be_trained(upload, client, post):
    job = upload(dataset_zip(labels=("圆", "square", "triangle"))).json
    assert not job["trainable"]
    edit = {"edit": "rename", "label": "圆", "to": "circle"}
    answer = post(f"/api/jobs/{job['id']}/pictures/edits", json=edit).json
    assert answer["trainable"]
    assert client.get(f"/api/jobs/{job['id']}").json["trainable"]
    assert post(f"/api/jobs/{job['id']}/start").status_code == 202


def test_each_bad_case_has_a_finding_of_its_own(upload):
    codes = [upload(BAD[case][0]()).json["error"] for case in ("cut in half", "../x inside")]
    codes += [upload(make()).json["findings"][0]["code"] for make, _ in MENDABLE.values()]
    assert len(set(codes)) == len(codes)


def test_a_refusal_names_the_file_as_its_sender_does(upload):
    (finding,) = upload(b"no zip", "mine/pets.ZIP").json["findings"]
    assert (finding["code"], finding["path"]) == ("zip_not_a_zip", "pets.zip")


def test_a_good_zip_becomes_a_job(upload, here):
    answer = upload(dataset_zip((41, 40, 40)), "my shapes.zip")
    assert answer.status_code == 201
    assert answer.json["counts"] == {"circle": 41, "square": 40, "triangle": 40}
    assert (answer.json["name"], answer.json["state"]) == ("my shapes", "checked")
    folder = here.store.folder(answer.json["id"])
    assert {one.name for one in folder.iterdir()} == {"upload.zip", "data", "looked.json"}


def folder_form(names):
    files = [(io.BytesIO(data), name) for name, data in names]
    return {"files": files}


def folder_files():
    shapes = ("circle", "square", "triangle")
    return [(f"pets/{s}/{i:02}.jpg", picture(s, i)) for s in shapes for i in range(40)]


def test_a_folder_becomes_a_job(post):
    answer = post("/api/jobs", data=folder_form(folder_files()))
    assert answer.status_code == 201, answer.json
    assert answer.json["counts"] == {"circle": 40, "square": 40, "triangle": 40}
    assert answer.json["name"] == "pets"


@pytest.mark.parametrize(
    "name", ["../../x.jpg", "/etc/x.jpg", "C:\\x.jpg", "pets/circle/../../../x.jpg", "a\x00b.jpg"]
)
def test_a_folder_with_hostile_paths_is_refused(post, here, name):
    answer = post("/api/jobs", data=folder_form([*folder_files(), (name, picture("circle", 3))]))
    assert 400 <= answer.status_code < 500
    assert nothing_left(here)
    assert not [*here.store.data.parent.rglob("x.jpg")]


def test_too_large_for_the_data_set_is_413_with_both_sizes(tmp_path):
    app = create_app(Settings(data=tmp_path / "d", upload_bytes=20_000))
    client = app.test_client()
    app.config["WTF_CSRF_ENABLED"] = False
    answer = client.post("/api/jobs", data={"file": (io.BytesIO(dataset_zip()), "a.zip")})
    assert answer.status_code == 413
    assert answer.json["error"] == "zip_too_large"


def test_too_large_for_the_request_is_413_before_it_is_read(tmp_path, monkeypatch):
    monkeypatch.setattr(uploads, "FORM_SPARE", 0)
    app = create_app(Settings(data=tmp_path / "d", upload_bytes=1000))
    app.config["WTF_CSRF_ENABLED"] = False
    answer = app.test_client().post("/api/jobs", data={"file": (io.BytesIO(bytes(9000)), "a.zip")})
    assert answer.status_code == 413
    assert answer.json["error"] == "upload_too_large"
    assert answer.json["findings"][0]["needed"]


def test_nothing_sent_is_400(post, here):
    answer = post("/api/jobs", data={})
    assert (answer.status_code, answer.json["error"]) == (400, "upload_missing")
    assert nothing_left(here)


def test_the_form_without_scripts_works_and_shows_findings(client, token):
    good = {"file": (io.BytesIO(dataset_zip()), "a.zip"), "csrf_token": token}
    answer = client.post("/upload", data=good)
    assert answer.status_code == 303
    assert "circle" in client.get(answer.location).text
    poor = {"file": (io.BytesIO(dataset_zip((40,))), "a.zip"), "csrf_token": token}
    answer = client.post("/upload", data=poor)
    assert answer.status_code == 303
    assert 'data-code="classes_too_few"' in client.get(answer.location).text
    bad = {"file": (io.BytesIO(b"PK"), "a.zip"), "csrf_token": token}
    answer = client.post("/upload", data=bad)
    assert answer.status_code == 422
    assert 'data-code="zip_not_a_zip"' in answer.text


def test_large_parts_lie_in_the_data_folder_and_go_away(app, here, post, monkeypatch):
    seen = []
    made = uploads.SpooledTemporaryFile

    def spy(size, **rest):
        seen.append(rest["dir"])
        return made(1, **rest)

    monkeypatch.setattr(uploads, "SpooledTemporaryFile", spy)
    post("/api/jobs", data={"file": (io.BytesIO(b"x" * 5000), "a.zip")})
    assert seen == [str(here.store.data)]
    assert nothing_left(here)


def test_an_unforeseen_failure_leaves_nothing_and_tells_no_traceback(upload, here, monkeypatch):
    def fail(*_):
        raise RuntimeError("secret detail")

    monkeypatch.setattr("host.jobs.gallery.checks.judge", fail)
    answer = upload(dataset_zip())
    assert (answer.status_code, answer.json["error"]) == (500, "host_failed")
    assert "secret" not in answer.text
    assert nothing_left(here)


def test_a_full_disk_is_507(upload, here, monkeypatch):
    def fail(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("host.web.actions.store_upload", fail)
    answer = upload(dataset_zip())
    assert (answer.status_code, answer.json["error"]) == (507, "disk_full")
    assert nothing_left(here)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("a/b\\pets.ZIP", "pets"),
        ("\x00\u202e.zip", "model"),
        ("猫.zip", "猫"),
        ("x" * 200, "x" * 60),
        ("folder/", "folder"),
    ],
)
def test_names_of_jobs_are_plain(text, name):
    assert plain_name(text) == name


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_packing_keeps_every_member_of_equal_names(tmp_path, app):
    form = {"files": [(io.BytesIO(b"1"), "p/a.jpg"), (io.BytesIO(b"2"), "p/a.jpg")]}
    with app.test_request_context("/", method="POST", data=form):
        assert uploads.store_upload(tmp_path) == "p"
    with zipfile.ZipFile(tmp_path / "upload.zip") as archive:
        assert [archive.read(one) for one in archive.infolist()] == [b"1", b"2"]


def test_no_files_is_an_error_of_the_user(tmp_path, app):
    with (
        app.test_request_context("/", method="POST"),
        pytest.raises(UserError, match="upload_missing"),
    ):
        uploads.store_upload(tmp_path)
