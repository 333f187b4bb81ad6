# Which board this is, and how its screen and its camera are started.
import lcd
import sensor
from Maix import config

# Keywords of lcd.init and the rotation that puts the picture upright. A board with a config.json
# in its flash needs no entry: lcd.init() reads the file.
SCREENS = {
    "m5stickv": ({"type": 3}, 2),
    "cube": ({"width": 240, "height": 240, "invert": 1}, 0),
    "amigo_tft": ({"width": 480, "height": 320, "lcd_type": 1}, 0),
    "amigo_ips": ({"width": 480, "height": 320, "lcd_type": 2}, 0),
}


def board_name(wanted):
    # What the settings say, else config.json, else the built-in keys of the M5StickV.
    if wanted:
        return wanted
    known = config.get_value("type", None)
    if known:
        return str(known).lower()
    from board import board_info

    return "m5stickv" if hasattr(board_info, "BUTTON_A") else ""


def start_screen(wanted, rotation):
    name = board_name(wanted)
    keywords, upright = SCREENS.get(name, ({}, 0))
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


def start_camera(window, mirror, flip):
    # QVGA is the frame that the models' sizes are cut from; reset() clears mirror and flip.
    sensor.reset()
    sensor.set_pixformat(sensor.RGB565)
    sensor.set_framesize(sensor.QVGA)
    sensor.set_windowing(window)
    if mirror:
        sensor.set_hmirror(1)
    if flip:
        sensor.set_vflip(1)
    sensor.run(1)
