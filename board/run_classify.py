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
#   labels         names of the classes, used when there is no labels.txt
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
    "labels": (),
    "threshold": 0.5,
    "board": "",
    "rotation": None,
    "mirror": False,
    "flip": False,
    "json": True,
    "title": "MaixForge",
}

import KPU
import lcd
import ujson
from kit.model import SAME_PACKAGE, run_kpu, run_model
from kit.screen import AMBER, BLACK, GREEN, GREY, WHITE, fit, visible_part
from kit.trouble import Trouble


def classify(net, picture, labels):
    # Index and score of the best class, and the milliseconds that the KPU took.
    output, ms = run_kpu(KPU.forward, net, picture, SETTINGS["input"])
    scores = output[:]
    if len(scores) != len(labels):
        said = "There are %d labels, the model has %d classes." % (len(labels), len(scores))
        raise Trouble("Labels do not fit", said, "", SAME_PACKAGE)
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


def start(net, labels):
    def see(picture, frame, fps):
        index, score, ms = classify(net, picture, labels)
        draw_result(picture, labels[index], score, ms, fps)
        lcd.display(picture)
        if SETTINGS["json"]:
            print_result(frame, index, labels[index], score, ms, fps)

    return see


try:
    run_model(SETTINGS, start)
except KeyboardInterrupt:
    print("maixforge: stopped")
