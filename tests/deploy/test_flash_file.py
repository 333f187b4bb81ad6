"""What a file would put into the flash: our own files, other tools' files, and hostile ones."""

import json
import struct
import zipfile

import pytest

from host.deploy import firmware_image, flash_file, kfpkg
from host.errors import UserError

KEY = bytes.fromhex("00112233445566778899aabbccddeeff")
DEEP = "[" * 20_000
GOOD = {"address": 0x300000, "bin": "m.bin", "sha256Prefix": False}


def packed(tmp_path, text, members, name="x.kfpkg"):
    path = tmp_path / name
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        if text is not None:
            archive.writestr("flash-list.json", text)
        for member, data in members:
            archive.writestr(member, data)
    return path


def listed(tmp_path, *entries, members=(("m.bin", b"model"),)):
    return packed(tmp_path, json.dumps({"version": "0.1.0", "files": entries}), members)


def refused(path):
    with pytest.raises(UserError) as caught:
        flash_file.read(path)
    assert str(caught.value)
    return caught.value.code


def codes(file):
    return [one.code for one in file.findings]


# What is good


def test_our_own_kfpkg(make, tmp_path, firmware_file):
    pack = make()
    file = flash_file.read(kfpkg.build(pack, tmp_path / "p.kfpkg", firmware_file))
    firmware, model = file.parts
    assert firmware.flashed == firmware_image.plain(firmware_file.read_bytes())
    assert (model.address, model.flashed) == (0x300000, pack.kmodel.read_bytes())
    assert file.findings == () and file.bytes == len(firmware.flashed) + len(model.flashed)
    assert firmware.end == len(firmware.flashed)


def test_what_is_handed_over_is_made_anew(make, tmp_path, firmware_file):
    file = flash_file.read(kfpkg.build(make(), tmp_path / "p.kfpkg", firmware_file))
    out = tmp_path / "again.kfpkg"
    flash_file.write_kfpkg(file, out)
    again = flash_file.read(out)
    assert [(p.address, p.data, p.header) for p in again.parts] == [
        (p.address, p.data, p.header) for p in file.parts
    ]


def test_lists_of_other_tools(tmp_path):
    hexadecimal = """{ "version": "0.1.0", "files": [
        { "address": 0x00300000, "bin": "m.bin", "sha256Prefix": false }, {
          "address": 4194304,
          "bin": "n.bin", "sha256Prefix": false, "reverse4Bytes": false } ] }"""
    members = [("m.bin", b"model"), ("n.bin", b"other"), ("README.txt", b"hello")]
    file = flash_file.read(packed(tmp_path, hexadecimal, members, "x.zip"))
    assert [(p.name, p.address) for p in file.parts] == [("m.bin", 0x300000), ("n.bin", 0x400000)]
    quoted = flash_file.read(listed(tmp_path, {**GOOD, "address": "0x300000"}))
    assert quoted.parts[0].address == 0x300000


def test_single_files(tmp_path, firmware_file):
    assert flash_file.read(firmware_file).parts[0].header
    image = tmp_path / "ready.bin"
    image.write_bytes(firmware_image.encrypted(b"program" * 999, KEY))
    file = flash_file.read(image)
    assert not file.parts[0].header and file.parts[0].address == 0
    assert codes(file) == ["flash_encrypted"]
    for name, start in (
        ("a.kmodel", b"\x03\0\0\0"),
        ("b.kmx", b"KMXBOX1\0"),
        ("c.kmodel", b"LDMK"),
    ):
        path = tmp_path / name
        path.write_bytes(start + bytes(500))
        assert flash_file.read(path).parts[0].address == 0x300000


def test_a_firmware_encrypted_on_its_way(make, tmp_path, firmware_file):
    file = flash_file.read(kfpkg.build(make(), tmp_path / "p.kfpkg", firmware_file))
    sealed = flash_file.encrypted(file, KEY)
    expected = firmware_image.encrypted(firmware_file.read_bytes(), KEY)
    assert sealed.parts[0].flashed == expected and sealed.parts[1] == file.parts[1]
    assert codes(sealed) == ["flash_encrypted"]
    ready = flash_file.read(kfpkg.build(make("q"), tmp_path / "q.kfpkg", firmware_file, KEY))
    assert ready.parts == sealed.parts
    model = flash_file.read(kfpkg.build(make("r"), tmp_path / "r.kfpkg"))
    for nothing in (sealed, model):
        with pytest.raises(UserError) as caught:
            flash_file.encrypted(nothing, KEY)
        assert caught.value.code == "flash_nothing_to_encrypt"


# What a person should know first


def test_warnings(tmp_path):
    program = ("p.bin", bytes(4 << 20))
    at = {"bin": "p.bin", "sha256Prefix": True}
    over = flash_file.read(listed(tmp_path, {**at, "address": 0}, members=[program]))
    assert codes(over) == ["flash_no_maixpy", "flash_over_model"]
    inside = flash_file.read(listed(tmp_path, {**GOOD, "address": 0x10000}))
    assert codes(inside) == ["flash_inside_firmware"]
    files = flash_file.read(listed(tmp_path, {**GOOD, "address": 0xD00000}))
    assert codes(files) == ["flash_over_files"]


# What is refused


@pytest.mark.parametrize(
    "name", ["picture.jpg", "model.tflite", "boot.py", "model.h5", "noend", "program.elf"]
)
def test_other_files(tmp_path, name):
    path = tmp_path / name
    path.write_bytes(b"\x7fELF" if name.endswith("elf") else b"something")
    assert refused(path) == "flash_file_kind"


def test_an_elf_called_bin_and_a_kmodel_that_is_none(tmp_path):
    elf, model = tmp_path / "a.bin", tmp_path / "a.kmodel"
    elf.write_bytes(b"\x7fELF" + bytes(99))
    model.write_bytes(b"TFL3" + bytes(99))
    assert (refused(elf), refused(model)) == ("flash_file_kind", "flash_file_damaged")


def test_missing_empty_large_and_folders(tmp_path):
    assert refused(tmp_path / "none.bin") == "flash_file_missing"
    assert refused(tmp_path) == "flash_file_missing"
    path = tmp_path / "a.bin"
    path.write_bytes(b"")
    assert refused(path) == "flash_file_damaged"
    path.write_bytes(bytes((16 << 20) - 36))
    assert refused(path) == "flash_too_large"
    with path.open("wb") as file:
        file.truncate(1 << 40)
    assert refused(path) == "flash_too_large"


def test_a_ready_image_with_a_flipped_bit(tmp_path):
    image = bytearray(firmware_image.plain(bytes(5000)))
    image[100] ^= 1
    path = tmp_path / "a.bin"
    path.write_bytes(image)
    assert refused(path) == "flash_file_damaged"


ENTRIES = [
    {**GOOD, "bin": "../../etc/cron.d/x"},
    {**GOOD, "bin": "/etc/passwd"},
    {**GOOD, "bin": "..\\x"},
    {**GOOD, "bin": ".."},
    {**GOOD, "bin": "a/b.bin"},
    {**GOOD, "bin": "m.bin\0"},
    {**GOOD, "bin": "x" * 200},
    {**GOOD, "bin": ""},
    {**GOOD, "bin": 5},
    {**GOOD, "bin": "none.bin"},
    {**GOOD, "bin": "flash-list.json\n"},
    {**GOOD, "address": -4096},
    {**GOOD, "address": 0x300001},
    {**GOOD, "address": 3.5},
    {**GOOD, "address": True},
    {**GOOD, "address": "0x300000; rm"},
    {**GOOD, "address": "9" * 5000},
    {**GOOD, "address": None},
    {**GOOD, "sha256Prefix": "false"},
    {"address": 0x300000, "bin": "m.bin"},
    [],
    "m.bin",
]


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda one: ascii(one)[:60])
def test_entries(tmp_path, entry):
    assert refused(listed(tmp_path, entry)) == "flash_list_unusable"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        '{"files": 5}',
        '{"files": []}',
        DEEP,
        "\xff\xfe",
        '{"files": [' + "0," * 99 + "0]}",
    ],
    ids=lambda one: ascii(one)[:20],
)
def test_lists(tmp_path, text):
    assert refused(packed(tmp_path, text.encode("latin-1"), [("m.bin", b"x")])) == (
        "flash_list_unusable"
    )


def test_places(tmp_path):
    two = [("a.bin", bytes(8192)), ("b.bin", bytes(10))]
    entries = [{**GOOD, "bin": "a.bin"}, {**GOOD, "bin": "b.bin", "address": 0x301000}]
    assert refused(listed(tmp_path, *entries, members=two)) == "flash_overlap"
    assert refused(listed(tmp_path, GOOD, GOOD)) == "flash_overlap"
    assert refused(listed(tmp_path, {**GOOD, "address": 0xFFF000},
                          members=[("m.bin", bytes(4097))])) == "flash_too_large"  # fmt: skip
    assert refused(listed(tmp_path, {**GOOD, "address": 1 << 40})) == "flash_too_large"
    assert refused(listed(tmp_path, {**GOOD, "address": 0})) == "flash_not_bootable"
    exact = listed(tmp_path, {**GOOD, "address": 0xFFF000}, members=[("m.bin", bytes(4096))])
    assert flash_file.read(exact).parts[0].end == 16 << 20


def test_zips(tmp_path):
    bomb = [("m.bin", bytes(200 << 20))]
    assert refused(listed(tmp_path, GOOD, members=bomb)) == "flash_too_large"
    text = json.dumps({"files": [GOOD], "x": "y" * 70_000})
    assert refused(packed(tmp_path, text, [("m.bin", b"x")])) == "flash_list_unusable"
    with pytest.warns(UserWarning, match="Duplicate"):
        double = listed(tmp_path, GOOD, members=[("m.bin", b"x"), ("m.bin", b"y")])
    assert refused(double) == "flash_list_unusable"
    assert refused(packed(tmp_path, None, [("boot.py", b"x")])) == "flash_file_sd_zip"
    assert refused(packed(tmp_path, None, [("x.txt", b"x")])) == "flash_file_kind"
    good = listed(tmp_path, GOOD).read_bytes()
    for size in range(4, len(good), 7):
        path = tmp_path / "cut.kfpkg"
        path.write_bytes(good[:size])
        assert refused(path) in ("flash_file_damaged", "flash_file_kind")


def test_no_damaged_kfpkg_passes_as_another(tmp_path):
    """Every byte of a small kfpkg flipped: refused, or read as what it was."""
    good = listed(tmp_path, GOOD, members=[("m.bin", struct.pack("<16I", *range(16)))])
    whole, expected = good.read_bytes(), flash_file.read(good).parts
    path, passed = tmp_path / "flipped.kfpkg", 0
    for at in range(len(whole)):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 0x10]) + whole[at + 1 :])
        try:
            parts = flash_file.read(path).parts
        except UserError:
            continue
        passed += 1
        assert [part.data for part in parts] == [part.data for part in expected], at
    assert passed < len(whole) / 2
