# The SD card: 512-byte blocks of a file on the host, mounted as maixpy_main.c mounts a card.
import os
import struct

from machinery import machine, now_ms, power_off

EIO = 5
GIVE_UP_MS = 3000  # the firmware tries three times: "will wait 3s for sd" (maixpy_main.c)
MOUNT_MS = 60
READ_US, WRITE_US = 250, 500  # a block over SPI


class Blocks:
    # What sdcard.c gives FatFs: 0, or an error that becomes OSError(5).
    def __init__(self):
        self.file = machine.card_file
        self.first, self.count = machine.config["card_blocks"]

    def readblocks(self, number, buffer):
        if not ready():
            return -EIO
        if machine.running:
            machine.us += READ_US * (len(buffer) // 512)
        self.file.seek((self.first + number) * 512)
        self.file.readinto(buffer)
        return 0

    def writeblocks(self, number, buffer):
        if not machine.running:  # the card is being filled before the board is switched on
            self.file.seek((self.first + number) * 512)
            self.file.write(buffer)
            return 0
        view = memoryview(buffer)
        for i in range(len(buffer) // 512):
            if not self.write(self.first + number + i, view[512 * i : 512 * i + 512]):
                return -EIO
        return 0

    def write(self, number, block):
        config = machine.config
        machine.us += WRITE_US
        if not ready() or config["card_read_only"]:
            return False
        machine.attempts += 1
        if machine.attempts == config["power_off_at_write"]:
            power_off()
        error_at = config["write_error_at"]
        if error_at and 0 <= machine.attempts - error_at < config["write_errors"]:
            return False
        self.file.seek(number * 512)
        self.file.write(block)
        machine.journal.write(struct.pack("<II", number, now_ms()))
        machine.journal.write(block)
        machine.writes += 1
        return True

    def ioctl(self, operation, argument):
        if operation == 4:
            return self.count
        return 512 if operation == 5 else 0


def present():
    # Whether the card is in its slot now.
    config, now = machine.config, now_ms()
    inserted = config["card_at_ms"] if config["card_at_ms"] > GIVE_UP_MS else 0
    out, back = config["card_out_ms"], config["card_back_ms"]
    pulled = out is not None and out <= now and (back is None or now < back)
    return machine.card_file is not None and now >= inserted and not pulled


def ready():
    # A card that was out forgets that it was set up: every command fails until a remount.
    if not machine.running:
        return True
    out = machine.config["card_out_ms"]
    since = machine.card_since
    return since is not None and present() and not (out is not None and since < out <= now_ms())


def start_mount(at):
    # As mount_sdcard(): a task of the other core tries for three seconds, nobody hears of it.
    machine.mounting = (at, now_ms() + GIVE_UP_MS)


def remount():
    start_mount(now_ms() + MOUNT_MS)


def mount_when_due():
    at, until = machine.mounting
    if now_ms() > until:
        machine.mounting = None
    elif present() and now_ms() >= at:
        machine.mounting = None
        mount()


def mount():
    machine.card_since = now_ms()
    if machine.config["card_blocks"] is None:
        print("PYB: can't mount SD card")  # no MBR with a FAT partition, exFAT
        return
    card = os.VfsFat(Blocks())
    machine.cards.append(card)  # files of an earlier mount may still be open
    try:
        os.umount("/sd")
    except OSError:
        pass
    try:
        os.mount(card, "/sd")
    except OSError:
        print("PYB: can't mount SD card")
        return
    os.chdir("/sd")  # as the firmware does, at any moment


def fill(files):
    # Before the board is switched on: format the card and copy the files that it shall have.
    blocks = Blocks()
    if not machine.config["formatted"]:
        os.VfsFat.mkfs(blocks)
        same_serial_number(blocks)
    os.mount(files, "/host")
    os.mount(os.VfsFat(blocks), "/sd")
    copy_tree("/host", "/sd")
    os.umount("/host")
    os.umount("/sd")


def same_serial_number(blocks):
    # mkfs takes it from the computer's clock: the same scenario shall give the same card.
    boot = bytearray(512)
    blocks.readblocks(0, boot)
    boot[39:43] = b"K210"
    blocks.writeblocks(0, boot)


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
