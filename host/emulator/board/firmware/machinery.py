# The heart of the virtual board, inside MicroPython: clock, events, the line to the host.
#
# The fakes beside this file stand for MaixPy's modules. They are stricter than the board: what the
# board accepts silently but gets wrong ends the run with a Refusal, which no script can catch with
# `except Exception`. And they have the board's bugs, where a script must live with them.
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
        self.config = {}
        self.mount_card = None
        self.requests = self.answers = None


machine = Machine()


def refuse(text):
    raise Refusal(text)


def now_ms():
    return machine.us // 1000


def tick_us(us):
    # Virtual time passes; what is due happens: the card is mounted, somebody presses Ctrl-C.
    machine.us += us
    config = machine.config
    if machine.mount_card and now_ms() >= config["card_at_ms"]:
        mount, machine.mount_card = machine.mount_card, None
        mount()
    if now_ms() >= config["until_ms"] + CLEAN_UP_MS:
        raise PowerOff()
    if now_ms() >= config["until_ms"] and not machine.interrupted:
        machine.interrupted = True
        raise KeyboardInterrupt()


def tick(ms):
    tick_us(int(ms * 1000))


def ask(kind, facts, data=b""):
    # One question to the host: JSON facts and bytes there, JSON facts and bytes back.
    head = json.dumps([kind, facts]).encode()
    machine.requests.write(struct.pack("<II", len(head), len(data)))
    machine.requests.write(head)
    if len(data):
        write_all(data)
    head_size, data_size = struct.unpack("<II", read_exactly(8))
    facts = json.loads(read_exactly(head_size))
    return facts, read_exactly(data_size)


def write_all(data):
    view = memoryview(data)
    sent = 0
    while sent < len(view):
        sent += machine.requests.write(view[sent : sent + 65536])


def read_exactly(count):
    data = bytearray(count)
    view = memoryview(data)
    got = 0
    while got < count:
        n = machine.answers.readinto(view[got:])
        if not n:
            raise PowerOff()
        got += n
    return data


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
