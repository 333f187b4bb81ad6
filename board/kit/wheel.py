# The mode wheel: what the keys do with a box, one mode after the other. Logic only.
# One key is enough: a tap turns the wheel, a hold does what the mode says; each hold of an edge
# goes the other way than the one before. A second key goes back and holds the other way; with a
# third, two keys move by taps and holds, and the first turns the wheel.
from kit.boxes import travel

MODES = ("LEFT", "TOP", "RIGHT", "BOTTOM", "CLASS", "SAVE", "ADD", "MOVE X", "MOVE Y", "MORE")
ACTS = {4: "class", 5: "save", 6: "a box", 9: "menu"}  # mode -> what a hold does
PART_OF = {0: 0, 1: 1, 2: 2, 3: 3, 7: 4, 8: 5}  # mode -> part of the box
CLASS = 4
ADD = 6
HOLD_MS = 300  # a shorter press is a tap
ACT_MS = 700  # a hold that does something at once is longer
AGAIN_MS = 600


class Wheel:
    def __init__(self, boxes, labels, keys):
        self.boxes = boxes
        self.labels = labels
        self.keys = keys  # how many there are
        self.mode = 0
        self.sign = 1
        self.role = None  # the key that is down
        self.used = False  # ... and has done something, so that its end is no tap
        self.gone = 0

    def part(self):
        return PART_OF.get(self.mode)

    def turn(self, step):
        # Modes that have nothing to work on are passed over.
        self.set((self.mode + step) % len(MODES))
        while self.useless():
            self.set((self.mode + step) % len(MODES))

    def useless(self):
        if self.mode == CLASS:
            return len(self.labels) < 2 or not self.boxes.items
        return self.part() is not None and not self.boxes.items

    def set(self, mode):
        self.mode = mode
        self.sign = -1 if mode in (2, 3) else 1  # edges first go inwards
        self.free()

    def free(self):
        # An edge that cannot go on turns round, so that a hold always does something.
        if self.part() is not None and self.boxes.items:
            low, high = self.boxes.span(self.part())
            if (high if self.sign > 0 else low) == 0:
                self.sign = -self.sign

    def way(self, role):
        if role == "enter" or self.keys == 1:
            return self.sign
        if self.keys == 2:
            return -self.sign
        return 1 if role == "next" else -1

    def press(self, role):
        self.role, self.used, self.gone = role, False, 0

    def tap(self, role):
        # True when something changed.
        if self.used:
            return False
        if role == "enter":
            self.turn(1)
        elif self.keys == 2:
            self.turn(-1)
        elif self.part() is not None:
            self.boxes.remember()
            self.boxes.move(self.part(), self.way(role))
        elif self.mode == CLASS:
            self.next_class(self.way(role))
        else:
            self.turn(self.way(role))
        return True

    def held(self, ms):
        # To be called with how long the key is down. Returns "" for nothing, "moved", or the
        # name of the mode that is to be done.
        if self.part() is not None:
            return self.pull(ms)
        if self.mode == CLASS and ms >= HOLD_MS:
            steps = 1 + (ms - HOLD_MS) // AGAIN_MS
            if steps > self.gone:
                self.used, self.gone = True, steps
                self.next_class(-1 if self.role == "back" else 1)
                return "moved"
        elif ms >= ACT_MS and not self.used:
            self.used = True
            return MODES[self.mode]
        return ""

    def pull(self, ms):
        if ms < HOLD_MS:
            return ""
        if not self.used:
            self.boxes.remember()
            self.used = True
        way = travel(ms - HOLD_MS)
        if way == self.gone:
            return ""
        self.boxes.move(self.part(), (way - self.gone) * self.way(self.role))
        self.gone = way
        return "moved"

    def released(self):
        # With one key the next hold goes the other way.
        if self.used and self.keys == 1 and self.part() is not None:
            self.sign = -self.sign
        self.role = None
        self.free()

    def next_class(self, step):
        box = self.boxes.box()
        self.boxes.remember()
        at = self.labels.index(box[4]) if box[4] in self.labels else -1
        box[4] = self.labels[(at + step) % len(self.labels)]

    def help(self, names):
        # What the keys do in this mode, in rows; `names` of the keys by role.
        part = self.part()
        if part is None:
            act = ACTS[self.mode]
            if self.keys == 1:
                return ["hold: " + act, "tap: " + self.after()]
            if self.keys == 3 and self.mode == CLASS:
                return [names["next"] + " >", names["back"] + " <", names["enter"] + " mode"]
            return ["hold " + names["enter"] + ":", act, "tap: mode"]
        there, back = ("v", "^") if part in (1, 3, 5) else (">", "<")
        if self.keys == 3:
            rows = [names["next"] + " " + there, names["back"] + " " + back]
            return rows + [names["enter"] + " mode"]
        if self.sign < 0:
            there, back = back, there
        if self.keys == 2:
            rows = ["%s hold %s" % (names["enter"], there * 3)]
            return rows + ["%s hold %s" % (names["next"], back * 3), "tap: mode"]
        return ["hold: " + there * 3, "tap: " + self.after()]

    def after(self):
        mode, sign = self.mode, self.sign
        self.turn(1)
        name = MODES[self.mode]
        self.mode, self.sign = mode, sign
        return name
