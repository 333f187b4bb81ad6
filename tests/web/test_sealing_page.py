"""Sealing from the pages: a board by its code or its name, and where the code does not go."""

import json

import pytest
from host_help import dataset_zip

from host.deploy import machine_code
from host.deploy.board_key import BoardKey
from host.deploy.key_store import KeyStore, StoredKey

CODE = machine_code.of_board(bytes(range(32)))
KEY = BoardKey.of_code(CODE)
BURNT = BoardKey("burnt", bytes.fromhex("00112233445566778899aabbccddeeff"))
NAME = f"board {KEY.board_id.hex()[:8]}"


@pytest.fixture
def job_id(upload):
    return upload(dataset_zip()).json["id"]


@pytest.fixture
def start(post, job_id):
    return lambda **form: post(f"/api/jobs/{job_id}/start", data=form)


@pytest.fixture
def spec(here, job_id):
    return lambda: json.loads((here.store.folder(job_id) / "spec.json").read_text())


def everything_written(settings):
    """All bytes that the host has written, but for the key store."""
    paths = [path for path in settings.data.rglob("*") if path.is_file()]
    return b"".join(path.read_bytes() for path in paths if path.parent.name != "keys")


@pytest.mark.parametrize("typed", [CODE.text, CODE.text.lower().replace("-", " ") + "\r\n"])
def test_a_typed_code_becomes_a_board(start, spec, settings, here, job_id, typed):
    assert start(machine_code=typed).status_code == 202
    assert spec()["seal"] == NAME and spec()["data_folder"] == str(settings.data.resolve())
    assert KeyStore(settings.data).get(NAME).key == KEY
    assert here.store.get(job_id).options["seal"] == NAME
    assert "machine_code" not in here.store.get(job_id).options


def test_the_code_and_the_key_are_nowhere_but_in_the_key_store(start, settings, client, job_id):
    start(machine_code=CODE.text)
    written = everything_written(settings) + client.get(f"/jobs/{job_id}").data
    written += client.get(f"/api/jobs/{job_id}").data
    for secret in (CODE.value, KEY.key, KEY.board_id):
        assert secret not in written
        assert secret.hex().encode() not in written.lower()
    assert CODE.text.encode() not in written
    assert CODE.text.replace("-", "").encode() not in written


def test_the_same_code_again_is_the_same_board(start, spec, settings, post, job_id):
    KeyStore(settings.data).add(StoredKey.new("front door", KEY))
    start(machine_code=CODE.text)
    assert spec()["seal"] == "front door"
    assert [one.name for one in KeyStore(settings.data).entries()] == ["front door"]


def test_a_stored_board_can_be_chosen(start, spec, settings, client, job_id):
    store = KeyStore(settings.data)
    store.add(StoredKey.new("front door", KEY))
    store.add(StoredKey.new("back door", BURNT))  # pending: perhaps burnt
    page = client.get(f"/jobs/{job_id}").text
    assert '<option value="front door">' in page and "back door" not in page
    assert start(seal="front door").status_code == 202
    assert spec()["seal"] == "front door"


def test_without_a_board_nothing_is_sealed(start, spec, settings):
    assert start().status_code == 202
    assert spec()["seal"] == "" and not (settings.data / "keys").exists()


WRONG = CODE.text[:-1] + ("0" if CODE.text[-1] != "0" else "1")


@pytest.mark.parametrize(
    ("typed", "code"),
    [
        (WRONG, "machine_code_check"),
        (CODE.text[:-2], "machine_code_length"),
        (CODE.text[:-1] + "?", "machine_code_characters"),
        (BURNT.code, "machine_code_burnt"),
    ],
)
@pytest.mark.parametrize("language", ["en", "zh"])
def test_a_wrong_code_is_told_and_not_repeated(
    start, client, here, job_id, settings, typed, code, language
):
    client.get(f"/?lang={language}")
    answer = start(machine_code=typed)
    assert answer.status_code == 422 and answer.json["error"] == code
    (finding,) = answer.json["findings"]
    assert finding["path"] == "machine_code" and finding["fix"]
    assert all(ord(letter) < 256 for letter in finding["what"]) == (language == "en")
    assert typed[:14] not in answer.text and typed.replace("-", "")[:12] not in answer.text
    assert here.store.get(job_id).state == "checked"
    assert not (settings.data / "keys").exists()
    assert typed.encode() not in everything_written(settings)


def test_a_code_pasted_into_the_wrong_field_is_not_repeated(start):
    answer = start(seal=CODE.text)
    assert answer.status_code == 400 and answer.json["error"] == "option_invalid"
    assert CODE.text[:9] not in answer.text


def test_canmv_and_a_seal_contradict_each_other(start, settings):
    answer = start(machine_code=CODE.text, canmv="y")
    assert answer.status_code == 422 and answer.json["error"] == "seal_canmv"
    assert not (settings.data / "keys").exists()


def test_the_form_says_what_each_strength_is_worth(client, job_id):
    page = client.get(f"/jobs/{job_id}").text
    for words in ("Bound, no fuse", "Burnt", "does not protect", 'autocomplete="off"'):
        assert words in page
    assert "不能防" in client.get(f"/jobs/{job_id}?lang=zh").text


@pytest.fixture
def sealed_job(here, job_id):
    folder = here.store.folder(job_id)
    files = {"m.kmodel": b"plain", "package/m.kmx": b"sealed", "sd.zip": b"PK", "model.kfpkg": b"P"}
    for name, data in files.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(data)
    result = {
        "task": "classify", "labels": ["circle", "square", "triangle"], "kmodel": "m.kmodel",
        "float": {"accuracy": 1.0}, "int8": {"accuracy": 1.0}, "kmodel_bytes": 5, "ram_bytes": 9,
        "ms": 10.0, "sd_zip": "sd.zip", "kfpkg": "model.kfpkg", "seconds": 1.0,
        "seal": {"board": "front door", "board_id": "12345678", "strength": "bound",
                 "kmx": "package/m.kmx", "kmx_bytes": 6},
    }  # fmt: skip
    here.store.update(job_id, state="done", result=result, options={"seal": "front door"})
    return job_id


def test_the_result_says_for_which_board_and_what_it_is_worth(client, sealed_job):
    page = client.get(f"/jobs/{sealed_job}").text
    assert "Sealed for one board: front door (id <code>12345678…</code>)" in page
    assert "knows its machine code" in page and "do not hand that on" in page
    assert "m.kmx" in page and "files/m.kmodel" not in page


def test_a_sealed_job_hands_out_no_plain_model(client, sealed_job):
    assert client.get(f"/jobs/{sealed_job}/files/m.kmx").data == b"sealed"
    assert client.get(f"/jobs/{sealed_job}/files/m.kmodel").status_code == 404


def test_only_sealed_jobs_have_the_step(here, client, job_id):
    here.store.update(job_id, state="running", options={})
    assert 'data-step="seal"' not in client.get(f"/jobs/{job_id}").text
    here.store.update(job_id, state="running", options={"seal": "front door"})
    assert 'data-step="seal"' in client.get(f"/jobs/{job_id}").text
    here.store.update(job_id, state="cancelled")
