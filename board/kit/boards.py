# Which board this is, and how its screen, its keys and its camera are started.
import lcd
import sensor
from Maix import config
from kit.trouble import CameraTrouble

# Keywords of lcd.init, the rotation that puts the picture upright, pins of the keys by role. A
# board with a config.json in its flash needs no keywords: lcd.init() reads the file.
BOARDS = {
    "m5stickv": ({"type": 3}, 2, {"enter": 36, "next": 37}),
    "cube": ({"width": 240, "height": 240, "invert": 1}, 0, {"enter": 10, "back": 11, "next": 16}),
    "amigo_tft": (
        {"width": 480, "height": 320, "lcd_type": 1}, 0, {"enter": 23, "back": 31, "next": 20}
    ),
    "amigo_ips": (
        {"width": 480, "height": 320, "lcd_type": 2}, 0, {"enter": 23, "back": 31, "next": 20}
    ),
    "amigo": ({}, 0, {"enter": 23, "back": 31, "next": 20}),
}
ANY_BOARD = ({}, 0, {})  # Bit, Dock, Go, Maixduino and whatever else has one key and 320x240


def find_board(wanted):
    # What the settings say, else config.json, else the built-in keys of the M5StickV, else "".
    if wanted:
        return wanted.lower()
    known = config.get_value("type", None)
    if known:
        return str(known).lower()
    from board import board_info

    return "m5stickv" if hasattr(board_info, "BUTTON_A") else ""


def key_pins(name, wanted):
    # {"enter": pin, ...}: of the settings, else of the board's config.json, else of the table.
    if wanted:
        return dict(wanted)
    from board import board_info

    pins = dict(BOARDS.get(name, ANY_BOARD)[2])
    for role in ("enter", "next", "back"):
        pin = getattr(board_info, role.upper(), None)
        if isinstance(pin, int):
            pins[role] = pin
    if "enter" not in pins:
        pins["enter"] = getattr(board_info, "BOOT_KEY", 16)
    return pins


def start_screen(wanted, rotation):
    name = find_board(wanted)
    keywords, upright, _ = BOARDS.get(name, ANY_BOARD)
    lcd.init(**keywords)
    if name == "cube":
        switch_on_backlight(17)
    turn = upright if rotation is None else rotation
    if turn:
        lcd.rotation(turn)
    lcd.clear(lcd.BLACK)
    return name


def switch_on_backlight(pin):
    # The Cube's backlight is lit by a low level.
    from Maix import GPIO
    from fpioa_manager import fm

    fm.register(pin, fm.fpioa.GPIO0)
    GPIO(GPIO.GPIO0, GPIO.OUT).value(0)


QVGA = (320, 240)  # the camera's frame, which the models' sizes are cut from


def start_camera(window, mirror, flip, choice=0):
    # reset() clears mirror and flip.
    # choice: which of two cameras (0 finds one, 1 OV, 2 GC, 3 MT).
    try:
        if choice:
            sensor.reset(choice=choice)
        else:
            sensor.reset()
        sensor.set_pixformat(sensor.RGB565)
        sensor.set_framesize(sensor.QVGA)
        if tuple(window) != QVGA:
            sensor.set_windowing(tuple(window))
        if mirror:
            sensor.set_hmirror(1)
        if flip:
            sensor.set_vflip(1)
        sensor.run(1)
    except (OSError, TypeError, RuntimeError) as error:
        if error.args and error.args[0] == 12:  # ENOMEM, for the frame buffers
            raise MemoryError("camera frame")
        raise CameraTrouble(
            "No camera",
            "Switch off, push the camera cable in (contacts to the board), switch on.",
            "",
            "sensor says: %s" % error,
        )


def take_picture():
    # The one frame buffer: the next call changes the picture of this one.
    try:
        return sensor.snapshot()
    except (OSError, TypeError, RuntimeError) as error:
        advice = "Check the camera cable, then press reset."
        raise CameraTrouble("Camera gives no picture", advice, "", "sensor says: %s" % error)
