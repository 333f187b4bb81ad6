"""The 8 MiB of RAM, 2 of them for the KPU, seen at two addresses: cached and uncached."""

from __future__ import annotations

import ctypes
import mmap

RAM, UNCACHED, RAM_SIZE = 0x80000000, 0x40000000, 8 << 20
KPU_RAM = 6 << 20
"""Where in the RAM the KPU's 2 MiB begin (at 0x40600000 uncached)."""


class Memory:
    """Bytes that all harts and the DMA share; `address` is where they lie on the host."""

    def __init__(self) -> None:
        self.bytes = mmap.mmap(-1, RAM_SIZE)
        self.address = ctypes.addressof(ctypes.c_char.from_buffer(self.bytes))

    def offset(self, address: int, size: int = 1) -> int:
        """Return where `address` lies in the RAM.

        Raises:
            IndexError: `size` bytes at `address` are not all in the RAM.
        """
        for base in (RAM, UNCACHED):
            if base <= address and address + size <= base + RAM_SIZE:
                return address - base
        raise IndexError(f"{size} bytes at {address:#x} are not in the RAM")

    def read(self, address: int, size: int) -> bytes:
        """Return `size` bytes at `address`."""
        at = self.offset(address, size)
        return self.bytes[at : at + size]

    def peek(self, address: int, size: int) -> bytes:
        """Like `read`, but b"" where there is no RAM."""
        try:
            return self.read(address, size)
        except IndexError:
            return b""

    def write(self, address: int, data: bytes) -> None:
        """Store `data` at `address`."""
        at = self.offset(address, len(data))
        self.bytes[at : at + len(data)] = data
