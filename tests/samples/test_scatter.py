"""The sample set for detection comes from its script, and its boxes are where the parts are."""

import xml.etree.ElementTree as ElementTree
from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from board.kit.voc import voc_xml
from samples.render import CLASSES
from samples.scatter import NAME, PICTURES, boxes_of, picture, render


@pytest.fixture
def dump(root):
    return root / "samples" / "sample_boxes" / "maixforge" / NAME


def pixels(data: bytes) -> np.ndarray:
    with Image.open(BytesIO(data)) as image:
        assert image.format == "JPEG" and image.size == (224, 224)
        return np.asarray(image.convert("RGB"), np.int16)


def test_the_dump_is_that_of_a_collector(dump):
    assert (dump / "labels.txt").read_text() == "".join(f"{label}\n" for label in CLASSES)
    numbers = set(range(1, PICTURES + 1))
    for part, ending in (("images", "jpg"), ("xml", "xml")):
        assert {int(path.stem) for path in (dump / part).glob(f"*.{ending}")} == numbers
    assert sum(path.stat().st_size for path in dump.rglob("*") if path.is_file()) < 1_000_000


@pytest.mark.parametrize("number", [1, 13, 84])
def test_the_script_renders_what_is_committed(dump, number):
    data, objects = picture(number, seed=1)
    committed = (dump / "images" / f"{number}.jpg").read_bytes()
    # Bytes are equal on one platform; sin() and exp() differ in the last bit between others.
    assert np.abs(pixels(committed) - pixels(data)).mean() < 1.0
    text = (dump / "xml" / f"{number}.xml").read_text()
    assert text == voc_xml(f"{number}.jpg", 224, 224, objects)


def test_every_box_lies_in_its_picture_and_every_label_has_a_hundred(dump):
    counts = dict.fromkeys(CLASSES, 0)
    empty = 0
    for path in (dump / "xml").glob("*.xml"):
        objects = ElementTree.parse(path).findall("object")
        empty += not objects
        for one in objects:
            counts[str(one.findtext("name"))] += 1
            names = ("xmin", "ymin", "xmax", "ymax")
            sides = [int(one.findtext(f"bndbox/{name}") or 0) for name in names]
            assert 1 <= sides[0] < sides[2] <= 224 and 1 <= sides[1] < sides[3] <= 224, path
    assert min(counts.values()) >= 100 and empty > 0


def test_a_box_is_the_smallest_around_the_pixels_of_its_part():
    shown = np.zeros((300, 300), np.int16)
    shown[30:61, 75:150] = 1
    shown[100:105, 0:9] = 2  # too little is seen of it
    shown[200:300, 200:300] = -1  # clutter
    # 75 * 224 / 300 = 56 is the column 57 when one counts from 1; 150 * 224 / 300 = 112.
    assert boxes_of(["nut", "screw"], shown) == [("nut", 57, 23, 112, 46)]


def test_a_seed_decides_every_byte(tmp_path):
    first = render(tmp_path / "a", seed=5, pictures=2)
    again = render(tmp_path / "b", seed=5, pictures=3, name="other")
    for name in ("images/2.jpg", "xml/2.xml", "labels.txt"):
        assert (first / name).read_bytes() == (again / name).read_bytes()
    assert (again / "images/3.jpg").is_file() and not (first / "images/3.jpg").exists()
    assert (first / "images/1.jpg").read_bytes() != picture(1, seed=6)[0]
