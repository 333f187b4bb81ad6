"""The camera: an OV2640 on an I2C bus, and the DVP port that writes its frames to memory.

Sources: `i2c.h`, `dvp.h` of Kendryte's SDK; the OV2640's identity registers from its data sheet.
The camera's settings are kept and not obeyed: it gives frames of the size that the DVP is set to.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

import numpy as np

from .device import WORD, Device, blocks, registers

OV2640_ADDRESS = 0x30
BANK = 0xFF
SENSOR_BANK = 1
IDENTITY = {0x0A: 0x26, 0x0B: 0x42, 0x1C: 0x7F, 0x1D: 0xA2}
Frames = Callable[[int, int], np.ndarray]
"""(width, height) -> uint8 (height, width, 3), the next picture that the camera sees."""


class Ov2640:
    """Two banks of 256 registers, written as pairs (register, value)."""

    def __init__(self) -> None:
        self.banks = {0: bytearray(256), SENSOR_BANK: bytearray(256)}
        for register, value in IDENTITY.items():
            self.banks[SENSOR_BANK][register] = value
        self._bank = SENSOR_BANK  # as probing firmware expects without selecting it
        self._register: int | None = None

    def take(self, byte: int) -> None:
        """Take a register's number, or its value."""
        if self._register is None:
            self._register = byte
        elif self._register == BANK:
            self._bank, self._register = byte & 1, None
        else:
            if self._bank != SENSOR_BANK or self._register not in IDENTITY:
                self.banks[self._bank][self._register] = byte
            self._register = None

    def give(self) -> int:
        """Return the register that was named."""
        register, self._register = self._register or 0, None
        return self._bank if register == BANK else self.banks[self._bank][register]


class I2c(Device):
    """A master that polls: every transfer is over at once, or not acknowledged."""

    REGISTERS = blocks(
        registers("con tar sar - data_cmd ss_scl_hcnt ss_scl_lcnt fs_scl_hcnt fs_scl_lcnt"),
        registers(
            "intr_stat intr_mask raw_intr_stat rx_tl tx_tl clr_intr clr_rx_under clr_rx_over "
            "clr_tx_over clr_rd_req clr_tx_abrt clr_rx_done clr_activity clr_stop_det "
            "clr_start_det clr_gen_call enable status txflr rxflr sda_hold tx_abrt_source - "
            "dma_cr dma_tdlr dma_rdlr sda_setup general_call enable_status fs_spklen",
            0x2C,
        ),
        registers("comp_param_1 comp_version comp_type", 0xF4),
    )
    READ_COMMAND = 0x100
    NOT_ACKNOWLEDGED = 1

    def __init__(self, chip, number: int) -> None:
        super().__init__(chip, f"I2C{number}", 0x50280000 + 0x10000 * number)
        self.slaves: dict[int, Ov2640] = {}
        self._received: deque[int] = deque()

    def write_data_cmd(self, value: int) -> None:
        slave = self.slaves.get(self.values["tar"] & 0x7F)
        if slave is None:
            self.values["tx_abrt_source"] = self.NOT_ACKNOWLEDGED
        elif value & self.READ_COMMAND:
            self._received.append(slave.give())
        else:
            slave.take(value & 0xFF)

    def read_data_cmd(self) -> int:
        return self._received.popleft() if self._received else 0

    def read_rxflr(self) -> int:
        return len(self._received)

    def read_status(self) -> int:
        return 0x06 | (0x08 if self._received else 0)  # idle, transmit FIFO empty

    def read_clr_tx_abrt(self) -> int:
        self.values["tx_abrt_source"] = 0
        return 0


class Dvp(Device):
    """Takes frames from the camera; one begins every `PERIOD` ticks of mtime."""

    NAME, BASE = "DVP", 0x50430000
    REGISTERS = registers(
        "cfg r_addr g_addr b_addr cmos sccb_cfg sccb_ctl axi sts reverse rgb_addr"
    )
    START_INT, FINISH_INT, AI_OUT, DISPLAY_OUT, AUTO, BURST_4 = 0x1, 0x2, 0x4, 0x8, 0x10, 0x100
    STARTED, FINISHED, ENABLED = 0x1, 0x100, 0x10000
    PERIOD = 7_800_000 // 25

    def __init__(self, chip) -> None:
        super().__init__(chip)
        self.frames: Frames | None = None
        self.taken = 0
        self._next = 0

    def write_sts(self, value: int) -> None:
        # Each flag has a write-enable bit above it; writing 1 to the first two clears them.
        sts = self.values["sts"]
        for flag in (self.STARTED, self.FINISHED):
            if value & flag << 1 and value & flag:
                sts &= ~flag
        if value & self.ENABLED << 1:
            sts = sts & ~self.ENABLED | value & self.ENABLED
        self.values["sts"] = sts
        self.chip.lines_changed = True

    def tick(self) -> None:
        """Begin and finish frames as time passes."""
        if self.frames is None or self.chip.mtime() < self._next:
            return
        self._next = self.chip.mtime() + self.PERIOD // 2
        sts = self.values["sts"]
        if sts & self.ENABLED:
            self._store_frame()
            self.values["sts"] = sts & ~self.ENABLED | self.FINISHED
        elif not sts & (self.STARTED | self.FINISHED):
            self.values["sts"] |= self.STARTED
        self.chip.lines_changed = True

    def line(self) -> bool:
        """Return the level of the interrupt line."""
        cfg, sts = self.values["cfg"], self.values["sts"]
        started = cfg & self.START_INT and sts & self.STARTED
        return bool(started or (cfg & self.FINISH_INT and sts & self.FINISHED))

    def _store_frame(self) -> None:
        cfg = self.values["cfg"]
        width = (cfg >> 12 & 0xFF) * 8 * (4 if cfg & self.BURST_4 else 1)
        height = cfg >> 20 & 0x3FF
        assert self.frames is not None
        picture = self.frames(width, height).astype(np.uint16)
        red, green, blue = picture[..., 0], picture[..., 1], picture[..., 2]
        self.taken += 1
        if cfg & self.DISPLAY_OUT:
            packed = (red >> 3) << 11 | (green >> 2) << 5 | blue >> 3
            pairs = packed.reshape(-1, 2)[:, ::-1]  # two pixels a word, the first one on top
            self.chip.memory.write(self.values["rgb_addr"] & WORD, pairs.astype("<u2").tobytes())
        if cfg & self.AI_OUT:
            for name, plane in (("r_addr", red), ("g_addr", green), ("b_addr", blue)):
                self.chip.memory.write(self.values[name], plane.astype(np.uint8).tobytes())
