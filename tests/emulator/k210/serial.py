"""UARTs: the high-speed one that MaixPy's REPL uses, and UART1 to 3 (16550 with changes).

Sources: `uarths.h`, `uart.h` of Kendryte's SDK; bit 5 of LSR from the ISP stub (it means "FIFO
full" when bit 7 of IER is set).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from .device import Device, blocks, registers


def discard(_byte: int) -> None:
    """Take a byte that nobody listens for."""


class Uarths(Device):
    """The high-speed UART."""

    NAME, BASE = "UARTHS", 0x38000000
    REGISTERS = registers("txdata rxdata txctrl rxctrl ie ip div")
    TX_WATERMARK, RX_WATERMARK = 1, 2

    def __init__(self, chip) -> None:
        super().__init__(chip)
        self.received: deque[int] = deque()
        self.send: Callable[[int], None] = discard
        self.starving: Callable[[], None] = lambda: None
        """Called when a program looks for a byte and there is none."""

    def type(self, data: bytes) -> None:
        """Let `data` arrive from outside."""
        self.received.extend(data)
        self.chip.lines_changed = True

    @property
    def baud(self) -> float:
        """Bits a second, as the divider and the clock of the harts make them."""
        return self.chip.sysctl.cpu_hz / (self.values["div"] + 1)

    def read_txdata(self) -> int:
        return 0  # never full

    def write_txdata(self, value: int) -> None:
        self.send(value & 0xFF)

    def read_rxdata(self) -> int:
        self.chip.lines_changed = True
        if self.received:
            return self.received.popleft()
        self.starving()
        return 1 << 31

    def read_ip(self) -> int:
        return self.TX_WATERMARK | (self.RX_WATERMARK if self._enough() else 0)

    def write_ie(self, value: int) -> None:
        self.values["ie"] = value
        self.chip.lines_changed = True

    def _enough(self) -> bool:
        return len(self.received) > (self.values["rxctrl"] >> 16 & 7)

    def line(self) -> bool:
        """Return the level of the interrupt line."""
        return bool(self.values["ie"] & self.RX_WATERMARK) and self._enough()


class Uart(Device):
    """UART1, UART2 or UART3; transmission takes no time."""

    REGISTERS = blocks(
        registers("data ier iir lcr mcr lsr msr"),
        registers("srr", 0x88),
        registers("stet", 0xA0),
        registers("tfl rfl", 0x80),
        registers("usr", 0x7C),
        registers("srts sbcr sdmam sfe srt stet2", 0x8C),
        registers("dlf rar tar lcr_ext", 0xC0),
    )
    DLAB = 0x80

    def __init__(self, chip, number: int) -> None:
        super().__init__(chip, f"UART{number}", 0x50210000 + 0x10000 * (number - 1))
        self.received: deque[int] = deque()
        self.send: Callable[[int], None] = discard

    def type(self, data: bytes) -> None:
        """Let `data` arrive from outside."""
        self.received.extend(data)
        self.chip.lines_changed = True

    def read_data(self) -> int:
        self.chip.lines_changed = True
        return self.received.popleft() if self.received else 0

    def write_data(self, value: int) -> None:
        if not self.values["lcr"] & self.DLAB:  # else the divider's low byte
            self.send(value & 0xFF)

    def write_ier(self, value: int) -> None:
        if not self.values["lcr"] & self.DLAB:
            self.values["ier"] = value
            self.chip.lines_changed = True

    def read_iir(self) -> int:
        return 4 if self.line() else 1

    def read_lsr(self) -> int:
        idle = 0x40 if self.values["ier"] & 0x80 else 0x60
        return idle | bool(self.received)

    def read_usr(self) -> int:
        return 6  # transmit FIFO empty and not full

    def read_tfl(self) -> int:
        return 0

    def read_rfl(self) -> int:
        return len(self.received)

    def line(self) -> bool:
        """Return the level of the interrupt line."""
        return bool(self.received) and bool(self.values["ier"] & 1)
