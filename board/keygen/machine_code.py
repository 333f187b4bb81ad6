# Shows this board's machine code: as text, as a QR code, and on the serial port (115200 baud).
# The host seals models for the board that has it. It burns nothing and writes nothing: the code is
# computed from machine.unique_id(). Keep it to yourself: with it, sealed models can be opened.
SETTINGS = {
    "board": "",  # "" finds out; m5stickv, cube, amigo_tft, amigo_ips, other
    "rotation": None,  # of the screen, 0 to 3; None is the board's usual one
    "seconds": 6,  # text and QR code take turns
}
import gc
import image
import lcd
import time
import ujson
from kit.binding import chip_id, grouped, machine_code, require_sha256
from kit.boards import start_screen
from kit.qr import QR_SIDE, qr_rows
from kit.screen import BLACK, GREY, LETTER_HEIGHT, LETTER_WIDTH, RED, WHITE
from kit.screen import show_message
from kit.trouble import explain

QUIET = 4  # dots around a QR code


def show_code(code):
    # The heading, then three groups a row, as large as the screen is wide.
    gc.collect()
    lcd.clear(lcd.BLACK)
    width, height = lcd.width(), lcd.height()
    groups = [code[at : at + 12] for at in range(0, len(code), 12)]
    scale = max(1, min((width - 8) // (14 * LETTER_WIDTH), (height - 36) // (3 * (LETTER_HEIGHT + 4))))
    tall = (LETTER_HEIGHT + 4) * scale
    strip = image.Image(size=(width, tall))
    top = (height - tall * len(groups)) // 2
    for number, row in enumerate(groups):
        strip.draw_rectangle(0, 0, width, tall, color=BLACK, fill=True)
        x = (width - 14 * LETTER_WIDTH * scale) // 2
        strip.draw_string(x, 0, grouped(row, " "), color=WHITE, scale=scale, mono_space=1)
        lcd.display(strip, oft=(0, top + number * tall))
    del strip
    gc.collect()
    line = image.Image(size=(width, LETTER_HEIGHT + 2))
    for y, text in ((2, "Machine code"), (height - 16, "Keep it to yourself")):
        line.draw_rectangle(0, 0, width, LETTER_HEIGHT + 2, color=BLACK, fill=True)
        x = (width - LETTER_WIDTH * len(text)) // 2
        line.draw_string(x, 0, text, color=GREY, scale=1, mono_space=1)
        lcd.display(line, oft=(0, y))


def show_qr(rows):
    # Black on white with its quiet border; one row of dots at a time, to need little memory.
    gc.collect()
    lcd.clear(lcd.WHITE)
    width, height = lcd.width(), lcd.height()
    scale = min(width, height) // (QR_SIDE + 2 * QUIET)
    side = QR_SIDE * scale
    strip = image.Image(size=(side, scale))
    for number, row in enumerate(rows):
        strip.draw_rectangle(0, 0, side, scale, color=WHITE, fill=True)
        for x in range(QR_SIDE):
            if row[x]:
                strip.draw_rectangle(x * scale, 0, scale, scale, color=BLACK, fill=True)
        lcd.display(strip, oft=((width - side) // 2, (height - side) // 2 + number * scale))


def pause():
    for _ in range(SETTINGS["seconds"] * 10):  # short sleeps: Ctrl-C ends them all
        time.sleep_ms(100)


def run():
    unique_id = chip_id()
    require_sha256()
    code = machine_code(unique_id)
    print("Machine code: " + grouped(code, "-"))
    print(ujson.dumps({"machine_code": code, "strength": "bound"}))
    rows = qr_rows(code)
    while True:
        show_code(code)
        pause()
        show_qr(rows)
        pause()


def main():
    try:
        start_screen(SETTINGS["board"], SETTINGS["rotation"])
        run()
    except Exception as error:
        title, paragraphs = explain(error)
        print("maixforge: %s: %s" % (title, " ".join(paragraphs)))
        show_message(title, paragraphs, RED)
        while True:  # were boot.py to end, main.py would paint over the message
            time.sleep_ms(100)


try:
    main()
except KeyboardInterrupt:
    print("maixforge: stopped")
