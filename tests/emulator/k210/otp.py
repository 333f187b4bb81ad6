"""One-time programmable memory: fuses that only ever go from 0 to 1, and its AES key slot.

Offsets, addresses and procedures were read from the OTP driver in the history of Kendryte's SDK
(`otp.c`, `otp.h`; also in kendryte/canmv): a program sets `mode`, starts with `ceb` = 0, waits for
`adr_in_flag`, writes the address of a bit, and waits for `data_rdy` or `data_acp_flag`. Assumed,
because no source says it: which addresses the common blocks have; that bits in force are those of
the last reset, or of the last read of their byte (the driver calls such a read "refresh").

A test may set `trouble`, which is asked before each step (an `Event`) what goes wrong in it.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from types import MappingProxyType

from .device import ClockedDevice, registers

SIZE = 0x4000
SYSTEM_DATA, PROTECTION, FUNCTIONS, KEY = 0x3AD0, 0x3FD0, 0x3FE0, 0x3FF0
COMMON_BLOCK, SYSTEM_BLOCK, SYSTEM_INDEX, RESERVED_BLOCK = 1024, 16, 16, 15
KEY_WRITE_OFF, KEY_VERIFY_OFF, CIPHER_OFF, PINNED = 2, 3, 8, 9
READ, WRITE, TEST = range(3)
SELF_REPAIR = 0x30
WRONG, RIGHT, OFF = 1, 2, 3
"""What `key_cmp_result` and `data_acp_flag` (1 and 2 only) say."""
OTP_CLOCK, APB1_CLOCK = 1 << 27, 1 << 4


class Event(StrEnum):
    """A step that can go wrong."""

    READY = "ready"  # to take an address
    ADDRESS = "address"  # of a bit to write
    PULSE = "pulse"  # a fuse is about to be programmed
    PULSED = "pulsed"  # it was
    READ = "read"
    REPAIR_WRITE = "repair_write"
    REPAIR_READ = "repair_read"
    COMPARE = "compare"


class Trouble(StrEnum):
    """What goes wrong."""

    NONE = ""
    POWER = "power"  # is lost: PowerLostError
    STUCK = "stuck"  # the step never ends
    REFUSED = "refused"  # `wrg_adr_flag`
    FAILED = "failed"  # the step ends with its own sign of failure


class PowerLostError(Exception):
    """The chip is off; what was programmed stays."""


class Otp(ClockedDevice):
    """128 kbit; `bytes` may be filled before the chip starts (then call `reset`)."""

    NAME, BASE = "OTP", 0x50420000
    CLOCKS = MappingProxyType({"clk_en_peri": OTP_CLOCK, "clk_en_cent": APB1_CLOCK})
    REGISTERS = registers(
        "ceb test_mode mode gb_otp_en dat_in_finish bisr_fail test_step pwrrdy last_dat data "
        "pwr_mode in_dat apb_adr td_result data_acp_flag adr_in_flag wr_result thershold "
        "bisr_finish key_cmp_result cmp_key cmp_result_rdy cle data_blk_ctrl wrg_adr_flag "
        "pro_wrong status pro_adr blank_finish bisr2otp_en cpu_ctrl web rstb seltm readen pgmen "
        "dle din cpumpen cle_cpu ceb_cpu adr_cpu dat_cpu data_rdy block_flag_high block_flag_low "
        "reg_flag_high reg_flag_low"
    )
    BUSY = 3
    """How often a flag reads 0 before a step is done."""
    FLAGS = ("adr_in_flag", "data_acp_flag", "data_rdy", "bisr_finish", "key_cmp_result")

    def __init__(self, chip) -> None:
        super().__init__(chip)
        self.bytes = bytearray(SIZE)
        self.trouble: Callable[[Event], str] = lambda _event: Trouble.NONE
        self.key_at_reset_only = False
        """Whether the AES engine sees a key only from the reset after it was burnt."""
        self.pulses: list[int] = []
        """Addresses of the bits that were programmed since the last reset, in order."""
        for flag in self.FLAGS:
            self._reads[self._offset(flag)] = lambda flag=flag: self._poll(flag)
        self.reset()

    def _offset(self, register: str) -> int:
        return next(offset for offset, name in self.REGISTERS.items() if name == register)

    def reset(self) -> None:
        """Do what a power cycle does: forget the registers, put all fuses in force."""
        self.values = dict.fromkeys(self.values, 0)
        self.values["ceb"] = 1
        self._pending: dict[str, tuple[int, int]] = {}
        self._compared: list[int] = []
        self.pulses = []
        self.in_force = self.bytes[PROTECTION:KEY]
        self._key_at_reset = self.slot

    @property
    def slot(self) -> bytes:
        """The 16 bytes that no register shows."""
        return bytes(self.bytes[KEY:])

    @property
    def aes_key(self) -> bytes:
        """The key that the AES engine has from here."""
        return self._key_at_reset if self.key_at_reset_only else self.slot

    def is_set(self, function: int) -> bool:
        """Return whether a function bit is in force."""
        return self._pair(FUNCTIONS, function) == 3

    def _pair(self, table: int, number: int) -> int:
        return self.in_force[table - PROTECTION + number // 4] >> 2 * (number % 4) & 3

    def _flags(self, table: int, first: int) -> int:
        return sum((self._pair(table, first + n) == 3) << n for n in range(32))

    def read_reg_flag_low(self) -> int:
        return self._flags(FUNCTIONS, 0)

    def read_reg_flag_high(self) -> int:
        return self._flags(FUNCTIONS, 32)

    def read_block_flag_low(self) -> int:
        return self._flags(PROTECTION, 0)

    def read_block_flag_high(self) -> int:
        return self._flags(PROTECTION, 32)

    # What must be so for any of it to work

    def write_cpu_ctrl(self, value: int) -> None:
        if value:
            raise AssertionError("the OTP's bypass is not modelled")

    # Steps that take a while

    def _later(self, flag: str, value: int, event: Event | None = None) -> str:
        """Let a flag become `value` after some reads; return what goes wrong instead."""
        trouble = self.trouble(event) if event else Trouble.NONE
        if trouble == Trouble.POWER:
            raise PowerLostError(event)
        self.values[flag] = 0
        self._pending.pop(flag, None)
        if trouble != Trouble.STUCK:
            self._pending[flag] = (self.BUSY, value)
        return trouble

    def _poll(self, flag: str) -> int:
        if flag in self._pending:
            left, value = self._pending.pop(flag)
            if left:
                self._pending[flag] = (left - 1, value)
            else:
                self.values[flag] = value
        return self.values[flag]

    def write_ceb(self, value: int) -> None:
        self.values["ceb"] = value
        if value:
            return
        if not self.values["thershold"]:
            raise AssertionError("the OTP was started without a clock divider")
        mode = self.values["mode"]
        if bool(self.values["cle"]) != (mode == TEST):
            raise AssertionError(f"the OTP was started in mode {mode} with cle wrong")
        if mode == TEST:
            self._repair()
        elif mode in (READ, WRITE):
            self._later("adr_in_flag", 1, Event.READY)
        else:
            raise AssertionError(f"the OTP has no mode {mode}")

    def _repair(self) -> None:
        if self.values["test_mode"] != SELF_REPAIR:
            raise AssertionError(f"OTP test {self.values['test_mode']:#x} is not modelled")
        writes = self.values["test_step"] == 0
        event = Event.REPAIR_WRITE if writes else Event.REPAIR_READ
        trouble = self._later("bisr_finish", 1, event)
        self.values["pro_wrong"] = int(writes and trouble == Trouble.FAILED)

    def write_apb_adr(self, value: int) -> None:
        if self.values["ceb"] or not self.values["adr_in_flag"]:
            raise AssertionError("an address was given to the OTP before it asked for one")
        self.values["apb_adr"] = value
        self.values["adr_in_flag"] = 0
        if self.values["mode"] == READ:
            self._read_byte(value // 8)

    def _end_step(self) -> None:
        if self.values["last_dat"]:
            self.values.update(ceb=1, last_dat=0)
        else:
            self._later("adr_in_flag", 1, Event.READY)

    def _read_byte(self, address: int) -> None:
        trouble = self._later("data_rdy", 1, Event.READ)
        refused = not 0 <= address < KEY or trouble == Trouble.REFUSED
        self.values["wrg_adr_flag"] = int(refused)
        self.values["data"] = 0 if refused else self.bytes[address]
        if PROTECTION <= address < KEY:
            self.in_force[address - PROTECTION] = self.bytes[address]
        self._end_step()

    def write_dat_in_finish(self, value: int) -> None:
        if not value:
            return
        if self.values["mode"] != WRITE or self.values["ceb"] or self.values["adr_in_flag"]:
            raise AssertionError("the OTP was told to program without an address")
        if self.values["data_acp_flag"]:
            raise AssertionError("the OTP's answer for the last bit was not cleared")
        address, bit = divmod(self.values["apb_adr"], 8)
        trouble = self._later("data_acp_flag", RIGHT, Event.ADDRESS)
        if trouble == Trouble.REFUSED or not self._may_write(address):
            self.values["wrg_adr_flag"] = 1
        elif self.values["in_dat"] and trouble != Trouble.STUCK:
            self._program(address, bit)
        self._end_step()

    def _may_write(self, address: int) -> bool:
        if address >= KEY:
            return not self.is_set(KEY_WRITE_OFF) and address < SIZE
        if address >= PROTECTION:
            return bool(self.values["data_blk_ctrl"])
        block = min(address // COMMON_BLOCK, RESERVED_BLOCK - 1)
        if address >= SYSTEM_DATA:
            block = SYSTEM_INDEX + (address - SYSTEM_DATA) // SYSTEM_BLOCK
        return self._pair(PROTECTION, block) != 3

    def _program(self, address: int, bit: int) -> None:
        if self._later("data_acp_flag", RIGHT, Event.PULSE) == Trouble.FAILED:
            self._later("data_acp_flag", WRONG)
            return
        self.bytes[address] |= 1 << bit
        self.pulses.append(8 * address + bit)
        if self.trouble(Event.PULSED) == Trouble.POWER:
            raise PowerLostError(Event.PULSED)

    def write_cmp_key(self, value: int) -> None:
        self._compared.append(value)
        if len(self._compared) < 4:
            return
        key = b"".join(word.to_bytes(4, "big") for word in self._compared)
        self._compared = []
        result = OFF if self.is_set(KEY_VERIFY_OFF) else RIGHT if key == self.slot else WRONG
        if self._later("key_cmp_result", result, Event.COMPARE) == Trouble.FAILED:
            self._later("key_cmp_result", WRONG)
