"""A K210 board at the far end of a pty: reset circuit, mask ROM, stub, and what runs afterwards.

The ROM is a protocol model. So is kflash's stub, unless the board was made with `execute`: then
every program that the ROM is told to start runs on the virtual K210.

A program is anything with `take(bytes)`, `step()` (False: the chip resets) and `close()`; it says
bytes by calling what it was made with.
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


class ChipProgram:
    """What runs on a virtual K210."""

    def __init__(self, chip, say):
        self.chip = chip
        for uart in (chip.uarths, chip.uart[2]):  # MaixPy's REPL is on either
            uart.send = lambda byte: say(bytes([byte]))

    def take(self, data):
        self.chip.uarths.type(data)
        self.chip.uart[2].type(data)

    def step(self):
        self.chip.step()
        return not self.chip.reset_requested

    def close(self):
        pass


class IspBoard:
    """Use as a context manager. `port` is what programs open, `lines` where `tty_lines` sends.

    `boot(flash, say)` returns the program that starts from the flash (or None),
    `execute(image, say, flash)` the one that the ROM starts in memory.
    """

    def __init__(self, folder: Path, *, wiring="dan", boot=None, execute=None):
        self.isp = Isp()
        self.lines = str(folder / "lines")
        self.state = "off"
        self.lost = 0  # bytes at a rate that the board did not expect
        self.program = None
        self._boot, self._execute = boot, execute
        self._reset_line, self._boot_line = WIRINGS[wiring]
        self._in_reset = self._io16_low = False
        self._sample_at, self._rate = 0.0, 0
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
            if self.program:
                self.program.close()
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
        now = time.monotonic()
        ready = select.select([self._master, self._control], [], [], 0 if self.program else 0.01)[0]
        if self._control in ready:
            device, dtr, rts, when = self._control.recv(200).decode().split()
            if device == self.port:
                self._sample(float(when))
                self._moved({"dtr": dtr == "1", "rts": rts == "1"}, float(when))
            return  # lines before bytes
        self._sample(now)
        if self._master in ready:
            self._arrived(os.read(self._master, 65536))
        if self.program and not self.program.step():
            self._start_from_flash()

    def _sample(self, now):
        """Let the ROM look at IO16 if it is time; not our time, which a busy computer stretches."""
        if self.state == "starting" and now > self._sample_at:
            if self._io16_low:
                self.state = "rom"
            else:
                self._start_from_flash()

    def _moved(self, lines, when):
        reset, boot = lines[self._reset_line], lines[self._boot_line]
        self._io16_low = boot and not reset
        if reset and not boot:
            self._in_reset = True
            self._enter("reset")
        elif self._in_reset and not reset:
            self._in_reset = False
            self._enter("starting")
            self._sample_at = when + SAMPLED_AFTER

    def _rate_fits(self):
        """Bytes may have been sent just before the rate was changed, so two rates count."""
        rate = RATES.get(termios.tcgetattr(self._slave)[5], 0)
        rates, self._rate = (self._rate, rate), rate
        return any(abs(one - self.isp.baud) <= 0.03 * self.isp.baud for one in rates)

    def _arrived(self, data):
        if self.program:
            self.program.take(data)
        elif self.state != "rom":
            return
        elif not self._rate_fits():
            self.lost += len(data)
        else:
            self.isp.take(data)
            self._say(bytes(self.isp.out))
            self.isp.out.clear()
            if self.isp.program and self._execute:
                self.program = self._execute(self.isp.program, self._say, self.isp.flash)
            elif self.isp.rebooted:
                self._start_from_flash()

    def _say(self, data):
        if data:
            os.write(self._master, data)

    def _enter(self, state):
        if self.program:
            self.program.close()
        self.program, self.state = None, state
        self.isp.reset()

    def _start_from_flash(self):
        self._enter("flash")
        if self._boot:
            self.program = self._boot(self.isp.flash, self._say)
