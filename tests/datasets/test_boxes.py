"""What is done with boxes that are odd, and where boxes lie on pictures that are turned."""

from __future__ import annotations

import json

import numpy as np
import pytest
from boxed_pictures import (
    CAT,
    CAT_EDGES,
    boxes,
    coco,
    load,
    told,
    voc,
    vott,
    write_coco,
    write_picture,
    write_text,
    write_voc,
    write_yolo,
)
from PIL import Image

from host.datasets import formats
from host.datasets.formats.gather import turn
from host.datasets.limits import Limits
from host.datasets.pictures import decode
from host.errors import UserError, describe

NAN, INF = float("nan"), float("inf")


@pytest.mark.parametrize(
    ("edges", "found", "code"),
    [
        ((11, 21, 200, 80), (10, 20, 128, 80), "box_outside"),
        ((-50, -50, 500, 500), (0, 0, 128, 96), "box_outside"),
        ((11, 21, 128, 96), (10, 20, 128, 96), None),
        ((11, 21, 128.4, 96), (10, 20, 128, 96), None),
        ((200, 21, 300, 80), None, "box_off_picture"),
        ((11, 200, 60, 300), None, "box_off_picture"),
        ((-9, 5, -5, 80), None, "box_off_picture"),
        ((60, 21, 11, 80), None, "box_empty"),
        ((11, 80, 60, 21), None, "box_empty"),
        ((11, 21, 11, 80), None, "box_empty"),
        ((11, 21, 10, 20), None, "box_empty"),
        ((NAN, 21, 60, 80), None, "box_not_finite"),
        ((11, 21, INF, 80), None, "box_not_finite"),
        ((-INF, -INF, INF, INF), None, "box_not_finite"),
        (("", 21, 60, 80), None, "box_unreadable"),
        (("x", 21, 60, 80), None, "box_unreadable"),
    ],
)
def test_edges(tmp_path, edges, found, code):
    """Beside a good box, so that the picture stays."""
    dataset = load(write_voc(tmp_path, ("dog", 1, 1, 9, 9), ("cat", *edges)))
    assert boxes(dataset)[1:] == ([("cat", *found)] if found else [])
    assert told(dataset) == ({code: "warning"} if code else {})
    for finding in dataset.findings:
        assert "1." in describe(finding, "zh")


def test_a_picture_that_loses_all_its_boxes_is_no_negative(tmp_path):
    dataset = load(write_voc(tmp_path, ("cat", 60, 60, 10, 10)))
    assert dataset.samples == ()
    assert told(dataset) == {"box_empty": "warning", "pictures_left_out": "warning"}


def test_the_same_box_twice(tmp_path):
    dataset = load(write_voc(tmp_path, CAT, CAT, ("cat", 11.2, 21, 60, 80), ("dog", *CAT[1:])))
    assert [one[0] for one in boxes(dataset)] == ["cat", "dog"]
    assert told(dataset) == {"box_twice": "warning", "box_two_labels": "warning"}


@pytest.mark.parametrize("label", ["", "  "])
def test_no_label(tmp_path, label):
    dataset = load(write_voc(tmp_path, CAT, (label, 1, 1, 9, 9)))
    assert told(dataset) == {"label_missing": "warning"}


def test_labels_are_one_line_that_can_be_shown(tmp_path):
    made = coco(
        [(1, 1, 20, 20)], categories=[{"id": 1, "name": " a\nb\x00\ud800\x1b[2J" + "x" * 999}]
    )
    (label,) = load(write_coco(tmp_path, json.dumps(made))).labels
    assert label.startswith("a b???[2J") and len(label) == 200


def test_a_picture_made_smaller_after_labelling(tmp_path):
    large = ("cat", 21, 41, 120, 160)
    dataset = load(write_voc(tmp_path, large, size=(256, 192)))
    assert boxes(dataset) == [("cat", 10, 20, 60, 80)]
    assert told(dataset) == {"boxes_scaled": "warning"}


def test_a_size_of_another_shape_is_not_believed(tmp_path):
    dataset = load(write_voc(tmp_path, CAT, size=(500, 500)))
    assert boxes(dataset) == [("cat", *CAT_EDGES)]
    assert told(dataset) == {"size_differs": "warning"}


def test_a_damaged_picture_is_left_to_the_check(tmp_path):
    write_voc(tmp_path, CAT)
    (tmp_path / "1.jpg").write_bytes(b"\xff\xd8\xff no")
    (sample,) = load(tmp_path).samples
    assert (sample.width, sample.boxes) == (0, ())


@pytest.mark.parametrize("orientation", range(1, 9))
def test_turned_like_the_picture(tmp_path, orientation):
    """A white box on a black picture, as Pillow turns it."""
    stored = np.zeros((96, 128, 3), np.uint8)
    stored[20:80, 10:60] = 255
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(stored).save(tmp_path / "1.png", exif=exif)
    seen = np.asarray(decode(tmp_path / "1.png", "1.png").image)[..., 0]
    rows, columns = np.flatnonzero(seen.any(1)), np.flatnonzero(seen.any(0))
    upright = (columns[0], rows[0], columns[-1] + 1, rows[-1] + 1)
    assert turn((10, 20, 60, 80), (128, 96), orientation) == upright


@pytest.mark.parametrize(
    ("orientation", "size", "edges", "codes"),
    [
        (6, (96, 128), (10, 20, 60, 80), {}),  # as shown: the label file states it
        (6, (128, 96), (16, 10, 76, 60), {}),  # as stored: turned with the picture
        (6, None, (10, 20, 60, 80), {"size_missing": "note", "boxes_orientation": "warning"}),
        (3, (128, 96), (10, 20, 60, 80), {"boxes_orientation": "warning"}),
        (1, (128, 96), (10, 20, 60, 80), {}),
    ],
)
def test_pictures_turned_by_exif(tmp_path, orientation, size, edges, codes):
    exif = Image.Exif()
    exif[0x0112] = orientation
    write_picture(tmp_path / "1.jpg", exif=exif)
    write_text(tmp_path / "1.xml", voc(CAT, size=size))
    dataset = load(tmp_path)
    (sample,) = dataset.samples
    assert (sample.width, sample.height) == ((128, 96) if orientation < 5 else (96, 128))
    assert boxes(dataset) == [("cat", *edges)]
    assert told(dataset) == codes


def test_parts_of_a_turned_picture_are_those_of_the_upright_one(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    write_yolo(tmp_path, "0 0.5 0.5 0.5 0.5")
    write_picture(tmp_path / "images" / "1.jpg", exif=exif)
    dataset = load(tmp_path)
    assert boxes(dataset) == [("cat", 24, 32, 72, 96)]
    assert told(dataset) == {"boxes_orientation": "warning"}


def test_formats_side_by_side_are_refused(tmp_path):
    write_voc(tmp_path / "voc", CAT)
    write_yolo(tmp_path / "yolo", "0 .5 .5 .5 .5")
    write_text(tmp_path / "vott" / "x-export.json", json.dumps(vott()))
    with pytest.raises(UserError) as refusal:
        load(tmp_path)
    assert refusal.value.code == "formats_mixed"
    text = describe(refusal.value.findings[0])
    assert "Pascal VOC (voc/1.xml)" in text and "YOLO (yolo/labels/1.txt)" in text
    assert "VoTT JSON (vott/x-export.json)" in text


def test_too_many_boxes(tmp_path):
    write_voc(tmp_path, *[("cat", 1, 1, 9, n) for n in range(9, 30)])
    with pytest.raises(UserError) as refusal:
        formats.load(tmp_path, Limits(boxes=20))
    assert refusal.value.code == "boxes_too_many"


def test_too_many_labels(tmp_path):
    write_voc(tmp_path, *[(f"cat{n}", 1, 1, 9, 9) for n in range(21)])
    with pytest.raises(UserError) as refusal:
        formats.load(tmp_path, Limits(labels=20))
    assert refusal.value.code == "labels_too_many"
