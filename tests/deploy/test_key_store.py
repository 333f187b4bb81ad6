"""Keys on the disk: rights, names, what is lost and what is not, and texts without secrets."""

import json
import os
import stat
import traceback
from dataclasses import replace

import pytest

from host import files
from host.deploy import key_store as room
from host.deploy import machine_code
from host.deploy.board_key import BoardKey
from host.deploy.key_store import KeyStore, StoredKey
from host.errors import UserError

KEY = BoardKey("burnt", bytes.fromhex("00112233445566778899aabbccddeeff"))
CODE = machine_code.of_board(bytes(range(32)))
BOUND = BoardKey.of_code(CODE)
CHIP = "9f86d081" * 8
posix = pytest.mark.skipif(os.name != "posix", reason="rights of files are POSIX's")


@pytest.fixture
def store(tmp_path):
    return KeyStore(tmp_path / "data")


def refused(function, *args, **values):
    with pytest.raises(UserError) as error:
        function(*args, **values)
    return error.value.code


def mode(path):
    return stat.S_IMODE(path.lstat().st_mode)


def test_what_is_added_is_there_and_found_by_name_id_and_code(store, tmp_path):
    store.add(StoredKey.new("door cam", KEY, CHIP))
    store.add(StoredKey.new("前门", BOUND))
    again = KeyStore(tmp_path / "data")
    assert [one.name for one in again.entries()] == ["door cam", "前门"]
    burnt, bound = again.get("Door Cam"), again.get("前门")
    assert (burnt.key, burnt.state, burnt.chip, burnt.burnable) == (KEY, "pending", CHIP, True)
    assert (bound.key, bound.state, bound.burnable) == (BOUND, "bound", False)
    assert again.get(KEY.board_id.hex()) == burnt == again.get(KEY.board_id.hex().upper())
    assert again.by_code(CODE) == bound == again.by_id(BOUND.board_id)
    assert again.by_code(machine_code.parse(KEY.code)) == burnt
    assert again.findings == []


def test_what_is_not_there_is_named(store):
    assert store.look() == ([], [])
    assert refused(store.get, "door") == refused(store.by_code, CODE) == "key_unknown"
    assert refused(store.by_code, machine_code.parse(KEY.code)) == "machine_code_burnt"
    assert refused(store.forget, "door") == "key_unknown"
    assert not store.folder.exists(), "looking made a folder"


@posix
def test_nobody_else_can_read_at_any_moment(store, monkeypatch):
    old = os.umask(0)
    try:
        seen = []
        fsync = os.fsync

        def watched(handle):
            if stat.S_ISREG(os.fstat(handle).st_mode):
                seen.append([mode(path) for path in (store.folder, *store.folder.iterdir())])
            fsync(handle)

        monkeypatch.setattr(files.os, "fsync", watched)
        store.add(StoredKey.new("door", KEY))
        store.advance(store.get("door"), "locked")
    finally:
        os.umask(old)
    assert seen == [[0o700, 0o600], [0o700, 0o600, 0o600]]
    assert mode(store.folder) == 0o700 and mode(store.folder / "door.json") == 0o600
    assert [path.name for path in store.folder.iterdir()] == ["door.json"]


def test_a_key_is_on_the_disk_before_add_returns(store, monkeypatch):
    done = []
    monkeypatch.setattr(files.os, "fsync", lambda handle: done.append("sync"))
    monkeypatch.setattr(files, "sync_folder", lambda folder: done.append("folder"))
    rename = files.Path.replace
    monkeypatch.setattr(
        files.Path, "replace", lambda a, b: (done.append("rename"), rename(a, b))[1]
    )
    store.add(StoredKey.new("door", KEY))
    assert done[-3:] == ["sync", "rename", "folder"]


@posix
def test_rights_that_are_too_wide_are_mended_and_told(store, tmp_path):
    store.add(StoredKey.new("door", KEY))
    store.folder.chmod(0o755)
    (store.folder / "door.json").chmod(0o644)
    again = KeyStore(tmp_path / "data")
    assert [(one.code, one.severity) for one in again.findings] == [
        ("keys_were_open", "warning")
    ] * 2
    assert "755" in again.findings[0].text("found") and "644" in again.findings[1].text("found")
    assert mode(again.folder) == 0o700 and mode(again.folder / "door.json") == 0o600
    assert KeyStore(tmp_path / "data").findings == []


@posix
def test_folders_that_cannot_be_closed_are_refused(store, tmp_path, monkeypatch):
    store.add(StoredKey.new("door", KEY))
    elsewhere = tmp_path / "elsewhere"
    store.folder.rename(elsewhere)
    store.folder.symlink_to(elsewhere)
    assert refused(KeyStore, tmp_path / "data") == "keys_folder"
    store.folder.unlink()
    elsewhere.rename(store.folder)
    (store.folder / "link.json").symlink_to(tmp_path / "nothing")
    assert refused(KeyStore, tmp_path / "data") == "keys_folder"
    (store.folder / "link.json").unlink()
    uid = os.geteuid()
    monkeypatch.setattr(room.os, "geteuid", lambda: uid + 1)
    assert refused(KeyStore, tmp_path / "data") == "keys_folder"
    monkeypatch.undo()
    store.folder.chmod(0o777)
    monkeypatch.setattr(room.Path, "chmod", lambda path, mode: None)  # as on a FAT disk
    assert refused(KeyStore, tmp_path / "data") == "keys_folder"


def test_nothing_is_overwritten(store, monkeypatch):
    store.add(StoredKey.new("Door", KEY))
    before = (store.folder / "Door.json").read_bytes()
    assert refused(store.add, StoredKey.new("door", BOUND)) == "key_name_taken"
    assert refused(store.add, StoredKey.new("other", KEY)) == "key_there"
    monkeypatch.setattr(KeyStore, "refuse_taken", lambda *_: None)  # another process was faster
    monkeypatch.setattr(KeyStore, "by_id", lambda *_: None)
    assert refused(store.add, StoredKey.new("Door", BoardKey.new())) == "key_name_taken"
    assert (store.folder / "Door.json").read_bytes() == before
    assert [path.name for path in store.folder.iterdir()] == ["Door.json"]


def test_a_state_goes_forward_only(store):
    store.add(StoredKey.new("door", KEY))
    first = store.get("door")
    assert store.advance(first, "burnt", chip=CHIP).state == "burnt"
    locked = store.advance(first, "locked", jtag_closed=True)
    assert (locked.state, locked.chip, locked.jtag_closed) == ("locked", CHIP, True)
    assert store.advance(first, "burnt") == locked == store.get("door")
    other = replace(first, key=BoardKey.new())
    assert refused(store.advance, other, "burnt") == "key_there"


def test_a_write_that_fails_leaves_the_older_file(store, monkeypatch):
    store.add(StoredKey.new("door", KEY))

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(files.os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        store.advance(store.get("door"), "locked")
    with pytest.raises(OSError, match="No space"):
        store.add(StoredKey.new("other", BOUND))
    monkeypatch.undo()
    assert [one.state for one in store.entries()] == ["pending"]
    assert [path.name for path in store.folder.iterdir()] == ["door.json"]


def test_forgetting_takes_one_file(store):
    store.add(StoredKey.new("door", KEY))
    store.add(StoredKey.new("gate", BOUND))
    store.forget("DOOR")
    assert [one.name for one in store.entries()] == ["gate"]


@pytest.mark.parametrize(
    "name",
    ["", " ", "a/b", "..", ".a", "a.json", "-a", "a-", "a\nb", "a\0b", "x" * 41, "🚪", KEY.code,
     "0123456789abcdef" * 2],
)  # fmt: skip
def test_names_that_are_refused(name):
    with pytest.raises(UserError) as error:
        StoredKey.new(name, KEY)
    assert error.value.code == "key_name"
    assert KEY.code not in str(error.value) and "cdef01" not in str(error.value)


@pytest.mark.parametrize("name", ["a", "Bit 2", "m5_stick-v", "前门", "e\u0301t\u00e9", "x" * 40])
def test_names_that_are_taken(store, name):
    store.add(StoredKey.new(name, KEY))
    assert store.get(name).key == KEY


def damaged(record):
    yield b""
    yield b"[" * 4000
    yield b"[]"
    yield json.dumps(record).encode()[:-1]
    yield json.dumps(record).encode() + b" " * room.FILE_BYTES_MAX
    for part in record:
        yield json.dumps({k: v for k, v in record.items() if k != part}).encode()
        for wrong in (None, 7, [], "", "zz", "bound", "00" * 16):
            if wrong != record[part] and (part, wrong) not in (("chip", ""), ("made", "")):
                if part == "made" and isinstance(wrong, str):
                    continue  # any short text is a date that nobody reads
                yield json.dumps({**record, part: wrong}).encode()


def test_damaged_files_are_named_and_the_others_go_on(store):
    store.add(StoredKey.new("gate", BOUND))
    count = 0
    for data in damaged(room.as_record(StoredKey.new("door", KEY, CHIP))):
        path = store.folder / "door.json"
        path.write_bytes(data)
        path.chmod(0o600)
        keys, wrong = store.look()
        assert [one.name for one in keys] == ["gate"], data
        assert [(one.code, one.path) for one in wrong] == [("key_damaged", "door.json")]
        assert refused(store.get, "door") == "key_damaged"
        assert refused(store.add, StoredKey.new("door", KEY)) == "key_name_taken"
        count += 1
    assert count > 50
    store.forget("door")
    assert store.look()[1] == []


def test_no_text_of_a_key_or_an_error_holds_the_key(store):
    secrets = {KEY.key.hex(), BOUND.key.hex(), CODE.value.hex(), CHIP, KEY.board_id.hex()}
    entry = StoredKey.new("door", KEY, CHIP)
    texts = [repr(entry), str(entry), repr(replace(entry, state="locked")), repr(store)]
    store.add(entry)
    store.add(StoredKey.new("gate", BOUND))
    path = store.folder / "door.json"
    whole = path.read_text()

    def failing(function, *args):
        try:
            function(*args)
        except Exception as error:
            while error:
                texts.extend([str(error), repr(error), repr(vars(error)), repr(error.args)])
                texts.append("".join(traceback.format_exception(error)))
                error = error.__cause__ or (
                    None if error.__suppress_context__ else error.__context__
                )
        else:
            raise AssertionError("it did not fail")

    failing(store.add, StoredKey.new("new", KEY))
    failing(store.get, CODE.text)
    failing(store.get, KEY.key.hex())
    failing(store.forget, KEY.key.hex())
    failing(StoredKey.new, CODE.text, KEY)
    for text in (whole[:-3], whole.replace(KEY.key.hex(), KEY.key.hex()[::-1])):
        path.write_text(text)
        failing(store.get, "door")
    for text in texts:
        low = text.lower().replace("-", "")
        assert not [one for one in secrets if one in low], text
