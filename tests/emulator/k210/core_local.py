"""Timers and interrupts: CLINT (one a hart) and PLIC (for all peripherals).

Sources: SiFive's interrupt cookbook for the layout, `clint.h` and `plic.h` of Kendryte's SDK.
"""

from __future__ import annotations

from collections.abc import Mapping

from .device import WORD, Device, blocks, registers

HARTS = 2
SOURCES = 66  # 65 sources and "none"
NEVER = 2**64 - 1


class Clint(Device):
    """Software interrupts, the clock `mtime` and its comparators."""

    NAME, BASE, SIZE = "CLINT", 0x02000000, 0xC000
    REGISTERS = blocks(
        registers("msip0 msip1"),
        registers("cmp0 cmp0_high cmp1 cmp1_high", 0x4000),
        registers("mtime mtime_high", 0xBFF8),
    )

    def __init__(self, chip) -> None:
        super().__init__(chip)
        for name in ("cmp0", "cmp0_high", "cmp1", "cmp1_high"):
            self.values[name] = WORD

    def read_mtime(self) -> int:
        return self.chip.mtime() & WORD

    def read_mtime_high(self) -> int:
        return self.chip.mtime() >> 32

    def write_msip0(self, value: int) -> None:
        self._software(0, value)

    def write_msip1(self, value: int) -> None:
        self._software(1, value)

    def _software(self, hart: int, value: int) -> None:
        self.values[f"msip{hart}"] = value & 1
        if value & 1:  # FreeRTOS yields by interrupting its own hart: to be taken at once
            self.chip.stop_now()

    def pending(self, hart: int) -> int:
        """Return the bits of `mip` that the CLINT drives: 3 software, 7 timer."""
        values = self.values
        due = values[f"cmp{hart}"] | values[f"cmp{hart}_high"] << 32
        return values[f"msip{hart}"] << 3 | (self.chip.mtime() >= due) << 7


class Plic(Device):
    """Interrupt sources with priorities; a hart claims one and completes it."""

    NAME, BASE, SIZE = "PLIC", 0x0C000000, 0x206000

    def __init__(self, chip) -> None:
        super().__init__(chip)
        self.priority = [0] * SOURCES
        self.enabled = [[0] * 3 for _ in range(2 * HARTS)]
        self.threshold = [0] * 2 * HARTS
        self.waiting: set[int] = set()
        self.claimed: set[int] = set()

    def update(self, lines: Mapping[int, bool]) -> None:
        """Take over the levels of the interrupt lines."""
        for source, level in lines.items():
            if not level:
                self.waiting.discard(source)
            elif source not in self.claimed:
                self.waiting.add(source)

    def best(self, hart: int) -> int:
        """Return the source that `hart` (in machine mode) would claim, 0 for none."""
        context = 2 * hart
        best, level = 0, self.threshold[context]
        for source in sorted(self.waiting):
            on = self.enabled[context][source // 32] >> source % 32 & 1
            if on and self.priority[source] > level:
                best, level = source, self.priority[source]
        return best

    def read(self, offset: int, size: int) -> int:
        if offset < 4 * SOURCES:
            return self.priority[offset // 4]
        if 0x1000 <= offset < 0x100C:
            word = (offset - 0x1000) // 4
            return sum(1 << s % 32 for s in self.waiting if s // 32 == word)
        context, word = divmod(offset - 0x2000, 0x80)
        if 0 <= context < 2 * HARTS and word < 12:
            return self.enabled[context][word // 4]
        context, register = divmod(offset - 0x200000, 0x1000)
        if 0 <= context < 2 * HARTS and register in (0, 4):
            return self._claim(context) if register else self.threshold[context]
        raise self._unknown("read", offset)

    def _claim(self, context: int) -> int:
        source = self.best(context // 2) if context % 2 == 0 else 0
        self.waiting.discard(source)
        if source:
            self.claimed.add(source)
        self.chip.lines_changed = True
        return source

    def write(self, offset: int, size: int, value: int) -> None:
        self.chip.lines_changed = True
        enable, word = divmod(offset - 0x2000, 0x80)
        context, register = divmod(offset - 0x200000, 0x1000)
        if offset < 4 * SOURCES:
            self.priority[offset // 4] = value & 7
        elif 0 <= enable < 2 * HARTS and word < 12:
            self.enabled[enable][word // 4] = value
        elif 0 <= context < 2 * HARTS and register == 0:
            self.threshold[context] = value
        elif 0 <= context < 2 * HARTS and register == 4:
            self.claimed.discard(value)
        else:
            raise self._unknown("write", offset)
