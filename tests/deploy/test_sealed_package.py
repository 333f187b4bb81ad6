"""Packages that are sealed for one board: what is handed on holds no plain model and no key."""

import hashlib
import json
import zipfile

import pytest
from lookalikes import make_kmodel

from host.deploy import kfpkg, machine_code, package, readme, sdcard, seal
from host.deploy.board_key import BoardKey
from host.errors import UserError

CODE = machine_code.of_board(bytes(range(32)))
BOUND = BoardKey.of_code(CODE)
BURNT = BoardKey("burnt", bytes.fromhex("00112233445566778899aabbccddeeff"))
KEYS = [BOUND, BURNT]
NAMES = ["README.txt", "boot.py", "labels.txt", "m.kmx", "manifest.json", "start.jpg"]


def members(path):
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
        return {name: archive.read(name) for name in archive.namelist()}


@pytest.fixture(params=KEYS, ids=lambda key: key.strength)
def key(request):
    return request.param


def test_card_and_kfpkg_hold_the_sealed_model_and_no_plain_one(make, tmp_path, key):
    pack = make(key=key)
    card = members(sdcard.build(pack, tmp_path / "sd.zip"))
    flash = members(kfpkg.build(pack, tmp_path / "m.kfpkg"))
    assert list(card) == NAMES and sorted(flash) == ["flash-list.json", "m.kmx"]
    model = make_kmodel()
    assert card["m.kmx"] == flash["m.kmx"] == seal.seal(model, key)
    assert seal.unseal(card["m.kmx"], key) == model == pack.kmodel.read_bytes()
    assert b"'model': '/sd/m.kmx'" in card["boot.py"] and b"class SealedModel" in card["boot.py"]
    entry = json.loads(flash["flash-list.json"])["files"]
    assert entry == [{"address": 0x300000, "bin": "m.kmx", "sha256Prefix": False}]
    handed_out = b"".join([*card.values(), *flash.values()])
    assert not any(model[at : at + 16] in handed_out for at in range(28, len(model) - 16, 64))


def test_no_key_no_code_and_no_whole_board_id_is_in_what_is_readable(make, tmp_path, key):
    pack = make(key=key)
    card = members(sdcard.build(pack, tmp_path / "sd.zip"))
    del card["m.kmx"]  # its header holds the board id as bytes
    text = b"".join(card.values()).lower()
    for secret in (key.key, CODE.value, key.board_id):
        assert secret not in text and secret.hex().encode() not in text
    code = (key.code or CODE.text).lower()
    assert code.encode() not in text and code.replace("-", "").encode() not in text
    said = json.loads(card["manifest.json"])["seal"]
    assert said["board"] == key.board_id.hex()[:8] and said["strength"] == key.strength
    assert said["sha256"] == hashlib.sha256(pack.board_file.read_bytes()).hexdigest()


def test_equal_packages_give_equal_bytes_and_come_back_equal(make, tmp_path, key):
    first = sdcard.build(make("a", key=key), tmp_path / "a.zip").read_bytes()
    assert sdcard.build(make("b", key=key), tmp_path / "b.zip").read_bytes() == first
    pack = make("c", key=key)
    assert package.load(pack.folder) == pack


def test_the_readme_says_what_the_seal_is_worth_in_both_languages(make, key):
    plain = readme.readme(make("plain")).decode("utf-8-sig")
    text = readme.readme(make(key=key)).decode("utf-8-sig")
    assert "m.kmodel" not in text and text.count("m.kmx") >= 8
    assert text.count(key.board_id.hex()[:8]) == 2
    for words in ("Sealed for one board", "仅限一块开发板", "Model is for another board"):
        assert words in text and words not in plain
    assert ("burnt into its chip" in text) == (key.strength == "burnt")
    assert "load error:2002" in plain and "load error:2002" not in text
    assert [part.count("\r\n\r\n\r\n") for part in (plain, text)] == [1, 1], "odd empty lines"


def test_a_damaged_sealed_model_is_not_packed_again(make, key):
    pack = make(key=key)
    data = bytearray(pack.board_file.read_bytes())
    data[-1] ^= 1
    pack.board_file.write_bytes(data)
    with pytest.raises(UserError) as caught:
        package.load(pack.folder)
    assert caught.value.code == "package_unfinished"
    assert caught.value.findings[0].path == "m.kmx"
    pack.board_file.unlink()
    with pytest.raises(UserError):
        package.load(pack.folder)


def test_a_plain_package_in_the_same_folder_takes_the_sealed_model_away(make, key):
    pack = make(key=key)
    assert pack.board_file.exists()
    plain = make()
    assert not pack.board_file.exists() and plain.board_file == plain.kmodel
    assert "seal" not in json.loads(plain.manifest())


def test_a_hostile_manifest_is_refused(make):
    pack = make(key=BOUND)
    path = pack.folder / "manifest.json"
    values = json.loads(path.read_text("utf-8"))
    for wrong in (
        {},
        {"strength": "bound"},
        [],
        "x",
        {**values["seal"], "more": 1},
        {**values["seal"], "board": "../../x"},
        {**values["seal"], "strength": "x"},
    ):
        path.write_text(json.dumps({**values, "seal": wrong}))
        with pytest.raises(UserError):
            package.load(pack.folder)
