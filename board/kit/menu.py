# A list on the screen to choose from, with one key, with more, or with a finger.
import lcd
import time
from kit.screen import AMBER, BLACK, GREY, WHITE
from kit.screen import LETTER_HEIGHT, LETTER_WIDTH, Strip, fit, show_head

MENU_HEAD = (40, 60, 90)
MENU_STEPS = {"next": 1, "back": -1}


def menu_hint(keys, columns):
    words = "short: down", "long: OK"
    if keys.has("next"):
        words = keys.names["next"] + ": down", keys.names["enter"] + ": OK"
    both = "  ".join(words)
    return both if len(both) <= columns else " ".join(words)


def menu_scale():
    return 2 if lcd.width() >= 400 else 1


def draw_menu(strip, top, rows, items, chosen, shown, keys):
    # Draws what is not shown yet; returns the number of the uppermost item.
    scale = menu_scale()
    high = strip.picture.height()
    first = max(0, min(chosen - rows // 2, len(items) - rows))
    columns = (lcd.width() - 16) // (LETTER_WIDTH * scale)
    for row in range(rows):
        number = first + row
        text = fit(items[number], columns) if number < len(items) else ""
        here = number == chosen
        if shown.get(row) == (text, here):
            continue
        shown[row] = text, here
        ink, paper = (BLACK, AMBER) if here else (WHITE, BLACK)
        strip.show(0, top + row * high, ((8, 3, text, ink, scale),), paper)
        keys.watch(time.ticks_ms())
    return first


def choose(title, items, keys, touch=None, chosen=0, limit_ms=0):
    # Index of the item that was chosen; None when "back" was held or nothing came in limit_ms.
    # One key: short goes down the list, long takes the item. More keys: next, back, enter.
    lcd.clear(lcd.BLACK)
    top = show_head(title, MENU_HEAD) + 4
    scale = menu_scale()
    high = 6 + LETTER_HEIGHT * scale
    strip = Strip(lcd.width(), high)
    columns = lcd.width() // (LETTER_WIDTH * scale) - 2
    bottom = lcd.height() - high
    strip.show(0, bottom, ((8, 3, fit(menu_hint(keys, columns), columns), GREY, scale),))
    rows = (bottom - top) // high
    shown = {}
    first = draw_menu(strip, top, rows, items, chosen, shown, keys)
    asked = time.ticks_ms()
    while not limit_ms or time.ticks_diff(time.ticks_ms(), asked) < limit_ms:
        time.sleep_ms(10)
        tap = touch.poll() if touch else None
        if tap and tap[0] == "touch" and top <= tap[2] < top + rows * high:
            number = first + (tap[2] - top) // high
            if number < len(items):
                return number
        event = keys.poll(time.ticks_ms())
        if not event or event[1] == "press":
            continue
        role, kind = event
        step = MENU_STEPS.get(role, 0)
        if role == "back" and kind in ("long", "longer"):
            return None
        if role == "enter" and (keys.has("next") or kind in ("long", "longer")):
            return chosen
        if role == "enter":
            step = 1
        if step:
            chosen = (chosen + step) % len(items)
            first = draw_menu(strip, top, rows, items, chosen, shown, keys)
            asked = time.ticks_ms()
    return None
