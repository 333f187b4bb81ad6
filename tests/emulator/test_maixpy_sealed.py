"""Sealed models on real MaixPy firmware, which runs on the virtual K210.

Name a MaixPy v1 .bin with MAIXFORGE_MAIXPY_BIN (maixpy_v0.6.2_52 was used); some minutes. The
firmware's own drivers feed the virtual chip's AES and SHA-256 engines and its fuses, its own FatFs
reads the volume, and its own KPU.load takes the model from there.
"""

import hashlib
import json
import os
import random

import detecting
import numpy as np
import pytest
from colour_detector import ANCHORS, network, scene

pytest.importorskip("unicorn", reason="no unicorn on this platform")
from k210.otp import KEY
from k210.rig import Rig, read_firmware

from host.config import MAIXPY_BIN
from host.deploy import machine_code, seal
from host.deploy.board import SEALED, render
from host.deploy.board_key import BoardKey
from host.deploy.flash_map import MODEL_ADDRESS
from host.emulator import board as virtual

FIRMWARE = os.environ.get(MAIXPY_BIN, "")
pytestmark = [
    pytest.mark.skipif(
        not FIRMWARE,
        reason=f"{MAIXPY_BIN} names no MaixPy .bin: sealed models were NOT run on real firmware",
    ),
    pytest.mark.skipif(not virtual.available(), reason="no MicroPython to format a card with"),
    pytest.mark.timeout(900),
]
FACTORY = slice(0x3D90, 0x3DB0)
CHIP = bytes(range(0x40, 0x60))
BOUND = BoardKey.of_code(machine_code.of_board(hashlib.sha256(CHIP).digest()))
BURNT = BoardKey("burnt", bytes.fromhex("00112233445566778899aabbccddeeff"))
KEYS = {"bound": BOUND, "burnt": BURNT}
LABELS = b"red\ngreen\n"
NOISE = 70_000


def start(files, flash=None, fuses=bytes(16), chip=CHIP):
    """A board whose chip has these factory data and fuses, and `flash` at the model's address."""
    image = virtual.run(b"pass\n", card=files).card_image
    rig = Rig(read_firmware(FIRMWARE), image, [scene(2, 224, 224)])
    rig.chip.otp.bytes[FACTORY] = chip
    rig.chip.otp.bytes[KEY:] = fuses
    rig.chip.otp.reset()
    if flash:
        rig.chip.flash.bytes[MODEL_ADDRESS : MODEL_ADDRESS + len(flash)] = flash
    return rig


def fuses_of(strength):
    return BURNT.key if strength == "burnt" else bytes(16)


@pytest.fixture(scope="module")
def boot():
    return render("run_detect", {"model": "/sd/m.kmx", "anchors": ANCHORS}, SEALED)


@pytest.fixture(scope="module")
def model():
    """A detector, and so much behind it that it takes several chunks."""
    return network() + random.Random(5).randbytes(NOISE)


@pytest.mark.parametrize("place", ["card", "address"])
@pytest.mark.parametrize("strength", KEYS)
def test_its_own_kpu_loads_and_runs_the_sealed_model(boot, model, strength, place):
    data = seal.seal(model, KEYS[strength])
    files = {"boot.py": boot, "labels.txt": LABELS}
    if place == "card":
        rig = start({**files, "m.kmx": data}, fuses=fuses_of(strength))
    else:
        rig = start(files, data, fuses=fuses_of(strength))
    rig.wait_for('{"frame":', times=4, seconds=400)
    shown = "/sd/m.kmx" if place == "card" else "flash 0x300000"
    assert f"maixforge: sealed model from {shown}" in rig.text
    frame = np.asarray(scene(2, 224, 224))
    wanted = detecting.boxes(model, frame, (224, 224), (7, 7), ANCHORS)
    lines = [line for line in rig.text.split("\r\n")[:-1] if line.startswith('{"frame"')]
    assert len(wanted) >= 2
    detecting.same(detecting.printed(json.loads(lines[-1])), wanted)
    assert rig.chip.otp.values["gb_otp_en"] == 0, "the engine was left with the fuses' key"
    # The firmware itself writes a main.py to the card; of the model nothing may be there.
    left = bytes(rig.card) + bytes(rig.chip.flash.bytes)
    pieces = [model[at : at + 16] for at in range(len(model) - NOISE, len(model), 100)]
    assert not any(piece in left for piece in pieces)


def test_it_is_found_in_the_file_system_of_the_flash(boot, model):
    copy = (
        b"with open('/sd/m.kmx', 'rb') as a, open('/flash/m.kmx', 'wb') as b:\n"
        b"    while b.write(a.read(4096)):\n        pass\n"
    )
    copied = boot.replace(b"'/sd/m.kmx'", b"'/sd/none/m.kmx'").replace(b"\ntry:\n    run_model(",
                          b"\n" + copy + b"try:\n    run_model(")  # fmt: skip
    data = seal.seal(model, BOUND)
    rig = start({"boot.py": copied, "labels.txt": LABELS, "m.kmx": data})
    rig.wait_for('{"frame":', times=2, seconds=600)
    assert "maixforge: sealed model from /flash/m.kmx" in rig.text


@pytest.mark.parametrize(
    ("strength", "fuses", "chip"),
    [
        ("bound", bytes(16), bytes(32)),
        ("burnt", bytes(16), CHIP),
        ("burnt", BOUND.key, CHIP),
    ],
    ids=["another chip", "no fuse is burnt", "another key is burnt"],
)
def test_another_board_refuses_it(boot, model, strength, fuses, chip):
    data = seal.seal(model, KEYS[strength])
    rig = start({"boot.py": boot, "labels.txt": LABELS, "m.kmx": data}, None, fuses, chip)
    rig.wait_for("maixforge: Model is for another board", seconds=400)
    rig.run_ms(500)
    assert np.asarray(rig.screen()).any() and "Traceback" not in rig.text


@pytest.mark.parametrize("place", ["card", "address"])
@pytest.mark.parametrize("at", [30, 70, 140, 600, 60_000, -1])
def test_damage_is_refused(boot, model, place, at):
    data = bytearray(seal.seal(model, BOUND))
    data[at] ^= 1
    files = {"boot.py": boot, "labels.txt": LABELS}
    on_card = place == "card"
    rig = start({**files, "m.kmx": bytes(data)} if on_card else files, None if on_card else data)
    rig.wait_for("maixforge: Model damaged", seconds=400)
    assert "Traceback" not in rig.text


def test_an_error_in_the_middle_of_its_kpu_load_is_told(boot, model):
    """All was proved, then the card changes: the exception passes through the KPU's library."""
    told = boot.replace(b"    model.prove()\n", b"    model.prove()\n    print('proved')\n")
    assert told != boot
    data = seal.seal(model, BOUND)
    rig = start({"boot.py": told, "labels.txt": LABELS, "m.kmx": data})
    rig.wait_for("proved", seconds=400)
    place = bytes(rig.card).index(data[-32768:-32256])  # of the last chunk, which is read last
    rig.card[place + 100] ^= 1
    rig.wait_for("maixforge: Model damaged", seconds=400)
    rig.run_ms(500)
    assert "Traceback" not in rig.text
