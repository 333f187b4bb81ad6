"""Serial ports: which one a board is likely at, and its REPL through mpremote's transport."""

from __future__ import annotations

import contextlib
import errno
import io
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import serial
from mpremote.transport import TransportError, TransportExecError
from mpremote.transport_serial import SerialTransport
from serial.tools import list_ports

from ..errors import Finding, UserError
from ..files import is_disk_full

__all__ = [
    "BAUD",
    "Port",
    "SerialTransport",
    "TransportExecError",
    "connected",
    "explained",
    "find",
    "opened",
    "ports",
    "require_free",
    "trouble",
]

BAUD = 115200
BRIDGES = {
    (0x1A86, 0x7523): "CH340 (Dock, Go, Cube, Bit)",
    (0x1A86, 0x55D4): "CH9102 (newer Docks)",
    (0x0403, 0x6010): "FT2232 (Bit, Go)",
    (0x0403, 0x6001): "FT232 (M5StickV)",
    (0x0403, 0x6015): "FT231X (Maixduino)",
    (0x10C4, 0xEA60): "CP2102 (other boards)",
    (0x28E9, 0x018A): "GD32 bridge (Bit, Amigo)",
}
"""USB ids (vendor, product) of the serial bridges that K210 boards carry. The ids are those of the
chips' makers; which board has which chip is from the boards' wiki pages. They are no proof: the
same chips are in many other things."""


@dataclass(frozen=True, slots=True)
class Port:
    """A serial port. `bridge` is what the USB id says, "" when it says nothing of a K210."""

    name: str
    description: str
    bridge: str


class Link(SerialTransport):
    """mpremote's transport, opened with DTR and RTS off and with a limit on waiting.

    On boards of the "dan" wiring RTS is the reset and DTR the BOOT key (kflash.py of sipeed), so
    mpremote's way of opening would hold them.
    """

    def __init__(self, device: str) -> None:
        self.in_raw_repl = False
        self.use_raw_paste = True
        self.device_name = device
        self.mounted = False
        self.serial = serial.serial_for_url(
            device, baudrate=BAUD, timeout=5, inter_byte_timeout=1, exclusive=True, do_not_open=True
        )
        self.serial.dtr = self.serial.rts = False
        try:
            self.serial.open()
        except OSError as failed:  # a pty has no such lines
            if failed.errno not in (errno.ENOTTY, errno.EINVAL):
                raise
        self.is_pty = self._is_pty_device(device)


def ports() -> list[Port]:
    """Return the serial ports of this computer, those with a K210 board's USB chip first."""
    found = [
        Port(one.device, one.description or "", BRIDGES.get((one.vid or 0, one.pid or 0), ""))
        for one in list_ports.comports()
    ]
    return sorted(found, key=lambda one: (not one.bridge, one.name))


def find() -> str:
    """Return the port with a K210 board's USB chip; of a board with two the first.

    Raises:
        UserError: `port_not_found`, or `port_ambiguous` when several boards are there.
    """
    known = [one for one in ports() if one.bridge]
    if not known:
        others = ", ".join(one.name for one in ports())
        raise UserError("port_not_found", found=others or "-")
    if len({one.bridge for one in known}) > 1 or len(known) > 2:
        raise UserError("port_ambiguous", found=", ".join(one.name for one in known))
    return known[0].name


@contextmanager
def connected(port: str) -> Iterator[Link]:
    """Yield a link in MicroPython's raw REPL; the running program was stopped, nothing was reset.

    Ctrl-C ends boot.py; MaixPy then runs main.py, which may swallow the first try, so there is a
    second one (seen with a copy of MaixPy's start sequence). The REPL is left as a person expects.

    Raises:
        UserError: `port_missing`, `port_forbidden`, `port_busy`, `board_silent` (nothing answers),
            `board_no_repl` (something is printed, but no prompt), `board_lost` (unplugged);
            `disk_full` when what arrives cannot be written here.
    """
    link = _open(port)
    try:
        _enter(link, port)
        yield link
        link.exit_raw_repl()
    except TransportExecError:
        raise
    except (TransportError, serial.SerialException, OSError) as error:
        if isinstance(error, OSError) and is_disk_full(error):
            raise UserError("disk_full", reason=error.strerror or "") from error
        raise UserError("board_lost", port, reason=str(error)) from error
    finally:
        with contextlib.suppress(OSError, serial.SerialException):
            link.serial.close()  # not Link.close, which moves the lines again


@contextmanager
def opened(port: str) -> Iterator[serial.Serial]:
    """Yield the port itself at 115200 baud, DTR and RTS off; no REPL is looked for.

    Raises:
        UserError: `port_missing`, `port_forbidden`, `port_busy`, `port_unusable`.
    """
    line = _open(port).serial
    line.timeout = 1
    try:
        yield line
    finally:
        with contextlib.suppress(OSError):
            line.close()


def _open(port: str) -> Link:
    try:
        return Link(port)
    except (OSError, ValueError) as error:
        raise explained(port, error) from error


def require_free(port: str) -> None:
    """Do nothing when `port` can be opened and, as far as can be told, nobody else has it open.

    Raises:
        UserError: `port_missing`, `port_forbidden`, `port_busy`, `port_unusable`.
    """
    link = _open(port)
    link.serial.close()
    others = [] if link.is_pty else _holders(port)  # the program behind a pty may hold it
    if others:
        raise UserError("port_busy", port, reason=", ".join(others))


def trouble(port: str) -> Finding | None:
    """Return what is in the way of opening `port`, without opening it (that may reset a board)."""
    if os.name != "nt" and not os.access(port, os.R_OK | os.W_OK):
        return Finding("port_forbidden", port, params={"reason": os.strerror(errno.EACCES)})
    others = _holders(port)
    if others:
        return Finding("port_busy", port, "warning", {"reason": ", ".join(others)})
    return None


def _holders(port: str) -> list[str]:
    """Return the other programs that have the port open, where Linux lets us see that.

    Most serial terminals do not lock the port there: both would get a part of the bytes.
    """
    here, found = Path(port).resolve(), []
    for handle in Path("/proc").glob("[0-9]*/fd/*"):
        process = handle.parents[1]
        with contextlib.suppress(OSError):
            if process.name != str(os.getpid()) and handle.readlink() == here:
                name = (process / "comm").read_text().strip()
                found.append(f"{name} (pid {process.name})")
    return sorted(set(found))


def explained(port: str, error: Exception) -> UserError:
    """Return why a port could not be opened, as an error for people."""
    reason = str(error)
    number = getattr(error, "errno", None) or getattr(error.__context__, "errno", None)
    if number == errno.ENOENT or (number is None and "FileNotFound" in reason):
        return UserError("port_missing", port, found=", ".join(o.name for o in ports()) or "-")
    if number == errno.EBUSY or "exclusively lock" in reason:
        return UserError("port_busy", port, reason=reason)
    if number in (errno.EACCES, errno.EPERM) or "PermissionError" in reason:
        # On Windows a port that another program has open is refused with the same error.
        return UserError("port_busy" if os.name == "nt" else "port_forbidden", port, reason=reason)
    return UserError("port_unusable", port, reason=reason)


def _enter(link: Link, port: str) -> None:
    heard = b""
    for _ in range(2):
        try:
            link.serial.write(b"\r\x03\x03")
            time.sleep(0.3)
            heard += link.serial.read(link.serial.in_waiting)
            with contextlib.redirect_stdout(io.StringIO()):  # mpremote prints what it got
                link.enter_raw_repl(soft_reset=False, timeout_overall=4)
                if link.exec("print(6 * 7)").strip().endswith(b"42"):
                    # MaixPy prints "kpu_net __del__" for models that are gone: now, not later.
                    link.exec("import gc\ngc.collect()")
                    return
        except (TransportError, IndexError):
            heard += link.serial.read(link.serial.in_waiting)
    if not heard.strip(b"\r\n\x03\x01\0"):
        raise UserError("board_silent", port)
    text = heard[-120:].decode("ascii", "replace")
    raise UserError("board_no_repl", port, said=" ".join(text.split())[-80:])
