# The heart of the virtual board, inside MicroPython: clock, events, the line to the host.
#
# The fakes beside this file stand for MaixPy's modules. They are stricter than the board: what the
# board accepts silently but gets wrong ends the run with a Refusal, which no script can catch with
# `except Exception`. And they have the board's bugs, where a script must live with them.
import gc
import json
import os
import struct

TICKS_MASK = (1 << 30) - 1
TICKS_START = TICKS_MASK - 1500  # ticks_ms() wraps after 1.5 s: differences need ticks_diff()
CLEAN_UP_MS = 3000  # what a script may still do after Ctrl-C


class Refusal(BaseException):
    pass


class PowerOff(BaseException):
    pass


class Machine:
    def __init__(self):
        self.us = 0
        self.interrupted = False
        self.running = False  # the script has the board
        self.config = {}
        self.requests = self.answers = None
        self.refused = None
        self.card_file = self.journal = None
        self.cards = []
        self.card_since = None  # when the firmware last set the card up
        self.mounting = self.mount_when_due = None
        self.attempts = self.writes = 0
        self.heap_before = self.heap_high = 0


machine = Machine()


def refuse(text):
    machine.refused = machine.refused or text  # also when a bare `except:` swallows it
    raise Refusal(text)


def power_off():
    # The power goes: nothing of the script runs any more, no `finally`, no close().
    report("power off")
    while True:
        machine.answers.read(1)  # until the host ends this process


def report(ended):
    used = gc.mem_alloc() - machine.heap_before
    gc.collect()
    facts = {"ended": ended, "ms": now_ms(), "heap_used": used, "writes": machine.writes}
    facts["heap_kept"] = gc.mem_alloc() - machine.heap_before
    facts["heap_high"] = max(machine.heap_high, facts["heap_kept"])
    ask("end", facts)


def measure_heap():
    # What is alive now: called where much is. Only on request, as it keeps the heap tidy too.
    if machine.running and machine.config["measure_heap"]:
        gc.collect()
        machine.heap_high = max(machine.heap_high, gc.mem_alloc() - machine.heap_before)


def now_ms():
    return machine.us // 1000


def tick_us(us):
    # Virtual time passes, from event to event: the card is mounted, somebody presses Ctrl-C.
    end = machine.us + us
    while machine.running:
        due = [at * 1000 for at in events() if machine.us < at * 1000 <= end]
        if not due:
            break
        machine.us = min(due)
        happen()
    machine.us = end
    if machine.running:
        happen()


def events():
    # When something happens, in ms; None never.
    until = machine.config["until_ms"]
    times = [until, until + CLEAN_UP_MS]
    if machine.mounting:
        at, last = machine.mounting
        back = machine.config["card_back_ms"]
        times += [at, last + 1] + ([back] if back is not None else [])
    return times


def happen():
    until = machine.config["until_ms"]
    if machine.mounting:
        machine.mount_when_due()
    if now_ms() >= until + CLEAN_UP_MS:
        power_off()
    if now_ms() >= until and not machine.interrupted:
        machine.interrupted = True
        raise KeyboardInterrupt()


def tick(ms):
    tick_us(int(ms * 1000))


def ask(kind, facts, data=b"", into=None):
    # One question to the host: JSON facts and bytes there, JSON facts and bytes back. Bytes go
    # into the buffer `into` when there is one: on the board they are not in MicroPython's heap.
    head = json.dumps([kind, facts]).encode()
    machine.requests.write(struct.pack("<II", len(head), len(data)))
    machine.requests.write(head)
    if len(data):
        write_all(data)
    head_size, data_size = struct.unpack("<II", read_exactly(8))
    facts = json.loads(read_exactly(head_size))
    if into is None:
        return facts, read_exactly(data_size)
    view = memoryview(into)[:data_size]
    read_into(view)
    return facts, view


def write_all(data):
    view = memoryview(data)
    sent = 0
    while sent < len(view):
        sent += machine.requests.write(view[sent : sent + 65536])


def read_exactly(count):
    data = bytearray(count)
    read_into(memoryview(data))
    return data


def read_into(view):
    got = 0
    while got < len(view):
        n = machine.answers.readinto(view[got:])
        if not n:
            raise PowerOff()
        got += n


def whole(value, what):
    # The firmware takes coordinates with mp_obj_get_int: floats raise, nothing is rounded.
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError("can't convert %s to int" % type(value).__name__)
    if not -32768 <= value <= 32767:
        refuse("%s %d does not fit 16 bits" % (what, value))
    return value


def only(keywords, allowed, where):
    # The firmware ignores unknown keywords of image and lcd calls: a typo would go unseen.
    for name in keywords:
        if name not in allowed:
            refuse("%s has no keyword %s" % (where, name))


def exists(path):
    try:
        os.stat(path)
        return True
    except OSError:
        return False
