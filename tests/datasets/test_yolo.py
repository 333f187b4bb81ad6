"""YOLO texts in every layout that people have them in."""

from __future__ import annotations

import pytest
from boxed_pictures import (
    CAT_EDGES,
    SIZE,
    boxes,
    load,
    splits,
    told,
    write_picture,
    write_text,
    write_yolo,
)

W, H = SIZE
LINE = f"0 {35 / W} {50 / H} {50 / W} {60 / H}\n"
"""The box of `CAT_EDGES` as YOLO has it."""


def test_middle_and_size_in_parts(tmp_path):
    dataset = load(write_yolo(tmp_path, LINE))
    assert boxes(dataset) == [("cat", *map(pytest.approx, CAT_EDGES))]
    assert (dataset.labels, told(dataset)) == (("cat", "dog"), {})


@pytest.mark.parametrize(
    ("picture", "text", "names"),
    [
        ("images/1.jpg", "labels/1.txt", "data.yaml"),
        ("train/images/1.jpg", "train/labels/1.txt", "data.yaml"),
        ("images/train/1.jpg", "labels/train/1.txt", "dataset.yml"),
        ("1.jpg", "1.txt", "classes.txt"),
        ("images/1.jpg", "labels/1.txt", "labels/classes.txt"),
        ("obj/1.jpg", "obj/1.txt", "obj.names"),
        ("set/images/a/1.jpg", "set/labels/a/1.txt", "set/labels.txt"),
    ],
)
def test_layouts(tmp_path, picture, text, names):
    write_picture(tmp_path / picture)
    write_text(tmp_path / text, LINE)
    listed = "names: [cat, dog]\n" if names.endswith(("yaml", "yml")) else "cat\ndog\n"
    write_text(tmp_path / names, listed)
    dataset = load(tmp_path)
    assert boxes(dataset) == [("cat", *map(pytest.approx, CAT_EDGES))]
    assert dataset.labels == ("cat", "dog")
    assert dataset.findings == ()
    assert dataset.samples[0].split == ("train" if "train" in picture else "")


@pytest.mark.parametrize(
    ("yaml", "labels"),
    [
        ("names: [cat, dog]", ("cat", "dog")),
        ("names: {0: cat, 1: dog}", ("cat", "dog")),
        ("names:\n  1: dog\n  0: cat", ("cat", "dog")),
        ("names: [no, 007]", ("False", "7")),
        ("names: ['no', '007']", ("no", "007")),
        ("names: {2: cat}", ("0", "1", "cat")),
        ("nc: 1\nnames:\n- cat", ("cat",)),
    ],
)
def test_names_of_a_yaml(tmp_path, yaml, labels):
    write_yolo(tmp_path, LINE, names=None)
    write_text(tmp_path / "data.yaml", yaml)
    assert load(tmp_path).labels == labels


@pytest.mark.parametrize(
    ("train", "valid"),
    [("images/a", "images/b"), ("../images/a", "./images/b/"), ("/data/me/images/a", "images/b"),
     ("C:\\set\\images\\a", "images\\b"), ("[images/a]", "[images/b, images/none]"),
     ("first.txt", "second.txt")],
)  # fmt: skip
def test_splits_of_a_yaml(tmp_path, train, valid):
    for number, part in ((1, "a"), (2, "b"), (3, "c")):
        write_picture(tmp_path / "images" / part / f"{number}.jpg", number)
        write_text(tmp_path / "labels" / part / f"{number}.txt", LINE)
    write_text(tmp_path / "data.yaml", f"path: ../set\ntrain: {train}\nval: {valid}\nnames: [cat]")
    write_text(tmp_path / "first.txt", "./images/a/1.jpg\n")
    write_text(tmp_path / "second.txt", "/home/me/set/images/b/2.jpg\n")
    assert splits(load(tmp_path)) == {
        "images/a/1.jpg": "train", "images/b/2.jpg": "valid", "images/c/3.jpg": ""
    }  # fmt: skip


def test_one_folder_for_both_decides_nothing(tmp_path):
    write_yolo(tmp_path, LINE, names=None)
    write_text(tmp_path / "data.yaml", "train: images\nval: images\nnames: [cat]")
    assert splits(load(tmp_path)) == {"images/1.jpg": ""}


def test_darknet_lists(tmp_path):
    for number in (1, 2):
        write_picture(tmp_path / "obj" / f"{number}.jpg", number)
        write_text(tmp_path / "obj" / f"{number}.txt", LINE)
    write_text(tmp_path / "obj.names", "cat\n")
    write_text(tmp_path / "train.txt", "data/obj/1.jpg\n")
    write_text(tmp_path / "valid.txt", "data/obj/2.jpg\n")
    assert splits(load(tmp_path)) == {"obj/1.jpg": "train", "obj/2.jpg": "valid"}


def test_negatives(tmp_path):
    write_yolo(tmp_path, LINE)
    for number in (2, 3):
        write_picture(tmp_path / "images" / f"{number}.jpg", number)
    write_text(tmp_path / "labels" / "2.txt", "\n")
    dataset = load(tmp_path)
    assert [len(sample.boxes) for sample in dataset.samples] == [1, 0, 0]
    assert told(dataset) == {"pictures_without_boxes": "note", "picture_unlabelled": "warning"}


def test_nothing_labelled_yet(tmp_path):
    write_yolo(tmp_path, "")
    dataset = load(tmp_path)
    assert (dataset.task, len(dataset.samples)) == ("detect", 1)


def test_an_outline_is_the_box_around_it(tmp_path):
    outline = f"1 {10 / W} {80 / H} {60 / W} {20 / H} {30 / W} {50 / H}"
    dataset = load(write_yolo(tmp_path, outline))
    assert boxes(dataset) == [("dog", *map(pytest.approx, CAT_EDGES))]


@pytest.mark.parametrize("number", ["2", "-1", "99999999999"])
def test_class_number_out_of_range(tmp_path, number):
    dataset = load(write_yolo(tmp_path, LINE + number + LINE[1:]))
    assert len(dataset.samples[0].boxes) == 1
    (finding,) = dataset.errors()
    assert (finding.code, finding.params["names"]) == (
        "label_unknown", f"images/1.jpg {number}"
    )  # fmt: skip


def test_no_names(tmp_path):
    dataset = load(write_yolo(tmp_path, LINE, names=None))
    assert dataset.labels == ("0",)
    assert told(dataset) == {"classes_unnamed": "warning"}


@pytest.mark.parametrize(
    "line",
    ["0 0.5 0.5 0.2", "0 0.5 0.5 0.2 x", "0.5 0.5 0.5 0.2 0.2", "0 .1 .1 .2 .2 .3", "cat 1 1 1 1"],
)
def test_bad_lines(tmp_path, line):
    dataset = load(write_yolo(tmp_path, LINE + line))
    assert len(dataset.samples[0].boxes) == 1
    assert told(dataset) == {"box_unreadable": "warning"}


def test_a_picture_called_classes(tmp_path):
    """Its text is no list of names."""
    write_picture(tmp_path / "images" / "classes.jpg")
    write_text(tmp_path / "labels" / "classes.txt", LINE)
    write_text(tmp_path / "data.yaml", "names: [cat]")
    assert boxes(load(tmp_path)) == [("cat", *map(pytest.approx, CAT_EDGES))]


def test_texts_that_are_no_labels(tmp_path):
    """Class folders with notes beside the pictures are still class folders."""
    write_picture(tmp_path / "cat" / "1.jpg")
    write_text(tmp_path / "cat" / "1.txt", "my cat, 5 years old")
    write_text(tmp_path / "numbers.txt", "1 2 3 4 5\n")
    assert load(tmp_path).task == "classify"
