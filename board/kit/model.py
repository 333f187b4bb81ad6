# What the running scripts share: labels, model, its input, and going on when trouble is mended.
import gc
import image
import KPU
import lcd
import time
from kit.boards import start_camera, start_screen, take_picture
from kit.kpu_errors import explain_run
from kit.load_plain import load_model
from kit.screen import RED, show_message
from kit.storage import AT_THE_ROOT, CARD_FORMAT, PUT_PACKAGE_IN
from kit.storage import card_present, card_trouble, exists, first_existing, read_lines
from kit.storage import remount_card, wait_for_card
from kit.trouble import CameraTrouble, CardTrouble, explain, print_trouble

CARD_WAIT_MS = 3000
LABEL_FILES = ("/sd/labels.txt", "/flash/labels.txt")
START_PICTURE = "/sd/start.jpg"
SAME_PACKAGE = "Copy all files of one package to the root of the card, then press reset."


def load_labels(own):
    # labels.txt of the card or of the flash; without one, those of the settings.
    path = first_existing(LABEL_FILES)
    if path:
        try:
            return read_lines(path)
        except OSError as error:
            raise card_trouble(error, path)
    if own:
        return list(own)
    if card_present():  # a card that was pulled still is, until it is mounted again
        raise CardTrouble("labels.txt is missing", PUT_PACKAGE_IN, "", AT_THE_ROOT)
    raise CardTrouble("No SD card", PUT_PACKAGE_IN, "", CARD_FORMAT)


def show_start(title):
    if exists(START_PICTURE):
        try:
            picture = image.Image(START_PICTURE)
            if picture.width() > 0:  # MaixPy gives an empty picture for some broken files
                lcd.display(picture)
                return
        except Exception as error:
            print("maixforge: start picture:", error)
    show_message(title, ["Loading the model ..."], (40, 60, 90))


def model_input(picture, size):
    # The camera writes the KPU's copy of a frame itself; a scaled picture needs a new copy.
    if (picture.width(), picture.height()) == size:
        return picture
    gc.collect()  # of the last one, or the heap is soon in pieces too small for both copies
    small = picture.resize(size[0], size[1])
    small.pix_to_ai()
    return small


def run_kpu(call, net, picture, size):
    # What KPU.forward or KPU.run_yolo2 makes of a picture, and the milliseconds that it took.
    size = tuple(size)
    small = model_input(picture, size)
    started = time.ticks_ms()
    try:
        answer = call(net, small)
    except (ValueError, OSError) as error:
        raise explain_run(error, size)
    return answer, time.ticks_diff(time.ticks_ms(), started)


def tell(error):
    title, paragraphs = explain(error)
    print_trouble(title, paragraphs)
    show_message(title, paragraphs, RED)


def keep_trying(step, *values):
    # Until the card or the camera that a step needs is put right.
    shown = ""
    while True:
        try:
            return step(*values)
        except (CardTrouble, CameraTrouble) as error:
            if error.args[0] != shown:
                shown = error.args[0]
                tell(error)
            if isinstance(error, CardTrouble):
                remount_card()
                wait_for_card(CARD_WAIT_MS)
        time.sleep_ms(1000)


def watch(see):
    # Until the camera fails; pictures per second are smoothed.
    frame, fps = 0, 0.0
    since = time.ticks_ms()
    while True:
        see(take_picture(), frame, fps)
        now = time.ticks_ms()
        last = 1000.0 / max(1, time.ticks_diff(now, since))
        fps = 0.9 * fps + 0.1 * last if frame else last
        since = now
        frame += 1


def run_model(settings, start):
    # start(net, labels) gives see(picture, frame, fps), which is called with every picture.
    try:
        start_screen(settings["board"], settings["rotation"])
        wait_for_card(CARD_WAIT_MS)
        labels = keep_trying(load_labels, settings["labels"])
        show_start(settings["title"])
        net = keep_trying(load_model, settings["model"], settings["flash_address"])
        try:
            see = start(net, labels)
            while True:
                keep_trying(start_camera, settings["window"], settings["mirror"], settings["flip"])
                try:
                    watch(see)
                except CameraTrouble as error:
                    tell(error)
        finally:
            # The model's memory is outside MicroPython's heap: nobody else frees it.
            KPU.deinit(net)
            print("maixforge: model freed")
    except Exception as error:
        tell(error)
        while True:  # were boot.py to end, main.py would paint over the message
            time.sleep_ms(100)
