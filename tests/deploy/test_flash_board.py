"""kflash 1.1.6, unmodified, and a virtual board on a pty: what is in the flash afterwards."""

import fcntl
import itertools
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import tty_lines
from isp_board import IspBoard
from isp_port import BAD_SUM, FLASH_BYTES

from host.deploy import firmware_image, flash, flash_file, kfpkg, sdcard
from host.deploy.board_key import BoardKey
from host.deploy.key_store import KeyStore, StoredKey
from host.errors import UserError

KEY = bytes.fromhex("00112233445566778899aabbccddeeff")
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def board(tmp_path, monkeypatch):
    with IspBoard(tmp_path) as made:
        monkeypatch.setattr(fcntl, "ioctl", tty_lines.wrapped(made.lines))
        yield made


def in_a_process(board, *words):
    """Run a module, unmodified but for the pty's lines."""
    return subprocess.run(
        [sys.executable, tty_lines.__file__, board.lines, *map(str, words)],
        capture_output=True, text=True, timeout=120, check=False, cwd=ROOT,
        env={**os.environ, "LANG": "C", "PYTHONPATH": str(ROOT)},
    )  # fmt: skip


def kflash(board, *words):
    return in_a_process(board, "kflash", "-n", "-p", board.port, *words)


def maixforge(board, *words, code=0):
    done = in_a_process(board, "host.cli", "flash", *words, "--json")
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    return json.loads(done.stdout), done.stderr


def filled(*parts):
    """A flash of 16 MB with (address, bytes) in it and nothing else."""
    memory = bytearray(b"\xff" * FLASH_BYTES)
    for address, data in parts:
        memory[address : address + len(data)] = data
    return memory


def packed(tmp_path, make, kind, firmware_file):
    """A package's kfpkg, and the flash that it means."""
    pack = make(key=BoardKey("burnt", KEY) if kind == "sealed" else None)
    model = (0x300000, pack.board_file.read_bytes())
    code = firmware_file.read_bytes()
    out = tmp_path / f"{kind}.kfpkg"
    if kind == "model":
        return kfpkg.build(pack, out), filled(model)
    if kind == "sealed":
        assert pack.kmodel.read_bytes()[:64] not in model[1]
    if kind in ("full", "sealed"):
        return kfpkg.build(pack, out, firmware_file), filled((0, firmware_image.plain(code)), model)
    sealed = firmware_image.encrypted(code, KEY)
    return kfpkg.build(pack, out, firmware_file, KEY), filled((0, sealed), model)


def raised(function, *values, **named):
    with pytest.raises(UserError) as caught:
        function(*values, **named)
    return caught.value


# What is written


@pytest.mark.parametrize("kind", ["model", "full", "sealed", "encrypted"])
def test_kflash_in_its_own_process_writes_what_the_package_means(
    board, make, tmp_path, firmware_file, kind
):
    package, meant = packed(tmp_path, make, kind, firmware_file)
    done = kflash(board, "-B", "dan", "-b", "1500000", package)
    assert done.returncode == 0, done.stdout
    assert board.isp.flash == meant
    assert board.state == "flash" and not board.lost


@pytest.mark.parametrize("kind", ["model", "full", "sealed", "encrypted"])
def test_the_library_writes_the_same(board, make, tmp_path, firmware_file, kind):
    package, meant = packed(tmp_path, make, kind, firmware_file)
    file, seen = flash_file.read(package), []
    flash.write(board.port, file, board="dock", progress=lambda *now: seen.append(now))
    assert board.isp.flash == meant
    assert board.state == "flash" and not board.lost
    done = [fraction for fraction, _, _ in seen]
    assert done == sorted(done) and done[-1] == pytest.approx(1) and done[0] < 0.7
    assert {name for _, name, _ in seen} == {part.name for part in file.parts}


def test_a_firmware_gets_the_header_that_kflash_gives_it(board, tmp_path, firmware_file):
    assert kflash(board, "-B", "dan", firmware_file).returncode == 0
    by_kflash = bytes(board.isp.flash)
    board.isp.flash[:] = b"\xff" * FLASH_BYTES
    flash.write(board.port, flash_file.read(firmware_file), board="dock")
    assert (
        board.isp.flash
        == by_kflash
        == filled((0, firmware_image.plain(firmware_file.read_bytes())))
    )


def test_kflash_with_a_key_makes_the_same_encrypted_image(board, firmware_file):
    small = firmware_file.with_name("small.bin")
    small.write_bytes(firmware_file.read_bytes()[:70_001])  # its AES is Python
    assert kflash(board, "-B", "dan", "-k", KEY.hex(), small).returncode == 0
    expected = firmware_image.encrypted(small.read_bytes(), KEY)
    assert board.isp.flash == filled((0, expected))


def test_an_sd_package_has_nothing_to_flash(make, tmp_path):
    path = sdcard.build(make(), tmp_path / "sd.zip")
    assert raised(flash_file.read, path).code == "flash_file_sd_zip"


def test_neighbours_stay(board, make, tmp_path, firmware_file):
    board.isp.flash[:] = bytes(range(256)) * (FLASH_BYTES // 256)
    before = bytes(board.isp.flash)
    package, _ = packed(tmp_path, make, "model", firmware_file)
    file = flash_file.read(package)
    flash.write(board.port, file, board="dock")
    end = file.parts[0].end
    assert board.isp.flash[:0x300000] == before[:0x300000]
    assert board.isp.flash[end:] == before[end:]


@pytest.mark.parametrize(
    ("wiring", "how"),
    [
        ("dan", {}),
        ("kd233", {}),
        ("kd233", {"board": "m5stickv"}),
        ("dan", {"board": "bit", "slow": True}),
        ("kd233", {"board": "goE", "baud": 2_000_000}),
        ("dan", {"board": "trainer", "baud": 460_800}),
    ],
)
def test_wirings_and_rates(tmp_path, monkeypatch, make, wiring, how):
    with IspBoard(tmp_path, wiring=wiring) as board:
        monkeypatch.setattr(fcntl, "ioctl", tty_lines.wrapped(board.lines))
        file = flash_file.read(kfpkg.build(make(), tmp_path / "m.kfpkg"))
        flash.write(board.port, file, **how)
        assert board.isp.flash == filled((0x300000, file.parts[0].data))
        assert not board.lost


def test_every_name_of_a_board_is_one_that_kflash_knows():
    text = (Path(flash.kflash.__file__)).read_text()
    known = text.split("boards_choices = [")[1].split("]")[0]
    for name, wiring in flash.BOARDS.items():
        assert f'"{wiring}"' in known
        assert flash.wiring(name) == flash.wiring(wiring) == wiring
    assert flash.wiring("") is None
    assert raised(flash.wiring, "esp32").code == "flash_board_unknown"


def test_the_words_of_kflash_that_are_listened_for_are_still_in_it():
    text = Path(flash.kflash.__file__).read_text()
    for words in (*flash.STAGES, "Data checksum error"):
        assert words in text


# Programs in memory


def test_run_in_ram_hands_the_open_port_over(board):
    image = bytes(range(256)) * 20 + b"\xc0\xdb\xdc\xdd"
    moves = []
    with flash.run_in_ram(board.port, image, "dock") as link:
        before = board.state
        assert link.is_open and link.baudrate == 115200
        board._say(b'{"maixforge":"keygen"}\n')
        assert link.readline() == b'{"maixforge":"keygen"}\n'
        moves.append(before)
    assert board.isp.program == image and moves == ["rom"]
    assert not link.is_open
    assert board.isp.flash == filled()


@pytest.mark.parametrize("image", [b"", b"\x7fELF123", bytes((6 << 20) + 1)], ids=len)
def test_run_in_ram_takes_plain_images_only(image):
    with pytest.raises(ValueError, match="plain image"), flash.run_in_ram("none", image):
        pass


# What goes wrong


def test_unplugged_in_mid_write_and_done_again(board, make, tmp_path, monkeypatch, firmware_file):
    package, meant = packed(tmp_path, make, "full", firmware_file)
    file = flash_file.read(package)

    def unplug(address, data):
        if address >= 0x300000:
            board.unplug()
        return data

    board.isp.touch = unplug
    error = raised(flash.write, board.port, file, board="dock")
    assert error.code == "flash_interrupted", error
    assert "%" in error.findings[0].text("found") and "again" in error.findings[0].text("fix")
    half = board.isp.flash
    assert half != meant and half[:37] == meant[:37]
    folder = tmp_path / "again"
    folder.mkdir()
    with IspBoard(folder) as again:
        monkeypatch.setattr(fcntl, "ioctl", tty_lines.wrapped(again.lines))
        again.isp.flash = half
        flash.write(again.port, file, board="dock")
        assert again.isp.flash == meant


def test_a_board_that_falls_silent_is_let_go(board, make, tmp_path, monkeypatch):
    monkeypatch.setattr(flash, "SILENCE", 1.0)
    file = flash_file.read(kfpkg.build(make(), tmp_path / "m.kfpkg"))
    board.isp.touch = lambda address, data: None
    error = raised(flash.write, board.port, file, board="dock")
    assert error.code == "flash_interrupted"
    board.isp.touch = lambda address, data: data
    flash.write(board.port, file, board="dock")  # the port is free again
    assert board.isp.flash == filled((0x300000, file.parts[0].data))


def test_dead_at_every_piece_and_done_again(board, monkeypatch):
    monkeypatch.setattr(flash, "SILENCE", 0.2)
    parts = (
        flash_file.Part("fw.bin", 0, bytes(range(256)) * 300, header=True),  # two pieces
        flash_file.Part("m.kmodel", 0x300000, b"model" * 14_000),  # two more
    )
    file = flash_file.FlashFile("x", parts)
    meant = filled(*((part.address, part.flashed) for part in parts))
    for last in range(4):
        numbers = itertools.count()
        board.isp.touch = lambda address, data, n=numbers, end=last: data if next(n) < end else None
        board.isp.flash[:] = b"\xff" * FLASH_BYTES
        assert raised(flash.write, board.port, file, board="dock").code == "flash_interrupted"
        assert board.isp.flash != meant
        board.isp.touch = lambda address, data: data
        flash.write(board.port, file, board="dock")
        assert board.isp.flash == meant, last


def damaged_once():
    """Return what answers "wrong check sum" to the second piece."""
    numbers = itertools.count()
    return lambda address, data: BAD_SUM if next(numbers) == 1 else data


def test_kflash_leaves_a_damaged_piece_out_and_we_do_not(board, make, tmp_path):
    package = kfpkg.build(make(), tmp_path / "m.kfpkg")
    meant = filled((0x300000, flash_file.read(package).parts[0].data))
    board.isp.touch = damaged_once()
    assert kflash(board, "-B", "dan", package).returncode == 0
    assert board.isp.flash != meant, "kflash has learnt to repeat: flash.py may be simpler"
    board.isp.touch = damaged_once()
    error = raised(flash.write, board.port, flash_file.read(package), board="dock")
    assert error.code == "flash_line_noise"


def test_ctrl_c_in_mid_write(board, make, tmp_path):
    file = flash_file.read(kfpkg.build(make(), tmp_path / "m.kfpkg"))

    def stop(*_):
        raise KeyboardInterrupt

    error = raised(flash.write, board.port, file, board="dock", progress=stop)
    assert error.code == "flash_cancelled"


@pytest.mark.parametrize("op", ["c2", "c3"])
def test_unplugged_before_anything_was_written(board, make, tmp_path, op):
    file = flash_file.read(kfpkg.build(make(), tmp_path / "m.kfpkg"))
    setattr(board.isp, f"_op_{op}", lambda address, rest: board.unplug())
    error = raised(flash.write, board.port, file, board="dock")
    assert error.code == "flash_port_lost", error
    assert "Nothing was written" in error.findings[0].text("fix")


def test_a_stub_that_does_not_start(board, make, tmp_path):
    file = flash_file.read(kfpkg.build(make(), tmp_path / "m.kfpkg"))
    board.isp._op_d2 = lambda address, rest: None
    assert raised(flash.write, board.port, file, board="dock").code == "flash_no_stub"


def test_no_k210_at_the_port_or_the_wrong_wiring(board, make, tmp_path):
    package = kfpkg.build(make(), tmp_path / "m.kfpkg")
    answer, said = maixforge(board, board.port, package, "--board", "m5stickv", code=1)
    assert answer["error"] == "flash_no_greeting" and "Greeting fail" in said
    assert "--board" in said and "BOOT" in said


def test_ports_that_cannot_be_opened(board, make, tmp_path, monkeypatch):
    file = flash_file.read(kfpkg.build(make(), tmp_path / "m.kfpkg"))
    assert raised(flash.write, "/dev/ttyNone", file).code == "port_missing"
    assert raised(flash.write, str(tmp_path), file).code in ("port_unusable", "port_forbidden")
    held = os.open(board.port, os.O_RDWR | os.O_NOCTTY)
    fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    assert raised(flash.write, board.port, file).code == "port_busy"
    os.close(held)


def test_who_has_a_port_open(tmp_path, board):
    from host.deploy import serial_port

    assert serial_port.trouble(board.port) is None
    script = (
        f"import sys; f = open({board.port!r}, 'rb', 0); print(1, flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as other:
        other.stdout.readline()
        found = serial_port.trouble(board.port)
        other.stdin.close()
    assert found.code == "port_busy" and f"pid {other.pid}" in found.params["reason"]


# The command


def test_the_command(board, make, tmp_path, firmware_file):
    package, meant = packed(tmp_path, make, "full", firmware_file)
    answer, said = maixforge(board, board.port, package, "--board", "dock")
    assert board.isp.flash == meant
    assert [(one["name"], one["address"]) for one in answer["parts"]] == [
        ("firmware.bin", 0), ("m.kmodel", 0x300000)
    ]  # fmt: skip
    assert answer["bytes"] == sum(one["bytes"] for one in answer["parts"])
    assert "0x300000" in said and "verified" not in answer


def test_warnings_are_asked_for(board, tmp_path):
    other = tmp_path / "other.bin"
    other.write_bytes(b"\x13\0\0\0" * 5000)
    answer, said = maixforge(board, board.port, other, code=1)
    assert answer["error"] == "flash_needs_yes" and "flash_no_maixpy" in said
    assert board.isp.flash == filled()
    maixforge(board, board.port, other, "--yes", "--board", "dock")
    assert board.isp.flash == filled((0, firmware_image.plain(other.read_bytes())))


def test_a_firmware_encrypted_for_a_board_of_the_key_store(
    board, tmp_path, monkeypatch, firmware_file
):
    monkeypatch.setenv("MAIXFORGE_DATA", str(tmp_path / "data"))
    store = KeyStore(tmp_path / "data")
    for name, state in (("door", "locked"), ("gate", "pending")):
        key = BoardKey("burnt", KEY if name == "door" else bytes(reversed(KEY)))
        store.add(StoredKey(name, key, state))
    store.add(StoredKey("shed", BoardKey("bound", KEY[::2] * 2), "bound"))
    words = (board.port, firmware_file, "--board", "dock", "--encrypt")
    for name, code in (
        ("shed", "firmware_key_bound"), ("gate", "firmware_key_pending"), ("none", "key_unknown")
    ):  # fmt: skip
        assert maixforge(board, *words, name, code=1)[0]["error"] == code
    assert maixforge(board, *words, "door", code=1)[0]["error"] == "flash_needs_yes"
    assert board.isp.flash == filled()
    answer, said = maixforge(board, *words, "door", "--yes")
    expected = firmware_image.encrypted(firmware_file.read_bytes(), KEY)
    assert board.isp.flash == filled((0, expected))
    assert KEY.hex() not in said + json.dumps(answer)
