import hashlib
import struct

import pytest
from lookalikes import make_firmware

from host.deploy import firmware
from host.errors import UserError, describe

CHOICES = [("MobileNet 0.75", 1_900_000), ("MobileNet 0.5", 900_000), ("MobileNet 1.0", 2_400_000)]


def test_the_table_is_whole_and_says_where_its_figures_are_from():
    builds = firmware.known()
    assert builds[0].id == firmware.DEFAULT == "minimum_with_ide_support"
    assert len({one.id for one in builds}) == len(builds) >= 8
    for one in builds:
        assert one.basis in ("measured", "published", "estimate") and len(one.source) > 10
        assert 1 << 20 <= one.model_bytes <= 4 << 20 and 3 in one.kmodel
        assert one.file.startswith(f"maixpy_v{one.version}") and len(one.sha256) in (0, 64)
    assert firmware.get("").id == firmware.DEFAULT
    assert firmware.get("full").model_bytes < firmware.get("minimum").model_bytes


def test_needs_count_file_working_memory_and_the_loader():
    assert firmware.needed_bytes(2_000_000, 188_000) == 2_000_000 + 188_000 + 255 + 192


def test_a_model_fits_to_the_last_byte():
    build = firmware.get("full")
    most = build.model_bytes - 447 - 1000
    assert firmware.check_fit(most, 1000, build, (224, 224)) is None
    assert firmware.check_fit(most + 1, 1000, build, (224, 224)) is not None


@pytest.mark.parametrize(
    ("size", "choices", "code", "said"),
    [
        (2_100_000, CHOICES, "model_too_large_choice_or_firmware", "MobileNet 0.75, which fits"),
        (2_100_000, [], "model_too_large_firmware", "MaixPy minimum"),
        (5_000_000, CHOICES, "model_too_large_choice", "MobileNet 0.75"),
        (5_000_000, CHOICES[2:], "model_too_large", "No known firmware"),
    ],
)
def test_a_refusal_names_the_largest_choice_and_the_firmware_that_fit(size, choices, code, said):
    build = firmware.get("full")
    problem = firmware.check_fit(size, 100_000, build, (224, 224), choices)
    assert problem is not None and problem.code == code
    text = describe(problem)
    assert said in text and f"{size + 100_447:,}" in text and "1,945,600" in text
    with pytest.raises(UserError) as caught:
        firmware.require_fit(size, 100_000, build, (224, 224), choices)
    assert caught.value.findings == (problem,)


def test_pictures_larger_than_the_cameras_are_refused():
    problem = firmware.check_fit(1000, 1000, firmware.get(""), (640, 480))
    assert problem is not None and problem.code == "input_too_large"
    assert firmware.check_fit(1000, 1000, firmware.get(""), (320, 240)) is None


def test_an_image_is_known_by_its_content(tmp_path):
    path = tmp_path / "x.bin"
    path.write_bytes(make_firmware())
    image = firmware.identify(path)
    assert image.version == "v0.6.2-84-g8fcd84a58" and image.kmodel == (3,)
    assert image.sha256 == hashlib.sha256(path.read_bytes()).hexdigest() and image.known is None
    path.write_bytes(make_firmware(text=b"ERR_KMODEL_VERSION: only support kmodel V3/V4 now\0"))
    assert firmware.identify(path).kmodel == (3, 4)


def test_an_image_is_known_by_its_sha256(tmp_path, monkeypatch):
    path = tmp_path / "mine.bin"
    path.write_bytes(make_firmware())
    first, *rest = firmware.known()
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    table = (type(first)(**{**{k: getattr(first, k) for k in first.__slots__}, "sha256": digest}),)
    monkeypatch.setattr(firmware, "known", lambda: (*table, *rest))
    assert firmware.identify(path).known == table[0]
    assert firmware.find(tmp_path, table[0]) == path


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "firmware_not_maixpy"),
        (b"\x7fELF" + bytes(500_000), "firmware_not_maixpy"),
        (make_firmware(100_000), "firmware_not_maixpy"),
        (b"PK\x03\x04" + bytes(500_000), "firmware_is_kfpkg"),
        (
            b"\x02" + struct.pack("<I", len(make_firmware())) + make_firmware() + bytes(32),
            "firmware_has_header",
        ),
        (make_firmware(3_200_000), "firmware_too_large"),
    ],
)
def test_other_files_are_named(tmp_path, data, code):
    path = tmp_path / "x.bin"
    path.write_bytes(data)
    with pytest.raises(UserError) as caught:
        firmware.identify(path)
    assert caught.value.code == code and str(caught.value)


def test_a_missing_file(tmp_path):
    with pytest.raises(UserError) as caught:
        firmware.identify(tmp_path / "none.bin")
    assert caught.value.code == "firmware_missing"


def test_files_are_found_by_the_published_names(tmp_path):
    build, full = firmware.get(""), firmware.get("full")
    assert firmware.find(tmp_path / "nowhere", build) is None
    assert firmware.find(tmp_path, build) is None
    for name in (
        "maixpy_v0.6.2_84_g8fcd84a58.bin",
        "maixpy_v0.6.2_84_g8fcd84a58_minimum.bin",
        "maixpy_v0.6.2_52_gb1a1c5c5d_minimum_with_ide_support.bin",
        "maixpy_v0.6.2_84_g8fcd84a58_minimum_with_ide_support.bin",
    ):
        (tmp_path / name).write_bytes(b"")
    assert firmware.find(tmp_path, build) == tmp_path / name
    assert firmware.find(tmp_path, full) == tmp_path / "maixpy_v0.6.2_84_g8fcd84a58.bin"
    assert firmware.find(tmp_path, firmware.get("m5stickv")) is None
    (tmp_path / "m5stickv.bin").write_bytes(b"")
    assert firmware.find(tmp_path, firmware.get("m5stickv")) == tmp_path / "m5stickv.bin"
