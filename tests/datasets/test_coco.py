"""COCO files, one and several."""

from __future__ import annotations

import json

import pytest
from boxed_pictures import (
    CAT_EDGES,
    boxes,
    coco,
    load,
    splits,
    told,
    write_coco,
    write_picture,
    write_text,
)

CAT = (10, 20, 50, 60)


def test_left_top_width_height(tmp_path):
    dataset = load(write_coco(tmp_path, coco([CAT])))
    assert boxes(dataset) == [("cat", *CAT_EDGES)]
    assert (dataset.labels, dataset.findings) == (("cat",), ())


@pytest.mark.parametrize(
    ("labels", "pictures", "split"),
    [
        ("annotations/instances_train2017.json", "train2017", "train"),
        ("annotations/instances_val2017.json", "val2017", "valid"),
        ("train/_annotations.coco.json", "train", "train"),
        ("test/_annotations.coco.json", "test", "test"),
        ("annotations/instances_default.json", "images", ""),
        ("train.json", "images/all", "train"),
        ("result.json", "images", ""),
    ],
)
def test_layouts(tmp_path, labels, pictures, split):
    write_picture(tmp_path / pictures / "1.jpg")
    write_text(tmp_path / labels, json.dumps(coco([CAT])))
    dataset = load(tmp_path)
    assert boxes(dataset) == [("cat", *CAT_EDGES)]
    assert splits(dataset) == {f"{pictures}/1.jpg": split}
    assert dataset.findings == ()


def test_several_files_are_splits(tmp_path):
    for number, split in enumerate(("train", "valid", "test"), start=1):
        write_picture(tmp_path / split / "1.jpg", number)
        write_text(tmp_path / split / "_annotations.coco.json", json.dumps(coco([CAT])))
    assert splits(load(tmp_path)) == {
        "train/1.jpg": "train", "valid/1.jpg": "valid", "test/1.jpg": "test"
    }  # fmt: skip


def test_one_picture_in_two_files(tmp_path):
    write_picture(tmp_path / "1.jpg")
    write_text(tmp_path / "train.json", json.dumps(coco([CAT])))
    write_text(tmp_path / "val.json", json.dumps(coco([CAT])))
    dataset = load(tmp_path)
    assert splits(dataset) == {"1.jpg": "train"}
    assert told(dataset) == {"split_twice": "warning", "box_twice": "warning"}


def test_labels_in_the_order_of_ids(tmp_path):
    """Roboflow's category 0 has no boxes; the check drops it."""
    categories = [{"id": 2, "name": "dog"}, {"id": 0, "name": "pets"}, {"id": 1, "name": "cat"}]
    dataset = load(write_coco(tmp_path, coco([CAT], categories=categories)))
    assert dataset.labels == ("pets", "cat", "dog")
    assert boxes(dataset)[0][0] == "cat"


def test_names_with_folders(tmp_path):
    for part in "ab":
        write_picture(tmp_path / "images" / part / "1.jpg", ord(part))
    images = [{"id": 1, "file_name": "/srv/b/1.jpg"}]
    write_text(tmp_path / "x.json", json.dumps(coco([CAT], images=images)))
    dataset = load(tmp_path)
    assert [sample.path for sample in dataset.samples] == ["images/b/1.jpg"]
    assert told(dataset) == {"pictures_not_listed": "note", "size_missing": "note"}


def test_two_pictures_of_a_name_and_no_folder(tmp_path):
    for part in "ab":
        write_picture(tmp_path / "images" / part / "1.jpg", ord(part))
    write_text(tmp_path / "x.json", json.dumps(coco([CAT])))
    dataset = load(tmp_path)
    assert dataset.samples == ()
    assert told(dataset)["labelled_picture_missing"] == "warning"


def test_outline_without_a_box(tmp_path):
    made = coco()
    made["annotations"] = [
        {"id": 1, "image_id": 1, "category_id": 1, "segmentation": [[10, 20, 60, 30, 40, 80]]}
    ]
    assert boxes(load(write_coco(tmp_path, made))) == [("cat", *CAT_EDGES)]


def test_crowds_are_left_out(tmp_path):
    made = coco([CAT, (1, 1, 9, 9)])
    made["annotations"][1] |= {"iscrowd": 1, "segmentation": {"counts": [1], "size": [1, 1]}}
    dataset = load(write_coco(tmp_path, made))
    assert boxes(dataset) == [("cat", *CAT_EDGES)]
    assert told(dataset) == {"crowds_left_out": "note"}


def test_negatives_are_listed(tmp_path):
    write_picture(tmp_path / "2.jpg", 2)
    write_picture(tmp_path / "3.jpg", 3)
    made = coco([CAT])
    made["images"].append({"id": 2, "file_name": "2.jpg", "width": 128, "height": 96})
    dataset = load(write_coco(tmp_path, made))
    assert [(one.path, len(one.boxes)) for one in dataset.samples] == [("1.jpg", 1), ("2.jpg", 0)]
    assert told(dataset) == {"pictures_without_boxes": "note", "pictures_not_listed": "note"}


@pytest.mark.parametrize(
    ("changes", "code", "severity"),
    [
        ({"annotations": [{"id": 1, "image_id": 7, "category_id": 1, "bbox": CAT}]},
         "coco_image_unknown", "warning"),
        ({"annotations": [{"id": 1, "category_id": 1, "bbox": CAT}]},
         "coco_image_unknown", "warning"),
        ({"annotations": ["x", None, 5]}, "coco_image_unknown", "warning"),
        ({"annotations": [{"id": 1, "image_id": [1], "category_id": 1, "bbox": CAT}]},
         "coco_image_unknown", "warning"),
        ({"annotations": [{"id": 1, "image_id": 1, "category_id": 9, "bbox": CAT}]},
         "label_unknown", "error"),
        ({"annotations": [{"id": 1, "image_id": 1, "bbox": CAT}]}, "box_unreadable", "warning"),
        ({"annotations": [{"id": 1, "image_id": 1, "category_id": 1}]},
         "box_unreadable", "warning"),
        ({"annotations": [{"image_id": 1, "category_id": 1, "bbox": ["1", 2, 3, 4]}]},
         "box_unreadable", "warning"),
        ({"annotations": [{"image_id": 1, "category_id": 1, "bbox": [1, 2, 3]}]},
         "box_unreadable", "warning"),
        ({"images": [{"file_name": "1.jpg"}]}, "coco_entry_bad", "warning"),
        ({"images": [{"id": 1}]}, "coco_entry_bad", "warning"),
        ({"images": [{"id": 1, "file_name": "9.jpg"}]}, "labelled_picture_missing", "warning"),
        ({"categories": [{"id": 1}]}, "coco_entry_bad", "warning"),
        ({"categories": [{"id": 1, "name": "cat"}, {"id": 1, "name": "dog"}]},
         "coco_id_twice", "warning"),
    ],
)  # fmt: skip
def test_what_is_missing_is_told(tmp_path, changes, code, severity):
    assert told(load(write_coco(tmp_path, coco([CAT]) | changes)))[code] == severity


def test_json_that_is_something_else(tmp_path):
    write_picture(tmp_path / "cat" / "1.jpg")
    for number, text in enumerate(('{"images": 5}', "[]", '{"name": "x"}', "{", '"images"')):
        write_text(tmp_path / f"{number}.json", text)
    assert load(tmp_path).task == "classify"
