"""Small programs in RISC-V machine code on the virtual K210's harts."""

import struct

import pytest

pytest.importorskip("unicorn", reason="no unicorn on this platform")

from k210 import Chip, UnknownRegisterError
from k210.memory import RAM

A0, A1, T0 = 10, 11, 5
LOOP = 0x0000006F  # j .
WFI = 0x10500073
ECALL = 0x00000073
MRET = 0x30200073


def lui(rd, value):
    return value & 0xFFFFF000 | rd << 7 | 0x37


def auipc(rd):
    return rd << 7 | 0x17


def addi(rd, rs, value):
    return (value & 0xFFF) << 20 | rs << 15 | rd << 7 | 0x13


def store(rs, value, offset=0):
    """sw value, offset(rs)"""
    return (offset >> 5 & 0x7F) << 25 | value << 20 | rs << 15 | 2 << 12 | (offset & 31) << 7 | 0x23


def load(rd, rs, offset=0):
    return (offset & 0xFFF) << 20 | rs << 15 | 2 << 12 | rd << 7 | 0x03


def csrr(rd, csr):
    return csr << 20 | 2 << 12 | rd << 7 | 0x73


def csrw(csr, rs):
    return csr << 20 | rs << 15 | 1 << 12 | 0x73


def code(*words):
    return struct.pack(f"<{len(words)}I", *words)


def run(*words, steps=1, chip=None):
    chip = chip or Chip()
    chip.load(code(*words))
    for _ in range(steps):
        chip.step()
    return chip


def low(chip, address):
    return struct.unpack("<I", chip.memory.read(address, 4))[0]


def test_each_hart_knows_its_number():
    # The uncached half of the RAM: 0x40001000 + 4 * hart.
    shift = 2 << 20 | A0 << 15 | 1 << 12 | A1 << 7 | 0x13  # slli a1, a0, 2
    add = A1 << 20 | T0 << 15 | T0 << 7 | 0x33  # add t0, t0, a1
    chip = run(
        csrr(A0, 0xF14), lui(T0, 0x40001000), shift, add, addi(A0, A0, 7), store(T0, A0), LOOP
    )
    assert [low(chip, 0x40001000), low(chip, 0x40001004)] == [7, 8]


def test_a_program_prints():
    chip, sent = Chip(), bytearray()
    chip.uarths.send = sent.append
    run(lui(T0, 0x38000000), addi(A0, 0, ord("H")), store(T0, A0), LOOP, chip=chip)
    assert sent == b"HH"  # both harts run it


def test_the_cycle_counter_counts():
    chip = run(
        csrr(A0, 0xB00), csrr(A1, 0xB00), lui(T0, 0x40001000),
        store(T0, A0), store(T0, A1, 4), LOOP,
    )  # fmt: skip
    assert low(chip, 0x40001004) > low(chip, 0x40001000) > 0


def test_an_ecall_enters_the_handler_with_its_address_and_cause():
    # The handler, 0x100 behind the start, stores mcause and mepc.
    main = code(auipc(T0), addi(T0, T0, 0x100), csrw(0x305, T0), ECALL, LOOP)
    handler = code(
        csrr(A0, 0x342), csrr(A1, 0x341), lui(T0, 0x40001000),
        store(T0, A0), store(T0, A1, 4), LOOP,
    )  # fmt: skip
    chip = Chip()
    chip.load(main.ljust(0x100, b"\0") + handler)
    chip.step()
    assert low(chip, 0x40001000) == 11
    assert low(chip, 0x40001004) == RAM + 12


def test_a_software_interrupt_wakes_a_sleeping_hart():
    main = code(
        auipc(T0), addi(T0, T0, 0x100), csrw(0x305, T0),
        addi(A0, 0, 8), csrw(0x304, A0), csrw(0x300, A0), WFI, LOOP,
    )  # fmt: skip
    handler = code(lui(T0, 0x40001000), csrr(A0, 0x342), store(T0, A0), LOOP)
    chip = Chip()
    chip.load(main.ljust(0x100, b"\0") + handler)
    for _ in range(3):
        chip.step()
    assert [hart.sleeping for hart in chip.harts] == [True, True]
    assert low(chip, 0x40001000) == 0
    chip.clint.write(0, 4, 1)
    chip.step()
    assert low(chip, 0x40001000) == 3 and [h.sleeping for h in chip.harts] == [False, True]


def test_a_register_that_nobody_described_ends_the_program_loudly():
    with pytest.raises(UnknownRegisterError, match="SYSCTL"):
        run(lui(T0, 0x50440000), load(A0, T0, 0x7F0), LOOP)


def test_memory_that_is_not_there_traps_and_is_noted():
    main = code(
        auipc(T0), addi(T0, T0, 0x100), csrw(0x305, T0),
        lui(T0, 0x10000000), load(A0, T0), LOOP,
    )  # fmt: skip
    handler = code(csrr(A0, 0x342), lui(T0, 0x40001000), store(T0, A0), LOOP)
    chip = Chip()
    chip.load(main.ljust(0x100, b"\0") + handler)
    chip.step()
    chip.step()
    assert low(chip, 0x40001000) == 5
    assert any("0x10000000" in note for note in chip.notes)
