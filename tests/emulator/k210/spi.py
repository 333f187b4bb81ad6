"""SPI0, 1 and 3: DesignWare SSI in standard, dual, quad and octal frames.

Source: `spi.h` of Kendryte's SDK. Transfers take no time: whatever is in the transmit FIFO goes
out at once to the slave that is selected.
"""

from __future__ import annotations

from collections import deque
from typing import Protocol

from .device import Device, blocks, registers

STANDARD = 0
SEND_AND_RECEIVE, SEND, RECEIVE, COMMAND_THEN_RECEIVE = range(4)
INSTRUCTION_BITS = (0, 4, 8, 16)


class Slave(Protocol):
    """What hangs on a bus: bytes are clocked in and out while it is selected."""

    def select(self) -> None: ...

    def deselect(self) -> None: ...

    def take(self, byte: int) -> None: ...

    def give(self, count: int) -> bytes: ...

    def exchange(self, byte: int) -> int: ...


class Nothing:
    """An empty bus reads as ones."""

    def select(self) -> None:
        """Do nothing."""

    def deselect(self) -> None:
        """Do nothing."""

    def take(self, byte: int) -> None:
        """Do nothing."""

    def give(self, count: int) -> bytes:
        """Return ones."""
        return b"\xff" * count

    def exchange(self, byte: int) -> int:
        """Return ones."""
        return 0xFF


class Spi(Device):
    """One controller with one slave for all its chip selects."""

    REGISTERS = blocks(
        registers(
            "ctrlr0 ctrlr1 ssienr mwcr ser baudr txftlr rxftlr txflr rxflr sr imr isr risr txoicr "
            "rxoicr rxuicr msticr icr dmacr dmatdlr dmardlr idr version"
        ),
        dict.fromkeys(range(0x60, 0xF0, 4), "data"),
        registers("rx_sample_delay spi_ctrlr0", 0xF0),
        registers("xip_mode_bits xip_incr_inst xip_wrap_inst xip_ctrl xip_ser xrxoicr", 0xFC),
        registers("xip_cnt_time_out endian", 0x114),
    )
    LITTLE = 1

    def __init__(self, chip, number: int, base: int) -> None:
        super().__init__(chip, f"SPI{number}", base)
        self.mode_at, self.bits_at, self.frame_at = (8, 16, 21) if number != 3 else (10, 0, 22)
        self.slave: Slave = Nothing()
        self.outgoing: deque[int] = deque()
        self.incoming: deque[int] = deque()
        self._selected = self._started = False

    # Registers with a behaviour

    def read_data(self) -> int:
        return self.incoming.popleft() if self.incoming else 0

    def write_data(self, value: int) -> None:
        self.outgoing.append(value)
        self.move()

    def read_txflr(self) -> int:
        return 0

    def read_rxflr(self) -> int:
        return min(len(self.incoming), 32)

    def read_sr(self) -> int:
        return 0x06 | (0x08 if self.incoming else 0)  # idle, transmit FIFO empty

    def write_ssienr(self, value: int) -> None:
        self.values["ssienr"] = value
        if not value & 1:  # switching off empties the FIFOs
            self.outgoing.clear()
            self.incoming.clear()
            self._started = False
        self.move()

    def write_ser(self, value: int) -> None:
        was, self.values["ser"] = self.values["ser"], value
        if was and not value:
            self._deselect()
        self.move()

    # Moving bytes

    @property
    def ready(self) -> bool:
        """Whether it is switched on and a slave is selected."""
        return bool(self.values["ssienr"] & 1) and bool(self.values["ser"])

    def _deselect(self) -> None:
        if self._selected:
            self.slave.deselect()
        self._selected = self._started = False

    @property
    def _bytes_a_frame(self) -> int:
        return ((self.values["ctrlr0"] >> self.bits_at & 31) + 8) // 8

    @property
    def _order(self) -> str:
        return "little" if self.values["endian"] & self.LITTLE else "big"

    def move(self) -> None:
        """Clock out what waits, and let the DMA fill and empty the FIFOs."""
        if self.ready:
            if not self._selected:
                self.slave.select()
                self._selected = True
            self.chip.dmac.feed(self)
            if self.values["ctrlr0"] >> self.frame_at & 3 == STANDARD:
                self._standard()
            else:
                self._enhanced()
        self.chip.dmac.poll()

    def _frame(self) -> bytes:
        """Return the next frame as bytes in the order they are clocked out."""
        size = self._bytes_a_frame
        data = (self.outgoing.popleft() & (1 << 8 * size) - 1).to_bytes(size, "big")
        return data[::-1] if self._order == "little" else data

    def _send_all(self) -> None:
        while self.outgoing:
            for byte in self._frame():
                self.slave.take(byte)

    def _receive(self) -> None:
        size = self._bytes_a_frame
        data = self.slave.give(((self.values["ctrlr1"] & 0xFFFF) + 1) * size)
        order = "little" if self._order == "little" and size > 1 else "big"
        for at in range(0, len(data), size):
            self.incoming.append(int.from_bytes(data[at : at + size], order))

    def _standard(self) -> None:
        mode = self.values["ctrlr0"] >> self.mode_at & 3
        if mode == SEND:
            self._send_all()
        elif mode == SEND_AND_RECEIVE:
            while self.outgoing:
                answer = bytes(self.slave.exchange(byte) for byte in self._frame())
                order = "little" if self._order == "little" and len(answer) > 1 else "big"
                self.incoming.append(int.from_bytes(answer, order))
        elif self.outgoing and not self._started:
            if mode == COMMAND_THEN_RECEIVE:
                self._send_all()
            else:
                self.outgoing.clear()  # a dummy write starts the clock
            self._started = True
            self._receive()

    def _enhanced(self) -> None:
        """Dual, quad, octal: instruction and address first, then frames of data."""
        control = self.values["spi_ctrlr0"]
        instruction = INSTRUCTION_BITS[control >> 8 & 3]
        address = (control >> 2 & 15) * 4
        while self.outgoing:
            if self._started:
                self._send_all()
                return
            if len(self.outgoing) < bool(instruction) + bool(address):
                return
            if instruction:
                self.slave.take(self.outgoing.popleft() & 0xFF)
            if address:
                value = self.outgoing.popleft() & (1 << address) - 1
                for byte in value.to_bytes(address // 8, "big"):
                    self.slave.take(byte)
            self._started = True
            if self.values["ctrlr0"] >> self.mode_at & 3 in (RECEIVE, COMMAND_THEN_RECEIVE):
                self._receive()
                self.outgoing.clear()
