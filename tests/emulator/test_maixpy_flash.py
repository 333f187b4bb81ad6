"""The whole way with MaixPy itself: kflash writes a package's kfpkg into the virtual board, the
firmware boots from that flash, reads the flash back, and runs the model from card and flash.

Name a MaixPy v1 .bin with MAIXFORGE_MAIXPY_BIN (maixpy_v0.6.2_52 was used); about two minutes.
"""

import ast
import fcntl
import json
import os
import time
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("unicorn", reason="no unicorn on this platform")
import tty_lines
from isp_board import IspBoard
from k210.rig import Rig

from host import kmodel
from host.config import MAIXPY_BIN
from host.deploy import firmware_image, flash, flash_file, flash_verify, kfpkg, package, sdcard
from host.deploy.serial_port import connected
from host.emulator import board as virtual
from host.errors import UserError

FIRMWARE = os.environ.get(MAIXPY_BIN, "")
pytestmark = [
    pytest.mark.skipif(
        not FIRMWARE,
        reason=f"{MAIXPY_BIN} names no MaixPy .bin: no real firmware was booted from flash",
    ),
    pytest.mark.skipif(not virtual.available(), reason="no MicroPython to format a card with"),
    pytest.mark.timeout(1200),
]
KEY = bytes.fromhex("00112233445566778899aabbccddeeff")
LABELS = ("nut", "screw", "washer")
RUN = """
import KPU, sensor
def scores(what):
    net = KPU.load(what)
    img = sensor.snapshot()  # with its copy for the KPU, in full colours
    out = KPU.forward(net, img)[:]
    KPU.deinit(net)
    return list(out)
"""


class MaixPy:
    """The firmware on the virtual K210, as a program of the board on the pty."""

    def __init__(self, memory, say, card, pictures, key):
        self.rig = Rig(memory, card, pictures, key)
        self.rig.chip.uarths.send = self._heard
        self.say = say

    def _heard(self, byte):
        self.rig.printed.append(byte)
        self.say(bytes([byte]))

    def take(self, data):
        self.rig.chip.uarths.type(data)

    def step(self):
        self.rig.chip.step()
        return not self.rig.chip.reset_requested

    def close(self):
        pass


def asked(link, script):
    """Run a script at the REPL; return what it printed last."""
    printed, failed = link.exec_raw(script, timeout=300)
    assert not failed, failed.decode()
    return (printed.decode().strip().splitlines() or [""])[-1]


def frame(board, seconds=300):
    """Wait for a line of boot.py about a picture; return it."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        time.sleep(0.5)
        lines = board.program.rig.text.split("\r\n")[:-1] if board.program else []
        found = [line for line in lines if line.startswith('{"frame"')]
        if found:
            return json.loads(found[-1])
    raise AssertionError(board.program and board.program.rig.text[-2000:])


@pytest.fixture(scope="module")
def picture():
    """One colour: so it does not matter how the camera's picture is cut or scaled."""
    return Image.new("RGB", (320, 240), (200, 96, 40))


@pytest.fixture(scope="module")
def pack(tmp_path_factory, tiny):
    folder = tmp_path_factory.mktemp("package")
    return package.create(folder / "p", tiny, name="Nuts", labels=LABELS)


@pytest.fixture(scope="module")
def tiny():
    """A network that nobody trained; its outputs differ from picture to picture."""
    import keras

    keras.utils.set_random_seed(3)
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input((224, 224, 3)),
            layers.Rescaling(1 / 127.5, -1),
            layers.ZeroPadding2D(1),
            layers.Conv2D(8, 3, 2, activation="relu"),
            layers.MaxPooling2D(4),
            layers.Conv2D(24, 1, activation="relu"),
            layers.GlobalAveragePooling2D(),
            layers.Dense(3, activation="softmax"),
        ]
    )
    noise = np.random.default_rng(0).integers(0, 256, (20, 224, 224, 3), np.uint8)
    return kmodel.compile(kmodel.from_keras(model), noise).data


@pytest.fixture(scope="module")
def card(pack, tmp_path_factory):
    path = sdcard.build(pack, tmp_path_factory.mktemp("card") / "sd.zip")
    with zipfile.ZipFile(path) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    return virtual.run(b"pass\n", card=files).card_image


@pytest.fixture
def start(tmp_path, monkeypatch, card, picture):
    """Make a board whose chip has `key` in its fuses and that starts what is in the flash."""
    boards = []

    def begin(key=bytes(16)):
        def boot(memory, say):
            if not firmware_image.is_image(bytes(memory[: 4 << 20])):
                return None  # the ROM goes on waiting
            return MaixPy(memory, say, card, [picture], key)

        board = IspBoard(tmp_path, boot=boot)
        boards.append(board.__enter__())
        monkeypatch.setattr(fcntl, "ioctl", tty_lines.wrapped(board.lines))
        return board

    yield begin
    for board in boards:
        board.__exit__()


def test_from_the_kfpkg_to_the_scores(start, pack, tmp_path, tiny, picture):
    board = start()
    file = flash_file.read(kfpkg.build(pack, tmp_path / "p.kfpkg", Path(FIRMWARE)))
    assert [part.address for part in file.parts] == [0, 0x300000]
    flash.write(board.port, file, board="dock")
    assert bytes(board.isp.flash[: file.parts[0].end]) == file.parts[0].flashed

    shot = np.asarray(picture.resize((224, 224)))[None]
    expected = kmodel.simulate(tiny, shot)[0][0]
    said = frame(board)  # boot.py came from the package's card and runs
    assert said["index"] == expected.argmax() and abs(said["score"] - expected.max()) < 6e-5

    made = flash_verify.verify(board.port, file, seconds=300)  # stops boot.py
    assert made.compared == file.bytes
    with connected(board.port) as link:
        asked(link, RUN)
        for what in ("'/sd/m.kmodel'", "0x300000"):
            scores = ast.literal_eval(asked(link, f"print(scores({what}))"))
            assert np.abs(np.array(scores) - expected).max() < 1e-5, what

    # One bit of the model flips in the chip: kflash knows nothing of it, the board's MaixPy does.
    board.isp.flash[0x300000 + len(tiny) // 2] ^= 4
    with pytest.raises(UserError) as caught:
        flash_verify.verify(board.port, file, seconds=300)
    assert caught.value.code == "flash_differs", str(caught.value)


def test_the_encrypted_firmware_starts_with_its_key_only(start, pack, tmp_path):
    file = flash_file.read(kfpkg.build(pack, tmp_path / "p.kfpkg", Path(FIRMWARE), KEY))
    plain = Path(FIRMWARE).read_bytes()
    assert plain[4096:8192] not in file.parts[0].flashed
    board = start(KEY)
    flash.write(board.port, file, board="dock")
    assert flash_verify.verify(board.port, file, seconds=300).compared == file.bytes
    other = Rig(bytearray(board.isp.flash), bytes(1 << 20))
    assert bytes(other.chip.memory.read(0x80000000, 4096)) != plain[:4096]
