"""Honest zips and folders are received as they are."""

from __future__ import annotations

import errno
import os
import zipfile

import pytest
from labelled_folders import write_classes, zip_folder
from raw_zip import Entry, write_raw

from host.datasets import intake
from host.datasets.intake import receive
from host.datasets.limits import Limits
from host.errors import UserError, describe


def contents(folder):
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


@pytest.fixture
def honest(tmp_path):
    return write_classes(tmp_path / "honest", {"cat": 3, "dog": 2, "deep/er": 1})


def test_zip_is_unpacked_inside_the_folder(tmp_path, honest):
    path = zip_folder(honest, tmp_path / "data.zip")
    seen = []
    received = receive(path, tmp_path / "job", progress=lambda *counts: seen.append(counts))
    assert received.parent == tmp_path / "job"
    assert contents(received) == contents(honest)
    assert seen[-1] == (len(seen), len(seen))
    assert [path.name for path in (tmp_path / "job").iterdir()] == [received.name]


def test_receiving_again_replaces(tmp_path, honest):
    job = tmp_path / "job"
    receive(write_raw(tmp_path / "a.zip", Entry("old/1.jpg")), job)
    (job / ".data.part").mkdir()
    (job / ".data.part" / "left by a power cut").touch()
    received = receive(zip_folder(honest, tmp_path / "b.zip"), job)
    assert contents(received) == contents(honest)
    assert [path.name for path in job.iterdir()] == [received.name]


@pytest.mark.parametrize("litter", ["__MACOSX/cat/._1.jpg", "cat/.DS_Store", "cat/Thumbs.db",
                                    "dog/desktop.ini", ".git/config",
                                    "System Volume Information/IndexerVolumeGuid"])  # fmt: skip
def test_litter_is_left_out(tmp_path, litter):
    path = write_raw(tmp_path / "a.zip", Entry("cat/1.jpg"), Entry(litter))
    assert list(contents(receive(path, tmp_path / "job"))) == ["cat/1.jpg"]


@pytest.mark.parametrize(
    ("raw", "flags", "name"),
    [
        ("苹果".encode(), 0x800, "苹果"),
        ("苹果".encode(), 0, "苹果"),  # macOS
        ("苹果".encode("gbk"), 0, "苹果"),  # Explorer on Chinese Windows
        ("猫".encode("gbk"), 0, "猫"),  # two bytes that are also UTF-8
        ("cafe\u0301".encode(), 0, "cafe\u0301"),  # macOS
        ("皕".encode("gbk"), 0, "皕"),  # in GBK, not in GB 2312
        (b"caf\x82", 0, "café"),  # Explorer on western Windows
        (b"plain", 0, "plain"),
    ],
)
def test_names_of_every_encoding(tmp_path, raw, flags, name):
    path = write_raw(tmp_path / "a.zip", Entry(raw + b"/1.jpg", flags=flags))
    assert list(contents(receive(path, tmp_path / "job"))) == [f"{name}/1.jpg"]


def test_stored_and_empty_members(tmp_path):
    entries = Entry("cat/1.jpg", b"abc", method=0), Entry("cat/2.jpg", b""), Entry("dog/", b"")
    received = receive(write_raw(tmp_path / "a.zip", *entries), tmp_path / "job")
    assert contents(received) == {"cat/1.jpg": b"abc", "cat/2.jpg": b""}
    assert (received / "dog").is_dir()


def test_small_members_may_compress_well(tmp_path):
    """A white bitmap of 224x224 is no bomb."""
    received = receive(write_raw(tmp_path / "a.zip", Entry("a/1.bmp", b"\xff" * 150_000)), tmp_path)
    assert contents(received)["a/1.bmp"] == b"\xff" * 150_000


def test_zip_written_as_a_stream(tmp_path):
    """Sizes come after the data, as programs write that pack while they send."""
    with (tmp_path / "a.zip").open("wb") as file, zipfile.ZipFile(Unseekable(file), "w") as archive:
        archive.writestr("cat/1.jpg", b"x" * 1000)
        archive.writestr("cat/2.jpg", b"y" * 1000)
    assert set(contents(receive(tmp_path / "a.zip", tmp_path / "job"))) == {
        "cat/1.jpg",
        "cat/2.jpg",
    }


class Unseekable:
    def __init__(self, file):
        self.file = file

    def write(self, data):
        return self.file.write(data)

    def flush(self):
        self.file.flush()


def test_folder_is_returned_as_it_is(tmp_path, honest):
    before = contents(honest)
    assert receive(honest, tmp_path / "job") == honest
    assert contents(honest) == before
    assert not (tmp_path / "job").exists()


def bad_link(folder):
    (folder / "cat" / "passwd.jpg").symlink_to("/etc/passwd")


def bad_folder_link(folder):
    (folder / "linked").symlink_to(folder / "cat")


def bad_pipe(folder):
    os.mkfifo(folder / "cat" / "9.jpg")


def bad_name(folder):
    os.mkdir(os.fsencode(folder) + b"/\xc6\xbb\xb9\xfb")  # noqa: PTH102 - bytes


@pytest.mark.parametrize(
    ("spoil", "code"),
    [
        (bad_link, "folder_special_file"),
        (bad_folder_link, "folder_special_file"),
        (bad_pipe, "folder_special_file"),
        (bad_name, "folder_name_unreadable"),
    ],
)
def test_odd_folders(tmp_path, honest, spoil, code):
    spoil(honest)
    with pytest.raises(UserError) as refusal:
        receive(honest, tmp_path)
    assert refusal.value.code == code
    assert describe(refusal.value.findings[0]).encode()


def test_too_many_files_in_a_folder(tmp_path, honest):
    with pytest.raises(UserError, match="folder_too_many_files"):
        receive(honest, tmp_path, Limits(members=4))


def test_missing_source(tmp_path):
    with pytest.raises(UserError, match="source_missing"):
        receive(tmp_path / "nothing.zip", tmp_path / "job")


@pytest.mark.parametrize(
    ("number", "code"), [(errno.ENOSPC, "disk_full"), (errno.EIO, "zip_unpack_failed")]
)
def test_disk_trouble(tmp_path, honest, monkeypatch, number, code):
    def fail(folder):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(intake, "sync_tree", fail)
    with pytest.raises(UserError) as refusal:
        receive(zip_folder(honest, tmp_path / "a.zip"), tmp_path / "job")
    assert refusal.value.code == code
    assert list((tmp_path / "job").iterdir()) == []


def test_stopping_leaves_nothing(tmp_path, honest):
    def stop(done, total):
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        receive(zip_folder(honest, tmp_path / "a.zip"), tmp_path / "job", progress=stop)
    assert list((tmp_path / "job").iterdir()) == []


def test_durable_without_a_sync_of_the_system(tmp_path, honest, monkeypatch):
    """Windows syncs file by file."""
    synced = []
    monkeypatch.delattr(os, "sync")
    monkeypatch.setattr(os, "fsync", synced.append)
    receive(zip_folder(honest, tmp_path / "a.zip"), tmp_path / "job")
    assert len(synced) == 6 + 1  # the files, and the folder they were renamed in
