"""The Data page and its API: pictures listed, edited, checked again; nothing foreign gets in."""

import io
import json

import pytest
from host_help import box_zip, dataset_zip, picture

from host.jobs import edits

ODD = (("circle/same.jpg", picture("circle", 3)), ("square/cut.jpg", picture("square", 1)[:300]))


@pytest.fixture
def job_id(upload):
    return upload(dataset_zip((42, 42, 42), extra=ODD)).json["id"]


@pytest.fixture
def boxed(upload):
    return upload(box_zip(24)).json["id"]


@pytest.fixture
def edit(post):
    """Send one edit."""

    def send(job_id, **value):
        return post(f"/api/jobs/{job_id}/pictures/edits", json=value)

    return send


@pytest.fixture
def numbers(client):
    """The numbers of a job's pictures by path."""

    def read(job_id, **query):
        answer = client.get(f"/api/jobs/{job_id}/pictures", query_string={"count": 2000, **query})
        return {one["path"]: one["number"] for one in answer.json["pictures"]}

    return read


def test_pictures_are_listed_by_class_and_by_pages(client, job_id, numbers):
    answer = client.get(f"/api/jobs/{job_id}/pictures").json
    assert (answer["total"], len(answer["pictures"])) == (128, 128)
    assert answer["counts"] == {"circle": 42, "square": 42, "triangle": 42}
    assert (answer["trainable"], answer["editable"]) == (True, True)
    assert len(numbers(job_id, label="square")) == 43
    first, second = (numbers(job_id, after=n, count=100) for n in (0, 100))
    assert len(first | second) == 128
    assert list(numbers(job_id, mark="same")) == ["circle/same.jpg"]
    assert list(numbers(job_id, mark="broken")) == ["square/cut.jpg"]
    assert numbers(job_id, label="nobody") == numbers(job_id, mark="nonsense") == {}


def test_an_edit_is_saved_checked_and_undone(client, here, job_id, edit, numbers):
    known = numbers(job_id)
    some = [known[f"circle/{n:03}.jpg"] for n in range(3)]
    answer = edit(job_id, edit="move", pictures=some, label="square").json
    assert answer["counts"] == {"circle": 39, "square": 45, "triangle": 42}
    assert (answer["undo"], answer["trainable"]) == (1, False)
    assert answer["findings"][0]["code"] == "class_too_small"
    assert here.store.get(job_id).dataset["counts"]["circle"] == 39
    page = client.get(f"/jobs/{job_id}").text
    assert "disabled" in page
    assert "cannot be trained yet" in page
    assert answer["changed"] == sorted(some)
    assert edit(job_id, edit="undo").json["counts"]["circle"] == 42
    assert edit(job_id, edit="redo").json["counts"]["circle"] == 39
    journal = here.store.folder(job_id) / edits.NAME
    assert len(journal.read_text().splitlines()) == 3


def test_an_edit_that_the_row_did_not_hear_of_is_told_on_the_page(client, here, job_id):
    """The host was killed between the journal and the row."""
    with (here.store.folder(job_id) / edits.NAME).open("wb") as file:
        file.write(b'{"edit": "rename", "label": "circle", "to": "ring"}\n{"edit": "undo"')
    assert "circle" in here.store.get(job_id).dataset["counts"]
    assert "?label=ring" in client.get(f"/jobs/{job_id}/data").text
    assert here.store.get(job_id).dataset["counts"] == {"ring": 42, "square": 42, "triangle": 42}


def test_data_that_were_spoiled_are_not_trained(post, job_id, edit, numbers):
    some = list(numbers(job_id, label="circle").values())[:5]
    edit(job_id, edit="delete", pictures=some)
    answer = post(f"/api/jobs/{job_id}/start")
    assert (answer.status_code, answer.json["error"]) == (422, "class_too_small")
    edit(job_id, edit="undo")
    assert post(f"/api/jobs/{job_id}/start").status_code == 202
    answer = edit(job_id, edit="delete", pictures=some)
    assert (answer.status_code, answer.json["error"]) == (409, "job_state_wrong")


def test_an_edit_of_a_job_that_was_sent_meanwhile_is_refused(here, job_id, edit, monkeypatch):
    parse = edits.parse

    def sent(value):
        here.store.update(job_id, state="queued")
        return parse(value)

    monkeypatch.setattr(edits, "parse", sent)
    answer = edit(job_id, edit="delete", pictures=[0])
    assert (answer.status_code, answer.json["error"]) == (409, "job_state_wrong")
    assert not (here.store.folder(job_id) / edits.NAME).exists()


def test_boxes_are_set_and_a_negative_has_none(client, boxed, edit):
    one = client.get(f"/api/jobs/{boxed}/pictures").json["pictures"][0]
    assert [box["label"] for box in one["boxes"]] == ["circle", "square"]
    new = [{"label": "star", "left": 1, "top": 2, "right": 50.5, "bottom": 60}]
    assert edit(boxed, edit="boxes", pictures=[one["number"]], boxes=new).json["ok"]
    where = f"/api/jobs/{boxed}/pictures/{one['number']}"
    assert client.get(where).json["picture"]["boxes"] == new
    assert edit(boxed, edit="boxes", pictures=[one["number"]], boxes=[]).json["ok"]
    negative = client.get(f"/api/jobs/{boxed}/pictures?mark=negative").json["pictures"]
    assert [found["number"] for found in negative] == [one["number"]]
    wide = [{**new[0], "right": 225}]
    answer = edit(boxed, edit="boxes", pictures=[one["number"]], boxes=wide)
    assert (answer.status_code, answer.json["error"]) == (422, "edit_box_outside")


@pytest.mark.parametrize(
    ("value", "status", "code"),
    [
        (None, 400, "edit_unreadable"),
        ([], 400, "edit_unreadable"),
        ({"edit": "burn", "pictures": [0]}, 400, "edit_unreadable"),
        ({"edit": "delete", "pictures": ["circle/000.jpg"]}, 400, "edit_unreadable"),
        ({"edit": "delete", "pictures": [True]}, 400, "edit_unreadable"),
        ({"edit": "delete", "pictures": [10**6]}, 404, "picture_missing"),
        ({"edit": "delete", "pictures": [-1]}, 404, "picture_missing"),
        ({"edit": "move", "pictures": [0], "label": "../x"}, 422, "label_characters"),
        ({"edit": "rename", "label": "nobody", "to": "x"}, 422, "edit_label_unknown"),
        ({"edit": "boxes", "pictures": [0], "boxes": []}, 422, "edit_unfit"),
        ({"edit": "undo"}, 409, "edit_nothing"),
    ],
)
def test_what_is_no_edit_is_refused(post, here, job_id, value, status, code):
    data = json.dumps(value)
    answer = post(f"/api/jobs/{job_id}/pictures/edits", data=data, content_type="application/json")
    assert (answer.status_code, answer.json["error"]) == (status, code)
    assert not (here.store.folder(job_id) / edits.NAME).exists()


def test_an_edit_needs_the_token_and_a_bounded_body(client, post, job_id):
    where = f"/api/jobs/{job_id}/pictures/edits"
    assert client.post(where, json={"edit": "undo"}).json["error"] == "form_expired"
    huge = b'{"edit": "undo"' + b" " * 3_000_000 + b"}"
    answer = post(where, data=huge, content_type="application/json")
    assert (answer.status_code, answer.json["error"]) == (400, "edit_unreadable")
    assert set(answer.json) == {"ok", "error", "findings"}


def test_a_preview_is_a_jpeg_of_ours_that_may_be_kept(client, job_id, numbers):
    number = numbers(job_id)["circle/000.jpg"]
    for size in ("small", "large"):
        answer = client.get(f"/api/jobs/{job_id}/pictures/{number}/{size}.jpg")
        assert answer.data.startswith(b"\xff\xd8")
        assert answer.data != picture("circle", 0)
        assert answer.headers["Cache-Control"].startswith("private")
    for other in (f"{number}/huge.jpg", "9999/small.jpg"):
        assert client.get(f"/api/jobs/{job_id}/pictures/{other}").status_code == 404
    broken = numbers(job_id)["square/cut.jpg"]
    assert client.get(f"/api/jobs/{job_id}/pictures/{broken}/small.jpg").status_code == 422


def test_the_page_can_be_asked_for_some_pictures_only(client, job_id, numbers):
    some = list(numbers(job_id, label="square").values())[:2]
    asked = ",".join(map(str, [*some, 0, 9999]))
    page = client.get(f"/jobs/{job_id}/data?label=square&only={asked}").text
    assert page.count('class="picture"') == 2
    assert client.get(f"/jobs/{job_id}/data?only=x").text.count('class="picture"') == 0


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_page_shows_classes_marks_and_filters(client, job_id, language):
    page = client.get(f"/jobs/{job_id}/data?lang={language}").text
    assert page.count('class="picture"') == 128
    assert page.count('loading="lazy"') == 127
    for text in ("circle/same.jpg", "?mark=same", "?label=square", 'aria-current="true"'):
        assert text in page
    assert "<script>" not in page
    assert " style=" not in page


def test_everything_works_without_scripts(client, token, here, job_id, numbers):
    def act(**form):
        return client.post(f"/jobs/{job_id}/data", data={"csrf_token": token, **form})

    known = numbers(job_id)
    answer = act(picture=[known["circle/000.jpg"]], to="square", label="circle")
    assert (answer.status_code, answer.location) == (303, f"/jobs/{job_id}/data?label=circle")
    assert here.store.get(job_id).dataset["counts"]["square"] == 43
    act(act="delete", picture=[known["circle/001.jpg"], known["circle/002.jpg"]])
    act(act="undo")
    act(act="rename", label="circle", to="ring")
    counts = here.store.get(job_id).dataset["counts"]
    assert counts == {"ring": 41, "square": 43, "triangle": 42}
    assert act(act="delete").status_code == 400
    assert act(act="burn").status_code == 400


def test_one_click_on_the_check_page_mends_what_can_be_mended(client, token, here, job_id):
    page = client.get(f"/jobs/{job_id}").text
    assert "Delete equal pictures" in page
    assert "Delete what cannot be used" in page
    for mark in ("same", "broken"):
        form = {"csrf_token": token, "act": "clear", "mark": mark, "back": "check"}
        answer = client.post(f"/jobs/{job_id}/data", data=form)
        assert (answer.status_code, answer.location) == (303, f"/jobs/{job_id}")
    codes = {one["code"] for one in here.store.get(job_id).findings}
    assert not codes & {"duplicates_dropped", "picture_truncated", "picture_unreadable"}
    assert "Delete equal pictures" not in client.get(f"/jobs/{job_id}").text


def test_of_near_duplicates_one_of_each_group_stays(client, token, upload, numbers):
    frames = []
    for n in range(4):
        buffer = io.BytesIO()
        from PIL import Image

        Image.open(io.BytesIO(picture("circle", 5))).save(buffer, "JPEG", quality=85 + n)
        frames.append((f"circle/burst{n}.jpg", buffer.getvalue()))
    job_id = upload(dataset_zip((42, 42, 42), extra=frames)).json["id"]
    before = set(numbers(job_id, mark="near"))
    assert {name for name, _ in frames} <= before
    client.post(f"/jobs/{job_id}/data", data={"csrf_token": token, "act": "clear", "mark": "near"})
    assert numbers(job_id, mark="near") == {}
    assert len(set(numbers(job_id)) & {"circle/005.jpg", *(name for name, _ in frames)}) == 1


def test_the_box_page_shows_the_picture_its_boxes_and_its_neighbours(client, boxed, numbers):
    known = list(numbers(boxed).values())
    page = client.get(f"/jobs/{boxed}/data/{known[1]}?label=circle").text
    for text in (f"/data/{known[0]}?label=circle", f"/data/{known[2]}?label=circle", "2 / 24"):
        assert text in page
    assert "square" in page
    assert client.get(f"/jobs/{boxed}/data/9999").status_code == 404


def test_a_picture_that_left_its_filter_still_has_a_next_one(client, boxed, edit, numbers):
    known = list(numbers(boxed).values())
    for number in known[:3]:
        edit(boxed, edit="boxes", pictures=[number], boxes=[])
    new = [{"label": "circle", "left": 1, "top": 2, "right": 50, "bottom": 60}]
    edit(boxed, edit="boxes", pictures=[known[1]], boxes=new)
    page = client.get(f"/jobs/{boxed}/data/{known[1]}?mark=negative").text
    for number in (known[0], known[2]):
        assert f"/data/{number}?mark=negative" in page


def test_a_job_that_is_not_there(client):
    for path in ("/jobs/none/data", "/jobs/none/data/1", "/api/jobs/none/pictures"):
        assert client.get(path).status_code == 404
