"""The KPU: runs a layer when its twelve descriptor words have arrived.

The arithmetic is the project's own simulator, which tests/kmodel compares byte for byte with the
vendor's; what this proves is what a firmware makes of a kmodel: its loader, the addresses it
fills in, its DMA and its CPU layers. Source of the registers: `kpu.h` of Kendryte's SDK.
"""

from __future__ import annotations

import struct
from collections import deque

import numpy as np

from host.kmodel import kpu as arithmetic
from host.kmodel import layout
from host.kmodel.registers import BLOCK_BYTES, Registers
from host.kmodel.v3 import Activation, ConvLayer

from .device import Device, UnknownRegisterError
from .memory import KPU_RAM, RAM_SIZE

FIFO, STATUS, RAW, MASK, CLEAR, THRESHOLD, DATA_OUT, EIGHT_BIT = (
    0x00, 0x08, 0x10, 0x18, 0x20, 0x28, 0x30, 0x40,
)  # fmt: skip
KNOWN = {FIFO, STATUS, RAW, MASK, CLEAR, THRESHOLD, DATA_OUT, 0x38, EIGHT_BIT}
CALC_DONE = 1
ADDRESS_WORDS = (4, 5, 7)  # their upper halves hold batch norm, weights, activation table


class Kpu(Device):
    """64-bit registers; the FIFO takes descriptor words by store or by DMA."""

    NAME, BASE = "KPU", 0x40800000

    def __init__(self, chip) -> None:
        super().__init__(chip)
        self.words: dict[int, int] = {}
        self.status = 0
        self.mask = 7
        self.layers = 0
        self.inputs: list[np.ndarray] = []
        self._fifo: list[int] = []
        self._result: deque[bytes] = deque()

    def read(self, offset: int, size: int) -> int:
        register = offset & ~7
        if register not in KNOWN:
            raise self._unknown("read", offset)
        special = {STATUS: self.status, RAW: self.status, MASK: self.mask}
        value = special.get(register, self.words.get(register, 0))
        return value >> 8 * (offset & 7) & (1 << 8 * size) - 1

    def write(self, offset: int, size: int, value: int) -> None:
        register = offset & ~7
        if register not in KNOWN:
            raise self._unknown("write", offset)
        if size != 8:
            low = self.words.get(register, 0) & 0xFFFFFFFF
            value = low | value << 32 if offset & 4 else value
        self.words[register] = value
        self.chip.lines_changed = True
        if register == FIFO and (size == 8 or offset & 4):  # the upper half completes a word
            self._push(value)
        elif register == CLEAR:
            self.status &= ~value
        elif register == MASK:
            self.mask = value & 7

    def line(self) -> bool:
        """Return the level of the interrupt line."""
        return bool(self.status & ~self.mask & 7)

    def dma_write(self, data: bytes) -> None:
        """Take descriptor words."""
        for word in struct.unpack(f"<{len(data) // 8}Q", data):
            self._push(word)

    def dma_read(self, count: int) -> bytes:
        """Give the result that a layer sends to main memory."""
        if not self._result:
            return b""
        return self._result.popleft()[:count].ljust(count, b"\0")

    def _push(self, word: int) -> None:
        self._fifo.append(word)
        if 8 * len(self._fifo) == BLOCK_BYTES:
            words, self._fifo = self._fifo, []
            self._run(words)

    def _run(self, words: list[int]) -> None:
        if not self.words.get(EIGHT_BIT, 1) & 1:
            raise UnknownRegisterError("a KPU layer with 16-bit weights")
        layer = self._layer(words)
        registers = layer.registers
        ram = np.frombuffer(self.chip.memory.bytes, np.uint8, RAM_SIZE - KPU_RAM, KPU_RAM)[None]
        picture = layout.read_map(ram, registers.src_line, registers.in_shape)
        if self.layers == 0 or registers.in_shape[0] == 3:
            self.inputs.append(picture[0].copy())
        result = arithmetic.ConvPlan(layer).run(picture)
        layout.write_map(ram, registers.dst_line, result)
        self.layers += 1
        if registers.send_data_out:
            self._result.append(result.tobytes())
        if registers.int_en:
            self.status |= CALC_DONE
            self.chip.lines_changed = True
        self.chip.dmac.poll()

    def _layer(self, words: list[int]) -> ConvLayer:
        bn_at, weights_at, activation_at = (words[at] >> 32 for at in ADDRESS_WORDS)
        plain = [w & 0xFFFFFFFF if at in ADDRESS_WORDS else w for at, w in enumerate(words)]
        registers = Registers.unpack(struct.pack("<12Q", *plain))
        memory = self.chip.memory
        bn = np.frombuffer(memory.read(bn_at, 8 * registers.out_shape[0]), "<u8")
        return ConvLayer(
            flags=0,
            main_output=0,
            registers=registers,
            weights=np.frombuffer(memory.read(weights_at, registers.weight_count), np.uint8),
            bn_mul=(bn << np.uint64(40)).view(np.int64) >> 40,
            bn_shift=(bn >> np.uint64(56) & np.uint64(15)).astype(np.int64),
            bn_add=(bn << np.uint64(8)).view(np.int64) >> 32,
            activation=Activation.unpack(memory.read(activation_at, 144)),
        )
