"""Writing to a mounted card: what is refused, what is said, what is left alone."""

import errno
import json
import os
import stat
import subprocess
import zipfile
from collections import namedtuple

import psutil
import pytest

from host.deploy import card as room
from host.errors import UserError

Part = namedtuple("Part", "device mountpoint fstype opts")
FILES = {"boot.py": b"print(1)\n", "classes.txt": b"cat\n", "m.kmodel": b"\3" * 70_000}


@pytest.fixture
def mounted(tmp_path, monkeypatch):
    """Let `tmp_path`/card look like a card; call with what it is."""
    folder = tmp_path / "card"
    folder.mkdir()

    def make(fstype="vfat", table="dos", opts="rw", free=1 << 30, total=8 << 30):
        part = Part("/dev/sdz1", str(folder), fstype, opts)
        monkeypatch.setattr(psutil, "disk_partitions", lambda all: [Part("/", "/", "x", ""), part])

        def lsblk(command, **_):
            assert command[0] == "lsblk" and command[-1] == "/dev/sdz1"
            if table is OSError:
                raise FileNotFoundError("lsblk")
            answer = json.dumps({"blockdevices": [{"pttype": table}]}).encode()
            return subprocess.CompletedProcess(command, 0, answer, b"")

        monkeypatch.setattr(room.subprocess, "run", lsblk)
        usage = namedtuple("usage", "total used free")(total, total - free, free)
        monkeypatch.setattr(room.shutil, "disk_usage", lambda _: usage)
        return room.inspect(folder)

    return make


def codes(card, files=FILES):
    return [(one.code, one.severity) for one in room.problems(card, files)]


@pytest.mark.parametrize("name", ["vfat", "msdos", "FAT32", "FAT"])
def test_a_good_card_has_no_problems(mounted, name):
    assert codes(mounted(name)) == []


@pytest.mark.parametrize("table", [OSError, None, ""])
def test_a_table_that_cannot_be_read_is_no_reason_to_stop(mounted, table):
    card = mounted(table=table)
    assert card.table == ("" if table is OSError else "none") and codes(card) == []


@pytest.mark.parametrize("name", ["exfat", "ntfs", "ext4", "fuseblk", "exFAT"])
def test_other_file_systems_are_named_with_what_to_do(mounted, name):
    card = mounted(name)
    assert codes(card) == [("card_not_fat", "error")]
    text = str(UserError.of(room.problems(card, FILES)))
    assert name.lower() in text and "FAT32 with an MBR" in text


def test_gpt_and_size_are_named(mounted):
    assert codes(mounted(table="gpt")) == [("card_gpt", "error")]
    assert codes(mounted(total=64 * 1000**3)) == [("card_large", "note")]


def test_a_full_card_is_refused_before_anything_is_written(mounted):
    card = mounted(free=1 << 20)
    assert codes(card) == [("card_full", "error")]
    assert mounted(free=16 << 20).pictures == 1024


def test_a_plain_model_beside_a_sealed_one_is_told(mounted):
    card = mounted()
    sealed = {"boot.py": b"x", "m.kmx": b"y"}
    assert codes(card, sealed) == []
    (card.folder / "m.kmodel").write_bytes(b"\3")
    assert codes(card, sealed) == [("card_plain_model", "warning")] and codes(card) == []


def test_a_folder_of_the_computer_gives_a_warning(tmp_path):
    assert codes(room.inspect(tmp_path)) == [("card_not_mounted", "warning")]


def test_missing_and_read_only_cards(mounted, tmp_path):
    for make, code in ((lambda: room.inspect(tmp_path / "x"), "card_missing"),
                       (lambda: mounted(opts="ro,relatime"), "card_read_only")):  # fmt: skip
        with pytest.raises(UserError) as error:
            make()
        assert error.value.code == code


def test_files_are_written_compared_and_others_left_alone(tmp_path):
    (tmp_path / "photo.jpg").write_bytes(b"mine")
    (tmp_path / "boot.py").write_bytes(b"old")
    (tmp_path / "classes.txt").write_bytes(FILES["classes.txt"])
    card = room.inspect(tmp_path)
    what = {one.name: one.what for one in room.changes(card, FILES)}
    assert what == {"boot.py": "replaced", "classes.txt": "same", "m.kmodel": "new"}
    seen = []
    room.write(card, FILES, lambda done, total: seen.append((done, total)))
    found = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert found == {**FILES, "photo.jpg": b"mine"}
    total = sum(map(len, FILES.values()))
    assert seen[-1] == (total, total) and len(seen) == 3


def test_boot_py_comes_last_and_a_failure_leaves_old_files_whole(tmp_path, monkeypatch):
    (tmp_path / "m.kmodel").write_bytes(b"old")
    (tmp_path / "boot.py").write_bytes(b"old")
    real = os.fsync
    written = []

    def fsync(handle):
        written.append(stat.S_ISREG(os.fstat(handle).st_mode))
        if sum(written) == 2:
            raise OSError(errno.EIO, "card is gone")
        real(handle)

    monkeypatch.setattr(os, "fsync", fsync)
    with pytest.raises(UserError) as error:
        room.write(room.inspect(tmp_path), FILES)
    assert error.value.code == "card_write_failed" and "card is gone" in str(error.value)
    assert (tmp_path / "boot.py").read_bytes() == b"old"
    assert (tmp_path / "m.kmodel").read_bytes() == b"old"
    assert (tmp_path / "classes.txt").read_bytes() == FILES["classes.txt"]
    assert not list(tmp_path.glob("~*"))


def test_a_card_that_keeps_other_bytes_is_found(tmp_path, monkeypatch):
    monkeypatch.setattr(room, "_read_from_device", lambda path: path.read_bytes()[:-1] + b"?")
    with pytest.raises(UserError) as error:
        room.write(room.inspect(tmp_path), FILES)
    assert error.value.code == "card_read_back"


def test_no_chmod_on_fat(tmp_path, monkeypatch):
    def refuse(*_, **__):
        raise PermissionError(errno.EPERM, "FAT has no modes")

    monkeypatch.setattr(os, "chmod", refuse)
    monkeypatch.setattr(os, "fchmod", refuse)
    room.write(room.inspect(tmp_path), FILES)
    assert (tmp_path / "boot.py").read_bytes() == FILES["boot.py"]


@pytest.mark.parametrize(
    "names",
    [["m.kmodel"], ["boot.py", "../x"], ["boot.py", "/x"], ["boot.py", "a\\b"], ["boot.py", "c:x"],
     ["boot.py", "\u4e2d.txt"], ["boot.py", *(f"{n}.txt" for n in range(64))]],
    ids=["no boot.py", "up", "root", "backslash", "drive", "not ascii", "many"],
)  # fmt: skip
def test_zips_for_other_things_are_refused(tmp_path, names):
    path = tmp_path / "x.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for name in names:
            archive.writestr(name, b"x")
    with pytest.raises(UserError) as error:
        room.read_package(path)
    assert error.value.code == "card_zip_unusable"


def test_what_is_no_zip_is_refused(tmp_path):
    (tmp_path / "x.zip").write_bytes(b"PK\3\4 no zip")
    with pytest.raises(UserError) as error:
        room.read_package(tmp_path / "x.zip")
    assert error.value.code == "card_zip_unusable"
