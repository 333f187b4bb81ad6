"""A board around the chip: firmware in the flash, card, camera, screen, BOOT key, serial port."""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from PIL import Image

from .camera import OV2640_ADDRESS, Ov2640
from .chip import Chip
from .panel import Panel

LCD_DATA_SELECT = 31
"""GPIOHS number of the screen's data/command line in MaixPy."""
CAMERA_BUS = 2
PLAIN_IMAGE = 2
"""First byte of a plain firmware image as kflash writes it."""
PROMPT = b">>> "


def firmware_image(code: bytes) -> bytes:
    """Return what kflash writes at flash address 0: flags, size, code, SHA-256 of all that."""
    data = struct.pack("<BI", PLAIN_IMAGE, len(code)) + code
    return data + hashlib.sha256(data).digest()


class Rig:
    """A Sipeed board with MaixPy's .bin in its flash.

    Args:
        firmware: the .bin as published, or the contents of a whole flash (a bytearray of 16 MiB,
            which the board then uses).
        card: image of a FAT card; a copy is used (`card` afterwards is what the board left).
        camera: what the camera sees, one picture a frame; the last repeats. None: no camera.
        key: 16 bytes in the chip's key slot.
    """

    def __init__(
        self,
        firmware: bytes | bytearray,
        card: bytes,
        camera: Iterable[Image.Image] | None = None,
        key: bytes = bytes(16),
    ) -> None:
        self.card = bytearray(card)
        self.chip = Chip(self.card)
        if isinstance(firmware, bytearray):
            self.chip.flash.bytes = firmware
        else:
            image = firmware_image(firmware)
            self.chip.flash.bytes[: len(image)] = image
        self.chip.otp.bytes[0x3FF0:0x4000] = key
        self.panel = Panel()
        self.chip.spi[0].slave = self.panel
        self.chip.gpiohs.listeners.append((LCD_DATA_SELECT, self.panel.data_select))
        self.printed = bytearray()
        self.chip.uarths.send = self.printed.append
        self.chip.uart[2].send = self.printed.append  # MaixPy's REPL is on either
        if camera is not None:
            self._pictures = list(camera)
            self.chip.i2c[CAMERA_BUS].slaves[OV2640_ADDRESS] = Ov2640()
            self.chip.dvp.frames = self._frame
        self.chip.boot_flash()

    def _frame(self, width: int, height: int) -> np.ndarray:
        number = min(self.chip.dvp.taken, len(self._pictures) - 1)
        return np.asarray(self._pictures[number].convert("RGB").resize((width, height)))

    @property
    def text(self) -> str:
        """What the board printed."""
        return self.printed.decode("ascii", "replace")

    def wait_for(self, text: str, times: int = 1, seconds: float = 120) -> None:
        """Run until `text` was printed `times` times since the start.

        Raises:
            AssertionError: it did not come within `seconds` of real time.
        """
        wanted = text.encode()
        why = self.chip.run(lambda: self.printed.count(wanted) >= times, seconds)
        assert why == "until", f"{why} while waiting for {text!r}:\n{self.text[-3000:]}"

    def run_ms(self, ms: int, seconds: float = 120) -> None:
        """Run for `ms` of the board's time."""
        end = self.chip.mtime() + ms * 7800
        why = self.chip.run(lambda: self.chip.mtime() >= end, seconds)
        assert why == "until", f"{why} while running {ms} ms:\n{self.text[-3000:]}"

    def press(self, pin: int, ms: int) -> None:
        """Hold a key for `ms`, then let go for 100 ms."""
        self.chip.hold(pin, 0)
        self.run_ms(ms)
        self.chip.hold(pin, 1)
        self.run_ms(100)

    def type(self, line: str) -> str:
        """Type a line at the REPL; return what it printed."""
        start = len(self.printed)
        self.chip.uarths.type(line.encode() + b"\r")
        self.wait_for(PROMPT.decode(), self.printed.count(PROMPT) + 1)
        return self.printed[start:].decode("ascii", "replace")

    def screen(self, width: int = 320, height: int = 240) -> Image.Image:
        """Return what the screen shows."""
        return Image.fromarray(self.panel.picture(width, height))


def read_firmware(path: str) -> bytes:
    """Return a MaixPy .bin.

    Raises:
        ValueError: the file is something else.
    """
    data = Path(path).read_bytes()
    if b"MaixPy" not in data and b"MAIXPY" not in data:
        raise ValueError(f"{path} is no MaixPy firmware")
    return data
