"""run_detect.py on real MaixPy firmware, which runs on the virtual K210.

Name a MaixPy v1 .bin with MAIXFORGE_MAIXPY_BIN. The firmware's own region decoding, suppression,
drawing and `KPU.init_yolo2` are compared with those of the host; about two minutes.
"""

import json
import os
import re

import detecting
import numpy as np
import pytest
from colour_detector import ANCHORS, LABELS, network, scene

pytest.importorskip("unicorn", reason="no unicorn on this platform")
from k210.rig import Rig, read_firmware

from host.config import MAIXPY_BIN
from host.deploy.board import render
from host.emulator import board as virtual

FIRMWARE = os.environ.get(MAIXPY_BIN, "")
pytestmark = [
    pytest.mark.skipif(
        not FIRMWARE,
        reason=f"{MAIXPY_BIN} names no MaixPy .bin: run_detect was NOT run on real firmware",
    ),
    pytest.mark.skipif(not virtual.available(), reason="no MicroPython to format a card with"),
    pytest.mark.timeout(900),
]
PANEL = re.compile(r"(\d+) (\d+)\r\n")
SIZE_OF_THE_SCREEN = b"\nlcd.init()\nprint(lcd.width(), lcd.height())\n"


@pytest.fixture(scope="module")
def detector():
    return network()


def start(model, labels=b"red\ngreen\n", pictures=None, **settings):
    boot = render("run_detect", {"anchors": ANCHORS, **settings})
    boot = boot.replace(b"\ntry:\n    run_model(", SIZE_OF_THE_SCREEN + b"try:\n    run_model(")
    card = {"boot.py": boot, "m.kmodel": model, "labels.txt": labels}
    image = virtual.run(b"pass\n", card=card).card_image
    return Rig(read_firmware(FIRMWARE), image, pictures or [scene(2, 224, 224)])


def lines(rig):
    whole = rig.text.split("\r\n")[:-1]
    return [json.loads(line) for line in whole if line.startswith('{"frame"')]


@pytest.mark.parametrize(
    ("size", "anchors", "threshold", "nms"),
    [
        ((224, 224), ANCHORS, 0.5, 0.3),
        ((224, 224), ANCHORS, 0.2, 0.05),
        ((160, 160), ANCHORS, 0.5, 0.3),
    ],
)
def test_boxes_and_screen_are_the_simulators(detector, size, anchors, threshold, nms):
    model = detector if size == (224, 224) else network(*size)
    frames = [np.asarray(scene(seed, 224, 224)) for seed in (2, 3)]
    values = {"input": size, "anchors": anchors, "threshold": threshold, "nms": nms}
    rig = start(model, pictures=[scene(2, 224, 224), scene(3, 224, 224)], **values)
    rig.wait_for('{"frame":', times=5, seconds=400)
    cells = (size[0] // 32, size[1] // 32)
    wanted = [detecting.boxes(model, f, size, cells, anchors, threshold, nms) for f in frames]
    assert len(wanted[0]) != 0 != len(wanted[1])
    said = [detecting.printed(line) for line in lines(rig)]
    detecting.same(said[3], wanted[1])
    # The camera may give the first frame before the script takes it.
    detecting.same(said[0], wanted[0] if len(said[0]) == len(wanted[0]) else wanted[1])
    panel = PANEL.search(rig.text)
    assert panel, rig.text
    width, height = int(panel[1]), int(panel[2])
    again, clear, _ = detecting.drawn_again(frames[1], wanted[1], (width, height), LABELS)
    screen = np.asarray(rig.screen(width, height))
    five_or_six_bits = np.array([0xF8, 0xFC, 0xF8], np.uint8)
    assert np.array_equal(screen[clear], (again & five_or_six_bits)[clear])
    assert screen[~clear].any(), "no letters"


@pytest.mark.parametrize(
    ("settings", "labels", "said"),
    [
        ({"anchors": (1.0, 2.0)}, b"a\nb\n", "requested length 10 but object has length 2"),
        ({"threshold": 50}, b"a\nb\n", "threshold only support 0 to 1"),
        ({}, b"a\nb\nc\n", "There are 3 labels, the model has 2 classes."),
        ({"threshold": 0.01, "nms": 1.0}, b"a\nb\n", "Too many objects"),
        ({"input": (240, 240), "window": (240, 240)}, b"a\nb\n", "check img format err"),
    ],
)
def test_what_does_not_fit_is_told(detector, settings, labels, said):
    rig = start(detector, labels, **settings)
    rig.wait_for(said, seconds=400)
    assert "maixforge: model freed" in rig.text
    rig.run_ms(500)
    assert "Traceback" not in rig.text and np.asarray(rig.screen()).any()


def test_colours_are_rounded_to_16_bits_as_on_the_virtual_board():
    script = b"""
import image
picture = image.Image(size=(128, 2))
for value in range(256):
    at = (value % 128, value // 128)
    picture.draw_rectangle(at + (1, 1), color=(value, value, 255 - value), fill=True)
    print("colour", picture.get_pixel(at[0], at[1]))
print("all of them")
"""
    ours = virtual.run(script).stdout.split("all of them")[0]
    rig = Rig(read_firmware(FIRMWARE), virtual.run(b"pass\n", card={"boot.py": script}).card_image)
    rig.wait_for("all of them")
    theirs = [line for line in rig.text.split("\r\n") if line.startswith("colour")]
    assert len(theirs) == 256
    assert theirs == [line for line in ours.splitlines() if line.startswith("colour")]


def test_another_version_of_kmodel_is_told(detector):
    rig = start(b"\x04" + detector[1:])
    rig.wait_for("Model not readable", seconds=400)
    assert "load error:2002, ERR_KMODEL_VERSION" in rig.text
