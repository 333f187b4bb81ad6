# Text that fits the screen. A letter of the built-in font is at most 8 x 12 dots times the scale.
import gc
import image
import lcd

LETTER_WIDTH = 8
LETTER_HEIGHT = 12
BLACK = (0, 0, 0)
WHITE = (255, 255, 255)
GREY = (150, 160, 170)
GREEN = (60, 220, 120)
AMBER = (255, 180, 40)
RED = (200, 30, 40)


def plain(text):
    # The font has ASCII only.
    return "".join([c if " " <= c <= "~" else "?" for c in str(text)])


def fit(text, columns):
    text = plain(text)
    if len(text) <= columns:
        return text
    return text[: columns - 2] + ".." if columns > 2 else text[:columns]


def wrap(text, columns):
    lines = [""]
    for word in plain(text).split(" "):
        while len(word) > columns:
            if lines[-1]:
                lines.append("")
            lines[-1] = word[:columns]
            word = word[columns:]
        if not lines[-1]:
            lines[-1] = word
        elif len(lines[-1]) + 1 + len(word) <= columns:
            lines[-1] += " " + word
        else:
            lines.append(word)
    return lines


def visible_part(width, height):
    # The part of a centred picture of that size which the screen shows: x, y, width, height.
    w = min(width, lcd.width())
    h = min(height, lcd.height())
    return (width - w) // 2, (height - h) // 2, w, h


def message_rows(paragraphs, columns):
    rows = []
    for text in paragraphs:
        rows += wrap(text, columns) if text else [""]
    return rows


def head_rows(title, width, height):
    # The title as rows and their scale: large when it fits in one row (two on a high screen).
    large = wrap(title, (width - 12) // (2 * LETTER_WIDTH))
    if len(large) <= (2 if height >= 160 else 1):
        return large, 2
    return wrap(title, (width - 12) // LETTER_WIDTH)[:2], 1


def show_message(title, paragraphs, colour):
    # A page of text: a coloured head with the title, then the paragraphs, wrapped and cut to fit.
    # It is shown strip by strip: a whole page is a third of the heap and may not be free.
    gc.collect()
    lcd.clear(lcd.BLACK)
    width, height = lcd.width(), lcd.height()
    heads, scale = head_rows(title, width, height)
    line = (LETTER_HEIGHT + 1) * scale
    y = line * len(heads) + 5
    head = image.Image(size=(width, y))
    head.draw_rectangle(0, 0, width, y, color=colour, fill=True)
    for number, row in enumerate(heads):
        head.draw_string(6, 3 + line * number, row, color=WHITE, scale=scale, mono_space=1)
    lcd.display(head, oft=(0, 0))
    del head
    gc.collect()
    strip = image.Image(size=(width, LETTER_HEIGHT + 2))
    y += 6
    for row in message_rows(paragraphs, (width - 12) // LETTER_WIDTH):
        if y + LETTER_HEIGHT + 2 > height:
            break
        if row:
            strip.draw_rectangle(0, 0, width, LETTER_HEIGHT + 2, color=BLACK, fill=True)
            strip.draw_string(6, 0, row, color=WHITE, scale=1, mono_space=1)
            lcd.display(strip, oft=(0, y))
        y += LETTER_HEIGHT + 2 if row else 6
