"""A K210 board at the far end of a pty: reset circuit, mask ROM, stub, and what runs afterwards.

The ROM is a protocol model. So is kflash's stub, unless the board was made with `execute`: then
every program that the ROM is told to start runs on the virtual K210.
"""

from __future__ import annotations

import os
import pty
import select
import socket
import termios
import threading
import time
import tty
from pathlib import Path

from isp_port import Isp

WIRINGS = {"dan": ("rts", "dtr"), "kd233": ("dtr", "rts")}
"""The line that pulls RESET low and the one that pulls IO16 low; both at once do nothing."""
RATES = {
    getattr(termios, name): int(name[1:])
    for name in dir(termios)
    if name[0] == "B" and name[1:].isdigit()
}
SAMPLED_AFTER = 0.02
"""Seconds from the end of the reset until the ROM looks at IO16."""


class IspBoard:
    """Use as a context manager. `port` is what programs open, `lines` where `tty_lines` sends.

    `starts` counts starts from flash. `boot` is called with the flash and the board at such a
    start and returns a chip that runs (or None); `execute` likewise for a program in memory.
    """

    def __init__(self, folder: Path, *, wiring="dan", boot=None, execute=None):
        self.isp = Isp()
        self.lines = str(folder / "lines")
        self.said: list[str] = []
        self.starts = 0
        self.state = "off"
        self.lost = 0
        self.chip = None
        self._boot, self._execute = boot, execute
        self._reset_line, self._boot_line = WIRINGS[wiring]
        self._in_reset = self._io16_low = False
        self._sample_at = 0.0
        self._stop = threading.Event()
        self._failure: BaseException | None = None

    def __enter__(self):
        self._master, self._slave = pty.openpty()
        tty.setraw(self._slave)
        self.port = os.ttyname(self._slave)
        self._control = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._control.bind(self.lines)
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_):
        self.unplug()
        self._control.close()
        if self._failure:
            raise self._failure

    def unplug(self):
        """Take the port away, as pulling the cable does."""
        if not self._stop.is_set():
            self._stop.set()
            if threading.current_thread() is not self._thread:
                self._thread.join(20)
            for handle in (self._master, self._slave):
                os.close(handle)

    # The cable

    def _serve(self):
        try:
            while not self._stop.is_set():
                self._turn()
        except BaseException as failure:
            if not self._stop.is_set():
                self._failure = failure

    def _turn(self):
        if self.state == "starting" and time.monotonic() > self._sample_at:
            self._start("rom" if self._io16_low else "flash")
        wait = 0 if self.chip else 0.01
        ready = select.select([self._master, self._control], [], [], wait)[0]
        if self._control in ready:
            device, dtr, rts = self._control.recv(200).decode().split()
            if device == self.port:
                self._moved({"dtr": dtr == "1", "rts": rts == "1"})
            return  # lines before bytes
        if self._master in ready:
            self._arrived(os.read(self._master, 65536))
        if self.chip:
            self.chip.step()
            if self.chip.reset_requested:
                self._start("flash")

    def _moved(self, lines):
        reset, boot = lines[self._reset_line], lines[self._boot_line]
        self._io16_low = boot and not reset
        if reset and not boot:
            self._in_reset, self.chip, self.state = True, None, "reset"
        elif self._in_reset and not reset:
            self._in_reset, self.state = False, "starting"
            self._sample_at = time.monotonic() + SAMPLED_AFTER

    def _rate_fits(self):
        rate = RATES.get(termios.tcgetattr(self._slave)[5], 0)
        return abs(rate - self.isp.baud) <= 0.03 * self.isp.baud

    def _arrived(self, data):
        if self.state == "program" and self.chip:
            self.chip.uarths.type(data)
            self.chip.uart[2].type(data)
        elif self.state in ("rom", "program"):
            if not self._rate_fits():
                self.lost += len(data)
                return
            self.isp.take(data)
            self._send(bytes(self.isp.out))
            self.isp.out.clear()
            if self.state == "rom" and self.isp.booted:
                self._started_from_memory()
            elif self.isp.rebooted:
                self._start("flash")

    def _send(self, data):
        if data:
            os.write(self._master, data)

    # What runs

    def _start(self, how):
        self.isp.reset()
        self.chip, self.state = None, how
        if how == "flash":
            self.starts += 1
            self.chip = self._boot(bytes(self.isp.flash), self) if self._boot else None
            self._wire()

    def _started_from_memory(self):
        self.state = "program"
        if self._execute:
            self.chip = self._execute(self.isp.program, self)
            self._wire()

    def _wire(self):
        if self.chip:
            self.state = "program"
            self.isp.booted = True

            def send(byte):
                self._send(bytes([byte]))

            self.chip.uarths.send = self.chip.uart[2].send = send
