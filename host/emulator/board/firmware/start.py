# Started by the host inside MicroPython: sets the board up, runs the script as boot.py, reports.
import builtins
import gc
import json
import os
import sys

sys.path.insert(0, sys.argv[0].rsplit("/", 1)[0])

import builds
import card
import crypto
import machinery
import standard
from flash import Spiffs
from machinery import ask, machine, refuse

machine.requests = open(int(sys.argv[1]), "wb")
machine.answers = open(int(sys.argv[2]), "rb")
machine.config = json.loads(open(sys.argv[3]).read())
machine.mount_when_due = card.mount_when_due
machine.pins = {}


def insert_card():
    # Open the card's blocks; a card that was not given as an image is formatted and filled.
    work, given = machine.config["work"], machine.config["card_image"]
    if given is None:
        os.umount("/")
        return
    machine.card_file = open(given, "r+b")
    machine.journal = open(work + "/journal", "wb")
    files = os.VfsPosix(work + "/card") if machine.config["fill_card"] else None
    os.umount("/")
    if files:
        card.fill(files)
        machine.cards = []


def install_modules():
    import image
    import sensor

    # The file systems of the host are gone later: everything is imported now.
    for name in ("Maix", "board", "fpioa_manager", "lcd", "KPU", "touchscreen"):
        __import__(name)
    scales = [(scale, ask("font", {"scale": scale})[1]) for scale in (1, 2, 3, 4)]
    image.use_font(scales[0][1], dict(scales))
    image.use_build(machine.config["build"] in builds.FULL_IMAGE)
    sensor.prepare()
    sys.modules["uos"] = sys.modules["os"] = standard.make_uos()
    sys.modules["utime"] = sys.modules["time"] = standard.Time()
    sys.modules["machine"] = standard.make_machine()
    sys.modules["ucryptolib"], sys.modules["uctypes"] = crypto.Cryptolib, crypto.Uctypes
    real_import = builtins.__import__
    known, ours = builds.modules(machine.config["build"]), set(sys.modules)

    def checked_import(name, *rest):
        top = name.split(".")[0]
        of_script = top in sys.modules and top not in ours
        if top not in known and not of_script and not lies_on_path(top):
            raise ImportError("no module named '%s'" % name)
        if top in builds.NOT_HERE:
            refuse("the virtual board has no module %s" % top)
        return real_import(name, *rest)

    builtins.__import__ = checked_import


def lies_on_path(name):
    # Whether a script's own module is on the card (or the flash), as source.
    for folder in sys.path:
        folder = folder or os.getcwd()
        try:
            if folder[0] == "/" and os.stat(folder + "/" + name + ".py"):
                return True
        except OSError:
            pass
    return False


def take_memory():
    # Leave as much heap as a MaixPy build gives its scripts.
    gc.collect()
    spare = gc.mem_free() - machine.config["heap"]
    return bytearray(spare) if spare > 0 else None


def run_script(source):
    # How the run ended: "returned", "power off", "exit ...", "refused: ..." or "error: ...".
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


with open(machine.config["script"]) as file:
    script = file.read()
flash = Spiffs(machine.config["work"] + "/flash")
install_modules()
insert_card()
os.mount(flash, "/flash")
os.chdir("/flash")
ask("ready", {})
ballast = take_memory()
gc.collect()
machine.heap_before = gc.mem_alloc()
machine.running = True
if machine.card_file:
    card.start_mount(machine.config["card_at_ms"])
    if machine.config["card_at_ms"] <= 0:
        card.mount_when_due()
ended = run_script(script)
machine.running = False
if machine.refused and not ended.startswith("refused"):
    ended = "refused: %s" % machine.refused
machinery.report(ended)
