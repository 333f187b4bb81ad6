"""`maixforge keygen` and `maixforge keys` from end to end.

kflash loads the program through a pty into the memory of a board whose ROM is a protocol model, and
the virtual K210 runs what arrived there.
"""

import contextlib
import fcntl
import json
import os
import pty
import stat
import sys

import pytest
import tty_lines
from click.testing import CliRunner
from isp_board import ChipProgram, IspBoard
from k210 import Chip
from k210.otp import KEY, SIZE, PowerLostError
from keygen_board import FACTORY, IMAGE, KEY_A
from qr_pictures import drawn, jpeg, photo

from host.cli import main
from host.deploy import machine_code
from host.deploy.board_key import BoardKey
from host.deploy.key_store import KeyStore

CODE = machine_code.of_board(bytes(range(32)))
PASSPHRASE = "correct horse battery"


class Board(IspBoard):
    """A board whose fuses outlive its resets; `images` is what was started in its memory."""

    def __init__(self, folder):
        super().__init__(folder, execute=self.start)
        self.fuses = bytearray(SIZE)
        self.fuses[FACTORY] = bytes(range(0x20, 0x40))
        self.images = []

    def start(self, image, say, flash):
        self.images.append(image)
        chip = Chip()
        chip.otp.bytes = self.fuses
        chip.otp.reset()
        chip.load(image)
        return ChipProgram(chip, say)


@pytest.fixture
def board(tmp_path, monkeypatch):
    with Board(tmp_path) as board:
        monkeypatch.setattr(fcntl, "ioctl", tty_lines.wrapped(board.lines))
        yield board


@pytest.fixture
def run(tmp_path, monkeypatch):
    monkeypatch.setenv("MAIXFORGE_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("COLUMNS", "160")

    def invoke(*words, typed="", code=0):
        done = CliRunner().invoke(main, ["--lang", "en", *words], input=typed)
        assert done.exit_code == code, done.output
        assert "internal_error" not in done.output and "Traceback" not in done.output
        return done

    return invoke


@pytest.fixture
def store(tmp_path, run):
    return lambda: KeyStore(tmp_path / "data")


def test_a_dry_run_burns_nothing(board, run, store):
    before = bytes(board.fuses)
    done = run("keygen", board.port, "--board", "dock")
    assert board.images == [IMAGE.read_bytes()]
    assert bytes(board.fuses) == before and store().entries() == []
    assert "dry run: nothing was burnt" in done.stderr and "Key slot: empty" in done.stderr
    assert "Type BURN" not in done.output
    again = json.loads(run("keygen", board.port, "--running", "--json").stdout)
    assert again["dry_run"] and (again["do"], again["state"]) == ("burn", "blank")
    assert again["burns"] == ["key_write_off", "test_mode_off"]
    assert len(board.images) == 1, "--running loaded the program again"
    assert board.isp.flash == bytearray(b"\xff" * len(board.isp.flash))


def test_the_documented_dry_run_is_a_real_one(board, run, root, store):
    text = (root / "docs" / "keys.md").read_text()
    shown = text[text.index("$ maixforge keygen") :].split("```")[0].splitlines()[1:]
    done = run("keygen", board.port, "--board", "dock", "--name", "door")
    said = done.stderr.replace(str(store().folder), "/tmp/data/keys").splitlines()
    assert [line.rstrip() for line in said] == [line.rstrip() for line in shown]


def test_burn_then_again(board, run, store):
    options = ("--board", "dock", "--burn", "--name", "door", "--json")
    done = run("keygen", board.port, *options, typed="BURN\n")
    found = json.loads(done.stdout)
    made = store().get("door")
    assert bytes(board.fuses[KEY:]) == made.key.key and made.state == "locked"
    assert found["machine_code"] == made.key.code and made.key.code in done.stderr
    assert machine_code.parse(found["machine_code"]).value == made.key.board_id
    assert "for ever" in done.stderr and "JTAG stays open" in done.stderr
    assert made.key.key.hex() not in done.output.lower()
    fuses = bytes(board.fuses)
    again = run("keygen", board.port, "--board", "dock", "--burn", "--json")
    assert json.loads(again.stdout)["do"] == "nothing" and "nothing to do" in again.stderr
    assert bytes(board.fuses) == fuses and len(board.images) == 2
    assert board.isp.flash == bytearray(b"\xff" * len(board.isp.flash))


@pytest.mark.parametrize("typed", ["burn\n", "\n", "yes\n", ""])
def test_another_word_leaves_the_board_as_it_is(board, run, store, typed):
    before = bytes(board.fuses)
    done = run("keygen", board.port, "--board", "dock", "--burn", typed=typed, code=1)
    assert "keygen_word" in done.output if typed else "Aborted" in done.output
    assert bytes(board.fuses) == before and store().entries() == []


def test_unplugged_in_the_middle_then_completed(board, run, store, tmp_path, monkeypatch):
    start = board.start

    def breaking(image, say, flash):
        program = start(image, say, flash)
        otp = program.chip.otp
        otp.trouble = lambda event: "power" if len(otp.pulses) >= 30 else ""
        return program

    board._execute = breaking
    monkeypatch.setattr("host.deploy.keygen.WORK_SECONDS", 3)
    options = ("--board", "dock", "--burn", "--name", "door")
    done = run("keygen", board.port, *options, typed="BURN\n", code=1)
    assert isinstance(board._failure, PowerLostError)
    board._failure = None
    assert "keygen_lost" in done.output and "its burn goes on where it ended" in done.output
    (pending,) = store().entries()
    assert pending.state == "pending"
    folder = tmp_path / "again"
    folder.mkdir()
    with Board(folder) as again:
        again.fuses[:] = board.fuses
        monkeypatch.setattr(fcntl, "ioctl", tty_lines.wrapped(again.lines))
        look = run("keygen", again.port, "--board", "dock")
        assert "burn of door, which was interrupted" in look.stderr
        run("keygen", again.port, "--board", "dock", "--burn", "--close-jtag", typed="BURN\n")
        made = store().get("door")
        assert bytes(again.fuses[KEY:]) == made.key.key == pending.key.key
        assert (made.state, made.jtag_closed) == ("locked", True)


def test_a_board_with_a_key_that_is_not_here(board, run):
    board.fuses[KEY:] = KEY_A
    done = run("keygen", board.port, "--board", "dock", "--burn", typed="BURN\n", code=1)
    assert "keygen_foreign_key" in done.output and bytes(board.fuses[KEY:]) == KEY_A


def test_a_damaged_file_is_told_as_it_may_be_the_boards_key(board, run, store):
    run("keys", "add", "gate", typed=CODE.text)
    (store().folder / "gate.json").write_text("{")
    assert "key_damaged" in run("keygen", board.port, "--board", "dock").output


def test_ports_and_boards_that_are_not_there(run):
    assert "port_missing" in run("keygen", "/dev/ttyNoSuch", code=1).output
    assert "port_missing" in run("keygen", "/dev/ttyNoSuch", "--running", code=1).output
    assert "flash_board_unknown" in run("keygen", "x", "--board", "esp32", code=1).output


def test_a_program_that_is_not_there(run, monkeypatch, tmp_path):
    monkeypatch.setattr("host.deploy.keygen.IMAGE", tmp_path / "keygen.bin")
    assert "keygen_image_missing" in run("keygen", "/dev/ttyNoSuch", code=1).output


# maixforge keys


def test_add_list_export_forget_import(run, store, tmp_path):
    done = run("keys", "add", "gate", typed=CODE.text + "\n")
    assert CODE.text not in done.output and "Added: gate" in done.stderr
    made = store().get("gate")
    listed = json.loads(run("keys", "list", "--json").stdout)["keys"]
    assert [(one["name"], one["state"], one["board_id"]) for one in listed] == [
        ("gate", "bound", made.key.board_id.hex())
    ]
    file = tmp_path / "keys.mfkeys"
    run("keys", "export", str(file), typed=f"{PASSPHRASE}\n{PASSPHRASE}\n")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600 or os.name != "posix"
    assert "Aborted" in run("keys", "forget", "gate", typed="n\n", code=1).output
    run("keys", "forget", "gate", "--yes")
    assert store().entries() == []
    wrong = run("keys", "import", str(file), typed="correct horse batteri\n", code=1)
    assert "key_file_passphrase" in wrong.output
    done = json.loads(run("keys", "import", str(file), "--json", typed=f"{PASSPHRASE}\n").stdout)
    assert done == {"keys": {"gate": "added"}} and store().get("gate") == made
    again = run("keys", "import", str(file), "--name", "x", "--json", typed=f"{PASSPHRASE}\n")
    assert json.loads(again.stdout) == {"keys": {"gate": "same"}}


def test_a_photo_of_the_screen_is_as_good_as_typing(run, store, tmp_path):
    screen = tmp_path / "screen.jpg"
    screen.write_bytes(jpeg(photo(drawn(CODE.text))))
    done = run("keys", "add", "gate", "--picture", str(screen))
    assert "Added: gate" in done.stderr
    assert store().get("gate").key == BoardKey.of_code(CODE)
    assert not any(group in done.output for group in CODE.text.split("-"))
    screen.write_bytes(jpeg(photo(drawn("something else"))))
    wrong = run("keys", "add", "door", "--picture", str(screen), code=1)
    assert "machine_code_scan" in wrong.output and "something" not in wrong.output
    folder = run("keys", "add", "door", "--picture", str(tmp_path), code=2)
    assert "is a directory" in folder.output


def test_a_terminal_shows_nothing_of_the_code_that_is_typed(run, store, root):
    child, terminal = pty.fork()
    if not child:
        os.chdir(root)
        words = ["-m", "host.cli", "--lang", "en", "keys", "add", "gate"]
        os.execv(sys.executable, [sys.executable, *words])
    seen = b""
    while b"not shown" not in seen:
        seen += os.read(terminal, 1000)
    os.write(terminal, CODE.text.encode() + b"\n")
    with contextlib.suppress(OSError):  # the end of a terminal
        while data := os.read(terminal, 1000):
            seen += data
    os.close(terminal)
    assert os.waitpid(child, 0)[1] == 0 and b"Added: gate" in seen
    assert not [group for group in CODE.text.split("-") if group.encode() in seen]
    assert store().get("gate").state == "bound"


def test_nothing_is_overwritten_or_shown(run, store, tmp_path):
    run("keys", "add", "gate", typed=CODE.text)
    assert "key_name_taken" in run("keys", "add", "GATE", typed=CODE.text, code=1).output
    assert "key_there" in run("keys", "add", "b", typed=CODE.text, code=1).output
    file = tmp_path / "there"
    file.write_text("mine")
    assert "key_file_exists" in run("keys", "export", str(file), code=1).output
    assert file.read_text() == "mine"
    new = str(tmp_path / "new")
    assert "key_unknown" in run("keys", "export", new, "nobody", code=1).output
    differs = run("keys", "export", new, typed=f"{PASSPHRASE}\n{PASSPHRASE}.\n", code=1)
    assert "passphrase_differs" in differs.output
    assert "passphrase_short" in run("keys", "export", new, typed="a\na\n", code=1).output
    assert not (tmp_path / "new").exists()
    wrong = run("keys", "add", "c", typed=CODE.text[:-1] + "0\n", code=1)
    assert "machine_code_check" in wrong.output and CODE.text[:9] not in wrong.output
    key = store().get("gate").key.key.hex()
    for words in (("keys", "list"), ("keys", "list", "--codes"), ("keys", "list", "--json")):
        shown = run(*words).output
        assert key not in shown.lower() and CODE.text not in shown


def test_a_burnt_key_is_forgotten_only_by_its_name(board, run, store):
    options = ("--board", "dock", "--burn", "--name", "door")
    run("keygen", board.port, *options, typed="BURN\n")
    code = store().get("door").key.code
    assert code not in run("keys", "list").output
    assert code in run("keys", "list", "--codes").stderr
    assert "machine_code_burnt" in run("keys", "add", "again", typed=code, code=1).output
    for typed in ("y\n", "\n", "Door\n"):
        done = run("keys", "forget", "door", "--yes", typed=typed, code=1)
        assert "key_forget_refused" in done.output
    run("keys", "forget", "door", typed="door\n")
    assert store().entries() == []


def test_damaged_files_are_told_and_can_be_deleted(run, store):
    run("keys", "add", "gate", typed=CODE.text)
    path = store().folder / "gate.json"
    path.write_text("{")
    done = run("keys", "list", code=1)
    assert "key_damaged" in done.output
    assert "key_damaged" in run("keys", "export", "x", code=1).output
    run("keys", "forget", "gate", typed="gate\n")
    assert not path.exists()


@pytest.mark.skipif(os.name != "posix", reason="rights of files are POSIX's")
def test_wide_rights_are_told(run, store):
    run("keys", "add", "gate", typed=CODE.text)
    store().folder.chmod(0o755)
    assert "keys_were_open" in run("keys", "list").output
    assert "keys_were_open" not in run("keys", "list").output
