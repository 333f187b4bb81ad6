# MaixPy's lcd module: a panel that the host keeps and photographs after every change.
from image import check_text, swapped565
from machinery import ask, machine, measure_heap, now_ms, only, refuse, tick, whole

# Byte-swapped RGB565, as the driver's header has them.
BLACK, WHITE, RED, GREEN, BLUE, YELLOW, PINK = 0, 0xFFFF, 0x00F8, 0xE007, 0x1F00, 0xE0FF, 0x1FF8
_state = {"on": False, "rotation": 0, "size": (320, 240)}


def init(
    type=1,
    freq=15000000,
    color=0,
    width=None,
    height=None,
    invert=0,
    offset_w0=0,
    offset_h0=0,
    offset_w1=0,
    offset_h1=0,
    rst=37,
    dcx=38,
    ss=36,
    clk=39,
    lcd_type=0,
):
    panel = machine.config["panel"]
    if type not in (0, 1, 2, 3, 4, 5):
        raise ValueError("type error")
    if (type == 3) != (panel["kind"] == "m5stickv"):
        refuse("lcd.init(type=%d) leaves the screen of this board dark" % type)
    default = (240, 135) if panel["kind"] == "m5stickv" else (320, 240)
    size = (width or default[0], height or default[1])
    if panel["in_config"]:  # config.json "lcd" wins over the keywords
        size = tuple(panel["size"])
    else:
        given = {"lcd_type": lcd_type, "invert": invert}
        for name, value in panel["keywords"].items():
            if given[name] != value:
                refuse("lcd.init(%s=%d) shows wrong colours or nothing here" % (name, given[name]))
    if size != tuple(panel["size"]):
        refuse("lcd.init for %dx%d, the panel has %dx%d" % (size + tuple(panel["size"])))
    _state.update(on=True, rotation=0, size=size)
    ask("panel", {"ms": now_ms(), "size": size, "color": 0})


def deinit():
    _state["on"] = False


def width():
    return _state["size"][_state["rotation"] & 1] if _state["on"] else None


def height():
    return _state["size"][1 - (_state["rotation"] & 1)] if _state["on"] else None


def rotation(*value):
    if value:
        if not 0 <= value[0] <= 3:
            raise ValueError("value:[0,3]")
        _state["rotation"] = value[0]
        ask("panel", {"ms": now_ms(), "size": [width(), height()], "color": 0})
    return _state["rotation"]


def mirror(on):
    if not on:
        refuse("lcd.mirror() only ever switches on")


def clear(*color, **keywords):
    only(keywords, (), "lcd.clear (the firmware ignores color=)")
    colour = swapped565(color[0]) if color else 0
    ask("panel", {"ms": now_ms(), "size": [width(), height()], "color": colour})


def centred(outer, inner):
    # C's division: towards zero, so a larger picture loses the smaller half first.
    return (outer - inner) // 2 if outer >= inner else -((inner - outer) // 2)


def display(img, roi=None, oft=None):
    if not _state["on"]:
        refuse("lcd.display before lcd.init")
    if not img.w:
        refuse("lcd.display of an empty picture")
    if roi is not None:
        refuse("the virtual board does not know roi=")
    tick(machine.config["display_ms"])
    measure_heap()
    if oft is None:
        left, top = centred(width(), img.w), centred(height(), img.h)
    else:
        left, top = whole(oft[0], "oft"), whole(oft[1], "oft")
        if left < 0 or top < 0 or left + img.w > width() or top + img.h > height():
            refuse("%dx%d at %d,%d is off the screen" % (img.w, img.h, left, top))
    for x, y, w, h, text in img.texts:
        if x + left < 0 or y + top < 0 or x + left + w > width() or y + top + h > height():
            refuse("text off the screen: %r" % text)
    texts = [[x + left, y + top, w, h, text] for x, y, w, h, text in img.texts]
    facts = {"ms": now_ms(), "size": [img.w, img.h], "at": [left, top], "texts": texts}
    facts["pad"] = oft is None
    ask("display", facts, img.data if machine.config["keep_pictures"] else b"")


def draw_string(x, y, text, fc=RED, bc=BLACK):
    check_text(text)
    if not text or x >= width() or y > width() - 16 or x + 8 * len(text) > width():
        refuse("lcd.draw_string off the screen or empty leaks its memory: %r" % text)
    if y + 16 > height():
        refuse("text off the screen: %r" % text)
    facts = {"ms": now_ms(), "at": [whole(x, "x"), whole(y, "y")], "text": text}
    facts["colors"] = [swapped565(fc), swapped565(bc)]
    ask("text", facts)
