"""A detector's package: its anchors, what is proven of its kmodel, its card."""

import json
import zipfile

import colour_detector as colours
import detecting
import numpy as np
import pytest

from host import kmodel
from host.deploy import package, sdcard
from host.emulator import board as virtual
from host.errors import UserError

PAIRS = tuple(tuple(map(float, pair)) for pair in np.reshape(colours.ANCHORS, (5, 2)))


@pytest.fixture(scope="module")
def model():
    return colours.network()


@pytest.fixture
def make(tmp_path, model):
    def build(data=model, **values):
        values = {"name": "Squares", "labels": colours.LABELS, "anchors": PAIRS, **values}
        return package.create(tmp_path / "package", data, **values)

    return build


def test_the_manifest_has_task_anchors_and_nms(make):
    pack = make(options=package.BoardOptions(threshold=0.4, nms=0.45))
    values = json.loads(pack.manifest())
    assert values["task"] == "detect" and values["anchors"] == [list(pair) for pair in PAIRS]
    assert values["options"]["nms"] == 0.45
    assert package.load(pack.folder) == pack


def test_a_manifest_from_before_anchors_is_still_read(make):
    path = make().folder / "manifest.json"
    values = json.loads(path.read_text())
    del values["anchors"], values["options"]["nms"]
    path.write_text(json.dumps({**values, "task": "classify"}))
    assert package.load(path.parent).anchors == ()


@pytest.mark.parametrize("size", [(224, 224), (320, 240)])
def test_the_unpacked_zip_finds_what_the_simulator_finds(tmp_path, make, size):
    anchors = PAIRS if size == (224, 224) else np.reshape(colours.FINE_ANCHORS, (5, 2)).tolist()
    data = colours.network(*size)
    options = package.BoardOptions(threshold=0.3, nms=0.2)
    pack = make(data, anchors=anchors, options=options)
    with zipfile.ZipFile(sdcard.build(pack, tmp_path / "sd.zip")) as archive:
        card = {name: archive.read(name) for name in archive.namelist()}
    settings = detecting.settings_of(card["boot.py"])
    assert (settings["threshold"], settings["nms"]) == (0.3, 0.2)
    assert tuple(settings["input"]) == tuple(settings["window"]) == size
    scene = colours.scene(2)
    result = virtual.run(card["boot.py"], card=card, kpu="card", camera=[scene], until_ms=1500)
    frame = detecting.seen(scene, size)
    wanted = detecting.boxes(data, frame, size, colours.grid(*size), anchors, 0.3, 0.2)
    assert wanted
    detecting.same(detecting.printed(result.json_lines()[-1]), wanted)
    detecting.same_screen(result, frame, wanted, virtual.BIT, colours.LABELS)


def test_the_readme_is_about_boxes(make):
    pack = make(options=package.BoardOptions(threshold=0.35, nms=0.4))
    text = sdcard.texts(pack)["README.txt"].decode("utf-8-sig")
    assert "object detector" in text and "\u76ee\u6807\u68c0\u6d4b" in text
    assert text.count("threshold 0.35") == 2 and "classifier" not in text and "{" not in text
    assert max(map(len, text[: text.index("\u56fa")].splitlines())) <= 100


@pytest.mark.parametrize(
    ("values", "code"),
    [
        ({"anchors": PAIRS[:4]}, "anchors_invalid"),
        ({"anchors": [(1.0, 0.0)] * 5}, "anchors_invalid"),
        ({"anchors": [(1.0, float("nan"))] * 5}, "anchors_invalid"),
        ({"labels": ("red",)}, "labels_do_not_fit"),
        ({"anchors": ()}, "labels_do_not_fit"),
        ({"options": package.BoardOptions(nms=1.5)}, "board_option_unusable"),
    ],
)
def test_what_the_firmware_would_read_wrong_is_refused(make, tmp_path, values, code):
    with pytest.raises(UserError) as caught:
        make(**values)
    assert caught.value.code == code
    assert not (tmp_path / "package").exists()


def test_a_classifier_is_no_detector(make):
    pixels = np.zeros((1, 32, 32, 3), np.uint8)
    nodes = [
        kmodel.Node("input", "affine", {"scale": 1 / 255, "offset": 0.0}),
        kmodel.Node("conv", "conv", {"kernel": 1, "stride": 1, "padding": "valid"},
                    {"w": np.ones((1, 1, 3, 8), np.float32), "b": np.zeros(8, np.float32)}),
        kmodel.Node("relu", "activation", {"kind": "relu"}),
    ]  # fmt: skip
    data = kmodel.compile(kmodel.Graph(tuple(nodes), (32, 32, 3)), pixels).data
    with pytest.raises(UserError) as caught:
        make(data)
    assert caught.value.code == "kmodel_no_boxes"
