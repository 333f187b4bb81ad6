# The screen of the box collector: the picture as large as it fits, text beside or below it.
import gc
import image
import lcd

ROW = 14  # dots of one row of text
BUTTON = 40  # dots of a button for a finger
COLOURS = (
    (60, 220, 120), (255, 180, 40), (80, 170, 255), (255, 90, 160), (180, 140, 255), (240, 240, 80),
)
INK = (235, 240, 245)
FAINT = (150, 160, 170)
NIGHT = (0, 0, 0)
COAL = (24, 24, 32)
SLATE = (45, 60, 80)
SUN = (255, 180, 40)


def lay_out(width, height, w, h):
    # Where a picture of w x h goes on a screen: x, y, w, h of the picture, then of the text.
    # Without a place for text beside or below it, the text is one row over the picture (height
    # 0). It is never enlarged, and only made smaller when the screen is smaller.
    if width - w >= 88 and h <= height:
        gap = 16 if width - w >= 200 else 0
        return gap, (height - h) // 2, w, h, w + 2 * gap, 0, width - w - 2 * gap, height
    if w <= width and h <= height:
        room = height - h if height - h >= ROW else 0
        return (width - w) // 2, 0 if room else (height - h) // 2, w, h, 0, h, width, room
    beside = min((width - 96) * 1000 // w, height * 1000 // h)
    below = min(width * 1000 // w, (height - ROW) * 1000 // h)
    scale = max(beside, below)
    w, h = w * scale // 1000, h * scale // 1000
    if beside >= below:
        return 0, (height - h) // 2, w, h, w, 0, width - w, height
    return (width - w) // 2, 0, w, h, 0, h, width, height - h


class Desk:
    def __init__(self, w, h, touch):
        self.size = (w, h)
        place = lay_out(lcd.width(), lcd.height(), w, h)
        self.x, self.y, self.w, self.h, self.text_x, self.text_y, self.text_w, text_h = place
        self.letter = 2 if self.text_w >= 200 and text_h >= 300 else 1
        self.row = ROW * self.letter
        self.columns = (self.text_w - 4) // (8 * self.letter)
        # With a touch screen buttons take the lower part of a column of text.
        self.touch = touch and self.text_y == 0
        self.text_h = text_h
        self.buttons = ()
        self.rows = max(1, text_h // self.row)
        self.over = text_h == 0
        self.caption = None
        if self.over:
            self.columns = (self.w - 4) // 8
        else:
            self.strip = image.Image(size=(self.text_w, self.row))
        self.shown = {}
        self.keep_room()

    def keep_room(self):
        # resize() needs memory in one piece for each picture: this piece is kept free for it.
        if self.smaller():
            gc.collect()
            self.room = bytearray(self.w * self.h * 2 + 256)

    def made_smaller(self, picture):
        self.room = None
        gc.collect()
        return picture.resize(self.w, self.h)

    def clear(self, buttons=None):
        lcd.clear(lcd.BLACK)
        self.shown = {}
        if buttons is not None and self.touch:
            self.buttons = buttons
            self.rows = (self.text_h - BUTTON * len(buttons)) // self.row

    def smaller(self):
        return (self.w, self.h) != self.size

    def picture(self, picture):
        self.send_picture(picture)
        self.keep_room()

    def send_picture(self, picture):
        if self.smaller():
            picture = self.made_smaller(picture)
        self.send(picture, self.h - ROW)

    def send(self, frame, caption_y):
        if self.over and self.caption:
            text, ink, ground = self.caption
            frame.draw_rectangle(0, caption_y, self.w, ROW, color=ground, fill=True)
            frame.draw_string(
                4, caption_y + 1, text[: self.columns], color=ink, scale=1, mono_space=1
            )
        lcd.display(frame, oft=(self.x, self.y))

    def at(self, value, size, part):
        # A pixel of the picture as a dot of what is shown of it.
        return value * part // size

    def boxes(self, *what):
        self.send_boxes(*what)
        self.keep_room()

    def send_boxes(self, clean, frame, boxes, colours, edge):
        # The clean picture with its boxes over it; `frame` is written over when nothing must be
        # made smaller. The lines lie inside of the boxes: their outermost dots are the box.
        if self.smaller():
            frame = self.made_smaller(clean)
        else:
            frame.draw_image(clean, 0, 0)
        for index, box in enumerate(boxes.items):
            x, y = self.at(box[0], self.size[0], self.w), self.at(box[1], self.size[1], self.h)
            w = self.at(box[2] + 1, self.size[0], self.w) - x
            h = self.at(box[3] + 1, self.size[1], self.h) - y
            frame.draw_rectangle(x, y, w, h, color=colours[box[4]])
            if index == boxes.active:
                if w > 4 and h > 4:
                    frame.draw_rectangle(x + 1, y + 1, w - 2, h - 2, color=NIGHT)
                for side in edge:
                    draw_edge(frame, side, x, y, w, h)
            name = box[4][: max(0, w - 8) // 8]
            if name and h >= 20:
                frame.draw_string(x + 5, y + 5, name, color=COAL, scale=1, mono_space=1)
                frame.draw_string(x + 4, y + 4, name, color=colours[box[4]], scale=1, mono_space=1)
        self.send(frame, 0 if 3 in edge and 1 not in edge else self.h - ROW)

    def write(self, rows):
        # Rows of (text, ink, ground); only those that changed are sent to the screen. To be
        # called before the picture is sent, which may have to carry the only row.
        if self.over:
            self.caption = rows[0]
            return
        rows = rows[: self.rows]
        for number in range(self.rows):
            row = rows[number] if number < len(rows) else ("", INK, NIGHT)
            if self.shown.get(number, ("", INK, NIGHT)) == row:
                continue
            self.shown[number] = row
            text, ink, ground = row
            self.strip.draw_rectangle(0, 0, self.text_w, self.row, color=ground, fill=True)
            if text:
                self.strip.draw_string(
                    4, self.letter, text[: self.columns], color=ink, scale=self.letter, mono_space=1
                )
            lcd.display(self.strip, oft=(self.text_x, self.text_y + number * self.row))

        if self.buttons and "buttons" not in self.shown:
            self.draw_buttons()

    def draw_buttons(self):
        self.shown["buttons"] = True
        y = self.text_h - BUTTON * len(self.buttons)
        for text in self.buttons:
            button = image.Image(size=(self.text_w, BUTTON))
            button.draw_rectangle(2, 2, self.text_w - 4, BUTTON - 4, color=SLATE, fill=True)
            x = (self.text_w - 8 * self.letter * len(text)) // 2
            top = BUTTON // 2 - 6 * self.letter
            button.draw_string(x, top, text, color=INK, scale=self.letter, mono_space=1)
            lcd.display(button, oft=(self.text_x, y))
            y += BUTTON

    def button(self, x, y):
        # The button at a dot of the screen, "" for none.
        number = len(self.buttons) - 1 - (self.text_h - 1 - y) // BUTTON
        return self.buttons[number] if x >= self.text_x and number >= 0 and self.buttons else ""

    def pixel(self, x, y):
        # The picture's pixel at a dot of the screen, which may be off the picture.
        return (x - self.x) * self.size[0] // self.w, (y - self.y) * self.size[1] // self.h


def draw_edge(frame, side, x, y, w, h):
    # The edge that moves is thick: left, top, right, bottom are 0 to 3.
    if side == 0:
        frame.draw_rectangle(x, y, 3, h, color=SUN, fill=True)
    elif side == 1:
        frame.draw_rectangle(x, y, w, 3, color=SUN, fill=True)
    elif side == 2:
        frame.draw_rectangle(x + w - 3, y, 3, h, color=SUN, fill=True)
    else:
        frame.draw_rectangle(x, y + h - 3, w, 3, color=SUN, fill=True)
