"""DMA: six channels of a DesignWare AXI DMAC, one block each, done as soon as both sides can.

Source: `dmac.h` of Kendryte's SDK.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from .device import WORD, Device, UnknownRegisterError
from .spi import Spi

CHANNELS = 6
COMMON = {0x00, 0x08, 0x10, 0x18, 0x28, 0x30, 0x38, 0x40, 0x48, 0x50, 0x58}
CFG, ENABLE, INTERRUPTS, COMMON_STATUS, RESET = 0x10, 0x18, 0x30, 0x50, 0x58
SOURCE, TARGET, BLOCK, CONTROL, STATUS_ENABLE, STATUS, SIGNAL, CLEAR = (
    0x00, 0x08, 0x10, 0x18, 0x80, 0x88, 0x90, 0x98,
)  # fmt: skip
OF_CHANNEL = {
    SOURCE, TARGET, BLOCK, CONTROL, 0x20, 0x28, 0x30, 0x38, 0x40, 0x48, 0x50, 0x60, 0x68,
    STATUS_ENABLE, STATUS, SIGNAL, CLEAR,
}  # fmt: skip
DONE = 3  # block and transfer finished


@runtime_checkable
class DmaSource(Protocol):
    """A peripheral that the DMA can read."""

    def dma_read(self, count: int) -> bytes: ...


@runtime_checkable
class DmaSink(Protocol):
    """A peripheral that the DMA can write."""

    def dma_write(self, data: bytes) -> None: ...


@dataclass
class Transfer:
    """What a channel still has to move; widths in bytes."""

    channel: int
    source: int
    target: int
    left: int
    source_moves: bool
    target_moves: bool
    width: int


class Dmac(Device):
    """Registers are 64 bits wide and may be written in halves."""

    NAME, BASE = "DMAC", 0x50000000

    def __init__(self, chip) -> None:
        super().__init__(chip)
        self.words: dict[int, int] = {}
        self.enabled = 0
        self.transfers: list[Transfer | None] = [None] * CHANNELS
        self.status = [0] * CHANNELS
        self._busy = False

    def _place(self, offset: int, what: str) -> tuple[int, int]:
        """Return (channel or -1, register) of a 64-bit register.

        Raises:
            UnknownRegisterError: there is none at `offset`.
        """
        if offset in COMMON:
            return -1, offset
        channel, register = divmod(offset - 0x100, 0x100)
        if 0 <= channel < CHANNELS and register in OF_CHANNEL:
            return channel, register
        raise self._unknown(what, offset)

    def read(self, offset: int, size: int) -> int:
        channel, register = self._place(offset & ~7, "read")
        value = self.words.get(offset & ~7, 0)
        if channel < 0 and register == ENABLE:
            value = self.enabled
        elif channel < 0 and register == INTERRUPTS:
            value = sum(1 << i for i in range(CHANNELS) if self.line(i))
        elif channel < 0 and register == RESET:
            value = 0
        elif channel >= 0 and register == STATUS:
            value = self.status[channel]
        return value >> 8 * (offset & 7) & (1 << 8 * size) - 1

    def write(self, offset: int, size: int, value: int) -> None:
        at = offset & ~7
        channel, register = self._place(at, "write")
        if size != 8:
            keep = self.words.get(at, 0) & ~(((1 << 8 * size) - 1) << 8 * (offset & 7))
            value = keep | value << 8 * (offset & 7)
        if channel < 0 and register == ENABLE:
            if offset & 4 == 0:  # the upper half has no channels
                self._enable(value)
            return
        self.words[at] = value
        if channel >= 0 and register == CLEAR:
            self.status[channel] &= ~value
            self.chip.lines_changed = True

    def line(self, channel: int) -> bool:
        """Return the level of a channel's interrupt line."""
        base = 0x100 + 0x100 * channel
        mask = self.words.get(base + STATUS_ENABLE, 0) & self.words.get(base + SIGNAL, WORD)
        return bool(self.status[channel] & mask)

    def _enable(self, value: int) -> None:
        for channel in range(CHANNELS):
            if not value >> 8 + channel & 1:  # its write-enable bit
                continue
            if not value >> channel & 1:
                self.enabled &= ~(1 << channel)
                self.transfers[channel] = None
            elif not self.enabled >> channel & 1:
                self._start(channel)
        self.poll()

    def _start(self, channel: int) -> None:
        base = 0x100 + 0x100 * channel
        source, target, block, control = (
            self.words.get(base + register, 0) for register in (SOURCE, TARGET, BLOCK, CONTROL)
        )
        width = 1 << (control >> 8 & 7)
        size = ((block & 0x3FFFFF) + 1) * width
        moves = not control >> 4 & 1, not control >> 6 & 1
        self.transfers[channel] = Transfer(channel, source, target, size, *moves, width)
        self.enabled |= 1 << channel

    def _finish(self, transfer: Transfer) -> None:
        self.enabled &= ~(1 << transfer.channel)
        self.transfers[transfer.channel] = None
        self.status[transfer.channel] |= DONE
        self.chip.lines_changed = True

    # Moving

    def poll(self) -> None:
        """Move all that can be moved now."""
        self._each(self._step)

    def feed(self, spi: Spi) -> None:
        """Fill the transmit FIFO of `spi` from a channel that waits for it."""

        def step(transfer: Transfer) -> bool:
            return self.chip.device_at(transfer.target) is spi and self._to_spi(transfer, spi)

        self._each(step)

    def _each(self, step: Callable[[Transfer], bool]) -> None:
        if self._busy:  # a FIFO that is emptied asks again
            return
        self._busy = True
        try:
            moved = True
            while moved:  # each channel has its turn, so no `any` that stops at the first
                moved = False
                for transfer in self.transfers:
                    moved |= transfer is not None and step(transfer)
        finally:
            self._busy = False

    def _step(self, transfer: Transfer) -> bool:
        source = self.chip.device_at(transfer.source)
        target = self.chip.device_at(transfer.target)
        if source is None and target is None:
            return self._in_memory(transfer)
        if source is not None:
            return self._from_device(transfer, source)
        if isinstance(target, Spi):
            return self._to_spi(transfer, target, move=True)
        if not isinstance(target, DmaSink):
            raise UnknownRegisterError(f"DMA to {transfer.target:#x}, which takes none")
        data = self.chip.memory.read(transfer.source, transfer.left)
        self._finish(transfer)
        target.dma_write(data)
        return True

    def _in_memory(self, t: Transfer) -> bool:
        memory = self.chip.memory
        if t.source_moves and t.target_moves:
            memory.write(t.target, memory.read(t.source, t.left))
        elif t.target_moves:
            memory.write(t.target, memory.read(t.source, t.width) * (t.left // t.width))
        else:
            memory.write(t.target, memory.read(t.source + t.left - t.width, t.width))
        self._finish(t)
        return True

    def _from_device(self, t: Transfer, source: Device) -> bool:
        if isinstance(source, Spi):
            frames = min(t.left // t.width, len(source.incoming))
            mask = (1 << 8 * t.width) - 1
            words = [source.incoming.popleft() & mask for _ in range(frames)]
            data = b"".join(word.to_bytes(t.width, "little") for word in words)
        elif isinstance(source, DmaSource):
            data = source.dma_read(t.left)
        else:
            raise UnknownRegisterError(f"DMA from {t.source:#x}, which gives none")
        if not data:
            return False
        self.chip.memory.write(t.target, data)
        t.target += len(data) if t.target_moves else 0
        t.left -= len(data)
        if t.left <= 0:
            self._finish(t)
        return True

    def _to_spi(self, t: Transfer, spi: Spi, *, move: bool = False) -> bool:
        if not spi.ready:
            return False
        memory = self.chip.memory
        if t.source_moves:
            data = memory.read(t.source, t.left)
        else:
            data = memory.read(t.source, t.width) * (t.left // t.width)
        frames = range(0, len(data), t.width)
        spi.outgoing.extend(int.from_bytes(data[at : at + t.width], "little") for at in frames)
        self._finish(t)
        if move:
            self._busy = False
            spi.move()
            self._busy = True
        return True
