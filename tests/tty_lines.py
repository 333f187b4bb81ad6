"""Gives a pty the lines DTR and RTS: `python tty_lines.py SOCKET MODULE ARGUMENTS...` runs an
unmodified module, whose changes of the lines go to SOCKET as datagrams "device dtr rts when".

A pty has no such lines and answers ENOTTY; nothing but `fcntl.ioctl` is wrapped.
"""

from __future__ import annotations

import errno
import fcntl
import os
import runpy
import socket
import struct
import sys
import termios
import time

SET, CLEAR = termios.TIOCMBIS, termios.TIOCMBIC
DTR, RTS = termios.TIOCM_DTR, termios.TIOCM_RTS


def wrapped(address: str, real=fcntl.ioctl):
    """Return what takes the place of `fcntl.ioctl`."""
    lines: dict[str, int] = {}
    sender = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)

    def ioctl(handle, request, argument=0, *rest):
        try:
            return real(handle, request, argument, *rest)
        except OSError as error:
            if error.errno not in (errno.ENOTTY, errno.EINVAL) or request not in (SET, CLEAR):
                raise
        device = os.ttyname(handle)
        (bits,) = struct.unpack("I", argument)
        now = lines.get(device, 0)
        lines[device] = now = now | bits if request == SET else now & ~bits
        message = f"{device} {int(bool(now & DTR))} {int(bool(now & RTS))} {time.monotonic()}"
        sender.sendto(message.encode(), address)
        return 0

    return ioctl


if __name__ == "__main__":
    fcntl.ioctl = wrapped(sys.argv[1])
    sys.argv = sys.argv[2:]
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
