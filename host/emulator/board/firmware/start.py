# Started by the host inside MicroPython: sets the board up, runs the script as boot.py, reports.
import builtins
import gc
import json
import os
import sys

sys.path.insert(0, sys.argv[0].rsplit("/", 1)[0])

import machinery
from machinery import ask, machine, now_ms, tick, tick_us

machine.requests = open(int(sys.argv[1]), "wb")
machine.answers = open(int(sys.argv[2]), "rb")
machine.config = json.loads(open(sys.argv[3]).read())
machine.pins = {}

# What MaixPy v1 has: its own modules, frozen ones, MicroPython 1.11's, and names that lead there.
MODULES = (
    "uos os utime time Maix machine network usocket socket image sensor lcd KPU audio uhashlib"
    " ucryptolib modules board fpioa_manager ujson json ure re ustruct struct ubinascii binascii"
    " ucollections collections uerrno errno uheapq heapq urandom random uzlib zlib hashlib uio"
    " math cmath array gc sys micropython uctypes builtins"
).split(" ")
UOS = (
    "ilistdir listdir mkdir rmdir chdir getcwd remove rename stat statvfs mount umount uname"
    " urandom VfsFat"
).split(" ")


class Ticks:
    # The time module on the virtual clock. Asking costs a little, so that polling ends.
    def ticks_ms(self):
        tick_us(20)
        return (machinery.TICKS_START + now_ms()) & machinery.TICKS_MASK

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


class Folder:
    # A module made of some names of another object.
    pass


class SDCard:
    @staticmethod
    def remount():
        return None


def reset():
    raise SystemExit("machine.reset")


class CardBlocks:
    # The card as 512-byte blocks of a file on the host.
    def __init__(self, path):
        self.file = open(path, "r+b")
        self.count = os.stat(path)[6] // 512

    def readblocks(self, number, buffer):
        self.file.seek(number * 512)
        self.file.readinto(buffer)

    def writeblocks(self, number, buffer):
        self.file.seek(number * 512)
        self.file.write(buffer)

    def ioctl(self, operation, argument):
        if operation == 4:
            return self.count
        return 512 if operation == 5 else 0


def copy_tree(source, target):
    for name, kind, *_ in os.ilistdir(source):
        if kind == 0x4000:
            os.mkdir(target + "/" + name)
            copy_tree(source + "/" + name, target + "/" + name)
            continue
        with open(source + "/" + name, "rb") as old, open(target + "/" + name, "wb") as new:
            while True:
                block = old.read(16384)
                if not block:
                    break
                new.write(block)


def make_card():
    if machine.config["card_image"] is None:
        return None
    blocks = CardBlocks(machine.config["card_image"])
    os.VfsFat.mkfs(blocks)
    return os.VfsFat(blocks)


def mount_file_systems(card):
    work = machine.config["work"]
    flash, files = os.VfsPosix(work + "/flash"), os.VfsPosix(work + "/card")
    out = os.VfsPosix(work + "/card_after")
    os.umount("/")
    os.mount(flash, "/flash")
    if card:
        os.mount(files, "/host")
        os.mount(card, "/sd")
        copy_tree("/host", "/sd")
        os.umount("/host")
        os.umount("/sd")
    os.chdir("/flash")
    return out


def insert_card(card):
    def mount():
        os.mount(card, "/sd")
        os.chdir("/sd")  # as the firmware does, at any moment

    machine.mount_card = mount
    if machine.config["card_at_ms"] <= 0:
        machine.mount_card = None
        mount()


def make_uos():
    uos = Folder()
    for name in UOS:
        if hasattr(os, name):
            setattr(uos, name, getattr(os, name))

    def mkdir(path):
        full = path if path.startswith("/") else os.getcwd() + "/" + path
        if full.startswith("/flash"):
            raise NotImplementedError("SPIFFS not support")
        os.mkdir(path)

    uos.mkdir = mkdir
    uos.sync = lambda: None
    return uos


def install_modules():
    import image
    import sensor

    # The file systems of the host are gone later: everything is imported now.
    for name in ("Maix", "board", "fpioa_manager", "lcd", "KPU"):
        __import__(name)
    image.use_font(ask("font", {})[1])
    sensor.prepare()
    maixpy = Folder()
    maixpy.SDCard, maixpy.reset = SDCard, reset
    maixpy.unique_id = lambda: bytes(range(32))
    uos, ticks = make_uos(), Ticks()
    sys.modules["uos"] = sys.modules["os"] = uos
    sys.modules["utime"] = sys.modules["time"] = ticks
    sys.modules["machine"] = maixpy
    real_import = builtins.__import__

    def checked_import(name, *rest):
        if name.split(".")[0] not in MODULES:
            raise ImportError("no module named '%s'" % name)
        return real_import(name, *rest)

    builtins.__import__ = checked_import


def take_memory():
    # Leave as much heap as a MaixPy build gives its scripts.
    gc.collect()
    spare = gc.mem_free() - machine.config["heap"]
    return bytearray(spare) if spare > 0 else None


def run_script():
    # How the run ended: "returned", "power off", "exit ...", "refused: ..." or "error: ...".
    source = open(machine.config["script"]).read()
    try:
        exec(compile(source, "boot.py", "exec"), {"__name__": "__main__"})
        return "returned"
    except machinery.PowerOff:
        return "power off"
    except machinery.Refusal as problem:
        sys.print_exception(problem)
        return "refused: %s" % problem
    except SystemExit as stop:
        return "exit %s" % stop
    except KeyboardInterrupt:
        return "interrupted"
    except Exception as error:
        sys.print_exception(error)
        return "error: %s: %s" % (type(error).__name__, error)


card = make_card()
machine.config["script"] = "/flash/.script"
install_modules()
out = mount_file_systems(card)
ballast = take_memory()
if card:
    insert_card(card)
gc.collect()
before = gc.mem_alloc()
ended = run_script()
after = gc.mem_alloc()
gc.collect()
ballast = None
if card and machine.mount_card is None:
    os.mount(out, "/out")
    copy_tree("/sd", "/out")
report = {"ended": ended, "ms": now_ms(), "heap_used": after - before}
report["heap_kept"] = gc.mem_alloc() - before
ask("end", report)
