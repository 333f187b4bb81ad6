"""One RISC-V hart on Unicorn: slices of instructions, traps, and the CSRs that Unicorn lacks.

Unicorn has no interrupt input, ignores writes to mhartid and mip, and answers mcycle with the
host's clock. So interrupts are taken between slices, and reads of those CSRs are patched, in RAM
only, into loads from two pages of this module: page 0 of each hart and the topmost page.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from unicorn import riscv_const as rv
from unicorn import unicorn_const as ucc
from unicorn.unicorn import Uc, UcError
from unicorn.unicorn_const import UC_ARCH_RISCV, UC_MODE_RISCV64, UC_PROT_ALL, UC_PROT_READ

from .memory import RAM, RAM_SIZE, UNCACHED

if TYPE_CHECKING:
    from .chip import Chip

CPU_MODEL = 3  # rv64 in Unicorn's list: RV64GC with the supervisor and user levels off
TOP_PAGE = 0xFFFFFFFFFFFFF000
ROM_WINDOW = 0x88000000
HART_ID, CYCLES, PENDING, TIME = 0x408, 0x800, 0x808, 0x810
WINDOW_OF_CSR = {
    0xB00: CYCLES, 0xC00: CYCLES, 0xB02: CYCLES, 0xC02: CYCLES,
    0xF14: HART_ID, 0x344: PENDING, 0xC01: TIME,
}  # fmt: skip
CSRSI_MSTATUS_MIE = 0x30046073
SW_ZERO_TOP = 0x90002023  # sw zero, -0x700(zero)
WFI = 0x10500073
MIE, MPIE, MPP = 0x8, 0x80, 0x1800
INTERRUPT = 1 << 63
BREAKPOINT, ECALL_U, ECALL_M, ILLEGAL = 3, 8, 11, 2


def patched(code: bytes) -> bytes:
    """Return `code` with its reads of CSRs made loads, and "enable interrupts" made a store."""
    data = bytearray(code)
    for at in range(0, len(code) - 3, 2):
        word = int.from_bytes(code[at : at + 4], "little")
        window = WINDOW_OF_CSR.get(word >> 20)
        if word & 0xFF07F == 0x02073 and window is not None:  # csrr rd, csr
            data[at : at + 4] = (window << 20 | 3 << 12 | word & 0xF80 | 3).to_bytes(4, "little")
        elif word == CSRSI_MSTATUS_MIE:
            data[at : at + 4] = SW_ZERO_TOP.to_bytes(4, "little")
    return bytes(data)


class Hart:
    """A processor core; `run` executes a slice of instructions."""

    def __init__(self, chip: Chip, number: int) -> None:
        self.chip, self.number = chip, number
        self.pc = RAM
        self.halted = self.sleeping = False
        self.traps: Counter[int] = Counter()
        self.step_over = False
        self._high = 0
        self._fault: tuple[int, int, int] | None = None
        self._error: Exception | None = None
        self.uc = self._make_core()

    def _make_core(self) -> Uc:
        uc = Uc(UC_ARCH_RISCV, UC_MODE_RISCV64)
        uc.ctl_set_cpu_model(CPU_MODEL)
        for base in (RAM, UNCACHED):
            uc.mem_map_ptr(base, RAM_SIZE, UC_PROT_ALL, self.chip.memory.address)
        uc.mem_map(ROM_WINDOW, 0x20000)
        uc.mem_map(0, 0x1000, UC_PROT_READ)
        uc.mem_write(HART_ID, self.number.to_bytes(8, "little"))
        uc.mmio_map(TOP_PAGE, 0x1000, self._read_window, None, self._write_window, None)
        for device in self.chip.devices:
            self._map(uc, device)
        uc.hook_add(ucc.UC_HOOK_INTR, self._exception)
        uc.hook_add(ucc.UC_HOOK_INSN_INVALID, self._illegal)
        uc.hook_add(ucc.UC_HOOK_MEM_UNMAPPED, self._unmapped)
        return uc

    def _map(self, uc: Uc, device: Any) -> None:
        # What goes wrong in a device must end the run; ctypes would only print it.
        def read(_uc: Any, offset: int, size: int, _data: Any) -> int:
            try:
                return device.read(offset, size)
            except Exception as error:
                self._stop_for(error)
                return 0

        def write(_uc: Any, offset: int, size: int, value: int, _data: Any) -> None:
            try:
                device.write(offset, size, value)
            except Exception as error:
                self._stop_for(error)

        uc.mmio_map(device.base, (device.SIZE + 0xFFF) & ~0xFFF, read, None, write, None)

    def _stop_for(self, error: Exception) -> None:
        self._error = self._error or error
        self.uc.emu_stop()

    def _read_window(self, _uc: Any, offset: int, _size: int, _data: Any) -> int:
        # 64 bits arrive as two reads of 32, the low half first.
        if offset & 4:
            return self._high
        if offset == CYCLES:
            value = self.chip.cycles()
        else:
            value = self.pending() if offset == PENDING else self.chip.mtime()
        self._high = value >> 32
        return value & 0xFFFFFFFF

    def _write_window(self, uc: Uc, _offset: int, _size: int, _value: int, _data: Any) -> None:
        # An interrupt that is pending when a program enables them is taken before the next
        # instruction; at the end of a slice would be too late for FreeRTOS.
        uc.reg_write(rv.UC_RISCV_REG_MSTATUS, uc.reg_read(rv.UC_RISCV_REG_MSTATUS) | MIE)
        self.chip.update_lines()
        if self.pending() & uc.reg_read(rv.UC_RISCV_REG_MIE):
            self.stop_now()

    def stop_now(self) -> None:
        """End the slice behind the store that is being done."""
        # Unicorn leaves the PC on that store and would repeat it: run() steps over.
        self.step_over = True
        self.uc.emu_stop()

    def restart(self) -> None:
        """Start again where the boot ROM jumps to."""
        self.pc, self.halted, self.sleeping, self.step_over = RAM, False, False, False
        self._error = self._fault = None

    def pending(self) -> int:
        """Return what `mip` would read."""
        return self.chip.clint.pending(self.number) | bool(self.chip.plic.best(self.number)) << 11

    def trap(self, cause: int, value: int = 0, pc: int | None = None) -> None:
        """Enter the trap handler as the hardware does."""
        uc = self.uc
        status = uc.reg_read(rv.UC_RISCV_REG_MSTATUS)
        was_on = (status & MIE) << 4
        uc.reg_write(rv.UC_RISCV_REG_MSTATUS, status & ~(MIE | MPIE | MPP) | was_on | MPP)
        uc.reg_write(rv.UC_RISCV_REG_MEPC, uc.reg_read(rv.UC_RISCV_REG_PC) if pc is None else pc)
        uc.reg_write(rv.UC_RISCV_REG_MCAUSE, cause)
        uc.reg_write(rv.UC_RISCV_REG_MTVAL, value)
        self.pc = uc.reg_read(rv.UC_RISCV_REG_MTVEC) & ~3
        uc.reg_write(rv.UC_RISCV_REG_PC, self.pc)
        self.traps[cause] += 1

    def _exception(self, uc: Uc, number: int, _data: Any) -> None:
        # Unicorn has stepped over an ecall or ebreak already, and reports ecall as from level U.
        pc = uc.reg_read(rv.UC_RISCV_REG_PC)
        cause = ECALL_M if number == ECALL_U else number
        if cause in (ECALL_M, BREAKPOINT):
            short = cause == BREAKPOINT and self.chip.memory.read(pc - 2, 2) == b"\x02\x90"
            pc -= 2 if short else 4
        else:
            self.chip.note(f"hart {self.number}: exception {cause} at {pc:#x}")
        self.trap(cause, pc=pc)

    def _illegal(self, uc: Uc, _data: Any) -> bool:
        pc = uc.reg_read(rv.UC_RISCV_REG_PC)
        word = int.from_bytes(self.chip.memory.read(pc, 4), "little")
        self.chip.note(f"hart {self.number}: illegal instruction {word:#010x} at {pc:#x}")
        self.trap(ILLEGAL, word)
        return True

    def _unmapped(self, uc: Uc, access: int, at: int, _n: int, _value: int, _data: Any) -> bool:
        pc = uc.reg_read(rv.UC_RISCV_REG_PC)
        self._fault = (access, at, pc)
        self.chip.note(f"hart {self.number}: nothing at {at:#x}, used from {pc:#x}")
        return False

    def run(self, count: int) -> bool:
        """Execute up to `count` instructions; False when there was nothing to do."""
        if self.halted:
            return False
        self._take_interrupt()
        if self.sleeping:
            return False
        self.chip.current = self
        try:
            self.uc.emu_start(self.pc, TOP_PAGE, 0, count)
        except UcError as error:
            self._after_fault(error)
            return True
        if self._error is not None:
            raise self._error
        self.pc = self.uc.reg_read(rv.UC_RISCV_REG_PC)
        if self.step_over:
            self.step_over = False
            self.pc += 4 if self.chip.memory.read(self.pc, 1)[0] & 3 == 3 else 2
        last = self.chip.memory.peek(self.pc - 4, 4)
        self.sleeping = last == WFI.to_bytes(4, "little")
        return True

    def _take_interrupt(self) -> None:
        ready = self.pending()
        ready &= self.uc.reg_read(rv.UC_RISCV_REG_MIE) if ready else 0
        if not ready:
            return
        self.sleeping = False
        if self.uc.reg_read(rv.UC_RISCV_REG_MSTATUS) & MIE:
            cause = 11 if ready & 0x800 else 3 if ready & 8 else 7
            self.trap(cause | INTERRUPT, pc=self.pc)

    def _after_fault(self, error: UcError) -> None:
        fault, self._fault = self._fault, None
        if fault is None:
            self.pc = self.uc.reg_read(rv.UC_RISCV_REG_PC)
            self.chip.note(f"hart {self.number} stopped at {self.pc:#x}: {error}")
            self.halted = True
            return
        causes = {ucc.UC_MEM_READ_UNMAPPED: 5, ucc.UC_MEM_WRITE_UNMAPPED: 7}
        self.trap(causes.get(fault[0], 1), fault[1], fault[2])
