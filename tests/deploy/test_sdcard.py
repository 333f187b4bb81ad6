import io
import zipfile

import pytest
from PIL import Image

from host.deploy import sdcard
from host.deploy.package import BoardOptions
from host.errors import UserError

NAMES = ["README.txt", "boot.py", "labels.txt", "m.kmodel", "manifest.json", "start.jpg"]


def members(path):
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
        return {name: archive.read(name) for name in archive.namelist()}


def test_the_zip_holds_the_files_for_the_root_of_the_card(make, tmp_path):
    pack = make()
    files = members(sdcard.build(pack, tmp_path / "sd.zip"))
    assert list(files) == NAMES
    assert files["labels.txt"] == b"cat\ndog\nbird\n"
    assert files["m.kmodel"] == pack.kmodel.read_bytes()
    assert files["manifest.json"] == pack.manifest()
    assert b"'model': '/sd/m.kmodel'" in files["boot.py"]


def test_equal_packages_give_equal_bytes_in_any_year(make, tmp_path):
    first = sdcard.build(make("a"), tmp_path / "a.zip").read_bytes()
    assert sdcard.build(make("b"), tmp_path / "b.zip").read_bytes() == first
    with zipfile.ZipFile(io.BytesIO(first)) as archive:
        assert {one.date_time for one in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}


def test_a_failure_leaves_the_older_zip_and_nothing_else(make, tmp_path):
    out = tmp_path / "out" / "sd.zip"
    out.parent.mkdir()
    pack = make()
    before = sdcard.build(pack, out).read_bytes()
    pack.kmodel.unlink()
    with pytest.raises(FileNotFoundError):
        sdcard.build(pack, out)
    assert out.read_bytes() == before
    assert [path.name for path in out.parent.iterdir()] == ["sd.zip"]


def test_a_model_that_no_longer_fits_is_not_packed(make, tmp_path):
    pack = make(size=2_500_000, firmware="minimum")
    smaller = type(pack)(**{**{k: getattr(pack, k) for k in pack.__slots__}, "firmware": "full"})
    with pytest.raises(UserError) as caught:
        sdcard.build(smaller, tmp_path / "sd.zip")
    assert caught.value.code == "model_too_large_firmware"
    assert not (tmp_path / "sd.zip").exists()


def test_options_reach_boot_py(make):
    options = BoardOptions("cube", 1, True, True, 0.75, False)
    text = sdcard.boot_script(make(options=options, name='It\'s "mine"')).decode("ascii")
    names: dict = {}
    exec(text.split("\nimport ")[0], names)
    assert names["SETTINGS"] == {
        "model": "/sd/m.kmodel", "flash_address": 0x300000, "input": (224, 224),
        "window": (224, 224), "labels": ("cat", "dog", "bird"), "threshold": 0.75, "board": "cube",
        "rotation": 1, "mirror": True, "flip": True, "json": False, "title": 'It\'s "mine"',
    }  # fmt: skip


def test_a_chinese_name_stays_in_the_readme_and_off_the_screen(make):
    pack = make(name="\u732b\u548c\u72d7")
    files = sdcard.texts(pack)
    assert "\u732b\u548c\u72d7" in files["README.txt"].decode("utf-8-sig")
    assert b"'title': 'MaixForge'" in files["boot.py"]


def test_the_readme_speaks_english_then_chinese(make):
    pack = make()
    text = sdcard.texts(pack)["README.txt"].decode("utf-8-sig")
    assert text.count("\n") == text.count("\r\n")
    assert text.index("Card") < text.index("\u56fa\u4ef6")
    for part in (pack.kmodel_sha256, "300,000", "450,447", "3,145,728", "0x300000", "2002", "2006"):
        assert text.count(part) >= 2


def test_the_start_picture_is_a_plain_jpeg_for_the_board(make):
    many = tuple(f"class number {n}" for n in range(15))
    for pack in (make("a"), make("b", labels=many, name="n" * 80)):
        data = sdcard.texts(pack)["start.jpg"]
        picture = Image.open(io.BytesIO(data))
        assert (picture.size, picture.mode, picture.format) == ((320, 240), "RGB", "JPEG")
        assert "progressive" not in picture.info and len(data) < 40_000
        assert picture.convert("L").getextrema()[1] > 200


@pytest.mark.parametrize(
    ("size", "window"),
    [
        ((224, 224), (224, 224)),
        ((240, 240), (240, 240)),
        ((320, 240), (320, 240)),
        ((160, 160), (224, 224)),
        ((128, 96), (224, 168)),
        ((230, 230), (232, 232)),
        ((310, 238), (312, 240)),
    ],
)
def test_small_models_see_as_much_as_large_ones(size, window):
    assert sdcard.camera_window(size) == window
