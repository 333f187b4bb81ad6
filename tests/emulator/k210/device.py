"""A peripheral: 32-bit registers with names; a register that nobody described stops the run."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from .chip import Chip

WORD = 0xFFFFFFFF


class UnknownRegisterError(AssertionError):
    """A program touched a register that its peripheral does not describe."""


def registers(names: str, start: int = 0, step: int = 4) -> dict[int, str]:
    """Return {offset: name} of consecutive registers; "-" leaves one undescribed."""
    described = enumerate(names.split())
    return {start + step * number: name for number, name in described if name != "-"}


def blocks(*parts: Mapping[int, str]) -> dict[int, str]:
    """Return several runs of registers as one."""
    return {offset: name for part in parts for offset, name in part.items()}


class Device:
    """A block of 32-bit registers at `BASE`.

    `REGISTERS` names what is there (offset: name). A register keeps what was written, unless the
    class has `read_<name>()` or `write_<name>(value)`. Anything else raises UnknownRegisterError,
    because a model that answers 0 to whatever it does not know hides what it does not do.
    """

    NAME: ClassVar[str] = ""
    BASE: ClassVar[int] = 0
    SIZE: ClassVar[int] = 0x1000
    REGISTERS: ClassVar[Mapping[int, str]] = {}

    def __init__(self, chip: Chip, name: str = "", base: int = 0) -> None:
        self.chip = chip
        self.name = name or self.NAME
        self.base = base or self.BASE
        self.values = dict.fromkeys(self.REGISTERS.values(), 0)
        self._reads: dict[int, Callable[[], int]] = {}
        self._writes: dict[int, Callable[[int], None]] = {}
        for offset, register in self.REGISTERS.items():
            self._reads[offset] = getattr(self, f"read_{register}", None) or self._stored(register)
            self._writes[offset] = getattr(self, f"write_{register}", None) or self._store(register)

    def _stored(self, register: str) -> Callable[[], int]:
        return lambda: self.values[register]

    def _store(self, register: str) -> Callable[[int], None]:
        def store(value: int) -> None:
            self.values[register] = value

        return store

    def read(self, offset: int, size: int) -> int:
        """Return `size` bytes (1, 2, 4 or 8) at `offset`, as the bus gives them."""
        if size == 8:
            return self.read(offset, 4) | self.read(offset + 4, 4) << 32
        get = self._reads.get(offset & ~3)
        if get is None:
            raise self._unknown("read", offset)
        return get() >> 8 * (offset & 3) & (1 << 8 * size) - 1

    def write(self, offset: int, size: int, value: int) -> None:
        """Write `size` bytes at `offset`; less than a word arrives as a word, as on the chip."""
        if size == 8:
            self.write(offset, 4, value & WORD)
            self.write(offset + 4, 4, value >> 32)
            return
        put = self._writes.get(offset)
        if put is None:
            raise self._unknown("write", offset)
        put(value & WORD)

    def _unknown(self, what: str, offset: int) -> UnknownRegisterError:
        return UnknownRegisterError(f"{what} of {self.name}+{offset:#x}, which is not described")


class ClockedDevice(Device):
    """A device that answers only while the clocks `CLOCKS` (register of SYSCTL: bit) are on."""

    CLOCKS: ClassVar[Mapping[str, int]] = {}

    def read(self, offset: int, size: int) -> int:
        self._check_clocks()
        return super().read(offset, size)

    def write(self, offset: int, size: int, value: int) -> None:
        self._check_clocks()
        super().write(offset, size, value)

    def _check_clocks(self) -> None:
        values = self.chip.sysctl.values
        if not all(values[register] & bit for register, bit in self.CLOCKS.items()):
            raise AssertionError(f"the {self.NAME} was used without its clock")
