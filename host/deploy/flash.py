"""Writing a board's flash, and running a program from its memory: kflash 1.1.6 as a library.

kflash reports by text alone, tries for ever where a board falls silent in mid-write, and skips a
piece of the flash whose check sum was wrong on arrival (`dump_to_flash` leaves its loop there).
So its messages are read for the stage it is in, its serial port is watched, and such a piece ends
the run. It does not compare what is in the flash: `flash_verify` does.
"""

from __future__ import annotations

import contextlib
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import kflash
import serial

from ..errors import UserError
from . import serial_port
from .flash_file import FlashFile, write_kfpkg

BOARDS = {
    "dock": "dan",
    "bit": "bit",
    "bit_mic": "bit_mic",
    "go": "goE",
    "go_old": "goD",
    "maixduino": "maixduino",
    "cube": "goE",
    "amigo": "goE",
    "m5stickv": "goE",
    "unitv": "goE",
    "yahboom": "goE",
    "kd233": "kd233",
    "trainer": "trainer",
}
"""Our names of boards, and kflash's for how their RESET and BOOT hang on the serial chip. Sources:
kflash's README (Go with old and new firmware of its debugger, KD233, trainer), its board list (Dock
is "dan"), and the instructions of the Krux project for Cube, Amigo, M5StickV, Dock and Yahboom."""

FAST, SLOW = 1_500_000, serial_port.BAUD
SILENCE = 20.0
"""Seconds without a byte after which a board that was writing counts as gone. 64 KiB, the most
that is sent at once, take a flash chip 7 s at worst."""
MEMORY_BYTES = 6 << 20
STAGES = {
    "Trying to Enter the ISP Mode": "greet",
    "Greeting Message Detected": "load",
    "Extracting KFPKG": "write",
    "Rebooting": "reboot",
    "Boot user code from SRAM": "running",
}
FAILURES = {
    "greet": "flash_no_greeting",
    "load": "flash_no_stub",
    "write": "flash_interrupted",
    "reboot": "flash_no_reboot",
}

Progress = Callable[[float, str, str], None]
"""Called with the fraction done (0..1), the part that is being written, and the speed as text."""

_one_at_a_time = threading.Lock()  # kflash talks through an attribute of its class


def write(
    port: str,
    file: FlashFile,
    *,
    board: str = "",
    baud: int = FAST,
    slow: bool = False,
    progress: Progress = lambda done, name, speed: None,
) -> None:
    """Write the parts of `file` into the flash of the board at `port` and start the board again.

    Args:
        port: the serial port, e.g. /dev/ttyUSB0.
        file: what `flash_file.read` returned.
        board: one of `BOARDS`, or "" to let kflash find the wiring.
        baud: bits a second while writing.
        slow: 115200 bits a second from end to end.
        progress: told of every piece that was written.

    Raises:
        UserError: `port_...`, `flash_no_greeting`, `flash_no_stub`, `flash_interrupted`,
            `flash_line_noise`, `flash_no_reboot` (everything was written), `flash_cancelled`.
    """
    with tempfile.TemporaryDirectory(prefix="maixforge-flash-") as folder:
        package = Path(folder) / "flash.kfpkg"
        write_kfpkg(file, package)
        values = {"baudrate": SLOW if slow else baud, "slow_mode": slow, "file": str(package)}
        watch = _Watch(port, file, progress)
        _process(watch, port, board, values)


@contextmanager
def run_in_ram(port: str, image: bytes, board: str = "") -> Iterator[serial.Serial]:
    """Load `image` to 0x80000000, start it, and yield the open serial port (115200 baud).

    The flash is not touched; with the next reset the board is as it was. The port is the one
    that kflash opened: closing it and opening it again would move the lines that are wired to
    RESET and BOOT. It is closed when the block ends.

    Raises:
        UserError: as `write`.
        ValueError: the image is empty, too large or an ELF file.
    """
    if not 0 < len(image) <= MEMORY_BYTES or image.startswith((b"\x7fELF", b"PK")):
        raise ValueError("a program for 0x80000000 is a plain image of at most 6 MiB")
    with tempfile.TemporaryDirectory(prefix="maixforge-run-") as folder:
        program = Path(folder) / "program.bin"
        program.write_bytes(image)
        watch = _Watch(port)
        # Slow: kflash's fast way sets another rate in the ROM, which the program knows nothing of.
        values = {"baudrate": SLOW, "slow_mode": True, "file": str(program), "sram": True}
        _process(watch, port, board, values)
    assert watch.port is not None
    opened = watch.port.keep()
    try:
        opened.timeout = 1
        yield opened
    finally:
        opened.close()


def wiring(board: str) -> str | None:
    """Return kflash's name for the wiring of a board; None for "": it tries three in turn.

    Raises:
        UserError: `flash_board_unknown`.
    """
    if board not in ("", *BOARDS, *BOARDS.values()):
        raise UserError("flash_board_unknown", board, names=", ".join(BOARDS))
    return BOARDS.get(board, board) or None


class _SilentError(Exception):
    """The board said nothing for `SILENCE` seconds."""


class _DamagedError(Exception):
    """A piece arrived damaged; kflash would leave it out."""


class _Port:
    """The serial port under kflash: it remembers why it broke, and lets go of a silent board."""

    def __init__(self, port: serial.Serial) -> None:
        self._port = port
        self._heard = time.monotonic()
        self.failure: Exception | None = None
        self.once = self.kept = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._port, name)

    @property
    def baudrate(self) -> int:
        return self._port.baudrate

    @baudrate.setter
    def baudrate(self, value: int) -> None:
        self._port.baudrate = value

    @contextmanager
    def _remembering(self) -> Iterator[None]:
        try:
            yield
        except serial.PortNotOpenError:  # kflash itself closed it, after a time without an answer
            raise
        except OSError as error:
            self.failure = error
            raise

    def open(self) -> None:
        if self.once:  # kflash reopens and sends again, for ever
            raise self.failure or _SilentError
        with self._remembering():
            self._port.open()

    def close(self) -> None:
        if not self.kept:
            self._port.close()

    def keep(self) -> serial.Serial:
        """Hand the port itself over."""
        return self._port

    def read(self, count: int = 1) -> bytes:
        with self._remembering():
            data = self._port.read(count)
        if data:
            self._heard = time.monotonic()
        elif self.once and time.monotonic() - self._heard > SILENCE:
            self.failure = _SilentError()
            raise self.failure
        return data

    def write(self, data: bytes) -> int:
        if self.failure:
            raise self.failure
        with self._remembering():
            sent = self._port.write(data)
        self._heard = time.monotonic()
        return sent or 0


class _Watch(kflash.KFlash):
    """kflash with its stage, its last words and the fraction done."""

    def __init__(
        self, name: str, file: FlashFile | None = None, progress: Progress | None = None
    ) -> None:
        self.port: _Port | None = None
        super().__init__()
        self.name, self.stage, self.said = name, "open", ""
        self._progress = progress
        self._total = file.bytes if file else 0
        self._before = self._part_total = 0
        self._part = ""
        self.fraction = 0.0

    @property
    def loader(self) -> Any:  # pyright: ignore[reportIncompatibleVariableOverride]
        """kflash's loader; its port is replaced by the one that is watched."""
        return self._loader

    @loader.setter
    def loader(self, loader: Any) -> None:
        self._loader = loader
        if loader is not None:
            self.port = loader._port = _Port(loader._port)

    def heard(self, *words: object, **_: object) -> None:
        """Take a line that kflash would print.

        Raises:
            _DamagedError: it says that a piece arrived damaged.
        """
        text = " ".join(map(str, words)).strip()
        if len(text) > 1 and "|" not in text:  # no bar, no dot
            self.said = text
        for start, stage in STAGES.items():
            if start in text:
                self.stage = stage
                if self.port:
                    self.port.once = stage != "greet"
                    self.port.kept = stage == "running"
        if "Data checksum error" in text:
            raise _DamagedError

    def moved(self, name: str, done: int, total: int, speed: str) -> None:
        """Take the progress of one part."""
        if self._progress is None or name == "ISP":
            return
        if name != self._part:
            self._before += self._part_total
            self._part, self._part_total = name, total
        self.fraction = (self._before + done) / max(self._total, 1)
        self._progress(self.fraction, name.partition("-")[2], speed)

    def explained(self, error: BaseException) -> UserError:
        """Return what happened, in the words of the stage that it happened in."""
        if self.stage == "open" and isinstance(error, OSError | ValueError):
            return serial_port.explained(self.name, error)
        if self.stage == "write" and isinstance(error, KeyboardInterrupt):
            return UserError("flash_cancelled", self.name, done=f"{self.fraction:.0%}")
        if isinstance(error, _DamagedError):
            return UserError("flash_line_noise", self.name, done=f"{self.fraction:.0%}")
        cause = (self.port.failure if self.port else None) or error
        if self.stage in ("greet", "load") and isinstance(cause, OSError):
            return UserError("flash_port_lost", self.name, reason=str(cause))
        reason = str(cause) or self.said
        if isinstance(cause, _SilentError):
            reason = f"- ({SILENCE:.0f} s)"
        code = FAILURES.get(self.stage, "flash_no_greeting")
        return UserError(code, self.name, reason=reason[:200], done=f"{self.fraction:.0%}")


def _process(watch: _Watch, port: str, board: str, values: dict[str, Any]) -> None:
    """Let kflash work; it says that a program runs by raising an exception, too."""
    serial_port.require_free(port)
    with _one_at_a_time:
        kflash.KFlash.print_callback = watch.heard
        try:
            watch.process(
                terminal=False,
                dev=port,
                board=wiring(board),
                callback=watch.moved,
                noansi=True,
                terminal_size=(80, 24),
                **values,
            )
        except (Exception, KeyboardInterrupt) as error:
            if watch.stage == "running":
                return
            with contextlib.suppress(Exception):
                if watch.port:
                    watch.port.keep().close()
            if isinstance(error, KeyboardInterrupt) and watch.stage != "write":
                raise
            raise watch.explained(error) from error
        finally:
            kflash.KFlash.print_callback = None
