# MaixForge collector of pictures in classes, for stock MaixPy v1 on a K210 board.
#
# Copy it to the root of the SD card as boot.py, with classes.txt beside it: one class name a line.
# Pictures go to /sd/maixforge/<name>/<class>/, every fifth to /sd/maixforge/<name>/valid/<class>/.
# One key:   short: a picture; hold and let go: next class; hold for 2 seconds: menu.
# More keys: ENTER a picture (hold: burst), NEXT and BACK the class (hold: menu).
#
# What you may change:
#   name           of the data set; "": what classes.txt says in a line "# name: pets"
#   classes        how many class1, class2, ... when there is no classes.txt
#   minimum        pictures that every class should have
#   size, quality  of the saved JPEG: width and height (multiples of 8), 1 to 100
#   valid_every    every fifth picture (5) is kept for validation; 0: none
#   burst          pictures that the menu's burst takes
#   board          "" finds it; else "m5stickv", "cube", "amigo_tft", "amigo_ips", "other"
#   keys           None finds them; else pins, such as {"enter": 16} or with "next" and "back"
#   touch          whether a touch screen is looked for
#   rotation       of the screen: None (as usual for the board), 0, 1, 2 or 3
#   mirror, flip   of the camera, left-right and upside-down (the saved picture has it too)
#   camera         of a board with two: 0 finds one, 1 OV, 2 GC (Amigo's front), 3 MT
SETTINGS = {
    "name": "",
    "classes": 5,
    "minimum": 40,
    "size": (224, 224),
    "quality": 90,
    "valid_every": 5,
    "burst": 10,
    "board": "",
    "keys": None,
    "touch": True,
    "rotation": None,
    "mirror": False,
    "flip": False,
    "camera": 0,
}

import gc
import time
import ujson
import uos
from kit.boards import key_pins, start_camera, start_screen, take_picture
from kit.keys import LONG_MS, LONGER_MS, Keys, key_names
from kit.menu import choose
from kit.names import clean_name, read_names
from kit.screen import AMBER, BLACK, GREEN, RED, WHITE, draw_line, show_message
from kit.storage import CARD_FULL, card_present, card_trouble, check_writable, draft_of, exists
from kit.storage import free_bytes, is_folder, make_folders, mend_draft, remount_card, save_picture
from kit.storage import survey, wait_for_card
from kit.touch import Touch
from kit.trouble import CameraTrouble, CardTrouble, Trouble, explain, print_trouble
from kit.view import View

CLASSES_FILE = "/sd/classes.txt"
PICTURES = (".jpg", ".jpeg")
BURST_MS = 300
TOAST_MS = 600
HINT_MS = 1200
BLUE = (40, 60, 90)


class Card:
    # The data set on the card: its classes, how many pictures each has, which number comes next.
    def __init__(self):
        self.classes = []
        self.at = 0
        self.root = ""
        self.flying = ""  # path of the picture that is being saved
        self.notes = []

    def open(self):
        # Reads everything anew: it may be another card than before.
        if not card_present():
            advice = "Put in a card: FAT32 with an MBR partition table. Then it goes on by itself."
            raise CardTrouble("No SD card", advice)
        current = self.label() if self.classes else ""
        try:
            uos.listdir("/sd")
            name, self.classes, self.notes = read_names(CLASSES_FILE, SETTINGS["classes"])
            name = clean_name(SETTINGS["name"] or name) or "dataset"
            self.at = self.classes.index(current) if current in self.classes else 0
            self.root = "/sd/maixforge/" + name
            make_folders(self.root)
            self.counts = [self.count(label) for label in self.classes]
            self.mend()
            check_writable()
            self.free = free_bytes("/sd")
        except OSError as error:
            raise card_trouble(error)

    def mend(self):
        # The twin is the newest of its class, which may be one that classes.txt has no more.
        draft, twins = draft_of(self.root + "/x/1.jpg"), []
        for parent in (self.root, self.root + "/valid") if exists(draft) else ():
            for entry in uos.ilistdir(parent) if is_folder(parent) else ():
                folder = parent + "/" + entry[0]
                newest = survey(folder, PICTURES)[2]
                if newest:
                    twins.append(folder + "/" + newest)
        mend_draft(draft, twins)

    def folders(self, label):
        return self.root + "/" + label, self.root + "/valid/" + label

    def count(self, label):
        # [pictures, highest number, path of that picture or ""] of a class
        total, best, newest = 0, 0, ""
        for folder in self.folders(label):
            count, number, name = survey(folder, PICTURES)
            total += count
            if number > best:
                best, newest = number, folder + "/" + name if name else ""
        return [total, best, newest]

    def label(self):
        return self.classes[self.at]

    def newest(self, index):
        return self.counts[index][2]

    def pictures(self):
        return self.counts[self.at][0]

    def missing(self):
        return max(0, SETTINGS["minimum"] - self.pictures())

    def step(self, by):
        self.at = (self.at + by) % len(self.classes)

    def save(self, picture):
        # Returns the path of the saved picture. Numbers only ever go up while the board is on.
        entry, self.flying = self.counts[self.at], ""
        number = entry[1] + 1
        every = SETTINGS["valid_every"]
        folder = self.folders(self.label())[bool(every) and number % every == 0]
        make_folders(folder)
        path = self.flying = "%s/%d.jpg" % (folder, number)
        save_picture(picture, path, SETTINGS["quality"])
        entry[0] += 1
        entry[1], entry[2] = number, path
        return self.landed()

    def landed(self):
        # Tells of the picture that was saved, and returns its path.
        path = self.flying
        try:
            size = uos.stat(path)[6]
            self.free = free_bytes("/sd")
        except OSError as error:
            raise card_trouble(error, path)
        split = "valid" if path.startswith(self.folders(self.label())[1] + "/") else "train"
        facts = (ujson.dumps(path), ujson.dumps(self.label()), split)
        line = '{"saved":%s,"class":%s,"split":"%s"' % facts
        facts = (self.counts[self.at][1], size, self.pictures(), self.missing(), self.free)
        print(line + ',"number":%d,"bytes":%d,"count":%d,"missing":%d,"free":%d}' % facts)
        self.flying = ""
        return path

    def delete(self, path):
        try:
            uos.remove(path)
            highest = self.counts[self.at][1]
            self.counts[self.at] = self.count(self.label())
            self.counts[self.at][1] = highest
            self.free = free_bytes("/sd")
        except OSError as error:
            raise card_trouble(error, path)
        print('{"deleted":%s,"count":%d}' % (ujson.dumps(path), self.pictures()))


def is_full(error):
    return error.args[0] == CARD_FULL


class Collector:
    def __init__(self, board):
        pins = key_pins(board, SETTINGS["keys"])
        self.keys = Keys(pins, key_names(board, pins))
        self.touch = Touch(board, SETTINGS["touch"])
        self.many_keys = self.keys.has("next")
        self.view = View(SETTINGS["size"], self.hints())
        self.card = Card()
        self.card_ready = self.camera_ready = False
        self.burst = 0
        self.last_save = time.ticks_ms()
        self.toast = None  # text, colour, since, for how long
        self.untold = list(self.view.hints)  # for a screen that has no row for them

    def hints(self):
        if self.many_keys:
            names = self.keys.names
            return names["enter"] + " photo", names["next"] + " class", "hold: menu"
        return "press:photo", "hold: class", "2 s: menu"

    # The live picture

    def live(self):
        # Runs until something is wrong: card and camera say so by a Trouble.
        self.view.forget()
        while True:
            picture = take_picture()
            if self.act(picture):
                self.view.measure(picture)
                self.keys.watch(time.ticks_ms())
                self.show(picture)
                self.keys.watch(time.ticks_ms())

    def act(self, picture):
        # Does what keys and fingers ask for. False when the picture was covered meanwhile.
        tap = self.touch.poll()
        if tap and tap[0] == "touch":
            return self.tapped(picture, tap[1], tap[2])
        event = self.keys.poll(time.ticks_ms())
        if event and event[1] == "press":
            if self.burst:
                self.burst = 0
                self.say("burst ended", AMBER)
            event = None
        if event:
            return self.pressed(picture, event[0], event[1])
        held = self.many_keys and self.keys.down("enter") >= LONG_MS
        if self.burst or held:
            if time.ticks_diff(time.ticks_ms(), self.last_save) >= BURST_MS:
                self.burst = max(0, self.burst - 1)
                return self.take(picture)
        return True

    def tapped(self, picture, x, y):
        if self.view.in_picture(x, y):
            return self.take(picture)
        if self.view.in_upper_panel(x, y):
            return self.step(1)
        return self.menu()

    def pressed(self, picture, role, kind):
        if role == "enter" and kind == "short":
            return self.take(picture)
        if role == "enter" and self.many_keys:
            return True  # the end of a burst
        if kind == "longer" or (role != "enter" and kind == "long"):
            return self.menu()
        return self.step(-1 if role == "back" else 1)

    def step(self, by):
        self.card.step(by)
        self.view.new_focus()
        self.say(self.card.label(), WHITE)
        return True

    def take(self, picture):
        try:
            path = self.save(picture)
        except (Trouble, MemoryError) as error:
            if isinstance(error, CardTrouble) and not is_full(error):
                raise
            self.burst = 0
            title, paragraphs = explain(error)
            self.tell(title, paragraphs, RED)
            return False
        self.last_save = time.ticks_ms()
        self.say("saved " + path[path.rfind("/") + 1 :], GREEN)
        return True

    def save(self, picture):
        try:
            return self.card.save(picture)
        except CardTrouble as error:
            if is_full(error):
                raise
            # Once more with the card set up anew: the frame is still the same.
            print("maixforge: once more:", error)
            remount_card()
            time.sleep_ms(800)
            self.card.open()  # may have finished what the save began
            if self.card.flying and exists(self.card.flying):
                return self.card.landed()
            return self.card.save(picture)

    def say(self, text, colour, limit_ms=TOAST_MS):
        self.toast = (text, colour, time.ticks_ms(), limit_ms)

    def show(self, picture):
        # Drawn over the frame after it was saved.
        small = self.view.shrink(picture)
        if self.toast and time.ticks_diff(time.ticks_ms(), self.toast[2]) > self.toast[3]:
            self.toast = None
        width, height = small.width(), small.height()
        held = 0 if self.many_keys else self.keys.down("enter")
        if held > 250:
            self.card.step(1)
            text = ("hold: %s" if held < LONG_MS else "let go: %s") % self.card.label()
            self.card.step(-1)
            done = width * min(held, LONGER_MS) // LONGER_MS
            draw_line(small, height - 18, 18, text, WHITE, BLACK, done, BLUE)
        elif self.toast:
            text, colour = self.toast[:2]
            if colour == GREEN:
                small.draw_rectangle(0, 0, width, height, color=GREEN, thickness=4)
            draw_line(small, height - 18, 18, text, BLACK, colour)
        self.view.show(small)
        self.view.status(self.card)
        if self.untold and not self.toast:
            text = self.untold.pop(0)
            if not self.view.hinted:
                self.say(text, WHITE, HINT_MS)

    # Pages

    def wait_for_key(self, limit_ms=0):
        # Until a key or a finger; a key that is still down does not count.
        started = time.ticks_ms()
        while not limit_ms or time.ticks_diff(time.ticks_ms(), started) < limit_ms:
            tap = self.touch.poll()
            if self.keys.wait(30) or (tap and tap[0] == "touch"):
                return

    def tell(self, title, paragraphs, colour, limit_ms=0):
        print_trouble(title, paragraphs)
        self.view.release()
        show_message(title, paragraphs + ["", "Press a key to go on."], colour)
        self.wait_for_key(limit_ms)
        self.view.forget()

    def menu(self):
        card = self.card
        self.view.release()
        items = [
            "Back to the camera", "Previous class", "Choose a class", "Delete last picture",
            "Burst: %d pictures" % SETTINGS["burst"], "Finish",
        ]
        chosen = choose("Menu", items, self.keys, self.touch)
        if chosen == 1:
            self.step(-1)
        elif chosen == 2:
            names = ["%s: %d" % (name, card.counts[n][0]) for n, name in enumerate(card.classes)]
            wanted = choose("Class", names, self.keys, self.touch, card.at)
            if wanted is not None:
                self.step(wanted - card.at)
        elif chosen == 3:
            self.delete_last()
        elif chosen == 4:
            self.burst = SETTINGS["burst"]
        elif chosen == 5:
            self.finish()
        self.view.forget()
        return False

    def delete_last(self):
        path = self.card.newest(self.card.at)
        if not path:
            return self.tell("No picture here", ["This class has none of its own."], AMBER)
        name = "/".join(path.split("/")[4:])
        if choose("Delete it?", ["Keep " + name, "Delete " + name], self.keys, self.touch) == 1:
            self.card.delete(path)
            self.say("deleted", AMBER)

    def finish(self):
        # Every picture was closed when it was saved: nothing is left to write.
        card = self.card
        rows = ["Switch the board off now.", ""]
        rows += ["%s: %d" % (name, card.counts[n][0]) for n, name in enumerate(card.classes)]
        print('{"finished":%s}' % ujson.dumps(card.root))
        show_message("All pictures are safe", rows + ["", "A key: go on."], (20, 120, 60))
        self.wait_for_key()

    # Trouble

    def start(self):
        if not self.card_ready:
            self.card.open()
            self.card_ready = True
            if self.card.notes:
                self.tell("Class names", self.card.notes, AMBER, 8000)
        if not self.camera_ready:
            gc.collect()
            start_camera(
                SETTINGS["size"], SETTINGS["mirror"], SETTINGS["flip"], SETTINGS["camera"]
            )
            self.camera_ready = True

    def run(self):
        # Goes on by itself when what was wrong is right again.
        shown = None
        while True:
            try:
                self.start()
                shown = None
                self.live()
            except (Trouble, MemoryError) as error:
                self.burst = 0
                self.card_ready = self.card_ready and not isinstance(error, CardTrouble)
                self.camera_ready = self.camera_ready and not isinstance(error, CameraTrouble)
                self.view.release()
                title, paragraphs = explain(error)
                if title != shown:
                    shown = title
                    print_trouble(title, paragraphs)
                    show_message(title, paragraphs, RED)
                if isinstance(error, CardTrouble):
                    remount_card()
                    wait_for_card(3000)
            time.sleep_ms(1000)
            gc.collect()


def main():
    try:
        board = start_screen(SETTINGS["board"], SETTINGS["rotation"])
        if not card_present():
            show_message("MaixForge", ["Waiting for the SD card ..."], BLUE)
            wait_for_card(3000)
        Collector(board).run()
    except Exception as error:
        title, paragraphs = explain(error)
        print_trouble(title, paragraphs)
        show_message(title, paragraphs, RED)
        while True:  # were boot.py to end, main.py would paint over the message
            time.sleep_ms(100)


try:
    main()
except KeyboardInterrupt:
    print("maixforge: stopped")
