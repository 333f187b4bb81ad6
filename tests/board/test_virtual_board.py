"""The virtual board itself: stricter than a board, and with its bugs."""

import textwrap

import pytest
from PIL import Image

from host.emulator import board as virtual

START = """
import sensor, lcd, image, KPU, uos, time
lcd.init()
sensor.reset()
sensor.set_pixformat(sensor.RGB565)
sensor.set_framesize(sensor.QVGA)
sensor.set_windowing((224, 224))
img = sensor.snapshot()
"""


def run(body: str, start: str = START, **setup) -> virtual.Result:
    return virtual.run((start + textwrap.dedent(body)).encode(), **setup)


@pytest.mark.parametrize(
    ("body", "why"),
    [
        ("img.draw_string(1, 2, 'x', colour=(1, 2, 3))", "no keyword colour"),
        ("img.draw_string(1.5, 2, 'x')", "can't convert float to int"),
        ("img.draw_rectangle(0, 0, 10 / 2, 3)", "can't convert float to int"),
        ("img.draw_string(1, 2, 'caf\\u00e9')", "the font has no"),
        ("img.draw_string(220, 2, 'wide', mono_space=1)", "off the picture"),
        ("img.draw_string(2, 220, 'low')", "off the picture"),
        ("big = image.Image(size=(320, 240)); big.draw_string(0, 0, 'x'); lcd.init(width=240)",
         "the panel has 320x240"),
        ("lcd.clear(color=(1, 2, 3))", "ignores color="),
        ("img.copy().pix_to_ai()", "wild pointer"),
        ("img.copy(copy_to_fb=True)", "double buffer"),
        ("from Maix import GPIO; GPIO(29)", "GPIOHS29"),
        ("import io", "no module named 'io'"),
        ("import select", "no module named 'select'"),
        ("uos.unlink('/sd/x')", "no attribute 'unlink'"),
        ("KPU.load('m.kmodel')", "a relative path"),
        ("KPU.load('/sd/m.bin')", "only supply .kmodel"),
        ("sensor.set_windowing((250, 250))", "outside the bounds"),
        ("sensor.set_windowing((220, 220))", "multiple of 8"),
        ("lcd.display(img, oft=(200, 100))", "off the screen"),
        ("lcd.draw_string(300, 0, 'hello')", "leaks its memory"),
        ("n = KPU.load('/sd/m.kmodel'); KPU.deinit(n); KPU.forward(n, img)", "crashes the board"),
        ("n = KPU.load('/sd/m.kmodel'); len(KPU.forward(n, img))", "has no len()"),
        ("n = KPU.load('/sd/m.kmodel'); KPU.forward(n, image.Image(size=(224, 224)))",
         "check img format"),
        ("uos.mkdir('/flash/x')", "SPIFFS not support"),
        ("bytearray(600000)", "MemoryError"),
        ("b'abc'.hex(1, 2, 3)", "TypeError"),
    ],
)  # fmt: skip
def test_what_a_board_gets_wrong_is_refused(body, why):
    with pytest.raises(
        virtual.BoardError, match="(?s).*" + why.replace("(", "\\(").replace(")", "\\)")
    ):
        run(body, card={"m.kmodel": virtual.fake_kmodel()})


def test_a_refusal_cannot_be_swallowed():
    with pytest.raises(virtual.BoardError, match="ignores color="):
        run("try:\n    lcd.clear(color=1)\nexcept Exception:\n    pass")


def test_text_that_a_small_screen_cuts_off_is_refused():
    body = "img.draw_string(0, 0, 'top'); lcd.display(img)"
    assert run(body).last.says("top")
    start = START.replace("lcd.init()", "lcd.init(type=3)")
    with pytest.raises(virtual.BoardError, match="off the screen: 'top'"):
        run(body, start, board=virtual.M5STICKV)


def test_there_is_one_frame_buffer():
    body = """
        img.draw_rectangle(0, 0, 224, 224, color=(255, 0, 0), fill=True)
        before = img.get_pixel(3, 3)
        sensor.snapshot()
        print("changed", before != img.get_pixel(3, 3))
    """
    assert "changed True" in run(body).stdout


def test_colours_are_byte_swapped():
    body = """
        page = image.Image(size=(320, 240))
        page.draw_rectangle(0, 0, 160, 240, color=(255, 0, 0), fill=True)
        page.draw_rectangle(160, 0, 160, 240, color=0xF800, fill=True)
        lcd.display(page)
    """
    picture = run(body).last.image
    assert picture.getpixel((10, 10)) == (255, 0, 0)
    assert picture.getpixel((200, 10)) != (255, 0, 0)


def test_a_full_card_loses_a_picture_without_an_error():
    body = """
        img.save("/sd/a.jpg", quality=95)
        print("saved", uos.stat("/sd/a.jpg")[6])
    """
    noise = [Image.effect_noise((320, 240), 90)]
    result = run(body, card={"fill.bin": bytes(90_000)}, card_bytes=128 << 10, camera=noise)
    assert "saved" in result.stdout
    assert not result.files["a.jpg"].endswith(b"\xff\xd9")
    assert run(body).files["a.jpg"].endswith(b"\xff\xd9")


def test_a_late_card_changes_the_folder():
    body = """
        print(uos.getcwd(), uos.listdir("/"))
        time.sleep_ms(1000)
        print(uos.getcwd(), uos.listdir("/"))
    """
    result = run(body, card_at_ms=900)
    assert "/flash ['flash']\n/sd ['flash', 'sd']" in result.stdout


def test_ticks_wrap_and_need_ticks_diff():
    body = """
        first = time.ticks_ms()
        time.sleep_ms(2000)
        last = time.ticks_ms()
        print("naive", last - first < 0, "right", time.ticks_diff(last, first))
    """
    assert "naive True right 2000" in run(body).stdout


def test_keys_change_at_their_time():
    body = """
        from fpioa_manager import fm
        from Maix import GPIO
        fm.register(16, fm.fpioa.GPIOHS0)
        key = GPIO(GPIO.GPIOHS0, GPIO.PULL_UP)
        seen = []
        for _ in range(5):
            seen.append(key.value())
            time.sleep_ms(100)
        print(seen)
    """
    start = "import time\n"
    result = run(body, start, keys=[(150, 16, 0), (320, 16, 1)])
    assert "[1, 1, 0, 0, 1]" in result.stdout


def test_a_script_that_ignores_ctrl_c_is_switched_off():
    body = """
        while True:
            try:
                time.sleep_ms(50)
            except KeyboardInterrupt:
                pass
    """
    result = run(body, until_ms=500)
    assert result.ended == "power off" and result.ms >= 3500


def test_a_script_without_time_is_stopped_by_the_host():
    with pytest.raises(virtual.BoardError, match="no end after"):
        virtual.run(b"while True:\n    pass\n", timeout=1.5)


def test_files_come_and_go_over_a_real_fat_file_system():
    body = """
        uos.mkdir("/sd/new")
        with open("/sd/new/b.txt", "w") as f:
            f.write(open("/sd/in/a.txt").read() * 2)
        try:
            uos.mkdir("/sd/NEW")
        except OSError as e:
            print("errno", e.args[0])
    """
    result = run(body, "import uos\n", card={"in/a.txt": b"hello"})
    assert result.files == {"in/a.txt": b"hello", "new/b.txt": b"hellohello"}
    assert "errno 17" in result.stdout
