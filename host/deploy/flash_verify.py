"""Is in the flash what was meant? The board's own MaixPy reads it, piece by piece.

Neither the boot ROM nor kflash's program reads the flash back. MaixPy does, with
`Maix.utils.flash_read`; the board sends the SHA-256 of each piece, so it takes seconds. What is
compared is what the program in the flash reads and says: a transmission error or a worn flash
shows, a firmware that lies does not.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from ..errors import UserError
from . import serial_port
from .flash_file import FlashFile
from .flash_map import FILES_ADDRESS
from .serial_port import SerialTransport, TransportExecError

PIECE = 16 << 10
"""`flash_read` takes twice that from a heap of 512 KiB, in which a script may have run."""
START_SECONDS = 30.0
"""MaixPy with a card is at its prompt after 3 to 10 s."""
SETTLED, SETTLED_AT_LAST = 2.0, 10.0
"""A board that starts is listened to until it was quiet for so long, or for so long at most: a
Ctrl-C while camera and card are being started left MaixPy 0.6.2 hanging on the virtual K210."""
PROBE = b"MaixForge" * 1000
ASK = f"""\
import gc, uhashlib, ubinascii
from Maix import utils
def hashed(d):
 gc.collect()
 return ubinascii.hexlify(uhashlib.sha256(d).digest()).decode()
print(hashed(b'MaixForge' * {len(PROBE) // 9}))
"""


@dataclass(frozen=True, slots=True)
class Verified:
    """`compared` bytes are right; `left_out` names parts in the board's own file system, where
    MaixPy writes by itself."""

    compared: int
    left_out: tuple[str, ...]


def verify(
    port: str,
    file: FlashFile,
    progress: Callable[[float], None] = lambda done: None,
    seconds: float = START_SECONDS,
) -> Verified:
    """Compare the flash of the board at `port` with `file`; its running program is stopped.

    Args:
        port: the serial port.
        file: what should be there.
        progress: told the fraction done.
        seconds: how long to wait for MaixPy's prompt after the reset.

    Raises:
        UserError: `flash_differs`, `flash_unverified` (with the reason: nothing is known then),
            `port_...`, `board_lost`.
    """
    wanted = list(_pieces(file))
    total, done = sum(len(data) for _, _, data in wanted), 0
    different: dict[str, int] = {}
    with _prompt(port, seconds) as link:
        _prepare(link, port)
        for name, address, data in wanted:
            if _hash(link, port, address, len(data)) != hashlib.sha256(data).hexdigest():
                different.setdefault(name, address)
            done += len(data)
            progress(done / max(total, 1))
    if different:
        name, address = next(iter(different.items()))
        names = ", ".join(different)
        raise UserError("flash_differs", port, names=names, address=f"{address:#x}", name=name)
    left_out = tuple(part.name for part in file.parts if part.end > FILES_ADDRESS)
    return Verified(total, left_out)


def _pieces(file: FlashFile) -> Iterator[tuple[str, int, bytes]]:
    """Yield (part, address, bytes) of what MaixPy itself does not write to."""
    for part in file.parts:
        data = part.flashed[: max(0, FILES_ADDRESS - part.address)]
        for at in range(0, len(data), PIECE):
            yield part.name, part.address + at, data[at : at + PIECE]


@contextmanager
def _prompt(port: str, seconds: float) -> Iterator[SerialTransport]:
    """Yield MaixPy's prompt, which is waited for: the board has just been reset."""
    end = time.monotonic() + seconds
    _settle(port)
    with ExitStack() as stack:
        while True:
            try:
                link = stack.enter_context(serial_port.connected(port))
                break
            except UserError as error:
                if error.code not in ("board_silent", "board_no_repl"):
                    raise
                if time.monotonic() > end:
                    unknown = _unverified(port, "-").findings
                    raise UserError.of((*unknown, *error.findings)) from error
        yield link


def _settle(port: str) -> None:
    """Listen until the board that has been reset has started what it starts."""
    with serial_port.opened(port) as link:
        link.timeout = 0.1
        heard = begun = time.monotonic()
        while time.monotonic() < min(heard + SETTLED, begun + SETTLED_AT_LAST):
            if link.read(256):
                heard = time.monotonic()


def _prepare(link: SerialTransport, port: str) -> None:
    """Give the board what it needs; refuse one whose SHA-256 is wrong (MaixPy before 12/2020)."""
    if _asked(link, port, ASK) != hashlib.sha256(PROBE).hexdigest():
        raise _unverified(port, "SHA-256")


def _hash(link: SerialTransport, port: str, address: int, size: int) -> str:
    return _asked(link, port, f"print(hashed(utils.flash_read({address},{size})))")


def _asked(link: SerialTransport, port: str, script: str) -> str:
    """Run a script; return its last line: MaixPy itself may say "kpu_net __del__" before."""
    try:
        return link.exec(script).decode("ascii", "replace").strip().rpartition("\n")[2]
    except TransportExecError as error:
        reason = (error.error_output.strip().splitlines() or ["?"])[-1]
        raise _unverified(port, reason) from error


def _unverified(port: str, reason: str) -> UserError:
    return UserError("flash_unverified", port, reason=reason)
