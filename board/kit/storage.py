# Files on the card and in the flash. Absolute paths only: the current folder changes by itself
# when the firmware mounts the card late.
import time
import uos


def card_present():
    return "sd" in uos.listdir("/")


def wait_for_card(limit_ms):
    # The firmware mounts the card on the other core, after boot.py may already have started.
    started = time.ticks_ms()
    while not card_present():
        if time.ticks_diff(time.ticks_ms(), started) >= limit_ms:
            return False
        time.sleep_ms(50)
    return True


def exists(path):
    try:
        uos.stat(path)
        return True
    except OSError:
        return False


def first_existing(paths):
    for path in paths:
        if exists(path):
            return path
    return None


def read_lines(path):
    # Text is only ever text here: nothing that a file says is run. Bytes that are not ASCII
    # become "?", a byte order mark (Windows Notepad writes one) and empty lines are dropped.
    with open(path, "rb") as source:
        data = source.read()
    if data[:3] == b"\xef\xbb\xbf":
        data = data[3:]
    text = "".join([chr(byte) if byte < 128 else "?" for byte in data])
    return [line.strip() for line in text.split("\n") if line.strip()]
