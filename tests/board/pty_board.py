"""A board on a serial port: real MicroPython behind a pseudo terminal, with a FAT card at /sd.

The port is a symbolic link to one pty; MicroPython sits on a second one; a thread carries the
bytes, and can slow them down, damage or cut them, as cables do.
"""

from __future__ import annotations

import os
import pty
import re
import select
import signal
import subprocess
import sys
import termios
import threading
import time
import tty
from pathlib import Path

START = """
import os, sys
class Disk:
    def __init__(self, path):
        self.file = open(path, "r+b")
    def readblocks(self, n, buf, off=0):
        self.file.seek(n * 512 + off)
        self.file.readinto(buf)
    def writeblocks(self, n, buf, off=0):
        self.file.seek(n * 512 + off)
        self.file.write(buf)
        self.file.flush()
    def ioctl(self, op, arg):
        if op == 4:
            self.file.seek(0, 2)
            return self.file.tell() // 512
        return 512 if op == 5 else 0
_card = Disk(%(card)r) if %(card)r else None
class Spiffs(os.VfsFat):
    # Renames over nothing that is there, as SPIFFS.
    def rename(self, old, new):
        try:
            self.stat(new)
        except OSError:
            return super().rename(old, new)
        raise OSError(17)
_flash = Disk(%(flash)r)
os.umount("/")
for _disk, _kind, _place in ((_flash, Spiffs, "/flash"), (_card, os.VfsFat, "/sd")):
    if _disk:
        try:
            os.mount(_kind(_disk), _place)
        except OSError:
            os.VfsFat.mkfs(_disk)
            os.mount(_kind(_disk), _place)
del Disk, Spiffs, _disk, _kind, _place
print("[MaixPy] init end")
try:
%(boot)s
except KeyboardInterrupt as error:
    sys.print_exception(error)
%(main)s
"""


class PtyBoard:
    """Use as a context manager; `port` is what programs open.

    boot and main are Python texts that run before the REPL, as boot.py and main.py do.
    `rate` limits the bytes a second towards the computer. `damage` is called with the bytes of
    each piece towards the computer and returns what arrives. `silent` never answers.
    """

    def __init__(self, folder, *, boot="pass", main="", card=True, rate=0, damage=None,
                 silent=False):  # fmt: skip
        self.port = str(folder / "ttyBoard")
        self.flash = folder / "flash.img"
        self.card = folder / "card.img" if card else None
        for image in (self.flash, self.card):
            if image:
                image.write_bytes(bytes(512 << 10))
        script = folder / "start.py"
        body = "".join(f"    {line}\n" for line in boot.splitlines())
        values = {"card": str(self.card or ""), "flash": str(self.flash), "boot": body}
        script.write_text(START % {**values, "main": main})
        options = ["-X", "heapsize=2M", "-i", str(script)]
        self.command = [sys.executable, "-m", "micropython_unix", *options]
        self.rate, self.damage, self.silent = rate, damage, silent
        self.said, self.sent = bytearray(), bytearray()  # by the board, by the computer
        self._stop, self._booted = threading.Event(), threading.Event()

    def __enter__(self):
        self._outer, outer = pty.openpty()
        self._inner, inner = pty.openpty()
        self._slaves = (outer, inner)
        tty.setraw(outer)
        tty.setraw(inner)
        mode = termios.tcgetattr(inner)
        mode[3] |= termios.ISIG  # as long as a program runs; MicroPython's prompt takes it away
        termios.tcsetattr(inner, termios.TCSANOW, mode)
        Path(self.port).symlink_to(os.ttyname(outer))
        self.process = None
        if not self.silent:
            self.process = subprocess.Popen(
                self.command, stdin=inner, stdout=inner, stderr=subprocess.STDOUT
            )
        self._thread = threading.Thread(target=self._carry, daemon=True)
        self._thread.start()
        assert self.silent or self._booted.wait(60), "MicroPython did not start"
        return self

    def wait_for(self, text):
        """Wait until the board has printed it."""
        end = time.monotonic() + 60
        while text not in self.said:
            assert time.monotonic() < end, bytes(self.said)
            time.sleep(0.01)

    def __exit__(self, *_):
        self.unplug()
        if self.process:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait()
        for handle in (self._inner, self._slaves[1]):
            os.close(handle)

    def unplug(self):
        """Take the port away, as pulling the cable does."""
        if not self._stop.is_set():
            self._stop.set()
            self._thread.join(5)
            os.close(self._outer)
            os.close(self._slaves[0])
            Path(self.port).unlink()

    def _give(self, data):
        for piece in re.findall(rb"\x03+|[^\x03]+", data):
            if piece.startswith(b"\x03"):
                self._interrupt(piece)
            else:
                os.write(self._inner, piece)

    def _interrupt(self, keys):
        """Give Ctrl-C as a board's UART does: to the program that runs, or to the prompt.

        MicroPython's Unix port dies of a SIGINT while it is between the two, so it is held while
        we look where it is. Several in a row are one, as a board's flag is.
        """
        status, pid = Path(f"/proc/{self.process.pid}/status"), self.process.pid
        while self.process.poll() is None and not self._stop.is_set():
            os.kill(pid, signal.SIGSTOP)
            while not re.search(r"^State:\s[TtZX]", told := status.read_text(), re.MULTILINE):
                time.sleep(0.0005)
            prompt = not termios.tcgetattr(self._slaves[1])[3] & termios.ISIG
            caught = int(re.search(r"^SigCgt:\s(\w+)", told, re.MULTILINE)[1], 16)
            listens = caught & 1 << signal.SIGINT - 1
            if prompt:
                os.write(self._inner, keys)
            elif listens:
                os.kill(pid, signal.SIGINT)
            os.kill(pid, signal.SIGCONT)
            if prompt or listens:
                time.sleep(0.01)
                return
            time.sleep(0.001)

    def _carry(self):
        while not self._stop.is_set():
            ready, _, _ = select.select([self._outer, self._inner], [], [], 0.05)
            for handle in ready:
                try:
                    data = os.read(handle, 4096)
                except OSError:
                    continue
                if handle == self._outer:
                    self.sent += data
                    if not self.silent:
                        self._give(data)
                    continue
                self.said += data
                if not self._booted.is_set():  # nobody listens yet
                    if b"init end" in self.said:
                        self._booted.set()
                    continue
                if self.rate:
                    time.sleep(len(data) / self.rate)
                data = self.damage(data) if self.damage else data
                if data:
                    os.write(self._outer, data)
