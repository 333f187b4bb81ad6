"""Programs that kflash loads into the memory of a board, executed on the virtual K210.

kflash's own flashing program writes the flash chip through the SPI controller; nothing but the
mask ROM's protocol is a model here.
"""

import fcntl
import hashlib
import struct
import subprocess
import sys

import pytest
import serial

pytest.importorskip("unicorn", reason="no unicorn on this platform")
import tty_lines
from host_help import wait_for
from isp_board import ChipProgram, IspBoard
from k210 import Chip
from test_k210_programs import A0, T0, addi, code, load, lui, store

from host.deploy import firmware_image, flash, flash_file

STUB_SHA256 = "757776d0"
"""How the digest of the program in kflash 1.1.6 begins."""


def executed(image, say, memory):
    """Start what the ROM was told to start, on one hart, with the board's flash."""
    chip = Chip()
    chip.flash.bytes = memory
    chip.harts = chip.harts[:1]
    chip.load(image)
    return ChipProgram(chip, say)


@pytest.fixture
def board(tmp_path, monkeypatch):
    with IspBoard(tmp_path, execute=executed) as made:
        monkeypatch.setattr(fcntl, "ioctl", tty_lines.wrapped(made.lines))
        yield made


def answering():
    """A program that says "ready" and then answers every byte with the next higher one."""
    blt_back = 0xFE054EE3  # blt a0, zero, -4: nothing came
    jump_back = 0xFF1FF06F  # j -16
    greeting = [word for letter in b"ready\n" for word in (addi(A0, 0, letter), store(T0, A0))]
    echo = [load(A0, T0, 4), blt_back, addi(A0, A0, 1), store(T0, A0), jump_back]
    return code(lui(T0, 0x38000000), *greeting, *echo)


def test_a_small_program_runs_in_memory_and_talks(board):
    with flash.run_in_ram(board.port, answering(), "dock") as link:
        assert link.readline() == b"ready\n"
        link.write(b"abc")
        assert link.read(3) == b"bcd"
    assert set(board.isp.flash) == {0xFF}


def test_kflash_s_starts_it_as_well(board, tmp_path):
    image = tmp_path / "program.bin"
    image.write_bytes(answering())
    words = ["kflash", "-n", "-s", "-p", board.port, "-B", "dan", str(image)]
    done = subprocess.run(
        [sys.executable, tty_lines.__file__, board.lines, *words],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
    wait_for(lambda: board.program)
    with serial.Serial(board.port, 115200, timeout=60) as link:
        link.write(b"p")  # what it said before, nobody may have heard
        assert link.read_until(b"q").endswith(b"q")


def parts():
    def data(name, size):
        return hashlib.shake_256(name).digest(size)

    return (
        flash_file.Part("fw.bin", 0, data(b"firmware", 70_001), header=True),
        flash_file.Part("m.kmodel", 0x300000, data(b"model", 130_003)),
        flash_file.Part("c.json", 0x3F0000, b'{"a": 1}\xc0\xdb' * 30),
    )


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_kflashs_own_program_writes_the_flash_byte_for_byte(board, monkeypatch):
    monkeypatch.setattr(flash, "SILENCE", 300)  # the chip is slower here
    started = []
    run = board._execute
    board._execute = lambda image, *rest: started.append(image) or run(image, *rest)
    old = struct.pack("<I", 0xC0FFEE00) * 1024
    board.isp.flash[0x300000 + 126_976 : 0x300000 + 131_072] = old  # the last sector of the model
    board.isp.flash[0x1000:0x2000] = bytes(4096)  # has to be erased
    expected = bytearray(board.isp.flash)
    for part in parts():
        expected[part.address : part.end] = part.flashed
    flash.write(board.port, flash_file.FlashFile("x", parts()), board="dock", slow=True)
    assert hashlib.sha256(started[0]).hexdigest().startswith(STUB_SHA256)
    assert board.isp.flash == expected
    assert firmware_image.is_image(bytes(board.isp.flash[:70_100]))
