"""The mistakes that people make most: each with its own finding and its mend."""

from __future__ import annotations

import pytest
from labelled_folders import codes, write_class, write_classes, zip_folder
from raw_zip import Entry, raw_zip

from host.datasets.checks import check
from host.datasets.formats import load
from host.datasets.intake import receive
from host.errors import UserError, describe

GOOD = {"cat": 40, "cow": 40, "dog": 40}


def findings(path):
    """Receive, load and check; return the errors, however they come."""
    job = path.parent / "job"
    try:
        dataset = check(load(receive(path, job)))
    except UserError as error:
        assert list(job.iterdir()) == []
        return error.findings
    return dataset.errors()


@pytest.fixture
def folder(tmp_path):
    return write_classes(tmp_path / "data", GOOD)


def test_good(folder, tmp_path):
    assert findings(zip_folder(folder, tmp_path / "a.zip")) == ()


def test_one_class(tmp_path):
    folder = write_classes(tmp_path / "data", {"cat": 40})
    (found,) = findings(zip_folder(folder, tmp_path / "a.zip"))
    assert (found.code, found.text("found"), found.text("needed")) == (
        "classes_too_few", "1: cat", "at least 2"
    )  # fmt: skip


def test_39_images(folder, tmp_path):
    (folder / "cow" / "7.jpg").unlink()
    (found,) = findings(zip_folder(folder, tmp_path / "a.zip"))
    assert (found.code, found.path, found.text("found"), found.text("needed")) == (
        "class_too_small", "cow", "39", "at least 40"
    )  # fmt: skip


@pytest.mark.parametrize("encoding", ["utf-8", "gbk"])
def test_chinese_folder_names(folder, tmp_path, encoding):
    entries = [
        Entry(b"%s/%s" % ({"cat": "猫", "cow": "牛"}.get(path.parent.name, "dog").encode(encoding),
                          path.name.encode()), path.read_bytes(), flags=0)
        for path in sorted(folder.rglob("*.jpg"))
    ]  # fmt: skip
    (tmp_path / "a.zip").write_bytes(raw_zip(entries))
    (found,) = findings(tmp_path / "a.zip")
    assert (found.code, found.text("found")) == ("label_not_ascii", "2: 牛, 猫")
    assert "Rename" in found.text("fix")


def test_text_file_named_jpg(folder, tmp_path):
    (folder / "dog" / "readme.jpg").write_text("these are my dogs")
    (found,) = findings(zip_folder(folder, tmp_path / "a.zip"))
    assert (found.code, found.path) == ("picture_not_a_picture", "dog/readme.jpg")


def test_cut_in_half(folder, tmp_path):
    path = zip_folder(folder, tmp_path / "a.zip")
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    (found,) = findings(path)
    assert (found.code, found.path) == ("zip_damaged", "a.zip")


def test_path_that_leaves_the_zip(folder, tmp_path):
    entries = [Entry("cat/1.jpg"), Entry("../x")]
    (tmp_path / "a.zip").write_bytes(raw_zip(entries))
    before = sorted(path.name for path in tmp_path.iterdir())
    (found,) = findings(tmp_path / "a.zip")
    assert (found.code, found.path) == ("zip_path_escapes", "../x")
    assert sorted(path.name for path in tmp_path.iterdir()) == [*before, "job"]


def test_all_mistakes_are_told_at_once(folder, tmp_path):
    (folder / "cow" / "7.jpg").unlink()
    (folder / "dog" / "readme.jpg").write_text("these are my dogs")
    write_class(folder / "苹果", 40, seed=9)
    found = findings(zip_folder(folder, tmp_path / "a.zip"))
    assert codes(found) == ["class_too_small", "label_not_ascii", "picture_not_a_picture"]
    assert all(describe(one) for one in found)


@pytest.mark.parametrize(
    ("name", "counts", "warnings"),
    [
        ("cls_cards2", {"0": 300, "1": 300}, ["classes_few"]),
        ("cls_sign_digits10", dict(zip("0123456789", (205, 206, 206, 206, 207, 207, 207, 206, 208,
                                                      204), strict=True)), []),
    ],
)  # fmt: skip
def test_real_data_sets(shared, tmp_path, name, counts, warnings):
    path = shared / "data" / f"{name}.zip"
    if not path.is_file():
        pytest.skip(f"{path.name} is not there")
    dataset = check(load(receive(path, tmp_path / "job")))
    assert dataset.counts() == counts
    assert [f.code for f in dataset.findings if f.severity != "note"] == warnings
    assert {sample.group for sample in dataset.samples} == {-1}
