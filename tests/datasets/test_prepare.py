"""`prepare` makes, of any folder of pictures, a zip that the host accepts."""

from __future__ import annotations

import hashlib
import io
import zipfile

import pytest
from labelled_folders import FEW, codes, picture, write_class, write_classes
from PIL import Image

from host.datasets.checks import check
from host.datasets.formats import load
from host.datasets.intake import receive
from host.datasets.limits import Limits, Rules
from host.datasets.prepare import prepare
from host.errors import UserError


@pytest.fixture
def folder(tmp_path):
    """Pictures as they come: large, rotated, named in Chinese, of several formats."""
    folder = write_classes(tmp_path / "pets", {"cat": 4, "cow": 4, "dog": 4})
    exif = Image.Exif()
    exif[0x0112] = 6
    picture(50, (1600, 1200)).save(folder / "cat" / "照片.jpg", exif=exif)
    picture(51, (300, 500)).save(folder / "dog" / "a b'c.png")
    (folder / "dog" / "notes.txt").write_text("x")
    return folder


def hashes(folder):
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path: hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


@pytest.mark.parametrize(("size", "fit"), [(224, "crop"), (96, "letterbox")])
def test_prepared_zip_is_accepted(tmp_path, folder, size, fit):
    before = hashes(folder)
    result = prepare(folder, tmp_path / "out.zip", size, fit, rules=FEW)
    assert hashes(folder) == before
    assert result.counts == {"cat": 5, "cow": 4, "dog": 5}
    assert result.bytes == (tmp_path / "out.zip").stat().st_size
    assert codes(result.findings) == ["other_files", "pictures_rotated"]
    dataset = check(load(receive(tmp_path / "out.zip", tmp_path / "job")), FEW)
    assert dataset.findings == ()
    assert dataset.counts() == result.counts
    assert {(sample.width, sample.height) for sample in dataset.samples} == {(size, size)}
    assert all(sample.path.isascii() for sample in dataset.samples)


def test_members(tmp_path, folder):
    prepare(folder, tmp_path / "out.zip", rules=FEW)
    with zipfile.ZipFile(tmp_path / "out.zip") as archive:
        assert archive.namelist()[:2] == ["cat/00001.jpg", "cat/00002.jpg"]
        for name in archive.namelist():
            image = Image.open(io.BytesIO(archive.read(name)))
            assert (image.format, image.mode, image.size) == ("JPEG", "RGB", (224, 224))


def test_same_pictures_same_bytes(tmp_path, folder):
    seen = []
    prepare(folder, tmp_path / "one.zip", rules=FEW)
    prepare(folder, tmp_path / "two.zip", rules=FEW, progress=lambda *counts: seen.append(counts))
    assert (tmp_path / "one.zip").read_bytes() == (tmp_path / "two.zip").read_bytes()
    assert seen == [(done, 28) for done in range(1, 29)]


def test_splits_are_kept(tmp_path, folder):
    write_class(folder / "vaild" / "cat", 2, seed=8)
    result = prepare(folder, tmp_path / "out.zip", rules=FEW)
    dataset = load(receive(result.path, tmp_path / "job"))
    assert dataset.counts() == {"cat": 7, "cow": 4, "dog": 5}
    assert [s.path for s in dataset.of_split("valid")] == [
        "valid/cat/00001.jpg", "valid/cat/00002.jpg"
    ]  # fmt: skip
    assert {s.split for s in dataset.samples} == {"train", "valid"}


def test_large_photographs_are_taken(tmp_path, folder):
    """More pixels than an upload may have: making them small is what this is for."""
    big = picture(60, (4600, 3600))
    big.save(folder / "cow" / "big.jpg")
    assert prepare(folder, tmp_path / "out.zip", rules=FEW).counts["cow"] == 5


def test_all_errors_at_once_and_no_zip(tmp_path, folder):
    (folder / "cat" / "x.jpg").write_text("no picture")
    write_class(folder / "苹果", 1, seed=8)
    with pytest.raises(UserError) as refusal:
        prepare(folder, tmp_path / "out.zip", rules=FEW)
    assert codes(refusal.value.findings) == [
        "class_too_small", "label_not_ascii", "picture_not_a_picture"
    ]  # fmt: skip
    assert sorted(path.name for path in tmp_path.iterdir()) == ["pets"]


def test_unusable_pictures_are_left_out_and_named(tmp_path, folder):
    (folder / "cat" / "x.jpg").write_bytes(b"")
    result = prepare(folder, tmp_path / "out.zip", rules=FEW)
    assert result.counts["cat"] == 5
    assert "picture_empty" in codes(result.findings)


def test_zip_larger_than_a_host_takes(tmp_path, folder):
    limits = Limits(zip_bytes=1000)
    result = prepare(folder, tmp_path / "out.zip", limits=limits, rules=FEW)
    assert result.findings[-1].code == "prepared_zip_large"


def test_quality(tmp_path, folder):
    small = prepare(folder, tmp_path / "small.zip", quality=30, rules=FEW).bytes
    assert small < 0.7 * prepare(folder, tmp_path / "large.zip", rules=FEW).bytes


def test_usual_rules_apply(tmp_path, folder):
    with pytest.raises(UserError, match="class_too_small"):
        prepare(folder, tmp_path / "out.zip")
    assert Rules().images_min > 5
