# Keys: debounced, told apart by how long they are held.
import time

DEBOUNCE_MS = 20
LONG_MS = 700
LONGER_MS = 2000
REPEAT_FIRST_MS = 400


class Button:
    # One key's state. Pure logic: levels and times in, events out:
    #   "press"   it went down           "short"   released before LONG_MS
    #   "long"    released after it      "longer"  still down at LONGER_MS; its release is silent
    # A key that repeats gives "press", "repeat" faster and faster, and "short" if it did not.
    def __init__(self, repeats, down):
        self.repeats = repeats
        self.down = self.seen = down
        self.done = self.stale = down  # held since before we looked: its release means nothing
        self.changed = self.since = 0
        self.due = REPEAT_FIRST_MS

    def settling(self):
        return self.seen != self.down

    def held(self, now):
        return time.ticks_diff(now, self.since) if self.down and not self.stale else 0

    def update(self, down, now):
        if down != self.seen:
            self.seen = down
            self.changed = now
        if self.seen == self.down:
            return self.still_down(now) if self.down and not self.done else None
        if time.ticks_diff(now, self.changed) < DEBOUNCE_MS:
            return None
        self.down = down
        if down:
            self.since = self.changed
            self.done = self.stale = False
            self.due = REPEAT_FIRST_MS
            return "press"
        if self.done or (self.repeats and self.due > REPEAT_FIRST_MS):
            return None
        return "short" if time.ticks_diff(self.changed, self.since) < LONG_MS else "long"

    def still_down(self, now):
        held = time.ticks_diff(now, self.since)
        if self.repeats:
            if held < self.due:
                return None
            self.due = held + max(30, 160 - held // 12)
            return "repeat"
        if held < LONGER_MS:
            return None
        self.done = True
        return "longer"


def key_names(board, pins):
    # What stands beside the keys, by role.
    known = {"enter": "A", "next": "B"} if board == "m5stickv" else {}
    return {role: known.get(role, role.upper()) for role in pins}


class Keys:
    # pins: {"enter": 16, ...}, pressed is low. names: what a person calls them, by role.
    def __init__(self, pins, names):
        from Maix import GPIO
        from fpioa_manager import fm

        self.names = names
        self.keys = []
        self.events = []
        for number, role in enumerate(sorted(pins)):
            name = "GPIOHS%d" % number
            fm.register(pins[role], getattr(fm.fpioa, name))
            pin = GPIO(getattr(GPIO, name), GPIO.IN, GPIO.PULL_UP)
            button = Button(False, not pin.value())
            self.keys.append((role, pin, button))

    def has(self, role):
        return role in [key[0] for key in self.keys]

    def set_repeat(self, roles):
        # Roles that repeat while they are down.
        for role, _, button in self.keys:
            button.repeats = role in roles

    def watch(self, now):
        # Looks at the keys: to be called often, also between two polls. A level that has just
        # changed is watched until it stands still, so that a short press counts.
        while True:
            settling = False
            for role, pin, button in self.keys:
                event = button.update(not pin.value(), now)
                if event:
                    self.events.append((role, event))
                settling = settling or button.settling()
            if not settling:
                return
            time.sleep_ms(4)
            now = time.ticks_ms()

    def poll(self, now):
        # The next event as (role, event), or None.
        self.watch(now)
        return self.events.pop(0) if self.events else None

    def down(self, role):
        # Milliseconds that the key has been held, 0 when it is up.
        for name, _, button in self.keys:
            if name == role:
                return button.held(time.ticks_ms())
        return 0

    def wait(self, limit_ms):
        # The next event that is no "press", or None when the time is over.
        started = time.ticks_ms()
        while time.ticks_diff(time.ticks_ms(), started) < limit_ms:
            event = self.poll(time.ticks_ms())
            if event and event[1] != "press":
                return event
            time.sleep_ms(10)
        return None
