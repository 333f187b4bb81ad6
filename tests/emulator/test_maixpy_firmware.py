"""The board scripts on real MaixPy firmware, which runs on the virtual K210.

Name a MaixPy v1 .bin with MAIXFORGE_MAIXPY_BIN (maixpy_v0.6.2_52 was used); about two minutes.
The firmware's own interpreter, file system, JPEG encoder, drawing and KPU runtime do the work;
the camera, the screen, the card and the KPU's arithmetic are virtual.
"""

import io
import json
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("unicorn", reason="no unicorn on this platform")
from k210.rig import Rig, read_firmware

from host import kmodel
from host.config import MAIXPY_BIN
from host.deploy import compiled
from host.deploy.board import BOARD_DIR, render
from host.emulator import board as virtual
from host.emulator.board import fat

FIRMWARE = os.environ.get(MAIXPY_BIN, "")
pytestmark = [
    pytest.mark.skipif(
        not FIRMWARE,
        reason=f"{MAIXPY_BIN} names no MaixPy .bin: the scripts were NOT run on real firmware",
    ),
    pytest.mark.skipif(not virtual.available(), reason="no MicroPython to format a card with"),
    pytest.mark.timeout(900),
]
SAMPLES = BOARD_DIR.parent / "samples" / "sample_dump"
BOOT_KEY = 16


def make_card(files):
    return virtual.run(b"pass\n", card=files).card_image


def card_files(rig):
    return dict(fat.read(bytes(rig.card)).files.items())


def start(files, camera=None):
    return Rig(read_firmware(FIRMWARE), make_card(files), camera)


@pytest.fixture(scope="module")
def pictures():
    paths = sorted(SAMPLES.rglob("*.jpg"))[:3]
    return [Image.open(path).convert("RGB").resize((224, 224)) for path in paths]


def tiny_model():
    """A network that nobody trained; its outputs differ from picture to picture."""
    import keras

    keras.utils.set_random_seed(3)
    layers = keras.layers
    return keras.Sequential(
        [
            keras.Input((224, 224, 3)),
            layers.Rescaling(1 / 127.5, -1),
            layers.ZeroPadding2D(1),
            layers.Conv2D(8, 3, 2, activation="relu"),
            layers.MaxPooling2D(4),
            layers.ZeroPadding2D(1),
            layers.DepthwiseConv2D(3, activation="relu6"),
            layers.Conv2D(24, 1, activation="relu"),
            layers.GlobalAveragePooling2D(),
            layers.Dense(3, activation="softmax"),
        ]
    )


@pytest.fixture(scope="module")
def model(pictures):
    rng = np.random.default_rng(0)
    noise = rng.integers(0, 256, (20, 224, 224, 3), np.uint8)
    calibration = np.concatenate([noise, np.stack([np.asarray(p) for p in pictures])])
    return kmodel.compile(kmodel.from_keras(tiny_model()), calibration).data


def test_firmware_starts_and_finds_the_card():
    rig = start({"hello.txt": b"hi"})
    rig.wait_for(">>> ")
    assert "hello.txt" in rig.type("import uos;print(uos.listdir('/sd'))")
    assert "'sd'" in rig.type("print(uos.listdir('/'))")


def test_classifier_says_what_the_simulator_says(model, pictures, tmp_path):
    labels = b"nut\nscrew\nwasher\n"
    boot = render("run_classify", {"threshold": 0.0})
    rig = start({"boot.py": boot, "m.kmodel": model, "labels.txt": labels}, pictures)
    rig.wait_for('{"frame":', times=6, seconds=400)
    rig.screen().save(tmp_path / "lcd.png")
    expected = kmodel.simulate(model, np.stack([np.asarray(p) for p in pictures]))[0]
    lines = [line for line in rig.text.split("\r\n")[:-1] if line.startswith('{"frame"')]
    said = [json.loads(line) for line in lines[:5]]
    shown = [expected[min(at, len(pictures) - 1)] for at in range(5)]
    # The camera may give one frame before the script takes its first.
    fits = [
        [abs(float(scores.max()) - one["score"]) < 6e-5 and scores.argmax() == one["index"]
         for scores, one in zip(shown[skip:], said, strict=False)]
        for skip in (0, 1)
    ]  # fmt: skip
    assert any(all(row) for row in fits), (said, shown)
    assert len({one["score"] for one in said}) > 1, "the model ignores the picture"
    assert np.asarray(rig.screen()).std() > 20, "nothing on the screen"


@pytest.mark.parametrize("form", ["source", "compiled"])
def test_collector_saves_pictures_with_the_boot_key(pictures, form):
    script = render("collect_classify", {"minimum": 41})
    program = compiled.files(script, "collect") if form == "compiled" else {"boot.py": script}
    assert len(program) == (2 if form == "compiled" else 1)
    rig = start({**program, "classes.txt": b"nut\nscrew\n"}, pictures)
    rig.wait_for("find ov sensor", seconds=400)
    rig.run_ms(2500, 400)
    rig.press(BOOT_KEY, 200)
    rig.wait_for('"saved"')
    rig.run_ms(1000)
    rig.press(BOOT_KEY, 1000)  # next class
    rig.run_ms(500)
    rig.press(BOOT_KEY, 200)
    rig.wait_for('"saved"', times=2)
    assert '"missing":40' in rig.text, "the setting of boot.py did not arrive"
    files = card_files(rig)
    saved = sorted(path for path in files if path.endswith(".jpg"))
    assert [Path(path).parts[-2:] for path in saved] == [("nut", "1.jpg"), ("screw", "1.jpg")]
    for path in saved:
        picture = Image.open(io.BytesIO(files[path]))
        assert picture.size == (224, 224) and files[path].endswith(b"\xff\xd9")
    mean = np.asarray(Image.open(io.BytesIO(files[saved[0]])).convert("RGB")).mean((0, 1))
    nearest = min(np.abs(mean - np.asarray(p).mean((0, 1))).max() for p in pictures)
    assert nearest < 4, "the saved picture is none of those that the camera saw"


def test_compiled_box_collector_saves_a_negative(pictures):
    program = compiled.files(render("collect_detect", {}), "collect")
    rig = start({**program, "classes.txt": b"nut\nscrew\n"}, pictures)
    rig.wait_for("find ov sensor", seconds=400)
    rig.run_ms(2500, 400)
    for held in (1000, 200, 1000):  # menu, nothing here, yes
        rig.press(BOOT_KEY, held)
        rig.run_ms(800)
    rig.wait_for("maixforge: saved 1, 0 boxes")
    files = card_files(rig)
    assert b"<filename>1.jpg</filename>" in files["maixforge/dataset/xml/1.xml"]
    assert b"<object>" not in files["maixforge/dataset/xml/1.xml"]
    assert files["maixforge/dataset/images/1.jpg"].endswith(b"\xff\xd9")
    assert "Traceback" not in rig.text and "MemoryError" not in rig.text, rig.text[-2000:]


@pytest.mark.parametrize("name", sorted(p.stem for p in BOARD_DIR.glob("*.py")))
def test_every_script_says_on_the_screen_that_there_is_no_camera_or_model(name):
    rig = start({"boot.py": render(name, {}), "labels.txt": b"a\nb\n", "classes.txt": b"a\nb\n"})
    rig.wait_for("maixforge: ", seconds=400)
    rig.run_ms(500)
    assert "Traceback" not in rig.text and "MemoryError" not in rig.text, rig.text[-2000:]
    assert np.asarray(rig.screen()).any()
