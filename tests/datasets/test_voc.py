"""Pascal VOC in every layout that people have it in."""

from __future__ import annotations

import pytest
from boxed_pictures import (
    CAT,
    CAT_EDGES,
    boxes,
    load,
    splits,
    told,
    voc,
    write_picture,
    write_text,
    write_voc,
)


def test_counted_from_one_last_included(tmp_path):
    dataset = load(write_voc(tmp_path, CAT))
    assert dataset.task == "detect"
    assert boxes(dataset) == [("cat", *CAT_EDGES)]
    assert (dataset.samples[0].width, dataset.samples[0].height) == (128, 96)
    assert dataset.findings == ()


def test_an_edge_of_zero_is_the_first_pixel(tmp_path):
    dataset = load(write_voc(tmp_path, ("cat", 0, 0, 60, 96)))
    assert boxes(dataset) == [("cat", 0, 0, 60, 96)]
    assert dataset.findings == ()


def test_fractions(tmp_path):
    assert boxes(load(write_voc(tmp_path, ("cat", 11.5, 21, 60, 80)))) == [
        ("cat", 10.5, 20, 60, 80)
    ]


@pytest.mark.parametrize(
    ("pictures", "labels"),
    [("images", "xml"), ("images", "annotations"), ("", ""), ("JPEGImages", "Annotations"),
     ("photos/2024", "done/2024"), ("kitchen/images", "kitchen/xml")],
)  # fmt: skip
def test_layouts(tmp_path, pictures, labels):
    for number in (1, 2):
        write_picture(tmp_path / pictures / f"{number}.jpg", number)
        write_text(tmp_path / labels / f"{number}.xml", voc(CAT, filename=f"{number}.jpg"))
    dataset = load(tmp_path)
    assert [boxes(dataset, sample) for sample in dataset.samples] == [[("cat", *CAT_EDGES)]] * 2
    assert dataset.findings == ()


def test_split_by_folders(tmp_path):
    for split in ("train", "valid", "test"):
        write_picture(tmp_path / split / "1.jpg")
        write_text(tmp_path / split / "1.xml", voc(CAT))
    assert splits(load(tmp_path)) == {
        "train/1.jpg": "train", "valid/1.jpg": "valid", "test/1.jpg": "test"
    }  # fmt: skip


def test_image_sets_of_voc2007(tmp_path):
    top = tmp_path / "VOCdevkit" / "VOC2007"
    for number in range(1, 6):
        write_picture(top / "JPEGImages" / f"00000{number}.jpg", number)
        write_text(top / "Annotations" / f"00000{number}.xml", voc(CAT))
    main = top / "ImageSets" / "Main"
    write_text(main / "train.txt", "000001\r\n000002\r\n")
    write_text(main / "val.txt", "000003\n")
    write_text(main / "trainval.txt", "000001\n000002\n000003\n")
    write_text(main / "test.txt", "000004\n")
    write_text(main / "cat_train.txt", "000001  1\n000002 -1\n")
    dataset = load(tmp_path)
    assert list(splits(dataset).values()) == ["train", "train", "valid", "test", ""]
    assert dataset.findings == ()


def test_a_picture_on_two_lists_trains(tmp_path):
    write_voc(tmp_path / "JPEGImages", CAT)
    write_text(tmp_path / "ImageSets" / "Main" / "val.txt", "1\n")
    write_text(tmp_path / "ImageSets" / "Main" / "train.txt", "1\n")
    dataset = load(tmp_path)
    assert list(splits(dataset).values()) == ["train"]
    assert told(dataset) == {"split_twice": "warning"}


@pytest.mark.parametrize(
    ("text", "labels"),
    [("dog\ncat\n", ("dog", "cat")), ("dog cat", ("dog", "cat")),
     ("\ufeffdog\r\n\r\ncat\r\n", ("dog", "cat"))],
)  # fmt: skip
def test_labels_txt_orders_the_labels(tmp_path, text, labels):
    write_voc(tmp_path / "images", CAT, ("dog", 1, 1, 9, 9))
    write_text(tmp_path / "labels.txt", text)
    dataset = load(tmp_path)
    assert dataset.labels == labels
    assert [one[0] for one in boxes(dataset)] == ["cat", "dog"]


def test_labels_with_blanks_stay_whole(tmp_path):
    write_voc(tmp_path / "images", ("traffic light", 1, 1, 9, 9), CAT)
    write_text(tmp_path / "labels.txt", "traffic light\ncat\n")
    assert load(tmp_path).labels == ("traffic light", "cat")


def test_a_label_that_is_not_listed(tmp_path):
    write_voc(tmp_path / "images", ("catt", 1, 1, 9, 9), CAT)
    write_text(tmp_path / "labels.txt", "cat\n")
    dataset = load(tmp_path)
    assert boxes(dataset) == [("cat", *CAT_EDGES)]
    (finding,) = dataset.errors()
    assert (finding.code, finding.params["names"]) == ("label_unknown", "images/1.jpg catt")


def test_the_xml_s_own_name_wins_over_filename(tmp_path):
    """Pictures were renamed, together with their XML."""
    for number in (1, 2):
        write_picture(tmp_path / f"{number}.jpg", number)
    write_text(tmp_path / "1.xml", voc(CAT, filename="2.jpg"))
    write_text(tmp_path / "2.xml", voc(("dog", 1, 1, 9, 9), filename="old name.jpg"))
    dataset = load(tmp_path)
    assert [boxes(dataset, one)[0][0] for one in dataset.samples] == ["cat", "dog"]


def test_filename_where_the_name_does_not_help(tmp_path):
    write_picture(tmp_path / "holiday.JPG")
    write_text(tmp_path / "7.xml", voc(CAT, filename="C:\\pets\\holiday.JPG"))
    assert boxes(load(tmp_path)) == [("cat", *CAT_EDGES)]


def test_another_extension(tmp_path):
    write_picture(tmp_path / "1.png")
    write_text(tmp_path / "1.xml", voc(CAT, filename="1.jpg"))
    assert boxes(load(tmp_path)) == [("cat", *CAT_EDGES)]


def test_never_the_picture_of_another_split(tmp_path):
    write_voc(tmp_path / "train", CAT)
    write_text(tmp_path / "valid" / "1.xml", voc(("dog", 1, 1, 9, 9)))
    dataset = load(tmp_path)
    assert boxes(dataset) == [("cat", *CAT_EDGES)]
    assert told(dataset) == {"labelled_picture_missing": "warning"}


@pytest.mark.parametrize(("pictures", "labels"), [("images/", "xml/"), ("", ""), ("", "xml/")])
def test_equal_names_in_several_folders(tmp_path, pictures, labels):
    for label in ("cat", "dog", "bird"):
        write_picture(tmp_path / pictures / label / "1.jpg", len(label) + ord(label[0]))
        write_text(tmp_path / labels / label / "1.xml", voc((label, 1, 1, 9, 9)))
    dataset = load(tmp_path)
    assert dataset.findings == ()
    for sample in dataset.samples:
        assert boxes(dataset, sample)[0][0] == sample.path.split("/")[-2]


def test_the_nearer_label_file_has_the_picture(tmp_path):
    write_voc(tmp_path / "a", CAT)
    write_text(tmp_path / "b" / "1.xml", voc(("dog", 1, 1, 9, 9)))
    dataset = load(tmp_path)
    assert dataset.labels == ("cat",)
    assert told(dataset) == {"labelled_picture_missing": "warning"}


def test_negatives(tmp_path):
    write_voc(tmp_path, CAT)
    write_picture(tmp_path / "2.jpg", 2)
    write_text(tmp_path / "2.xml", voc(filename="2.jpg"))
    write_picture(tmp_path / "3.jpg", 3)
    write_picture(tmp_path / "elsewhere" / "4.jpg", 4)
    dataset = load(tmp_path)
    assert [(one.path, len(one.boxes)) for one in dataset.samples] == [
        ("1.jpg", 1), ("2.jpg", 0), ("3.jpg", 0)
    ]  # fmt: skip
    assert told(dataset) == {
        "picture_unlabelled": "warning",
        "pictures_without_boxes": "note",
        "pictures_not_listed": "note",
    }


@pytest.mark.parametrize("size", [(0, 0), None, ("", ""), ("nan", 5), (-3, 4)])
def test_no_size(tmp_path, size):
    dataset = load(write_voc(tmp_path, CAT, size=size))
    assert boxes(dataset) == [("cat", *CAT_EDGES)]
    assert told(dataset) == {"size_missing": "note"}


def test_the_card_of_our_own_collector(root):
    """What board/collect_detect.py writes, rendered by samples/render.py."""
    folder = root / "samples" / "sample_boxes"
    if not folder.is_dir():
        pytest.skip("no samples/sample_boxes")
    dataset = load(folder)
    assert dataset.task == "detect"
    assert sum(dataset.counts().values()) >= 40
    assert all(finding.severity == "note" for finding in dataset.findings)


def test_what_a_power_cut_leaves_on_the_card(tmp_path):
    """An unfinished picture, boxes that wait for theirs: told and not used."""
    card = tmp_path / "maixforge" / "kitchen"
    write_picture(card / "images" / "1.jpg")
    write_text(card / "xml" / "1.xml", voc(CAT))
    write_picture(card / "unfinished1.jpg", 2)
    write_text(card / "xml" / "2.tmp", voc(CAT))
    write_text(card / "labels.txt", "cat\n")
    dataset = load(tmp_path)
    assert boxes(dataset) == [("cat", *CAT_EDGES)]
    assert {one.code: one.params["names"] for one in dataset.findings} == {
        "pictures_not_listed": "maixforge/kitchen/unfinished1.jpg",
        "other_files": "maixforge/kitchen/xml/2.tmp",
    }


@pytest.mark.parametrize(
    ("encoding", "declared"),
    [("utf-8", "utf-8"), ("utf-8-sig", "utf-8"), ("utf-16", "utf-16"), ("gbk", "gb2312"),
     ("gbk", "GBK"), ("latin-1", "iso-8859-1")],
)  # fmt: skip
def test_encodings(tmp_path, encoding, declared):
    label = "café" if encoding == "latin-1" else "\u732b"
    write_picture(tmp_path / "1.jpg")
    text = f"<?xml version='1.0' encoding='{declared}'?>" + voc((label, *CAT[1:]))
    write_text(tmp_path / "1.xml", text.encode(encoding))
    assert load(tmp_path).labels == (label,)
