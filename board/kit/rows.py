# The rows of text beside the picture, and what a finger does; `it` is the box collector.
import time
from kit.desk import COAL, FAINT, INK, NIGHT, SLATE, SUN
from kit.screen import GREEN
from kit.storage import size_text
from kit.wheel import MODES

REACH = 14  # pixels a finger may be away from a corner


def words(text, columns):
    # As many whole words as there is room for.
    while len(text) > columns or text.endswith(":"):
        text = text[: text.rfind(" ")]
    return text


def live_rows(it, wanted):
    state = "%d pictures" % it.pairs.pictures
    ink = INK
    if it.noted and time.ticks_diff(time.ticks_ms(), it.noted_ms) < 2000:
        state, ink = it.noted, GREEN
    if it.touch.driver:
        help = ["touch: take"]
    elif len(it.names) > 1:
        help = [it.names["enter"] + " take", it.names["next"] + " menu"]
    else:
        help = ["tap: take", "hold: menu"]
    if it.desk.rows < 3:
        text = state.replace("pictures", "pics") + " " + " ".join(help)
        return [(words(text, it.desk.columns), ink, SLATE)]
    rows = [(it.name, INK, SLATE), (state, ink, NIGHT)]
    rows += [(row, SUN, NIGHT) for row in help]
    room = max(0, it.desk.rows - len(rows) - 1)
    for label in it.labels[:room]:
        count = "%d/%d" % (it.pairs.counts.get(label, 0), wanted)
        space = it.desk.columns - len(count) - 1
        text = label[:space] + " " * (it.desk.columns - len(label[:space]) - len(count))
        rows.append((text + count, it.colours[label], NIGHT))
    rows.append((size_text(it.free) + " free", FAINT, NIGHT))
    return rows


def edit_rows(it):
    desk, boxes, mode = it.desk, it.boxes, MODES[it.wheel.mode]
    help = it.wheel.help(it.names)
    if desk.rows < 3:
        return [(words(mode + " " + " ".join(help), desk.columns), SUN, SLATE)]
    rows = [("drag a box", INK, NIGHT)] if it.touch.driver else []
    if desk.rows >= len(MODES) + 6 + it.desk.touch:
        for name in MODES:
            here = name == mode
            rows.append((name, COAL if here else FAINT, SUN if here else NIGHT))
    else:
        rows.append((mode, COAL, SUN))
    if desk.rows > len(MODES) + 6:
        rows.append(("", INK, NIGHT))
    rows += [(row, SUN, NIGHT) for row in help]
    box = boxes.box()
    if box:
        left, top, right, bottom, label, _ = box
        rows += [
            (label, it.colours[label], NIGHT),
            ("box %d/%d" % (boxes.active + 1, len(boxes.items)), INK, NIGHT),
            ("%dx%d" % (right - left + 1, bottom - top + 1), FAINT, NIGHT),
            ("at %d,%d" % (left + 1, top + 1), FAINT, NIGHT),
        ]
    else:
        rows.append(("no box", INK, NIGHT))
    return rows


def on_finger(it, what, x, y):
    boxes = it.boxes
    if what == "touch":
        it.button = it.desk.button(x, y)
        it.pull = None
        it.start = it.desk.pixel(x, y)
        return False
    if it.button:
        if what == "up":
            it.do(it.button)
        return what == "up"
    x, y = it.desk.pixel(x, y)
    far = max(abs(x - it.start[0]), abs(y - it.start[1])) >= boxes.least
    if it.pull is None and far:
        # A drag: a corner of this box is moved, or a new box begins.
        boxes.remember()
        it.pull = boxes.opposite_corner(it.start[0], it.start[1], REACH)
        if not it.pull:
            it.pull = it.start
            if not boxes.items or boxes.box()[5]:
                boxes.add(it.label)
    if it.pull:
        boxes.stretch(it.pull[0], it.pull[1], x, y)
        return True
    if what == "up":
        index = boxes.touched(x, y)
        boxes.active = index if index >= 0 else boxes.active
    return what == "up"
