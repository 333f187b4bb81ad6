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
from kit.boards import key_pins, start_camera, start_screen, take_picture
from kit.classes import Card
from kit.keys import LONG_MS, LONGER_MS, Keys, key_names
from kit.menu import choose
from kit.screen import AMBER, BLACK, GREEN, RED, WHITE, draw_line, show_message
from kit.storage import CARD_FULL, card_present, exists, remount_card, wait_for_card
from kit.touch import Touch
from kit.trouble import CameraTrouble, CardTrouble, Trouble, explain, print_trouble
from kit.view import View

BURST_MS = 300
TOAST_MS = 600
HINT_MS = 1200
BLUE = (40, 60, 90)


def is_full(error):
    return error.args[0] == CARD_FULL


class Collector:
    def __init__(self, board):
        pins = key_pins(board, SETTINGS["keys"])
        self.keys = Keys(pins, key_names(board, pins))
        self.touch = Touch(board, SETTINGS["touch"])
        self.many_keys = self.keys.has("next")
        self.view = View(SETTINGS["size"], self.hints())
        self.card = Card(SETTINGS)
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
