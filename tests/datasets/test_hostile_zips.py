"""Every hostile zip gets its own refusal and leaves nothing behind, inside or outside."""

from __future__ import annotations

import random
import stat
import struct
import time
import tracemalloc
import zipfile
import zlib
from pathlib import Path

import pytest
from little_memory import little_memory
from raw_zip import Entry, raw_zip, write_raw

from host.datasets.intake import receive
from host.datasets.limits import LIMITS, MIB, Limits
from host.errors import UserError, describe

ZEROS = b"\0" * (2 * MIB)
NFC, NFD = "caf\u00e9/1.jpg", "cafe\u0301/1.jpg"
HONEST = [Entry("cat/1.jpg", b"one" * 50), Entry("dog/1.jpg", random.Random(1).randbytes(5000))]
HONEST_ZIP = raw_zip(HONEST)
SMALL_ZIP = raw_zip([Entry("cat/1.jpg", b"one" * 5), Entry("dog/1.jpg", b"dog" * 6)])


def link(mode: int) -> int:
    return (mode | 0o777) << 16


def zip64(size: int) -> bytes:
    return struct.pack("<HHQ", 1, 8, size)


def endless(mebibytes: int) -> bytes:
    """A deflate stream of zeros, put together from a repeated block."""
    squeeze = zlib.compressobj(9, zlib.DEFLATED, -15)
    start = squeeze.compress(b"\0" * MIB) + squeeze.flush(zlib.Z_FULL_FLUSH)
    block = squeeze.compress(b"\0" * MIB) + squeeze.flush(zlib.Z_FULL_FLUSH)
    return start + block * (mebibytes - 1) + squeeze.flush()


def inner_zip() -> bytes:
    return raw_zip([Entry("bomb", ZEROS)])


NAMES = {
    "parent": ("../x.jpg", "zip_path_escapes"),
    "parent inside": ("cat/../../x.jpg", "zip_path_escapes"),
    "parent at the end": ("cat/..", "zip_path_escapes"),
    "absolute": ("/tmp/x.jpg", "zip_path_escapes"),
    "drive": ("C:/x.jpg", "zip_path_escapes"),
    "drive without slash": ("c:x.jpg", "zip_path_escapes"),
    "UNC": ("\\\\server\\share\\x.jpg", "zip_path_escapes"),
    "UNC with slashes": ("//server/share/x.jpg", "zip_path_escapes"),
    "backslash parent": ("..\\x.jpg", "zip_path_escapes"),
    "backslash": ("cat\\1.jpg", "zip_path_escapes"),
    "hidden in litter": ("__MACOSX/../../x.jpg", "zip_path_escapes"),
    "NUL": ("cat/1.jpg\0.txt", "zip_name_bad"),
    "NUL before parent": ("cat\0/../../x.jpg", "zip_path_escapes"),
    "line break": ("cat/1\n.jpg", "zip_name_bad"),
    "escape": ("cat/\x1b[2J.jpg", "zip_name_bad"),
    "stream": ("cat/1.jpg:evil", "zip_name_bad"),
    "empty": ("", "zip_name_bad"),
    "empty part": ("cat//1.jpg", "zip_name_bad"),
    "dot": ("./cat/1.jpg", "zip_name_bad"),
    "dots": ("cat/.../1.jpg", "zip_name_bad"),
    "long": ("cat/" + "x" * 300 + ".jpg", "zip_name_bad"),
    "deep": ("a/" * 100 + "1.jpg", "zip_name_bad"),
    "nested zip": ("cat/more.zip", "zip_nested"),
    "nested tar": ("cat/more.TAR.GZ", "zip_nested"),
}

ENTRIES = {
    "symbolic link": ([Entry("cat", b"/etc", attributes=link(stat.S_IFLNK))], "zip_link"),
    "link in a DOS zip": ([Entry("x", b"/", attributes=link(stat.S_IFLNK), system=0)], "zip_link"),
    "device": ([Entry("cat/1.jpg", attributes=link(stat.S_IFCHR))], "zip_link"),
    "block device": ([Entry("cat/1.jpg", attributes=link(stat.S_IFBLK))], "zip_link"),
    "pipe": ([Entry("cat/1.jpg", attributes=link(stat.S_IFIFO))], "zip_link"),
    "socket": ([Entry("cat/1.jpg", attributes=link(stat.S_IFSOCK))], "zip_link"),
    "reparse point": ([Entry("cat/1.jpg", attributes=0x400, system=10)], "zip_link"),
    "link, then a file in it": (
        [Entry("cat", b"/tmp", attributes=link(stat.S_IFLNK)), Entry("cat/1.jpg")],
        "zip_link",
    ),
    "same name": ([Entry("cat/1.jpg"), Entry("cat/1.jpg", b"other")], "zip_name_clash"),
    "upper case": ([Entry("cat/1.jpg"), Entry("cat/1.JPG")], "zip_name_clash"),
    "upper case folder": ([Entry("cat/1.jpg"), Entry("CAT/2.jpg")], "zip_name_clash"),
    "NFC twin": ([Entry(NFC), Entry(NFD)], "zip_name_clash"),
    "sharp s": ([Entry("stra\u00dfe/1"), Entry("STRASSE/1")], "zip_name_clash"),
    "dot at the end": ([Entry("cat/1.jpg"), Entry("cat./1.jpg")], "zip_name_clash"),
    "file as a folder": ([Entry("cat"), Entry("cat/1.jpg")], "zip_name_clash"),
    "folder as a file": ([Entry("cat/1.jpg"), Entry("cat")], "zip_name_clash"),
    "encrypted": ([Entry("cat/1.jpg", flags=0x801)], "zip_encrypted"),
    "strongly encrypted": ([Entry("cat/1.jpg", flags=0x841)], "zip_encrypted"),
    "hidden headers": ([Entry("cat/1.jpg", flags=0x2800)], "zip_encrypted"),
    "bzip2": ([Entry("cat/1.jpg", method=12)], "zip_method"),
    "LZMA": ([Entry("cat/1.jpg", method=14)], "zip_method"),
    "AES": ([Entry("cat/1.jpg", method=99)], "zip_method"),
    "wrong CRC": ([Entry("cat/1.jpg", crc=1)], "zip_damaged"),
    "no deflate stream": ([Entry("cat/1.jpg", packed=b"\xff" * 20)], "zip_damaged"),
    "stream cut off": ([Entry("a", b"abc" * 99, packed=b"\x4b")], "zip_damaged"),
    "less than promised": ([Entry("cat/1.jpg", size=50)], "zip_damaged"),
    "more than promised": ([Entry("cat/1.jpg", size=2)], "zip_damaged"),
    "another name inside": ([Entry("cat/1.jpg", local_name=b"../../x.j")], "zip_damaged"),
    "not the UTF-8 it claims": ([Entry(b"\xff\xfe/1.jpg")], "zip_damaged"),
    "patched data": ([Entry("cat/1.jpg", flags=0x820)], "zip_damaged"),
    "zip64 field cut off": (
        [Entry("a", size=0xFFFFFFFF, extra=struct.pack("<HHL", 1, 4, 5))],
        "zip_damaged",
    ),
    "zip64 lie": ([Entry("a", size=0xFFFFFFFF, extra=zip64(1 << 62))], "zip_bomb"),
    "4 GB by header": ([Entry("a", size=0xFFFFFFF0)], "zip_bomb"),
    "high ratio": ([Entry("cat/1.bmp", ZEROS)], "zip_bomb"),
    "high ratio, small header": ([Entry("a", b"", packed=endless(3), size=900_000)], "zip_damaged"),
    "10 GB": ([Entry("a", b"", packed=endless(10_240), size=1000)], "zip_damaged"),
    "packed size past the end": ([Entry("a", b"x", packed_size=9999)], "zip_overlap"),
    "one block for two": ([Entry("a"), Entry("b", offset=0, local_name=b"a")], "zip_overlap"),
    "quine": ([Entry("a", b"", packed_size=200, size=200, method=0)], "zip_overlap"),
    "header inside a member": ([Entry("a", raw_zip([Entry("b")]), 0), Entry("b", offset=31)], None),
    "header is no header": ([Entry("a", b"x" * 99, 0), Entry("b", offset=40)], None),
    "only folders": ([Entry("cat/", b""), Entry("dog/", b"")], "zip_empty"),
    "only litter": ([Entry("__MACOSX/._1.jpg"), Entry("cat/Thumbs.db")], "zip_empty"),
}

BYTES = {
    "no bytes": (b"", "zip_not_a_zip"),
    "text": (b"hello, I am a zip", "zip_not_a_zip"),
    "RAR": (b"Rar!\x1a\x07\x01\x00" + b"x" * 99, "zip_not_a_zip"),
    "program before a zip": (b"MZ" + b"\0" * 99 + HONEST_ZIP, "zip_not_a_zip"),
    "cut in half": (HONEST_ZIP[: len(HONEST_ZIP) // 2], "zip_damaged"),
    "cut in the table": (HONEST_ZIP[:-30], "zip_damaged"),
    "one byte missing at the start": (b"PK\3\4" + HONEST_ZIP[5:], None),
    "no second header": (b"PK\3\4" + HONEST_ZIP[4:].replace(b"PK\3\4", b"PK\7\7"), "zip_damaged"),
    "only a signature": (b"PK\3\4", "zip_damaged"),
    "empty zip": (raw_zip([]), "zip_empty"),
    "table too long": (raw_zip(HONEST, size=0xFFFFFF), "zip_damaged"),
    "table too short": (raw_zip(HONEST, size=60), None),
    "table elsewhere": (raw_zip(HONEST, offset=0xFFFFFF), "zip_damaged"),
}


def refuse(path: Path, limits: Limits = LIMITS) -> UserError:
    """Have the zip refused and assert that nothing is left of it, anywhere."""
    job = path.parent / "job"
    before = sorted(path.parent.parent.rglob("*"))
    started = time.process_time()
    with little_memory(), pytest.raises(UserError) as refusal:
        receive(path, job, limits)
    assert time.process_time() - started < 2
    assert list(job.iterdir()) == []
    job.rmdir()
    assert sorted(path.parent.parent.rglob("*")) == before
    assert "[" + refusal.value.code + "]" in describe(refusal.value.findings[0])
    assert "\x1b" not in describe(refusal.value.findings[0])
    return refusal.value


@pytest.fixture
def upload(tmp_path: Path) -> Path:
    """Where an upload lies: deep enough that an escape would be seen."""
    folder = tmp_path / "a" / "b"
    folder.mkdir(parents=True)
    return folder / "data.zip"


@pytest.mark.parametrize(("name", "code"), NAMES.values(), ids=NAMES)
def test_names(upload, name, code):
    assert refuse(write_raw(upload, *HONEST, Entry(name))).code == code


@pytest.mark.parametrize(("entries", "code"), ENTRIES.values(), ids=ENTRIES)
def test_members(upload, entries, code):
    found = refuse(write_raw(upload, *entries)).code
    assert found == code if code else found in ("zip_damaged", "zip_overlap")


@pytest.mark.parametrize(("content", "code"), BYTES.values(), ids=BYTES)
def test_files(upload, content, code):
    upload.write_bytes(content)
    assert refuse(upload).code == (code or "zip_damaged")


def test_a_lying_header_cannot_outgrow_the_limits(upload):
    """The header promises 15 MB in 15 MB; the decompressor is stopped by what it gives."""
    packed = zlib.compress(ZEROS, 0)
    lie = Entry("a", ZEROS, packed=endless(40), size=15 * MIB)
    filler = Entry("b", random.Random(2).randbytes(3 * MIB), 0)
    assert len(packed) > len(ZEROS)
    assert refuse(write_raw(upload, lie, filler)).code == "zip_bomb"


def test_many_small_bombs_together(upload):
    """Each is below the ratio's floor; together they are past the total."""
    bombs = [Entry(f"cat/{number}.bmp", b"\0" * 900_000) for number in range(90)]
    error = refuse(write_raw(upload, *bombs))
    assert (error.code, error.findings[0].path) == ("zip_bomb", "data.zip")


def test_total_is_counted_while_unpacking(upload):
    limits = Limits(total_ratio=0, total_spare=6000)
    error = refuse(write_raw(upload, *HONEST, Entry("x", random.Random(3).randbytes(900))), limits)
    assert error.code == "zip_bomb"


def test_member_limit_counts_bytes(upload):
    limits = Limits(member_bytes=4000)
    assert refuse(write_raw(upload, *HONEST), limits).findings[0].path == "dog/1.jpg"


def test_zip_too_large(upload):
    write_raw(upload, Entry("cat/1.jpg", random.Random(4).randbytes(2 * MIB), 0))
    error = refuse(upload, Limits(zip_bytes=MIB))
    assert error.code == "zip_too_large"
    assert error.findings[0].text("found") == "2.0 MB"


@pytest.mark.parametrize("count", [100_000 & 0xFFFF, 3])
def test_a_hundred_thousand_members(upload, count):
    """Refused before they are parsed, whatever the counter in the file says."""
    members = [Entry(f"{number}", b"", 0) for number in range(100_000)]
    write_raw(upload, *members, count=count)
    tracemalloc.start()
    try:
        assert refuse(upload).code == "zip_too_many_members"
        assert tracemalloc.get_traced_memory()[1] < 20 * MIB
    finally:
        tracemalloc.stop()


def test_ten_gigabytes_use_little_memory(upload):
    write_raw(upload, Entry("a", b"", packed=endless(10_240), size=15 * MIB))
    tracemalloc.start()
    try:
        assert refuse(upload).code == "zip_damaged"  # stopped at 15 MB, whose CRC is wrong
        assert tracemalloc.get_traced_memory()[1] < 50 * MIB
    finally:
        tracemalloc.stop()


def test_random_damage(upload, monkeypatch):
    """A zip with some bytes changed is unpacked whole or refused; never a crash."""
    monkeypatch.setattr("os.sync", lambda: None)  # 400 times would be slow
    dice = random.Random(5)
    job = upload.parent / "job"
    outcomes = set()
    for _ in range(400):
        content = bytearray(SMALL_ZIP)
        for _ in range(dice.choice((1, 2, 8))):
            content[dice.randrange(len(content))] = dice.randrange(256)
        upload.write_bytes(content)
        try:
            received = receive(upload, job)
        except UserError as error:
            assert list(job.iterdir()) == []
            outcomes.add(error.code)
        else:
            sizes = sorted(path.stat().st_size for path in received.rglob("*") if path.is_file())
            assert sizes in ([15, 18], [15], [18])
            outcomes.add("")
    assert {"", "zip_damaged"} <= outcomes
    assert sorted(path.name for path in upload.parent.iterdir()) == ["data.zip", "job"]


def test_zipfile_agrees_that_the_honest_zip_is_honest(upload):
    upload.write_bytes(HONEST_ZIP)
    with zipfile.ZipFile(upload) as archive:
        assert archive.testzip() is None
    assert receive(upload, upload.parent / "job").is_dir()


def test_how_many_there_are():
    assert len(NAMES) + len(ENTRIES) + len(BYTES) >= 80
