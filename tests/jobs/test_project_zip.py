"""A job goes to another host as one zip; what is in a zip from elsewhere is not believed."""

import io
import json
import zipfile
from dataclasses import replace

import pytest
from click.testing import CliRunner
from host_help import dataset_zip, picture

from host.cli import main
from host.config import Settings
from host.errors import UserError
from host.jobs import added, adding, edits, project, submit
from host.jobs.store import Store

CHOSEN = {"preset": "best", "seed": 7, "batch": "48", "flip_vertical": "true"}


@pytest.fixture
def small(settings):
    return replace(settings, images_min=4)


@pytest.fixture
def job(store, small):
    with submit.arriving(store) as (job_id, folder):
        (folder / "upload.zip").write_bytes(dataset_zip((8, 8, 8)))
        made = submit.check(store, small, job_id, "shapes.zip")
    options = {**CHOSEN, "seal": "front door", "mail": "a@b.example"}
    store.update(made.id, options=options)
    edit = {"edit": "delete", "pictures": ["circle/000.jpg"]}
    (folder / edits.NAME).write_text(json.dumps(edit) + "\n")
    return made


def members(path):
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def test_it_comes_back_on_another_host(store, small, job, tmp_path):
    path = project.export(store, job.id, tmp_path / "p.zip")
    assert path.read_bytes() == project.export(store, job.id, tmp_path / "q.zip").read_bytes()
    there = replace(small, data=tmp_path / "there")
    other = Store(there.data)
    made = project.import_file(other, there, path)
    assert (made.state, made.name, made.options) == (
        "checked",
        "shapes",
        CHOSEN,
    )
    assert made.dataset["counts"] == {"circle": 7, "square": 8, "triangle": 8}
    for name in ("upload.zip", edits.NAME):
        theirs = (other.folder(made.id) / name).read_bytes()
        assert theirs == (store.folder(job.id) / name).read_bytes()
    assert not (other.folder(made.id) / "project").exists()
    other.close()


def test_added_pictures_go_along(store, small, job, tmp_path):
    adding.add_pictures(store, small, job.id, [("a.jpg", picture("circle", 900))], "star")
    path = project.export(store, job.id, tmp_path / "p.zip")
    there = replace(small, data=tmp_path / "there")
    other = Store(there.data)
    made = project.import_file(other, there, path)
    shown, theirs = submit.shown(store, small, job.id), submit.shown(other, there, made.id)
    assert [(one.number, one.label) for one in theirs.pictures] == [
        (one.number, one.label) for one in shown.pictures
    ]
    assert made.dataset["counts"]["star"] == 1
    assert project.export(other, made.id, tmp_path / "q.zip").read_bytes() == path.read_bytes()
    other.close()


def test_added_pictures_are_measured_before_they_are_decoded(
    store, small, job, tmp_path, monkeypatch
):
    adding.add_pictures(store, small, job.id, [("a.jpg", picture("circle", 900))], "star")
    path = project.export(store, job.id, tmp_path / "p.zip")
    few = replace(submit.limits_of(small), total_pixels=4000)
    monkeypatch.setattr(submit, "limits_of", lambda _: few)
    monkeypatch.setattr(submit, "check", lambda *_: pytest.fail("they were decoded"))
    with pytest.raises(UserError, match="pictures_too_many_pixels"):
        project.import_file(store, small, path)


def test_a_begun_job_goes_along(store, small, tmp_path):
    job = adding.begin(store, small, "mine", "detect", ["nut"])
    path = project.export(store, job.id, tmp_path / "p.zip")
    made = project.import_file(store, small, path)
    assert (made.name, made.dataset["labels"], made.dataset["pictures"]) == ("mine", ["nut"], 0)


def test_the_command_says_whether_it_can_be_trained(store, small, job, tmp_path, monkeypatch):
    monkeypatch.setenv("MAIXFORGE_DATA", str(small.data))
    path = project.export(store, job.id, tmp_path / "p.zip")
    for least, said in (("4", "ready to train"), ("9", "cannot be trained yet")):
        monkeypatch.setenv("MAIXFORGE_IMAGES_MIN", least)
        done = CliRunner().invoke(main, ["import", str(path), "--json"])
        assert (done.exit_code, said in done.stderr) == (0, True), done.output
        assert json.loads(done.stdout)["trainable"] is (least == "4")


def test_no_key_no_board_and_no_mail_goes_along(store, job, tmp_path):
    path = project.export(store, job.id, tmp_path / "p.zip")
    assert set(members(path)) == {project.MARK, project.DATA, edits.NAME}
    said = members(path)[project.MARK]
    assert b"front door" not in said and b"example" not in said
    assert json.loads(said)["options"] == CHOSEN


def zipped(**files):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return buffer.getvalue()


def mark(**values):
    return json.dumps({"format": 1, "name": "x", "options": {}, **values}).encode()


GOOD = dataset_zip((8, 8, 8))
MORE = picture("circle", 900)
PLACE = added.path_of(MORE).removeprefix("../")
LINE = json.dumps({"edit": "add", "pictures": [f"../{PLACE}"], "label": "star"}).encode() + b"\n"
BAD = {
    "no data": ({project.MARK: mark()}, "project_damaged"),
    "no mark": ({project.DATA: GOOD}, "project_damaged"),
    "mark is no JSON": ({project.MARK: b"{", project.DATA: GOOD}, "project_damaged"),
    "mark is deep": ({project.MARK: b"[" * 60_000, project.DATA: GOOD}, "project_damaged"),
    "mark is long": (
        {project.MARK: mark(name="x" * 99_999), project.DATA: GOOD}, "project_damaged"),
    "other format": ({project.MARK: mark(format=2), project.DATA: GOOD}, "project_damaged"),
    "options": ({project.MARK: mark(options={"seed": [1]}), project.DATA: GOOD}, "project_damaged"),
    "data is no zip": ({project.MARK: mark(), project.DATA: b"MZ" * 99}, "zip_not_a_zip"),
    "data escapes": (
        {project.MARK: mark(), project.DATA: zipped(**{"../evil.jpg": b"x"})}, "zip_path_escapes"),
    "escapes": ({project.MARK: mark(), project.DATA: GOOD, "../x": b""}, "zip_path_escapes"),
    "more": (
        {project.MARK: mark(), project.DATA: GOOD, edits.NAME: b"", "result.json": b"{}"},
        "project_damaged"),
    "a nested zip": ({project.MARK: mark(), project.DATA: GOOD, "up.zip": GOOD}, "zip_nested"),
    "a bomb": (
        {project.MARK: mark(), project.DATA: zipped(**{"a/1.jpg": bytes(30_000_000)})}, "zip_bomb"),
    "edits": (
        {project.MARK: mark(), project.DATA: GOOD, edits.NAME: b'{"edit": "rm -rf"}\n'}, "edit"),
    "an added picture is not there": (
        {project.MARK: mark(), project.DATA: GOOD, edits.NAME: LINE}, "project_damaged"),
    "an added picture that no edit adds": (
        {project.MARK: mark(), project.DATA: GOOD, PLACE: MORE}, "project_damaged"),
    "an added picture is another one": (
        {project.MARK: mark(), project.DATA: GOOD, edits.NAME: LINE, PLACE: MORE + b"x"},
        "project_damaged"),
    "an edit adds a foreign file": (
        {project.MARK: mark(), project.DATA: GOOD, PLACE: MORE,
         edits.NAME: LINE.replace(b"../added", b"/etc")}, "edits_unreadable"),
    "added pictures in a folder": (
        {project.MARK: mark(), project.DATA: GOOD, edits.NAME: LINE, f"{PLACE}/x": MORE},
        "project_damaged"),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_a_hostile_project_is_refused_and_leaves_nothing(store, small: Settings, tmp_path, name):
    files, code = BAD[name]
    with zipfile.ZipFile(tmp_path / "p.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for member, data in files.items():
            archive.writestr(member, data)
    with pytest.raises(UserError) as caught:
        project.import_file(store, small, tmp_path / "p.zip")
    assert caught.value.code.startswith(code)
    assert str(caught.value)
    assert store.jobs() == []
    assert list(store.jobs_folder.iterdir()) == []
    assert not (tmp_path / "evil.jpg").exists()
