# The live picture and the rows of text beside or below it, on screens of any size.
import gc
import lcd
from kit.screen import AMBER, BLACK, GREEN, GREY, RED, WHITE
from kit.screen import LETTER_HEIGHT, LETTER_WIDTH, Strip, fit
from kit.storage import SPARE, size_text

LOW_SPACE = 4 << 20


class View:
    # Picture and panel never overlap; a row of the panel is sent only when it changed.
    def __init__(self, size, hints):
        width, height = lcd.width(), lcd.height()
        self.size = fit_size(size, width, height)
        self.shrinks = self.size != tuple(size)
        self.hints = hints
        self.hinted = False  # whether they have a row
        w, h = self.size
        if width - w >= 88:
            gap = 16 if width - w >= 200 else 0
            self.at = gap, (height - h) // 2
            self.panel = w + 2 * gap, 0, width - w - 2 * gap, height
        else:
            self.at = (width - w) // 2, 0
            self.panel = 0, h, width, height - h
        self.strips = {}
        self.rows = {}
        self.light = self.sharp = self.best = self.frame = 0

    def forget(self):
        # Something else was on the screen.
        self.release()
        lcd.clear(lcd.BLACK)

    def release(self):
        # Before another page: its memory is wanted, and the rows have to be sent again.
        self.strips = {}
        self.rows = {}
        gc.collect()

    # The picture

    def shrink(self, picture):
        return picture.resize(self.size[0], self.size[1]) if self.shrinks else picture

    def show(self, picture):
        if self.panel[3] < 28:  # no room for rows: over the picture
            self.draw_hints(picture)
        lcd.display(picture, oft=self.at)

    def draw_hints(self, picture):
        width, height = self.size
        text, colour = self.light_text()
        if colour == AMBER:
            picture.draw_string(4, 4, text, color=AMBER, scale=1, mono_space=1)
        bar = width * self.sharp // 100
        if bar > 0:
            picture.draw_rectangle(0, height - 3, bar, 3, color=GREEN, fill=True)

    def in_picture(self, x, y):
        left, top = self.at
        return left <= x < left + self.size[0] and top <= y < top + self.size[1]

    def in_upper_panel(self, x, y):
        return y < self.panel[1] + self.panel[3] // 2

    def new_focus(self):
        self.best = 0

    def measure(self, picture):
        # Brightness (0 to 255) and sharpness from 64 places: cheap, and in the smallest firmware.
        # Sharpness is only compared with the best of the last seconds.
        self.frame += 1
        if self.shrinks or self.frame % 8 == 0:
            gc.collect()  # while little has to be looked at, and before the heap is in pieces
        if self.frame % 4 != 1:
            return
        width, height = picture.width(), picture.height()
        light = sharp = 0
        for y in range(height // 16, height, height // 8):
            for x in range(width // 16, width - 2, width // 8):
                r, g, b = picture.get_pixel(x, y)
                light += r + 2 * g + b
                step = g - picture.get_pixel(x + 2, y)[1]
                sharp += step * step
        self.light = light // 256
        self.best = max(self.best * 49 // 50, sharp, 1)
        self.sharp = sharp * 100 // self.best

    def light_text(self):
        if self.light < 40:
            return "too dark", AMBER
        return ("too bright", AMBER) if self.light > 215 else ("light ok", GREY)

    # The rows

    def status(self, card):
        if self.panel[3] < 28:
            return self.one_line(card)
        if self.panel[3] < 105 and self.panel[2] >= 200:
            return self.wide(card)
        return self.tall(card)

    def row(self, y, height, parts, fill=0):
        if self.rows.get(y) == (parts, fill):
            return
        self.rows[y] = parts, fill
        if height not in self.strips:
            self.strips[height] = Strip(self.panel[2], height)
        self.strips[height].show(self.panel[0], self.panel[1] + y, parts, BLACK, fill, (30, 80, 60))

    def free_text(self, card):
        colour = RED if card.free < SPARE else AMBER if card.free < LOW_SPACE else GREY
        return "FULL" if card.free < SPARE else size_text(card.free) + " free", colour

    def to_go(self, card):
        missing = card.missing()
        return ("%d to go" % missing, AMBER) if missing else ("enough", GREEN)

    def right(self, text, scale=1):
        return self.panel[2] - 4 - len(text) * LETTER_WIDTH * scale

    def one_line(self, card):
        free, free_colour = self.free_text(card)
        to_go, colour = self.to_go(card)
        free = free.replace(" free", "").replace(" ", "")
        at = self.right(free)
        parts = [(at, 2, free, free_colour, 1)]
        at -= (len(to_go) + 1) * LETTER_WIDTH
        parts.append((at, 2, to_go, colour, 1))
        count = "%d" % card.pictures()
        at -= (len(count) + 1) * LETTER_WIDTH
        parts.append((at, 2, count, WHITE, 1))
        label = fit(card.label(), (at - 8) // LETTER_WIDTH)
        parts.append((4, 2, label, WHITE, 1))
        self.row(0, 16, tuple(parts))

    def wide(self, card):
        free, free_colour = self.free_text(card)
        to_go, colour = self.to_go(card)
        light, light_colour = self.light_text()
        count = "%d" % card.pictures()
        columns = (self.right(count, 2) - 12) // LETTER_WIDTH
        scale = 2 if len(card.label()) * 2 <= columns else 1
        label = fit(card.label(), columns)
        parts = (4, 2, label, WHITE, scale), (self.right(count, 2), 2, count, colour, 2)
        self.row(0, 28, parts)
        self.row(28, 16, ((4, 2, to_go, colour, 1), (self.right(free), 2, free, free_colour, 1)))
        place = "class %d/%d" % (card.at + 1, len(card.classes))
        self.row(44, 16, ((4, 2, light, light_colour, 1), (self.right(place), 2, place, GREY, 1)))
        bar = self.panel[2] * self.sharp // 100
        self.row(60, 16, ((4, 2, "focus", GREY, 1),), bar)
        if self.panel[3] >= 92:
            self.hinted = True
            text = fit("  ".join(self.hints), (self.panel[2] - 8) // LETTER_WIDTH)
            self.row(76, 16, ((4, 2, text, GREY, 1),))

    def tall(self, card):
        # Top down; a low panel has no hints, and then no number of the class.
        x, _, width, height = self.panel
        scale = 2 if width >= 200 and height >= 234 else 1
        line = (LETTER_HEIGHT + 1) * scale + (1 if scale == 1 else 0)
        columns = (width - 6) // (LETTER_WIDTH * scale)
        y = 4 if height >= 200 else 0
        self.row(y, 2 * line, self.title(card.label(), columns, scale, line))
        y += 2 * line
        if height >= 9 * line:
            text = "class %d/%d" % (card.at + 1, len(card.classes))
            self.row(y, line, ((4, 1, fit(text, columns), GREY, scale),))
            y += line
        to_go, colour = self.to_go(card)
        count = "%d" % card.pictures()
        self.row(y, 2 * line, ((4, scale, count, colour, 2 * scale),))
        self.row(y + 2 * line, line, ((4, 1, to_go, colour, scale),))
        y += 3 * line
        for text, ink in (self.free_text(card), self.light_text()):
            if y + line <= height:
                self.row(y, line, ((4, 1, text, ink, scale),))
            y += line
        if y + line <= height:
            self.row(y, line, ((4, 1, "focus", GREY, scale),), width * self.sharp // 100)
        y = height - 14 * len(self.hints) - 2
        if y >= 9 * line:
            self.hinted = True
            for text in self.hints:
                self.row(y, 14, ((4, 1, fit(text, (width - 6) // LETTER_WIDTH), GREY, 1),))
                y += 14

    def title(self, label, columns, scale, line):
        # A short name is large, a long one has two rows.
        if 2 * len(label) <= columns:
            return ((4, scale, label, WHITE, 2 * scale),)
        if len(label) <= columns:
            return ((4, line // 2, label, WHITE, scale),)
        first, rest = label[:columns], fit(label[columns:], columns)
        return (4, 1, first, WHITE, scale), (4, line, rest, WHITE, scale)


def fit_size(size, width, height):
    # The whole picture, made smaller when the screen has not as many dots.
    w, h = size
    if w <= width and h <= height:
        return w, h
    if w * height >= h * width:
        return width, h * width // w
    return w * height // h, height
