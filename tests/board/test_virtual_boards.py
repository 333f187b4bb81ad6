"""The virtual board's boards, cameras, builds, touch screen and heap."""

import textwrap
from dataclasses import replace

import pytest
from PIL import Image

from host.emulator import board as virtual

START = """
import sensor, lcd, time
lcd.init()
sensor.reset()
sensor.set_pixformat(sensor.RGB565)
sensor.set_framesize(sensor.QVGA)
sensor.set_windowing((64, 64))
img = sensor.snapshot()
"""


def run(body: str, **setup) -> virtual.Result:
    return virtual.run((START + textwrap.dedent(body)).encode(), **setup)


@pytest.mark.parametrize("board", virtual.BOARDS.values(), ids=lambda board: board.name)
def test_every_board_starts(board):
    body = "lcd.init(type=3)" if board.name == "m5stickv" else "lcd.init()"
    body = f"import lcd, sensor\n{body}\nsensor.reset()\nprint(lcd.width(), lcd.height())"
    result = virtual.run(body.encode(), board=board)
    assert f"{board.panel[0]} {board.panel[1]}" in result.stdout
    assert f"find {board.cameras[0]}" in result.stdout


def test_a_panel_without_an_entry_in_config_json_needs_its_keywords():
    bare = replace(virtual.AMIGO_TFT, config={}, in_config=False)
    good = b"import lcd\nlcd.init(width=480, height=320, lcd_type=1)"
    assert virtual.run(good, board=bare).last.image.size == (480, 320)
    for wrong, why in (
        (b"import lcd\nlcd.init()", "lcd_type=0"),
        (b"import lcd\nlcd.init(width=480, height=320, lcd_type=2)", "lcd_type=2"),
        (b"import lcd\nlcd.init(lcd_type=1)", "the panel has 480x320"),
    ):
        with pytest.raises(virtual.BoardError, match=why):
            virtual.run(wrong, board=bare)


def test_the_front_camera_is_chosen():
    body = b"import sensor\nsensor.reset(choice=2)\nprint(hex(sensor.get_id()))"
    assert "find gc0328\n0x9d" in virtual.run(body, board=virtual.AMIGO_TFT).stdout
    with pytest.raises(virtual.BoardError, match="Reset Failed"):
        virtual.run(body, board=virtual.BIT)


def test_a_camera_that_comes_back_needs_a_reset():
    body = """
        def seen():
            try:
                sensor.snapshot()
                return "picture"
            except Exception as error:
                return str(error)
        time.sleep_ms(1000)
        print(seen())
        time.sleep_ms(2000)
        print(seen())
        sensor.reset()
        sensor.set_pixformat(sensor.RGB565)
        sensor.set_framesize(sensor.QVGA)
        print(seen())
    """
    result = run(body, camera_dies_ms=800, camera_back_ms=2500, until_ms=9000)
    assert "Sensor timeout!\nSensor timeout!\n" in result.stdout
    assert result.stdout.endswith("picture\n")


TOUCH = b"""
import touchscreen, time
touchscreen.init()
for _ in range(6):
    print(*touchscreen.read())
    time.sleep_ms(100)
"""


def test_a_finger_on_the_touch_screen():
    touches = [(150, 40, 50), (320, 41, 50), (450, None, None)]
    result = virtual.run(TOUCH, build="maixpy", touches=touches)
    lines = [line for line in result.stdout.splitlines() if line[0].isdigit()]
    assert lines == ["0 0 0", "0 0 0", "2 40 50", "2 40 50", "3 41 50", "1 41 50"]


def test_builds_and_boards_without_touch_screen():
    with pytest.raises(virtual.BoardError, match="no module named 'touchscreen'"):
        virtual.run(TOUCH, touches=[])
    with pytest.raises(virtual.BoardError, match=r"OSError: 5|EIO"):
        virtual.run(TOUCH, build="maixpy")


@pytest.mark.parametrize(
    ("body", "build", "why"),
    [
        ("img.mean()", "minimum", "no attribute 'mean'"),
        ("img.mean()", "maixpy", "the virtual board has no image.mean"),
        ("import _thread", "minimum", "no module named '_thread'"),
        ("import _thread", "maixpy", "the virtual board has no module _thread"),
        ("import lvgl", "maixpy", "no module named 'lvgl'"),
    ],
)
def test_a_build_has_its_modules_and_methods_only(body, build, why):
    with pytest.raises(virtual.BoardError, match=why):
        run(body, build=build)
    with pytest.raises(ValueError, match="no build"):
        run("", build="latest")


def test_amigo_firmware_without_config_json_knows_no_key():
    body = b"from board import board_info\nprint('has', hasattr(board_info, 'BOOT_KEY'))"
    bare = replace(virtual.AMIGO_TFT, config={}, in_config=False)
    assert "has False" in virtual.run(body, board=bare).stdout
    assert "has True" in virtual.run(body, board=virtual.AMIGO_TFT).stdout
    assert "has True" in virtual.run(body).stdout


def test_uname_and_unique_id():
    body = b"import uos, machine, ubinascii\nprint(*uos.uname())\n"
    result = virtual.run(body + b"print(ubinascii.hexlify(machine.unique_id()).decode())")
    assert "MaixPy MaixPy 0.6" in result.stdout
    assert "Sipeed_M1 with kendryte-k210" in result.stdout
    assert bytes(range(32)).hex() in result.stdout
    with pytest.raises(virtual.BoardError, match=r"\[Errno 4\]|OSError: 4"):
        virtual.run(b"import machine\nmachine.unique_id()", unique_id=None)


def test_pins_of_card_and_screen_are_taken():
    for number in (29, 30, 31):
        with pytest.raises(virtual.BoardError, match=f"GPIOHS{number} belongs"):
            virtual.run(f"from Maix import GPIO\nGPIO(GPIO.GPIOHS{number})".encode())


# Memory


def test_the_high_water_mark_of_the_heap():
    body = """
        big = bytearray({size})
        lcd.display(img)
        big = None
    """
    small, large = (
        run(body.format(size=size), measure_heap=True).heap_high for size in (1000, 301_000)
    )
    assert 299_000 < large - small < 302_000
    assert run(body.format(size=1000)).heap_high == 0


def test_long_runs_keep_the_texts_of_the_screens_only():
    body = """
        for number in range(30):
            img = sensor.snapshot()
            img.draw_string(2, 2, "n %d" % number)
            lcd.display(img)
    """
    result = run(body, keep_pictures=False, until_ms=9000)
    assert result.texts == [f"n {number}" for number in range(30)]
    assert len({id(frame.image) for frame in result.frames}) <= 2


def test_the_film_of_a_run(tmp_path):
    body = """
        for number in range(4):
            lcd.clear((60 * number, 0, 0))
            time.sleep_ms(300)
    """
    result = run(body)
    result.save_gif(tmp_path / "run.gif")
    film = Image.open(tmp_path / "run.gif")
    assert film.n_frames == len({frame.image.tobytes() for frame in result.frames})
    shown = 0
    for number in range(film.n_frames):
        film.seek(number)
        shown += film.info["duration"]
    assert abs(shown - (result.ms - result.frames[0].ms)) < 1100
