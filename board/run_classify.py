# MaixForge classifier for stock MaixPy v1 on a K210 board.
#
# Copy all files of the package to the root of the SD card; this one must be called boot.py.
# The board then says what the camera sees. Press Ctrl-C in a serial terminal to stop.
#
# What you may change:
#   model          file of the model; when it is missing, the flash address is used
#   flash_address  where a kfpkg put the model
#   input          width and height of the picture that the model was trained on
#   window         part of the 320x240 camera picture that is used; scaled when it is not `input`
#   threshold      a lower score counts as "not sure" (0 to 1)
#   board          "" finds it; else "m5stickv", "cube", "amigo_tft", "amigo_ips", "other"
#   rotation       of the screen: None (as usual for the board), 0, 1, 2 or 3
#   mirror, flip   of the camera, left-right and upside-down (the model sees it too)
#   json           one line of JSON per picture on the serial port
#   title          shown while the model loads
SETTINGS = {
    "model": "/sd/m.kmodel",
    "flash_address": 0x300000,
    "input": (224, 224),
    "window": (224, 224),
    "threshold": 0.5,
    "board": "",
    "rotation": None,
    "mirror": False,
    "flip": False,
    "json": True,
    "title": "MaixForge",
}

import gc
import image
import KPU
import lcd
import sensor
import time
import ujson
from kit.boards import start_camera, start_screen, take_picture
from kit.kpu_errors import explain_kpu
from kit.screen import AMBER, BLACK, GREEN, GREY, RED, WHITE
from kit.screen import fit, show_message, visible_part
from kit.storage import card_present, exists, first_existing, read_lines, wait_for_card
from kit.trouble import Trouble, explain, print_trouble

CARD_WAIT_MS = 3000
LABEL_FILES = ("/sd/labels.txt", "/flash/labels.txt")
START_PICTURE = "/sd/start.jpg"


def load_labels():
    path = first_existing(LABEL_FILES)
    if path is None and not card_present():
        raise Trouble(
            "No SD card",
            "Waited 3 seconds for it. The card must be FAT32 with an MBR partition table.",
            "",
            "Put in the card with the files of the package, then press reset.",
        )
    if path is None:
        raise Trouble(
            "labels.txt is missing",
            "Copy all files of the package to the root of the card, then press reset.",
        )
    return read_lines(path)


def load_model():
    source = SETTINGS["model"]
    if not exists(source):
        source = SETTINGS["flash_address"]
        print("maixforge: no %s, using the flash at 0x%x" % (SETTINGS["model"], source))
    shown = source if isinstance(source, str) else "flash 0x%x" % source
    gc.collect()
    try:
        return KPU.load(source)
    except ValueError as error:
        raise explain_kpu(error, shown)


def show_start():
    if exists(START_PICTURE):
        try:
            picture = image.Image(START_PICTURE)
            if picture.width() > 0:  # MaixPy gives an empty picture for some broken files
                lcd.display(picture)
                return
        except Exception as error:
            print("maixforge: start picture:", error)
    show_message(SETTINGS["title"], ["Loading the model ..."], (40, 60, 90))


def model_input(picture):
    # The camera writes the KPU's copy of a frame itself; a scaled picture needs a new copy.
    if SETTINGS["window"] == SETTINGS["input"]:
        return picture
    small = picture.resize(SETTINGS["input"][0], SETTINGS["input"][1])
    small.pix_to_ai()
    return small


def classify(net, picture, labels):
    # Index and score of the best class, and the milliseconds that the KPU took.
    small = model_input(picture)
    started = time.ticks_ms()
    try:
        scores = KPU.forward(net, small)[:]
    except ValueError as error:
        size = "%dx%d" % SETTINGS["input"]
        advice = "boot.py gives it %s. Use boot.py and m.kmodel of the same package." % size
        said = "KPU says: %s" % str(error).strip()
        raise Trouble("Model wants other pictures", advice, "", said)
    ms = time.ticks_diff(time.ticks_ms(), started)
    if len(scores) != len(labels):
        raise Trouble(
            "labels.txt does not fit",
            "labels.txt has %d labels, the model has %d classes." % (len(labels), len(scores)),
            "",
            "Copy labels.txt and m.kmodel of the same package, then press reset.",
        )
    best = 0
    for index in range(1, len(scores)):
        if scores[index] > scores[best]:
            best = index
    return best, scores[best], ms


def draw_result(picture, label, score, ms, fps):
    # Drawn into the frame buffer after the KPU has read it, inside the part that is shown.
    x, y, width, height = visible_part(picture.width(), picture.height())
    sure = score >= SETTINGS["threshold"]
    colour = GREEN if sure else AMBER
    percent = "%d%%" % int(score * 100 + 0.5)
    space = width - 16 * len(percent) - 20
    text = label if sure else label + "?"
    scale = 2 if 16 * len(text) <= space else 1
    picture.draw_rectangle(x, y, width, 34, color=BLACK, fill=True)
    picture.draw_string(
        x + 6, y + 3 if scale == 2 else y + 9, fit(text, space // (8 * scale)),
        color=WHITE if sure else GREY, scale=scale, mono_space=1,
    )
    picture.draw_string(
        x + width - 16 * len(percent) - 6, y + 3, percent, color=colour, scale=2, mono_space=1
    )
    bar = int(width * score)
    if bar > 0:
        picture.draw_rectangle(x, y + 30, bar, 4, color=colour, fill=True)
    bottom = y + height - 16
    picture.draw_rectangle(x, bottom, width, 16, color=BLACK, fill=True)
    speed = "%d ms  %.1f fps" % (ms, fps)
    picture.draw_string(x + 6, bottom + 2, speed, color=GREY, scale=1, mono_space=1)


def print_result(frame, index, label, score, ms, fps):
    values = (frame, index, ujson.dumps(label), score, ms, fps)
    print('{"frame":%d,"index":%d,"label":%s,"score":%.4f,"ms":%d,"fps":%.1f}' % values)


def watch(net, labels):
    frame = 0
    fps = 0.0
    started = time.ticks_ms()
    while True:
        picture = take_picture()
        index, score, ms = classify(net, picture, labels)
        draw_result(picture, labels[index], score, ms, fps)
        lcd.display(picture)
        if SETTINGS["json"]:
            print_result(frame, index, labels[index], score, ms, fps)
        now = time.ticks_ms()
        last = 1000.0 / max(1, time.ticks_diff(now, started))
        fps = last if frame == 0 else 0.9 * fps + 0.1 * last
        started = now
        frame += 1


def run():
    card = wait_for_card(CARD_WAIT_MS)
    labels = load_labels()
    if card:
        show_start()
    net = load_model()
    try:
        start_camera(SETTINGS["window"], SETTINGS["mirror"], SETTINGS["flip"])
        watch(net, labels)
    finally:
        # The model's memory is outside MicroPython's heap: nobody else frees it.
        KPU.deinit(net)
        print("maixforge: model freed")


def main():
    try:
        start_screen(SETTINGS["board"], SETTINGS["rotation"])
        run()
    except Exception as error:
        title, paragraphs = explain(error)
        print_trouble(title, paragraphs)
        show_message(title, paragraphs, RED)
        while True:  # were boot.py to end, main.py would paint over the message
            time.sleep_ms(100)


try:
    main()
except KeyboardInterrupt:
    print("maixforge: stopped")
