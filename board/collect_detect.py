# MaixForge collector of pictures with boxes, for stock MaixPy v1 on a K210 board.
#
# Copy it to the SD card as boot.py, beside classes.txt (one class a line). Take a picture, then
# draw boxes round the things on it with the keys, or with a finger where the board has a touch
# screen. Pictures, Pascal VOC XML and labels.txt go to /sd/maixforge/<name>/.
#
# What you may change:
#   name           of the data set; "" takes it from classes.txt ("# name: ...")
#   classes        how many classes (class1, class2 ...) there are without classes.txt
#   size           width and height of the pictures: (224, 224), (240, 240) or (320, 240); the last
#                  needs more memory than a Cube has left
#   quality        of the JPEG, 1 to 100
#   boxes_wanted   of each class; the screen counts up to it
#   least_box      width and height in pixels that a box has at least
#   board          "" finds it; else "bit", "cube", "amigo_tft", "m5stickv" ...
#   keys           {} finds them; else pins by role: {"enter": 16, "next": 20, "back": 31}
#   rotation       of the screen: None (as usual for the board), 0, 1, 2 or 3
#   mirror, flip   of the camera, left-right and upside-down
#   camera         which one, on boards with two (0 is the usual one)
SETTINGS = {
    "name": "",
    "classes": 5,
    "size": (224, 224),
    "quality": 90,
    "boxes_wanted": 100,
    "least_box": 8,
    "board": "",
    "keys": {},
    "rotation": None,
    "mirror": False,
    "flip": False,
    "camera": 0,
}

import gc
import image
import time
import uos
from kit.boards import key_pins, start_camera, start_screen, take_picture
from kit.boxes import Boxes
from kit.desk import COLOURS, Desk
from kit.keys import Keys, key_names
from kit.menu import choose
from kit.names import clean_name, read_names
from kit.pairs import Pairs
from kit.rows import edit_rows, live_rows, on_finger
from kit.screen import AMBER, GREEN, RED, show_message
from kit.storage import SPARE, card_answers, card_trouble, check_writable, free_bytes
from kit.storage import remount_card, wait_for_card
from kit.touch import Touch
from kit.trouble import CameraTrouble, CardTrouble, explain, print_trouble
from kit.wheel import ADD, MODES, Wheel

CARD_WAIT_MS = 3000
CLASSES = "/sd/classes.txt"
BUTTONS = ("CLASS", "UNDO", "SAVE", "MORE")
NOTHING, OTHER = "Nothing here: save", "Take another picture"


class Collector:
    def __init__(self, board):
        w, h = SETTINGS["size"]
        gc.collect()
        # The only large piece of memory, taken once: the clean picture while boxes are drawn.
        self.clean = image.Image(size=(w, h))
        pins = key_pins(board, SETTINGS["keys"])
        self.names = key_names(board, pins)
        self.keys = Keys(pins, self.names)
        self.touch = Touch(board)
        self.boxes = Boxes(w, h, SETTINGS["least_box"])
        self.desk = Desk(w, h, self.touch.driver is not None)
        self.drawing = False  # a picture waits for its boxes, also after a trouble
        self.last = None  # number of the picture that may be deleted
        self.label = ""
        self.said = []
        self.noted = ""
        self.saving = 0  # number of a picture whose saving failed
        self.again = False

    def poll(self):
        return self.touch.poll() or self.keys.poll(time.ticks_ms())

    # The data set

    def open(self):
        if not wait_for_card(CARD_WAIT_MS):
            raise CardTrouble("No SD card", "Put in a card: FAT32 with an MBR partition table.")
        name, classes, notes = read_names(CLASSES, SETTINGS["classes"])
        name = clean_name(SETTINGS["name"] or name) or "dataset"
        self.pairs = Pairs("/sd/maixforge/" + name)
        self.pairs.open(classes)
        check_writable()
        self.name = name
        self.labels = self.pairs.labels
        self.colours = {}
        for number, label in enumerate(self.labels):
            self.colours[label] = COLOURS[number % len(COLOURS)]
        for box in self.boxes.items:
            self.colours.setdefault(box[4], COLOURS[0])
        if self.label not in self.labels:
            self.label = self.labels[0]
        self.wheel = Wheel(self.boxes, self.labels, len(self.names))
        self.wheel.set(MODES.index("SAVE") if self.saving else 0)
        self.free = free_bytes("/sd")
        rows = notes + self.pairs.leftovers()
        gc.collect()
        for row in rows:
            print("maixforge:", row)
        if rows and rows != self.said:
            self.said = rows
            show_message("Please note", rows + ["", "Press a key."], AMBER)
            self.wait_for_key(8000)

    def ask(self, title, items):
        gc.collect()
        self.let_go(())
        chosen = choose(title, items, self.keys, self.touch)
        self.let_go(tuple(self.names))
        return chosen

    def let_go(self, repeat):
        # The end of the hold that led here means nothing more. Keys in `repeat` may be held for
        # any time.
        self.keys.set_repeat(repeat)
        self.wheel.role = None
        for _, _, button in self.keys.keys:
            button.done = button.down

    def wait_for_key(self, limit_ms):
        # A key or a finger; with 0 as long as it takes.
        started = time.ticks_ms()
        while not limit_ms or time.ticks_diff(time.ticks_ms(), started) < limit_ms:
            if self.a_key():
                return
            time.sleep_ms(20)

    def a_key(self):
        event = self.poll()
        return event and (event[0] == "up" or event[1] in ("short", "long", "longer"))

    def save(self):
        self.saving = self.pairs.next
        self.saved(self.pairs.save(self.clean, SETTINGS["quality"], self.boxes.objects()))

    def saved(self, number):
        self.saving = 0
        self.last = number
        self.drawing = False
        self.free = free_bytes("/sd")
        self.notice("saved %d" % number)
        print("maixforge: saved %s, %d boxes" % (number, len(self.boxes.items)))

    def notice(self, text):
        self.noted = text
        self.noted_ms = time.ticks_ms()

    # The live picture

    def live(self):
        self.desk.clear(("MENU",))
        self.let_go(())
        wants_picture = False
        while True:
            frame = take_picture()
            if wants_picture:
                self.freeze(frame)
                return
            rows = live_rows(self, SETTINGS["boxes_wanted"])
            if self.desk.over:
                self.desk.write(rows)
            self.desk.picture(frame)
            frame = None
            self.desk.write(rows)
            gc.collect()  # often: what lives on then lies together, and large pieces stay free
            event = self.poll()
            if not event:
                self.pairs.count_one()
                continue
            what = self.asked(event)
            if what == "MENU":
                self.live_menu()
                self.desk.clear()
                if self.drawing:
                    return
            wants_picture = what == "take"

    def asked(self, event):
        # "take", "MENU" or "" of a key or a finger while the picture is live.
        if event[0] == "up":
            return self.desk.button(event[1], event[2]) or "take"
        if event[1] in ("long", "longer") or event[1] == "short" and event[0] != "enter":
            return "MENU"
        return "take" if event[1] == "short" else ""

    def live_menu(self):
        items = ["Go on", "Nothing here: take it", "Finish"]
        if self.last:
            items.append("Delete picture %d" % self.last)
        chosen = self.ask("Menu", items)
        if chosen == 1:
            self.freeze(take_picture())
            self.boxes.clear()
            self.save()
        elif chosen == 2:
            self.finish()
        elif chosen == 3:
            self.pairs.delete(self.last)
            self.notice("deleted %d" % self.last)
            self.last = None

    def finish(self):
        rows = ["%d pictures are on the card." % self.pairs.pictures, "You may switch off now."]
        show_message("Finished", rows + ["", "Press a key to go on."], GREEN)
        self.wait_for_key(0)

    # The frozen picture

    def freeze(self, frame):
        if self.free < SPARE:
            raise card_trouble(OSError(28))
        self.saving = 0
        self.clean.draw_image(frame, 0, 0)
        self.frame = frame
        self.boxes.clear()
        self.boxes.history = []
        self.boxes.add(self.label)
        self.wheel.set(0)
        self.drawing = True

    def edit(self):
        self.desk.clear(BUTTONS)
        self.let_go(tuple(self.names))
        self.draw()
        while self.drawing:
            event = self.poll()
            changed = bool(event) and self.on_event(event)
            if self.wheel.role:
                did = self.wheel.held(self.keys.down(self.wheel.role))
                changed = changed or bool(did)
                if did in MODES:
                    self.wheel.role = None
                    self.do(did)
                elif not self.keys.down(self.wheel.role):
                    self.wheel.released()
                    changed = True
            if changed and self.drawing:
                self.draw()
            else:
                time.sleep_ms(10)
        gc.collect()

    def on_event(self, event):
        if event[0] in ("touch", "drag", "up"):
            return on_finger(self, event[0], event[1], event[2])
        if event[1] == "press":
            self.wheel.press(event[0])
        elif event[1] == "short":
            return self.wheel.tap(event[0])
        return False

    def do(self, what):
        boxes = self.boxes
        if what == "SAVE":
            self.save_boxes()
        elif what == "ADD":
            boxes.remember()
            boxes.add(self.label)
            self.wheel.set(0)
        elif what == "MORE":
            self.more()
        elif what == "UNDO":
            boxes.undo()
        elif what == "CLASS" and boxes.items:
            self.wheel.next_class(1)
        if boxes.items:
            self.label = boxes.box()[4]

    def save_boxes(self):
        if not self.boxes.items or [box for box in self.boxes.items if not box[5]]:
            # Nobody drew this box: it is still the whole picture.
            items = ["Draw the box", "Whole picture", NOTHING]
            chosen = self.ask("Box not drawn", items)
            self.desk.clear()
            if chosen == 2:
                self.boxes.clear()
            elif chosen != 1 or not self.boxes.items:
                self.wheel.set(0)
                return
        self.save()

    def more(self):
        items = ["Undo", "Delete this box", "Next box", NOTHING, OTHER, "Go on"]
        chosen = self.ask("More", items)
        boxes = self.boxes
        if chosen == 0:
            boxes.undo()
        elif chosen == 1:
            boxes.remember()
            boxes.drop()
        elif chosen == 2:
            boxes.select(1)
        elif chosen == 3:
            boxes.clear()
            self.save()
        elif chosen == 4:
            self.drawing = False
        self.wheel.set(0 if boxes.items else ADD)
        self.desk.clear()

    def draw(self):
        part = self.wheel.part()
        edge = () if part is None else (part,) if part < 4 else (0, 1, 2, 3)
        rows = edit_rows(self)
        if self.desk.over:
            self.desk.write(rows)
        self.desk.boxes(self.clean, self.frame, self.boxes, self.colours, edge)
        self.desk.write(rows)
        gc.collect()

    def run(self):
        self.open()
        start_camera(SETTINGS["size"], SETTINGS["mirror"], SETTINGS["flip"], SETTINGS["camera"])
        if self.drawing:
            self.frame = take_picture()  # a buffer to draw in; the old one may be gone
        if self.drawing and self.again:
            self.try_again()
        while True:
            if not self.drawing:
                self.live()
            if self.drawing:
                self.edit()

    def mend(self, error):
        # Waits for a key, or for what was amiss to come back by itself; then a save that failed
        # is tried again.
        gone = isinstance(error, CardTrouble) and error.args[0] in ("No SD card", "Card is gone")
        started = time.ticks_ms()
        again = isinstance(error, CameraTrouble)
        while not self.a_key():
            time.sleep_ms(20)
            if time.ticks_diff(time.ticks_ms(), started) < 1000:
                continue
            started = time.ticks_ms()
            if again:
                return
            if gone:
                remount_card()
            if gone and card_answers():
                self.again = bool(self.saving)
                return
        if isinstance(error, CardTrouble):
            remount_card()  # it may be another one

    def try_again(self):
        # After the card came back: the pair may be complete all but for our knowing it.
        number, self.again = self.saving, False
        if self.pairs.same(number, self.clean, self.boxes.objects()):
            self.saved(number)
        else:
            self.save()


def main():
    board = start_screen(SETTINGS["board"], SETTINGS["rotation"])
    collector = None
    while True:
        try:
            if collector is None:
                collector = Collector(board)
            collector.run()
        except Exception as error:
            if isinstance(error, OSError):
                error = card_trouble(error)
            title, paragraphs = explain(error)
            print_trouble(title, paragraphs)
            show_message(title, paragraphs + ["", "Press a key to try again."], RED)
            if collector is None:
                while True:
                    time.sleep_ms(100)
            collector.mend(error)


try:
    main()
except KeyboardInterrupt:
    print("maixforge: stopped")
