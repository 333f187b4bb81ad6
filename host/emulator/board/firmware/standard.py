# The modules uos, time and machine as MaixPy has them.
import os

import card
import machinery
from machinery import machine, now_ms, only, refuse, tick, tick_us

UOS = (
    "ilistdir listdir mkdir rmdir chdir getcwd remove rename stat statvfs mount umount urandom"
    " VfsFat"
).split(" ")


class Module:
    # A module made of some names of another object.
    pass


class Clock:
    def __init__(self):
        self.reset()

    def reset(self):
        self.start, self.frames = machine.us, 0

    def tick(self):
        self.start_frame, self.frames = machine.us, self.frames + 1

    def avg(self):
        return (machine.us - self.start) / 1000 / max(self.frames, 1)

    def fps(self):
        return 1000 / max(self.avg(), 0.001)


class Time:
    # On the virtual clock. Asking costs a little, so that polling ends.
    clock = Clock

    def ticks_ms(self):
        tick_us(20)
        return (machinery.TICKS_START + now_ms()) & machinery.TICKS_MASK

    ticks = ticks_ms

    def ticks_us(self):
        tick_us(20)
        return machine.us & machinery.TICKS_MASK

    def ticks_diff(self, late, early):
        half = (machinery.TICKS_MASK + 1) >> 1
        return ((late - early + half) & machinery.TICKS_MASK) - half

    def ticks_add(self, at, delta):
        return (at + delta) & machinery.TICKS_MASK

    def sleep_ms(self, ms):
        tick(machinery.whole(ms, "sleep_ms"))

    def sleep_us(self, us):
        tick_us(us)

    def sleep(self, seconds):
        tick(seconds * 1000)

    def time(self):
        return now_ms() // 1000

    def localtime(self, *seconds):
        return (2000, 1, 1, 0, 0, now_ms() // 1000, 5, 1)


class SDCard:
    @staticmethod
    def remount():
        card.remount()


class I2C:
    I2C0, I2C1, I2C2 = 0, 1, 2

    def __init__(self, number, mode=0, freq=100000, **pins):
        only(pins, ("scl", "sda", "gscl", "gsda", "addr", "addr_size", "timeout"), "I2C")
        if not 0 <= number <= 2:
            raise ValueError("[MAIXPY]I2C: id error")


def unique_id():
    if machine.config["unique_id"] is None:
        raise OSError(4)
    return bytes(machine.config["unique_id"])


def reset():
    raise SystemExit("machine.reset")


def uname():
    return ("MaixPy", "MaixPy", "0.6.3", "v0.6.3-2-gd8901fd", "Sipeed_M1 with kendryte-k210")


def make_uos():
    uos = Module()
    for name in UOS:
        setattr(uos, name, getattr(os, name))
    uos.sync = lambda: None  # does nothing there either
    uos.uname = uname
    uos.flash_format = lambda: refuse("uos.flash_format() erases everything in the flash")
    return uos


def make_machine():
    module = Module()
    module.SDCard, module.reset, module.unique_id, module.I2C = SDCard, reset, unique_id, I2C
    return module
