"""Every way of packing class folders is read alike."""

from __future__ import annotations

import pytest
from labelled_folders import codes

from host.datasets.formats import load
from host.datasets.tree import natural
from host.errors import describe

LAYOUTS = {
    "plain": ["cat/1.jpg", "cat/2.jpg", "dog/1.jpg"],
    "root folder": ["pets/cat/1.jpg", "pets/cat/2.jpg", "pets/dog/1.jpg"],
    "SD dump": [
        "maixforge/pets/cat/1.jpg",
        "maixforge/pets/cat/2.jpg",
        "maixforge/pets/dog/1.jpg",
    ],
    "train only": ["train/cat/1.jpg", "train/cat/2.jpg", "train/dog/1.jpg"],
    "sub-folders in classes": ["cat/1.jpg", "cat/monday/2.jpg", "dog/1.jpg"],
    "litter": ["cat/1.jpg", "cat/2.jpg", "dog/1.jpg", ".trash/x/1.jpg", "__MACOSX/cat/1.jpg"],
    "upper case": ["cat/1.JPG", "cat/2.Jpeg", "dog/1.PNG"],
}

SPLITS = {
    "above": ["train/cat/1.jpg", "train/dog/2.jpg", "valid/cat/3.jpg", "test/dog/4.jpg"],
    "above, in a root": ["r/Train/cat/1.jpg", "r/train/dog/2.jpg", "r/val/cat/3.jpg",
                         "r/test/dog/4.jpg"],
    "V-Training": ["train/cat/1.jpg", "train/dog/2.jpg", "vaild/cat/3.jpg", "testing/dog/4.jpg"],
    "beside": ["cat/1.jpg", "dog/2.jpg", "validation/cat/3.jpg", "test/dog/4.jpg"],
}  # fmt: skip


def make(folder, paths):
    for path in paths:
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).touch()
    return load(folder)


@pytest.mark.parametrize("paths", LAYOUTS.values(), ids=LAYOUTS)
def test_layouts(tmp_path, paths):
    dataset = make(tmp_path, paths)
    assert (dataset.task, dataset.labels) == ("classify", ("cat", "dog"))
    assert dataset.counts() == {"cat": 2, "dog": 1}
    assert all(dataset.file(sample).is_file() for sample in dataset.samples)
    assert dataset.errors() == ()


@pytest.mark.parametrize("paths", SPLITS.values(), ids=SPLITS)
def test_splits(tmp_path, paths):
    dataset = make(tmp_path, paths)
    found = {sample.path[-5]: (sample.split or "train", sample.label) for sample in dataset.samples}
    assert dataset.labels == ("cat", "dog")
    assert found == {"1": ("train", 0), "2": ("train", 1), "3": ("valid", 0), "4": ("test", 1)}
    assert dataset.findings == ()


def test_labels_in_natural_order(tmp_path):
    dataset = make(tmp_path, [f"class{number}/{number}.jpg" for number in (10, 2, 1, 33, 9)])
    assert dataset.labels == ("class1", "class2", "class9", "class10", "class33")
    assert [sample.label for sample in dataset.samples] == [0, 1, 2, 3, 4]


def test_natural_order_tells_equal_spellings_apart():
    names = ["", "01", "1", "A1", "a01", "a1", "B", "b"]
    mixed = ["b", "A1", "1", "a01", "a1", "B", "", "01"]
    assert sorted(mixed, key=natural) == names


def test_a_class_may_be_called_train(tmp_path):
    dataset = make(tmp_path, ["train/1.jpg", "car/1.jpg", "bus/1.jpg"])
    assert dataset.labels == ("bus", "car", "train")
    assert dataset.findings == ()


@pytest.mark.parametrize(
    ("paths", "code", "severity", "found"),
    [
        (["cat/1.jpg", "dog/1.jpg", "cat/1.xml", "classes.txt"], "other_files", "note", "2:"),
        (["cat/1.jpg", "dog/1.jpg", "x.jpg"], "pictures_outside_classes", "warning", "x.jpg"),
        (["pets/x.jpg", "pets/cat/1.jpg", "pets/dog/1.jpg"], "pictures_outside_classes",
         "warning", "pets/x.jpg"),
        (["train/x.jpg", "train/cat/1.jpg", "train/dog/1.jpg"], "pictures_outside_classes",
         "warning", "train/x.jpg"),
        (["x.jpg"], "pictures_outside_classes", "warning", "x.jpg"),
        (["one/cat/1.jpg", "one/dog/1.jpg", "two/cat/1.jpg"], "class_folders_nested", "warning",
         "one, two"),
        (["train/1.jpg", "vaild/1.jpg"], "split_without_classes", "error", "train, vaild"),
        (["train/cat/1.jpg", "train/dog/1.jpg", "valid/cow/1.jpg"], "class_without_training",
         "error", "cow"),
    ],
)  # fmt: skip
def test_findings(tmp_path, paths, code, severity, found):
    dataset = make(tmp_path, paths)
    assert codes(dataset.findings) == [code]
    assert dataset.findings[0].severity == severity
    assert found in dataset.findings[0].text("found")
    assert describe(dataset.findings[0])


def test_empty_folders_are_named(tmp_path):
    (tmp_path / "bird").mkdir()
    dataset = make(tmp_path, ["cat/1.jpg", "dog/1.jpg"])
    assert dataset.labels == ("cat", "dog")
    assert codes(dataset.findings) == ["class_folders_empty"]
    assert dataset.findings[0].path == "bird"


def test_hundreds_of_other_files_are_one_finding(tmp_path):
    paths = ["cat/1.jpg", "dog/1.jpg"] + [f"cat/{number}.txt" for number in range(300)]
    (finding,) = make(tmp_path, paths).findings
    assert finding.text("found").startswith("300: cat/0.txt, cat/1.txt, cat/2.txt")
    assert finding.text("found").endswith("cat/9.txt, …")


def test_nothing_at_all(tmp_path):
    dataset = make(tmp_path, [])
    assert (dataset.labels, dataset.samples, dataset.findings) == ((), (), ())
