"""The whole chip: two harts, 8 MiB of RAM, the peripherals, and the time that passes."""

from __future__ import annotations

import hashlib
import struct
import time
from collections.abc import Callable

from Crypto.Cipher import AES

from .aes import Aes
from .camera import Dvp, I2c
from .core_local import Clint, Plic
from .crypto import Sha256
from .device import Device
from .dmac import Dmac
from .hart import Hart, patched
from .kpu import Kpu
from .memory import RAM, Memory
from .otp import CIPHER_OFF, PINNED, Otp
from .plain import (
    Fft,
    Fpioa,
    Gpio,
    Gpiohs,
    I2s,
    Rtc,
    SpiSlave,
    Sysctl,
    Timer,
    Watchdog,
)  # fmt: skip
from .serial import Uart, Uarths
from .spi import Spi
from .storage import CHIP_SELECT, NorFlash, SdCard

SLICE = 20_000
"""Instructions that a hart executes before the other has its turn."""
INSTRUCTIONS_A_TICK = 50
"""mtime counts at 7.8 MHz, the harts run at about 390 MHz."""
POLLED_CYCLES = 4000
"""A read of the cycle counter costs this many cycles, so that busy waits end soon."""
MAX_FIRMWARE = 6 << 20
ENCRYPTED = 1
"""Bit of a firmware image's first byte."""
PINNED_SHA256 = slice(0x3DB0, 0x3DD0)
"""Where the OTP has the SHA-256 of the only image that may start."""
LINE_OF = {"UART1": 11, "UART2": 12, "UART3": 13, "DVP": 24, "KPU": 25, "DMA0": 27, "UARTHS": 33}


class Chip:
    """A K210 with a NOR flash, and a card if `card` (a mutable image) is given."""

    def __init__(self, card: bytearray | None = None) -> None:
        self.memory = Memory()
        self.notes: list[str] = []
        self.instructions = 0
        self.lines_changed = True
        self.reset_requested = False
        self.current: Hart | None = None
        self.clint, self.plic, self.sysctl = Clint(self), Plic(self), Sysctl(self)
        self.uarths, self.dmac, self.kpu, self.otp = Uarths(self), Dmac(self), Kpu(self), Otp(self)
        self.aes = Aes(self)
        self.gpiohs, self.fpioa, self.dvp = Gpiohs(self), Fpioa(self), Dvp(self)
        self.spi = {
            number: Spi(self, number, base)
            for number, base in ((0, 0x52000000), (1, 0x53000000), (3, 0x54000000))
        }
        self.uart = [Uart(self, number) for number in (1, 2, 3)]
        self.i2c = [I2c(self, number) for number in range(3)]
        self.devices: list[Device] = [
            self.clint, self.plic, self.sysctl, self.uarths, self.dmac, self.kpu, self.otp,
            self.aes, self.gpiohs, self.fpioa, self.dvp, *self.spi.values(), *self.uart, *self.i2c,
            Gpio(self), Rtc(self), Fft(self), SpiSlave(self), Sha256(self),
            *(I2s(self, f"I2S{n}", 0x50250000 + 0x10000 * n) for n in range(3)),
            *(Timer(self, n) for n in range(3)),
            *(Watchdog(self, f"WDT{n}", 0x50400000 + 0x10000 * n) for n in range(2)),
        ]  # fmt: skip
        self.flash = NorFlash()
        self.spi[3].slave = self.flash
        self.card = None if card is None else SdCard(card)
        if self.card:
            self.spi[1].slave = self.card
            self.gpiohs.listeners.append((CHIP_SELECT, self.card.chip_select))
        self.harts = [Hart(self, number) for number in range(2)]

    # Time and interrupts

    def mtime(self) -> int:
        """Return the clock of the CLINT, which follows the instructions that were executed."""
        return self.instructions // INSTRUCTIONS_A_TICK

    def cycles(self) -> int:
        """Return the cycle counter."""
        self.instructions += POLLED_CYCLES
        return self.instructions

    def update_lines(self) -> None:
        """Take the levels of all interrupt lines over into the PLIC."""
        if not self.lines_changed:
            return
        self.lines_changed = False
        lines = {LINE_OF["UARTHS"]: self.uarths.line(), LINE_OF["KPU"]: self.kpu.line()}
        lines[LINE_OF["DVP"]] = self.dvp.line()
        for channel in range(6):
            lines[LINE_OF["DMA0"] + channel] = self.dmac.line(channel)
        for uart in self.uart:
            lines[LINE_OF[uart.name]] = uart.line()
        self.plic.update(lines)

    def stop_now(self) -> None:
        """Let the hart that runs take its interrupts behind the store that is being done."""
        if self.current:
            self.current.stop_now()

    def end_slice(self) -> None:
        """End the slice at the load that is being done; it is done again in the next one."""
        if self.current:
            self.current.uc.emu_stop()

    def request_reset(self) -> None:
        """End the run: a program wrote to the reset register."""
        self.reset_requested = True

    def note(self, text: str) -> None:
        """Keep a line about something that a program should not have done."""
        self.notes.append(text)

    def device_at(self, address: int) -> Device | None:
        """Return the peripheral at a bus address, None for memory."""
        for device in self.devices:
            if device.base <= address < device.base + device.SIZE:
                return device
        return None

    # What lies outside of the chip

    def hold(self, pin: int, level: int) -> None:
        """Give an input pin a level, as a key does; the pin must be some GPIOHS by now."""
        number = self.fpioa.gpiohs_of(pin)
        if number is None:
            raise AssertionError(f"pin {pin} is no GPIOHS yet")
        self.gpiohs.pulled = self.gpiohs.pulled & ~(1 << number) | level << number

    # Programs

    def load(self, code: bytes, address: int = RAM) -> None:
        """Put a program into the RAM, as the ISP does."""
        self.memory.write(address, patched(code))

    def boot_flash(self) -> None:
        """Do what the boot ROM does: check the image in the flash, decrypt it, copy it to the RAM.

        As laanwj's notes on the ROM have it: the SHA-256 is that of the image as it is stored;
        function bit 9 pins it to one value, function bit 8 turns decryption off.

        Raises:
            AssertionError: the ROM would not start what the flash holds.
        """
        flash = self.flash.bytes
        flags, size = struct.unpack_from("<BI", flash)
        assert size <= MAX_FIRMWARE, "the flash holds no firmware"
        payload = bytes(flash[5 : 5 + size])
        stored = bytes(flash[5 + size : 37 + size])
        if self.otp.is_set(PINNED):
            assert stored == self.otp.bytes[PINNED_SHA256], "the chip is pinned to other firmware"
        digest = hashlib.sha256(bytes(flash[: 5 + size])).digest()
        assert digest == stored, "the firmware's SHA-256 is wrong"
        if flags & ENCRYPTED and not self.otp.is_set(CIPHER_OFF):
            assert size % AES.block_size == 0, "the firmware is no whole number of AES blocks"
            payload = AES.new(self.otp.slot, AES.MODE_CBC, bytes(16)).decrypt(payload)
        self.load(payload)

    def step(self) -> None:
        """Give each hart a slice."""
        for hart in self.harts:
            self.dvp.tick()
            self.update_lines()
            hart.run(SLICE)
        self.instructions += SLICE

    def run(self, until: Callable[[], bool], seconds: float = 60) -> str:
        """Run until `until()`, a reset, all harts halted, or `seconds` of real time.

        Returns: "until", "reset", "halted" or "time".
        """
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.step()
            if self.reset_requested:
                return "reset"
            if until():
                return "until"
            if all(hart.halted for hart in self.harts):
                return "halted"
        return "time"
