"""The unmodified kflash 1.1.6 and a board on a pty: what is in the flash afterwards."""

import fcntl
import hashlib

import pytest
import tty_lines
from isp_board import IspBoard

from host.deploy import flash, flash_file


@pytest.fixture
def board(tmp_path, monkeypatch):
    with IspBoard(tmp_path) as made:
        monkeypatch.setattr(fcntl, "ioctl", tty_lines.wrapped(made.lines))
        yield made


def kmodel(tmp_path, size=200_003):
    path = tmp_path / "m.kmodel"
    path.write_bytes(b"\x03\0\0\0" + hashlib.shake_256(b"m").digest(size - 4))
    return path


def test_write_model(board, tmp_path):
    file = flash_file.read(kmodel(tmp_path))
    seen = []
    flash.write(board.port, file, board="dock", progress=lambda *a: seen.append(a))
    expected = bytearray(b"\xff" * (16 << 20))
    expected[0x300000 : 0x300000 + 200_003] = file.parts[0].data
    assert board.isp.flash == expected
    assert board.state == "flash" and seen[-1][0] == 1.0
    print(seen)


def test_run_in_ram(board):
    image = bytes(range(256)) * 20
    with flash.run_in_ram(board.port, image, "dock") as link:
        assert link.baudrate == 115200
    assert board.isp.program == image
