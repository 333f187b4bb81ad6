"""What collect_detect.py leaves on a card, read by others: a VOC reader, maix_train's rules."""

import importlib.util
import io
import os
from collections.abc import Mapping
from pathlib import Path
from xml.etree import ElementTree

import globox
import pytest
from hands import Hands
from PIL import Image
from test_collect_detect import HOME, THREE

from host.deploy.board import render
from host.emulator import board as virtual

CLASSES = {"classes.txt": b"# name: pets\nR&B cat\nguinea pig\ndog\n"}
LABELS = ["R&B_cat", "guinea_pig", "dog"]
BOXES = {
    1: [("R&B_cat", 8, 6, 217, 220), ("guinea_pig", 11, 1, 224, 224)],
    2: [],
    3: [("guinea_pig", 1, 1, 214, 224)],
}


def drawing() -> Hands:
    """Two boxes by pixels, then a picture with nothing on it, then one box."""
    hands = Hands(THREE).tap()
    for role, count in (("next", 7), ("next", 5), ("back", 7), ("back", 4)):
        hands.tap(count, role).tap()
    hands.tap(2).hold(1000).tap(10, "next").tap(4).tap(1, "next").tap().hold(1000).wait(400)
    hands.tap(1, "next").wait(300).tap(1, "next").tap().wait(800)  # menu: nothing here
    return hands.tap().tap(2).tap(10, "back").tap(3).hold(1000)


@pytest.fixture(scope="module")
def dump(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The data set's folder, as a computer sees it."""
    hands = drawing()
    result = virtual.run(
        render("collect_detect", {}), card=CLASSES, board=virtual.CUBE, keys=hands.keys,
        until_ms=hands.now + 800,
    )  # fmt: skip
    folder = tmp_path_factory.mktemp("dump")
    write(folder, result.files)
    return folder / HOME


def write(folder: Path, files: Mapping[str, bytes]) -> None:
    for name, data in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)


def test_an_independent_reader_finds_the_same_boxes(dump):
    found = globox.AnnotationSet.from_pascal_voc(dump / "xml")
    assert found.image_ids == {"1.jpg", "2.jpg", "3.jpg"}
    for number, boxes in BOXES.items():
        annotation = found[f"{number}.jpg"]
        assert (annotation.image_width, annotation.image_height) == (224, 224)
        assert [
            (box.label, int(box.xmin), int(box.ymin), int(box.xmax), int(box.ymax))
            for box in annotation.boxes
        ] == boxes


def test_the_fields_of_the_voc_development_kit(dump):
    for path in (dump / "xml").iterdir():
        root = ElementTree.parse(path).getroot()
        assert root.tag == "annotation" and path.read_bytes().isascii()
        fields = [node.tag for node in root]
        assert fields[:6] == ["folder", "filename", "path", "source", "size", "segmented"]
        assert root.findtext("folder") == "images" and root.findtext("size/depth") == "3"
        for node in root.iterfind("object"):
            assert [part.tag for part in node] == [
                "name", "pose", "truncated", "difficult", "bndbox",
            ]  # fmt: skip
            left, top, right, bottom = (int(part.text or "") for part in node.iterfind("bndbox/*"))
            assert 1 <= left < right <= 224 and 1 <= top < bottom <= 224


def test_the_rules_of_maix_train(dump):
    # Layout and fields that its detector asks for (train/detector: _load_datasets_pascal_voc).
    assert {"images", "xml", "labels.txt"} <= {path.name for path in dump.iterdir()}
    labels = (dump / "labels.txt").read_text().split()
    assert labels == LABELS and len(labels) <= 15 and "".join(labels).isascii()
    for path in (dump / "xml").glob("*.xml"):
        root = ElementTree.parse(path).getroot()
        name = root.findtext("filename", "")
        place = root.findtext("path", "").replace("\\", "/").split("/")
        beside = dump / "images" / place[-2] / name
        picture = Image.open(beside if beside.exists() else dump / "images" / name)
        sizes = {
            word: [int(node.text or "") for node in root.iter() if word in node.tag]
            for word in ("width", "height", "depth")
        }
        assert sizes == {"width": [224], "height": [224], "depth": [3]}
        assert picture.size == (224, 224) and picture.mode == "RGB"
        for node in root.findall("object"):
            assert node.findtext("name") in labels
            assert int(node.findtext("difficult", "")) == 0


def test_maix_train_itself(dump):
    place = os.environ.get("TEST_MAIX_TRAIN")
    if not place:
        pytest.skip("TEST_MAIX_TRAIN does not name a checkout of maix_train")
    spec = importlib.util.spec_from_file_location(
        "maix_train_voc", Path(place) / "train/detector/parse_pascal_voc_xml.py"
    )
    assert spec and spec.loader
    reader = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(reader)
    for number, boxes in BOXES.items():
        for ordered in (False, True):
            ok, found = reader.decode_pascal_voc_xml(dump / f"xml/{number}.xml", ordered)
            if ordered and not boxes:
                assert not ok  # it has no use for a picture without objects
                continue
            assert ok and found["filename"] == f"{number}.jpg"
            if not ordered:  # the other reader does not undo the escapes
                assert [(b[4], *b[:4]) for b in found["bboxes"]] == boxes
            assert [tuple(b[:4]) for b in found["bboxes"]] == [box[1:] for box in boxes]


def test_the_pictures_are_what_was_framed(dump):
    for number in BOXES:
        data = (dump / f"images/{number}.jpg").read_bytes()
        picture = Image.open(io.BytesIO(data))
        picture.load()
        assert picture.size == (224, 224) and data[:2] == b"\xff\xd8" and data[-2:] == b"\xff\xd9"
