"""SHA-256 in hardware. Source: `sha256.h` and `sha256.c` of Kendryte's SDK."""

from __future__ import annotations

import hashlib
import struct

from .device import Device, blocks, registers


class Sha256(Device):
    """Takes a padded message in words; the digest lies in `result0` (last word) to `result7`."""

    NAME, BASE = "SHA256", 0x502C0000
    REGISTERS = blocks(
        {4 * at: f"result{at}" for at in range(8)},
        registers("data_in data_in2 blocks control resv0 control1", 0x20),
    )
    BLOCK = 64

    def __init__(self, chip) -> None:
        super().__init__(chip)
        self._message = b""

    def write_control(self, value: int) -> None:
        self.values["control"] = value & ~1
        if value & 1:
            self._message = b""

    def write_data_in(self, value: int) -> None:
        self._message += struct.pack("<I", value)
        if len(self._message) == self.BLOCK * (self.values["blocks"] & 0xFFFF):
            for at, word in enumerate(struct.unpack("<8I", self._digest())):
                self.values[f"result{7 - at}"] = word
            self.values["control"] |= 1

    def read_control1(self) -> int:
        return self.values["control1"] & ~0x100  # the input FIFO is never full

    def _digest(self) -> bytes:
        # The driver pads; hashlib pads too, so the padding is taken off and checked.
        size = int.from_bytes(self._message[-8:], "big") // 8
        data, padding = self._message[:size], self._message[size:]
        zeros = padding[1:-8]
        if padding[:1] != b"\x80" or any(zeros) or len(zeros) >= self.BLOCK:
            raise AssertionError("SHA256 was given a message without its padding")
        return hashlib.sha256(data).digest()
