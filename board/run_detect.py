# MaixForge detector for stock MaixPy v1 on a K210 board.
#
# Copy all files of the package to the root of the SD card; this one must be called boot.py.
# The board then draws a box around what it knows. Press Ctrl-C in a serial terminal to stop.
#
# What you may change:
#   model          file of the model; when it is missing, the flash address is used
#   flash_address  where a kfpkg put the model
#   input          width and height of the picture that the model was trained on
#   window         part of the 320x240 camera picture that is used; scaled when it is not `input`
#   labels         names of the classes, used when there is no labels.txt
#   anchors        five widths and heights of boxes, in grid cells, as the model was trained
#   threshold      a box with a lower score is not shown (0 to 1); the firmware has room for ten
#   nms            of two boxes of a class that overlap by more, the better one stays (0 to 1)
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
    "anchors": (1.0, 1.0, 2.0, 2.0, 3.0, 3.0, 4.0, 4.0, 5.0, 5.0),
    "threshold": 0.5,
    "nms": 0.3,
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
from kit.screen import AMBER, BLACK, GREEN, GREY, LETTER_HEIGHT, LETTER_WIDTH
from kit.screen import fit, visible_part
from kit.trouble import Trouble

ANCHORS = 5
ROOM = 10  # boxes that the firmware has memory for; it writes those beyond it all the same
STRIDES = (32, 16, 8, 64)  # pixels of the input in a grid cell, the usual one first
FOOT = 16
COLOURS = (
    GREEN, (255, 120, 100), (90, 190, 255), (255, 220, 60),
    (230, 130, 255), (90, 240, 230), (255, 170, 210), (200, 255, 120),
)


def set_region(net):
    # Only once: each init_yolo2 takes memory that is freed with the model.
    anchors = SETTINGS["anchors"]
    try:
        KPU.init_yolo2(net, SETTINGS["threshold"], SETTINGS["nms"], ANCHORS, anchors)
    except (TypeError, ValueError) as error:
        wanted = "threshold and nms are from 0 to 1, anchors are 10 numbers."
        raise Trouble("Settings in boot.py", wanted, "", "KPU says: %s" % error)


def check_head(net, picture, count):
    # run_yolo2 checks nothing: the size of the output tells how many classes it will look for.
    output, _ = run_kpu(KPU.forward, net, picture, SETTINGS["input"])
    values = output.size() // 4 if isinstance(output[0], float) else 0
    width, height = SETTINGS["input"]
    found = []
    for stride in STRIDES:
        for more in (0, stride - 1):  # odd maps are halved downwards on the KPU, else upwards
            boxes = ANCHORS * ((width + more) // stride) * ((height + more) // stride)
            if values % boxes == 0 and values > 5 * boxes:
                found.append(values // boxes - 5)
    if count in found:
        return
    if not found:
        raise Trouble("Model finds no boxes", "m.kmodel is no detector.", "", SAME_PACKAGE)
    said = "There are %d labels, the model has %d classes." % (count, found[0])
    raise Trouble("Labels do not fit", said, "", SAME_PACKAGE)


def detect(net, picture, labels):
    # What the model sees, [(class, score, (x, y, w, h)), ...] in pixels of the picture, and the ms.
    found, ms = run_kpu(KPU.run_yolo2, net, picture, SETTINGS["input"])
    if found and len(found) > ROOM:
        advice = "The firmware has room for 10. Raise threshold in boot.py, then press reset."
        raise Trouble("Too many objects", advice)
    boxes = []
    for one in found or ():
        if one.classid() >= len(labels):
            said = "The model saw class %d." % one.classid()
            raise Trouble("Labels do not fit", said, "", SAME_PACKAGE)
        box = in_picture(one.rect(), picture.width(), picture.height())
        if box:
            boxes.append((one.classid(), one.value(), box))
    return boxes, ms


def in_picture(rect, width, height):
    # The firmware's boxes are pixels of the model's input, and may reach out of it.
    wide, high = SETTINGS["input"]
    left, right = span(rect[0], rect[2], width, wide)
    top, bottom = span(rect[1], rect[3], height, high)
    return (left, top, right - left, bottom - top) if right > left and bottom > top else None


def span(at, length, shown, size):
    # Scaled and cut; at least one pixel of what begins inside.
    first = max(at, 0) * shown // size
    return first, min(max((at + length) * shown // size, first + 1), shown)


def draw_box(picture, area, colour, label, score, box):
    # The box and a label above it, or in it where there is no room; all inside what is shown.
    x, y, width, height = area
    left, top, wide, high = box
    picture.draw_rectangle(left, top, wide, high, color=colour)
    if min(wide, high) > 4:  # a second line inside: thickness= would also draw outside
        picture.draw_rectangle(left + 1, top + 1, wide - 2, high - 2, color=colour)
    text = " %d%%" % int(score * 100 + 0.5)
    text = fit(label, (width - 8) // LETTER_WIDTH - len(text)) + text
    space, line = len(text) * LETTER_WIDTH + 4, LETTER_HEIGHT + 2
    text_x = min(max(left, x + 2), x + width - space - 2)
    text_y = min(max(top - line if top - line > y else top, y + 2), y + height - FOOT - line)
    picture.draw_rectangle(text_x, text_y, space, line, color=colour, fill=True)
    picture.draw_string(text_x + 2, text_y + 1, text, color=BLACK, scale=1, mono_space=1)


def draw_result(picture, boxes, labels, ms, fps):
    # Drawn into the frame buffer after the KPU has read it.
    x, y, width, height = area = visible_part(picture.width(), picture.height())
    for index, score, box in boxes:
        draw_box(picture, area, COLOURS[index % len(COLOURS)], labels[index], score, box)
    bottom = y + height - FOOT
    picture.draw_rectangle(x, bottom, width, FOOT, color=BLACK, fill=True)
    full = len(boxes) >= ROOM
    text = "%d ms  %.1f fps  %d%s" % (ms, fps, len(boxes), " = full" if full else " found")
    picture.draw_string(
        x + 6, bottom + 2, fit(text, (width - 12) // LETTER_WIDTH), color=AMBER if full else GREY,
        scale=1, mono_space=1,
    )


def print_result(frame, boxes, labels, ms, fps):
    found = []
    for index, score, box in boxes:
        values = (index, ujson.dumps(labels[index]), score) + box
        found.append('{"index":%d,"label":%s,"score":%.4f,"box":[%d,%d,%d,%d]}' % values)
    values = (frame, ",".join(found), ms, fps)
    print('{"frame":%d,"objects":[%s],"ms":%d,"fps":%.1f}' % values)


def start(net, labels):
    set_region(net)

    def see(picture, frame, fps):
        if frame == 0:
            check_head(net, picture, len(labels))
        boxes, ms = detect(net, picture, labels)
        draw_result(picture, boxes, labels, ms, fps)
        lcd.display(picture)
        if SETTINGS["json"]:
            print_result(frame, boxes, labels, ms, fps)

    return see


try:
    run_model(SETTINGS, start)
except KeyboardInterrupt:
    print("maixforge: stopped")
