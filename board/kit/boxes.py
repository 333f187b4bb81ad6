# Boxes on one picture, made with few keys. Logic only: no screen, no clock, no card.
# A box is [left, top, right, bottom, label, drawn], pixels from 0, both ends part of the box.
LEFT = 0
TOP = 1
RIGHT = 2
BOTTOM = 3
ACROSS = 4
DOWN = 5
UNDO_STEPS = 20


def travel(ms):
    # Pixels after holding a key for `ms`: one at once, then 20 a second, and after half a second
    # faster and faster, up to 160 a second.
    fast = min(max(0, ms - 500), 1000)
    return 1 + ms // 50 + fast * fast * 7 // 100000 + max(0, ms - 1500) * 14 // 100


class Boxes:
    def __init__(self, width, height, least):
        self.width = width
        self.height = height
        self.least = least  # pixels: no box is narrower or lower
        self.items = []
        self.active = -1
        self.history = []

    def box(self):
        return self.items[self.active] if self.items else None

    def remember(self):
        # To be called before a change that undo() shall take back.
        self.history.append((self.active, [list(box) for box in self.items]))
        if len(self.history) > UNDO_STEPS:
            self.history.pop(0)

    def undo(self):
        if not self.history:
            return False
        self.active, self.items = self.history.pop()
        return True

    def add(self, label):
        # A new box is the whole picture: every edge has one way to go, inwards.
        self.items.append([0, 0, self.width - 1, self.height - 1, label, False])
        self.active = len(self.items) - 1

    def drop(self):
        if self.items:
            self.items.pop(self.active)
            self.active = len(self.items) - 1

    def clear(self):
        self.items = []
        self.active = -1

    def select(self, step):
        if self.items:
            self.active = (self.active + step) % len(self.items)

    def span(self, part):
        # The lowest and the highest that `move` may add to a part.
        left, top, right, bottom = self.box()[:4]
        least = self.least - 1
        if part == LEFT:
            return -left, right - least - left
        if part == TOP:
            return -top, bottom - least - top
        if part == RIGHT:
            return left + least - right, self.width - 1 - right
        if part == BOTTOM:
            return top + least - bottom, self.height - 1 - bottom
        if part == ACROSS:
            return -left, self.width - 1 - right
        return -top, self.height - 1 - bottom

    def move(self, part, pixels):
        # Moves an edge, or the whole box, as far as the picture and the least size allow.
        # Returns how far it went.
        low, high = self.span(part)
        pixels = max(low, min(high, pixels))
        box = self.box()
        for edge in (part,) if part < ACROSS else (part - ACROSS, part - ACROSS + 2):
            box[edge] += pixels
        if pixels:
            box[5] = True
        return pixels

    def stretch(self, x0, y0, x1, y1):
        # Makes the box reach from one corner to the other, as a finger draws it.
        box = self.box()
        box[LEFT], box[RIGHT] = between(x0, x1, self.width, self.least)
        box[TOP], box[BOTTOM] = between(y0, y1, self.height, self.least)
        box[5] = True

    def opposite_corner(self, x, y, reach):
        # When x, y is near a corner of the box that is worked on: the corner across, else None.
        box = self.box()
        if not box or not box[5]:
            return None
        for h, v in ((LEFT, TOP), (RIGHT, TOP), (LEFT, BOTTOM), (RIGHT, BOTTOM)):
            if abs(box[h] - x) <= reach and abs(box[v] - y) <= reach:
                return box[2 - h], box[4 - v]
        return None

    def touched(self, x, y):
        # Index of the smallest box around x, y; -1 for none.
        best = -1
        least = 0
        for index, (left, top, right, bottom, _, _) in enumerate(self.items):
            size = (right - left) * (bottom - top)
            inside = left <= x <= right and top <= y <= bottom
            if inside and (best < 0 or size < least):
                best, least = index, size
        return best

    def objects(self):
        # As VOC counts: from 1, the last column and row included.
        return [(box[4], box[0] + 1, box[1] + 1, box[2] + 1, box[3] + 1) for box in self.items]


def between(start, end, size, least):
    # Both ends in order, inside 0..size-1, `least` apart; the start stays where it is if it can.
    start = max(0, min(size - 1, start))
    end = max(0, min(size - 1, end))
    if end >= start:
        end = min(size - 1, max(end, start + least - 1))
        return min(start, end - least + 1), end
    end = max(0, min(end, start - least + 1))
    return end, max(start, end + least - 1)
