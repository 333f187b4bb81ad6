"""The screen: an ST7789 on SPI0, whose commands and data a GPIO tells apart."""

from __future__ import annotations

import numpy as np

SLEEP_OUT, ON, COLUMNS, ROWS, WRITE, ACCESS = 0x11, 0x29, 0x2A, 0x2B, 0x2C, 0x36
SIDE = 480


class Panel:
    """Keeps the pixels at the addresses they were written to; rotation is the firmware's affair.

    `pixels`: uint16 (480, 480), RGB565, row and column as the firmware numbers them.
    """

    def __init__(self) -> None:
        self.pixels = np.zeros((SIDE, SIDE), np.uint16)
        self.is_data = False
        self.access = 0
        self.window = (0, 0, 0, 0)
        self.painted = 0
        self._command = -1
        self._data = bytearray()

    def data_select(self, level: int) -> None:
        """Follow the pin that tells data (1) from commands (0)."""
        self._flush()
        self.is_data = bool(level)

    def select(self) -> None:
        """Do nothing: a command may span several selects."""

    def deselect(self) -> None:
        """Do nothing: a command may span several selects."""

    def take(self, byte: int) -> None:
        """Take a command, or a byte of its data."""
        if self.is_data:
            self._data.append(byte)
        else:
            self._flush()
            self._command = byte

    def give(self, count: int) -> bytes:
        """Return ones: nobody reads this panel."""
        return b"\xff" * count

    def exchange(self, byte: int) -> int:
        """Take a byte, return ones."""
        self.take(byte)
        return 0xFF

    def _flush(self) -> None:
        data, self._data = bytes(self._data), bytearray()
        if not data:
            return
        if self._command in (COLUMNS, ROWS) and len(data) >= 4:
            first, last = int.from_bytes(data[:2], "big"), int.from_bytes(data[2:4], "big")
            left, right, top, bottom = self.window
            is_columns = self._command == COLUMNS
            self.window = (first, last, top, bottom) if is_columns else (left, right, first, last)
        elif self._command == ACCESS:
            self.access = data[0]
        elif self._command == WRITE:
            self._paint(np.frombuffer(data[: len(data) & ~1], ">u2"))

    def _paint(self, values: np.ndarray) -> None:
        left, right, top, bottom = self.window
        width, height = right - left + 1, bottom - top + 1
        count = min(len(values), width * height)
        block = self.pixels[top : bottom + 1, left : right + 1]
        flat = block.reshape(-1).copy()
        flat[:count] = values[:count]
        self.pixels[top : bottom + 1, left : right + 1] = flat.reshape(block.shape)
        self.painted += 1

    def picture(self, width: int, height: int) -> np.ndarray:
        """Return the screen as uint8 (height, width, 3)."""
        self._flush()
        v = self.pixels[:height, :width]
        parts = (v >> 11 << 3, (v >> 5 & 63) << 2, (v & 31) << 3)
        return np.stack(parts, -1).astype(np.uint8)
