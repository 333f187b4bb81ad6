"""keygen/machine_code.py on the virtual boards: what it shows is what the host reads."""

import io
import random
import sys

import numpy as np
import pytest
import zxingcpp
from qr_pictures import jpeg, photo

from host.deploy import machine_code
from host.deploy.board import BOARD_DIR, render
from host.emulator import board as virtual
from host.jobs import scanned

BOARDS = [virtual.BIT, virtual.CUBE, virtual.AMIGO, virtual.M5STICKV]
EXPECTED = machine_code.of_board(bytes(range(32)))  # the virtual boards' unique id


@pytest.fixture(scope="module")
def script():
    return render("keygen/machine_code", {})


@pytest.mark.parametrize("board", BOARDS, ids=lambda board: board.name)
def test_text_qr_code_and_serial_port_say_the_same(script, board):
    result = virtual.run(script, board=board, card=None, until_ms=8000)
    assert result.ended == "returned"
    text = next(frame for frame in result.frames if frame.says("Keep it to yourself"))
    rows = [one.text for one in text.texts if one.text.count(" ") == 2]
    assert machine_code.parse(" ".join(rows)) == EXPECTED
    assert min(one.height for one in text.texts if one.text in rows) >= 24
    found = zxingcpp.read_barcodes(result.last.image)
    assert [machine_code.parse(one.text) for one in found] == [EXPECTED]
    source = io.BytesIO(jpeg(photo(result.last.image)))
    assert scanned.machine_code_in(source, "screen.jpg", 16_000_000) == EXPECTED
    assert result.json_lines() == [
        {"machine_code": EXPECTED.text.replace("-", ""), "strength": "bound"}
    ]
    assert f"Machine code: {EXPECTED.text}\n" in result.stdout.replace("\r", "")


def test_text_and_qr_code_take_turns(script):
    result = virtual.run(script, card=None, until_ms=20_000)
    starts = [frame.ms for frame in result.frames if frame.says("Keep it to yourself")]
    assert len(starts) == 2 and 11_000 < starts[1] - starts[0] < 14_000


def test_a_chip_without_an_id_is_told(script):
    broken = script.replace(b"machine.unique_id()", b"(_ for _ in ()).throw(OSError(5))")
    result = virtual.run(broken, card=None, until_ms=2000)
    assert result.last.says("No unique id", "5")


def test_a_firmware_with_a_wrong_sha256_is_told(script):
    broken = script.replace(b"uhashlib.sha256(data).digest()", b"bytes(32)")
    assert broken != script
    result = virtual.run(broken, card=None, until_ms=2000)
    assert result.last.says("Old firmware", "MaixPy")
    assert result.json_lines() == []


# The QR encoder, read by an independent decoder


@pytest.fixture(scope="module")
def qr():
    sys.path.insert(0, str(BOARD_DIR))
    try:
        from kit import qr  # pyright: ignore[reportMissingImports]
    finally:
        sys.path.remove(str(BOARD_DIR))
    return qr


def picture(rows):
    dark = np.array([list(row) for row in rows], bool)
    return np.kron(np.where(np.pad(dark, 4), 0, 255).astype(np.uint8), np.ones((3, 3), np.uint8))


def test_qr_codes_of_every_length_are_read(qr):
    letters, chance = qr.QR_LETTERS.replace(" ", ""), random.Random(4)
    for length in [*range(1, 39), *[36] * 60]:
        text = "".join(chance.choice(letters) for _ in range(length))
        (found,) = zxingcpp.read_barcodes(picture(qr.qr_rows(text)))
        assert (found.text, str(found.ec_level)) == (text, "M")


def test_damaged_qr_codes_are_still_read(qr):
    rows = qr.qr_rows(EXPECTED.text.replace("-", ""))
    for x, y in ((20, 10), (22, 22), (12, 12), (10, 20)):  # a dot of dirt, 3 x 3
        for dx in range(3):
            for dy in range(3):
                rows[min(24, y + dy)][min(24, x + dx)] ^= 1
        (found,) = zxingcpp.read_barcodes(picture(rows))
        assert found.text == EXPECTED.text.replace("-", "")
        rows = qr.qr_rows(EXPECTED.text.replace("-", ""))


def test_what_does_not_fit_is_refused(qr):
    with pytest.raises(ValueError, match="too long"):
        qr.qr_rows("A" * 39)
