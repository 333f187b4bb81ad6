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


class Strip:
    # Lines of text anywhere on the screen, by one small picture that is made once.
    def __init__(self, width, height):
        self.picture = image.Image(size=(width, height))

    def show(self, x, y, parts, paper=BLACK, fill=0, colour=GREEN):
        # parts: (x, y, text, colour, scale) inside the strip. fill: dots of a bar from the left.
        width, height = self.picture.width(), self.picture.height()
        self.picture.draw_rectangle(0, 0, width, height, color=paper, fill=True)
        if fill > 0:
            self.picture.draw_rectangle(0, 0, min(fill, width), height, color=colour, fill=True)
        for left, top, text, ink, scale in parts:
            if text:
                self.picture.draw_string(left, top, text, color=ink, scale=scale, mono_space=1)
        lcd.display(self.picture, oft=(x, y))


def draw_line(picture, y, height, text, ink, paper=BLACK, fill=0, colour=GREEN):
    # One line of text over a frame, in the part of it that the screen shows. Only after saving.
    x, _, width, _ = visible_part(picture.width(), picture.height())
    picture.draw_rectangle(x, y, width, height, color=paper, fill=True)
    if fill > 0:
        picture.draw_rectangle(x, y, min(fill, width), height, color=colour, fill=True)
    text = fit(text, (width - 8) // LETTER_WIDTH)
    top = y + (height - LETTER_HEIGHT) // 2
    picture.draw_string(x + 4, top, text, color=ink, scale=1, mono_space=1)


def show_message(title, paragraphs, colour):
    # A page of text: a coloured head with the title, then the paragraphs, wrapped and cut to fit.
    # It is shown strip by strip: a whole page is a third of the heap and may not be free.
    gc.collect()
    lcd.clear(lcd.BLACK)
    try:
        show_page(title, paragraphs, colour)
    except MemoryError:  # without any picture then
        lcd.draw_string(0, 0, fit(title, lcd.width() // LETTER_WIDTH), lcd.WHITE, lcd.BLACK)


def show_page(title, paragraphs, colour):
    width, height = lcd.width(), lcd.height()
    y = show_head(title, colour) + 6
    rows = message_rows(paragraphs, (width - 12) // (2 * LETTER_WIDTH))
    scale = 2 if width >= 400 and y + 2 * (LETTER_HEIGHT + 2) * len(rows) <= height else 1
    if scale == 1:
        rows = message_rows(paragraphs, (width - 12) // LETTER_WIDTH)
    line = (LETTER_HEIGHT + 2) * scale
    strip = Strip(width, line)
    for row in rows:
        if y + line > height:
            break
        if row:
            strip.show(0, y, ((6, 0, row, WHITE, scale),))
        y += line if row else 6 * scale


def show_head(title, colour):
    # The coloured head of a page; returns its height.
    heads, scale = head_rows(title, lcd.width(), lcd.height())
    line = (LETTER_HEIGHT + 1) * scale
    height = line * len(heads) + 5
    parts = [(6, 3 + line * n, row, WHITE, scale) for n, row in enumerate(heads)]
    Strip(lcd.width(), height).show(0, 0, parts, colour)
    gc.collect()
    return height
