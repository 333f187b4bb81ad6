import hashlib
import json
import re
import struct
import zipfile

import pytest
from isp_port import IspPort

from host.deploy import kfpkg
from host.errors import UserError


def read(path):
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
        return {name: archive.read(name) for name in archive.namelist()}


def as_kflash_reads(text: str) -> list[tuple[int, str, bool]]:
    """The two lines of kflash 1.1.6 that read flash-list.json."""
    files = json.loads(re.sub(r'"address": (.*),', r'"address": "\1",', text))["files"]
    return [(int(one["address"], 0), one["bin"], one["sha256Prefix"]) for one in files]


def as_kflash_gui_reads(text: str) -> list[tuple[int, str, bool]]:
    files = json.loads(text)["files"]
    assert all(isinstance(one["address"], int) for one in files)
    return [(one["address"], one["bin"], one["sha256Prefix"]) for one in files]


def flash(path, monkeypatch) -> IspPort:
    """Let the unmodified kflash write the file into a virtual board."""
    import kflash
    import serial

    port = IspPort()
    monkeypatch.setattr(serial, "Serial", lambda *a, **k: port)
    kflash.KFlash().process(
        terminal=False, dev="virtual", baudrate=115200, board="dan", file=str(path),
        callback=lambda *a: None, noansi=True, terminal_size=(80, 24),
    )  # fmt: skip
    return port


def test_the_model_alone(make, tmp_path):
    pack = make()
    files = read(kfpkg.build(pack, tmp_path / "pets.kfpkg"))
    assert sorted(files) == ["flash-list.json", "m.kmodel"]
    assert files["m.kmodel"] == pack.kmodel.read_bytes()
    text = files["flash-list.json"].decode("ascii")
    assert as_kflash_reads(text) == as_kflash_gui_reads(text) == [(0x300000, "m.kmodel", False)]


def test_firmware_and_model(make, tmp_path, firmware_file):
    files = read(kfpkg.build(make(), tmp_path / "pets.kfpkg", firmware_file))
    assert files["firmware.bin"] == firmware_file.read_bytes()
    text = files["flash-list.json"].decode("ascii")
    expected = [(0, "firmware.bin", True), (0x300000, "m.kmodel", False)]
    assert as_kflash_reads(text) == as_kflash_gui_reads(text) == expected
    assert all(address % 4096 == 0 for address, _, _ in expected)


def test_the_rules_of_both_readers_are_needed():
    compact = json.dumps({"files": [{"address": 1, "bin": "x", "sha256Prefix": False}]})
    with pytest.raises(ValueError, match="delimiter"):
        as_kflash_reads(compact)
    last = json.dumps({"files": [{"bin": "x", "sha256Prefix": False, "address": 1}]}, indent=4)
    with pytest.raises(TypeError):
        as_kflash_reads(last)


def test_kflash_writes_what_the_package_holds(make, tmp_path, firmware_file, monkeypatch):
    pack = make()
    port = flash(kfpkg.build(pack, tmp_path / "pets.kfpkg", firmware_file), monkeypatch)
    assert port.rebooted
    memory, image = port.written(), firmware_file.read_bytes()
    head = b"\x02" + struct.pack("<I", len(image)) + image
    assert memory.startswith(head + hashlib.sha256(head).digest())
    assert memory[0x300000:] == pack.kmodel.read_bytes()
    gap = memory[len(head) + 32 : 0x300000]
    assert len(port.writes) > 5 and set(gap[4096:]) == {0xFF}


def test_kflash_writes_the_model_alone(make, tmp_path, monkeypatch):
    pack = make()
    port = flash(kfpkg.build(pack, tmp_path / "pets.kfpkg"), monkeypatch)
    assert min(address for address, _ in port.writes) == 0x300000
    assert port.written()[0x300000:] == pack.kmodel.read_bytes()


def test_equal_input_gives_equal_bytes(make, tmp_path, firmware_file):
    first = kfpkg.build(make("a"), tmp_path / "a.kfpkg", firmware_file).read_bytes()
    assert kfpkg.build(make("b"), tmp_path / "b.kfpkg", firmware_file).read_bytes() == first


def test_the_name_must_end_in_kfpkg(make, tmp_path):
    with pytest.raises(UserError) as caught:
        kfpkg.build(make(), tmp_path / "pets.zip")
    assert caught.value.code == "kfpkg_suffix"


def test_a_bad_firmware_leaves_nothing_behind(make, tmp_path):
    bad = tmp_path / "bad.bin"
    bad.write_bytes(b"hello")
    out = tmp_path / "out"
    out.mkdir()
    with pytest.raises(UserError) as caught:
        kfpkg.build(make(), out / "pets.kfpkg", bad)
    assert caught.value.code == "firmware_not_maixpy"
    assert list(out.iterdir()) == []
