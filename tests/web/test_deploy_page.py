"""The last step: packages for a board, what to do with them, and what the board may say."""

import html
import io
import re
import shlex
import zipfile

import pytest
from host_help import box_zip

from host.deploy import machine_code, seal
from host.deploy.board_errors import ERRORS
from host.deploy.board_key import BoardKey
from host.deploy.key_store import KeyStore, StoredKey
from host.jobs.result_types import TUNED


@pytest.fixture
def key():
    return BoardKey.of_code(machine_code.of_board(bytes(range(32))))


def form(client, job_id):
    """What the page's form has, but for the code."""
    page = client.get(f"/jobs/{job_id}/deploy").text
    token = re.search(r'csrf-token" content="([^"]+)"', page)[1]
    return {"csrf_token": token, "board": "", "firmware": "minimum", "rotation": "", "seal": ""}


def boot(client, job_id):
    """Return the settings of boot.py in the card's zip, and the names of all its files."""
    data = client.get(f"/jobs/{job_id}/files/sd.zip").data
    with zipfile.ZipFile(io.BytesIO(data)) as card:
        text = card.read("boot.py").decode()
        settings = {}
        exec(text[text.index("SETTINGS = {") : text.index("\n}\n") + 2], settings)
        return settings["SETTINGS"], card.namelist()


def test_another_board_firmware_and_camera_need_no_training(client, post, done_detector, here):
    job_id = done_detector()
    chosen = {"board": "cube", "firmware": "minimum", "rotation": "2", "mirror": True}
    answer = post(f"/api/jobs/{job_id}/target", json=chosen)
    assert answer.status_code == 200, answer.text
    settings, names = boot(client, job_id)
    wanted = {"board": "cube", "rotation": 2, "mirror": True, "flip": False, "threshold": 0.4}
    assert wanted.items() <= settings.items() and "m.kmodel" in names
    assert here.store.get(job_id).result["target"]["firmware"] == "minimum"
    page = client.get(f"/jobs/{job_id}/deploy").text
    assert "--board cube" in page and "0x300000" in page and "MB" in page
    first = client.get(f"/jobs/{job_id}/files/sd.zip").data
    post(f"/api/jobs/{job_id}/target", json=chosen)
    assert client.get(f"/jobs/{job_id}/files/sd.zip").data == first
    assert len(list((here.store.folder(job_id) / TUNED).iterdir())) == 1


def test_values_and_target_keep_each_other(client, post, done_detector):
    job_id = done_detector()
    post(f"/api/jobs/{job_id}/target", json={"board": "dock", "flip": True})
    post(f"/api/jobs/{job_id}/values", json={"threshold": 0.7})
    post(f"/api/jobs/{job_id}/target", json={"rotation": "1"})
    settings, _ = boot(client, job_id)
    assert (settings["threshold"], settings["flip"], settings["rotation"]) == (0.7, True, 1)
    assert settings["board"] == "other"


def test_a_plain_job_is_sealed_and_opened_again(client, post, done_detector, here, key):
    job_id = done_detector()
    KeyStore(here.settings.data).add(StoredKey.new("door", key))
    assert post(f"/api/jobs/{job_id}/target", json={"seal": "door"}).status_code == 200
    settings, names = boot(client, job_id)
    assert "m.kmx" in names and "m.kmodel" not in names and settings["model"] == "/sd/m.kmx"
    assert client.get(f"/jobs/{job_id}/files/m.kmodel").status_code == 404
    kmx = client.get(f"/jobs/{job_id}/files/m.kmx").data
    plain = (here.store.folder(job_id) / "m.kmodel").read_bytes()
    assert seal.unseal(kmx, key) == plain
    post(f"/api/jobs/{job_id}/values", json={"threshold": 0.6})
    assert client.get(f"/jobs/{job_id}/files/m.kmx").data == kmx
    assert post(f"/api/jobs/{job_id}/target", json={"seal": ""}).status_code == 200
    assert client.get(f"/jobs/{job_id}/files/m.kmodel").data == plain


def test_the_code_of_a_new_board_seals_and_is_in_no_answer(client, post, done_detector, here, key):
    job_id = done_detector()
    code = machine_code.of_board(bytes(range(32))).text
    typo = code[:-1] + ("0" if code[-1] != "0" else "1")
    page = client.post(
        f"/jobs/{job_id}/deploy", data={"machine_code": typo, **form(client, job_id)}
    )
    assert page.status_code == 422 and "machine_code_check" in page.text
    assert not any(group in page.text for group in code.split("-")[:8])
    assert here.store.get(job_id).result.get("seal") is None
    page = client.post(
        f"/jobs/{job_id}/deploy", data={"machine_code": code, **form(client, job_id)}
    )
    assert page.status_code == 303
    (entry,) = KeyStore(here.settings.data).entries()
    assert entry.key == key
    shown = client.get(f"/jobs/{job_id}/deploy").text
    assert f"sealed for {entry.name}" in shown
    assert not any(group in shown for group in code.split("-"))
    sealed = client.get(f"/jobs/{job_id}/files/m.kmx").data
    assert seal.unseal(sealed, key) == (here.store.folder(job_id) / "m.kmodel").read_bytes()
    again = post(f"/api/jobs/{job_id}/target", json={"machine_code": code.lower()})
    assert again.status_code == 200 and len(KeyStore(here.settings.data).entries()) == 1
    written = [one for one in here.settings.data.rglob("*") if one.parent.name != "keys"]
    whole = b"".join(one.read_bytes() for one in written if one.is_file())
    assert code.encode() not in whole and key.key not in whole


@pytest.mark.parametrize("value", [5, True, "x", 10**40])
def test_what_is_no_code_is_told(post, done_detector, value):
    refused = post(f"/api/jobs/{done_detector()}/target", json={"machine_code": value})
    assert refused.status_code in (400, 422), refused.text


def test_no_other_code_for_a_job_that_was_ordered_sealed(post, done_detector, here, key):
    job_id = done_detector(key)
    code = machine_code.of_board(bytes(32)).text
    refused = post(f"/api/jobs/{job_id}/target", json={"machine_code": code})
    assert (refused.status_code, refused.json["error"]) == (422, "seal_fixed")
    assert KeyStore(here.settings.data).entries() == []


def test_a_job_that_was_ordered_sealed_stays_so(client, post, done_detector, key):
    job_id = done_detector(key)
    page = client.get(f"/jobs/{job_id}/deploy").text
    assert "Sealed for front door, and stays so" in page
    assert post(f"/api/jobs/{job_id}/target", json={"board": "cube"}).status_code == 200
    settings, names = boot(client, job_id)
    assert settings["board"] == "cube" and "m.kmx" in names
    refused = post(f"/api/jobs/{job_id}/target", json={"seal": ""})
    assert (refused.status_code, refused.json["error"]) == (422, "seal_fixed")
    assert "stays so" in client.get(f"/jobs/{job_id}/deploy").text


@pytest.mark.parametrize(
    "wrong", [{"board": "toaster"}, {"rotation": "4"}, {"firmware": "x"}, {"seal": "36 digits"}]
)
def test_what_does_not_exist_is_refused_and_changes_nothing(post, done_detector, here, wrong):
    job_id = done_detector()
    before = here.store.get(job_id).result
    answer = post(f"/api/jobs/{job_id}/target", json=wrong)
    assert (answer.status_code, answer.json["error"]) == (400, "option_invalid")
    assert answer.json["findings"][0]["path"] == next(iter(wrong))
    assert "36 digits" not in answer.text and here.store.get(job_id).result == before


def test_the_form_works_without_scripts(client, token, done_detector):
    job_id = done_detector()
    form = {"csrf_token": token, "board": "amigo_ips", "firmware": "minimum", "rotation": "",
            "seal": "", "flip": "y"}  # fmt: skip
    assert client.post(f"/jobs/{job_id}/deploy", data=form).status_code == 303
    settings, _ = boot(client, job_id)
    assert (settings["board"], settings["flip"], settings["mirror"]) == ("amigo_ips", True, False)
    form["board"] = "toaster"
    answer = client.post(f"/jobs/{job_id}/deploy", data=form)
    assert answer.status_code == 400 and 'data-code="option_invalid"' in answer.text


def test_a_crash_before_the_row_changes_nothing(client, post, done_detector, here, monkeypatch):
    job_id = done_detector()
    before = boot(client, job_id)
    monkeypatch.setattr(here.store.__class__, "move", lambda *_, **__: False)
    assert post(f"/api/jobs/{job_id}/target", json={"board": "cube"}).status_code == 409
    assert boot(client, job_id) == before


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_help_has_every_entry_and_the_collector_is_filled_in(client, done_detector, language):
    job_id = done_detector()
    page = client.get(f"/jobs/{job_id}/deploy?lang={language}").text
    for error in ERRORS:
        assert f'id="error-{error.name}"' in page
    assert "load error:2006" in page and 'name="classes" value="red\ngreen"' in page
    if language == "zh":
        assert not any(error.cause in page for error in ERRORS)
    form = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', page))
    form |= {"task": "detect"}
    card = client.post("/collector", data=form)
    assert card.status_code == 200, card.text
    with zipfile.ZipFile(io.BytesIO(card.data)) as archive:
        assert archive.read("classes.txt").decode().splitlines()[1:] == ["red", "green"]


def test_the_command_is_one_whatever_the_job_is_called(client, done_detector, here):
    job_id = done_detector()
    here.store.update(job_id, name="cats; rm -rf ~")
    page = html.unescape(client.get(f"/jobs/{job_id}/deploy").text)
    [command] = re.findall(r"<code>(maixforge flash .*)</code>", page)
    assert shlex.split(command)[3] == "cats; rm -rf ~-model.kfpkg"


def test_a_job_that_is_not_done_has_no_such_page(client, upload, here):
    job_id = upload(box_zip()).json["id"]
    assert client.get(f"/jobs/{job_id}/deploy").status_code == 409
