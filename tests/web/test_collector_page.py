"""The page that makes collector cards."""

import io
import re
import zipfile

import pytest

from host.deploy.collector import BOARDS

FORM = {"task": "classify", "classes": "cat\r\ndog", "name": "pets", "board": "cube"}


@pytest.fixture
def make(client, token):
    return lambda **more: client.post("/collector", data={"csrf_token": token, **FORM, **more})


def test_the_start_page_leads_to_it(client):
    assert 'href="/collector"' in client.get("/").text
    page = client.get("/collector").text
    fields = re.findall(r'<(?:input|select|textarea)[^>]* id="([^"]+)"', page)
    assert {"classes", "name", "board", "wanted", "rotation", "mirror", "flip"} <= set(fields)
    assert set(fields) <= set(re.findall(r'<label[^>]* for="([^"]+)"', page))
    for board in BOARDS:
        assert f'value="{board}"' in page


def test_the_zip_is_what_was_asked_for(make):
    answer = make(wanted="60", rotation="1", mirror="y")
    assert answer.status_code == 200
    assert answer.headers["Content-Disposition"] == "attachment; filename=pets-collector-card.zip"
    with zipfile.ZipFile(io.BytesIO(answer.data)) as archive:
        assert archive.read("classes.txt") == b"# name: pets\ncat\ndog\n"
        boot = archive.read("boot.py").decode()
    for line in ("'board': 'cube'", "'minimum': 60", "'rotation': 1", "'mirror': True"):
        assert line in boot
    assert make(wanted="60", rotation="1", mirror="y").data == answer.data


def test_a_card_for_boxes(make):
    with zipfile.ZipFile(io.BytesIO(make(task="detect", classes="cat, dog").data)) as archive:
        assert b"'boxes_wanted': 100" in archive.read("boot.py")


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        ({"classes": "cat"}, "collector_classes"),
        ({"classes": "cat\n\u732b"}, "label_not_ascii"),
        ({"name": "\u732b"}, "collector_name"),
        ({"wanted": "0"}, "collector_wanted"),
        ({"wanted": "many"}, "option_invalid"),
        ({"board": "esp32"}, "option_invalid"),
        ({"task": "dance"}, "option_invalid"),
        ({"rotation": "7"}, "option_invalid"),
    ],
)
def test_what_is_wrong_is_shown_and_what_was_typed_stays(make, wrong, code):
    answer = make(**wrong)
    assert answer.status_code == 422
    assert f'data-code="{code}"' in answer.text
    kept = {**FORM, **wrong}["classes"].splitlines()[0]
    assert re.search(rf"<textarea[^>]*>\s*{kept}", answer.text)


def test_hostile_names_are_only_text(make):
    answer = make(classes='cat\n<script>alert("1")</script>')
    assert answer.status_code == 422 and "<script>alert" not in answer.text


def test_without_its_token_nothing_is_made(client):
    assert client.post("/collector", data=FORM).status_code == 400
