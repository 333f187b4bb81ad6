"""The KPU's 12-word layer descriptor as a K210_CONV stores it.

Field positions were read from Kendryte's standalone SDK and nncase 0.1 and proven by taking real
kmodels apart and putting them together again (see docs/kmodel.md).
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass, fields

BLOCK_BYTES = 96
LOAD_BYTES, MAX_LOADS = 30 << 10, 64
"""The KPU takes 8-bit weights in at most 64 loads of 30 KiB."""

# name -> (word, lowest bit, bits, signed). Counts are stored minus one ("_minus1").
FIELDS: Mapping[str, tuple[int, int, int, bool]] = {
    "int_en": (0, 0, 1, False),
    "ram_flag": (0, 1, 1, False),
    "full_add": (0, 2, 1, False),
    "depthwise": (0, 3, 1, False),
    "src_line": (1, 0, 15, False),
    "dst_line": (1, 32, 15, False),
    "in_channels_minus1": (2, 0, 10, False),
    "out_channels_minus1": (2, 32, 10, False),
    "channels_per_load_minus1": (2, 48, 10, False),
    "in_width_minus1": (3, 0, 10, False),
    "in_height_minus1": (3, 10, 9, False),
    "out_width_minus1": (3, 32, 10, False),
    "out_height_minus1": (3, 42, 9, False),
    "kernel": (4, 0, 3, False),
    "pad_type": (4, 3, 1, False),
    "pool": (4, 4, 4, False),
    "first_stride": (4, 8, 1, False),
    "bypass_conv": (4, 9, 1, False),
    "load_para": (4, 10, 1, False),
    "dma_burst_size": (4, 16, 8, False),
    "pad_value": (4, 24, 8, False),
    "load_coor": (5, 0, 1, False),
    "loads_minus1": (5, 1, 6, False),
    "bytes_per_load": (5, 15, 17, False),
    "in_group_lines": (7, 0, 15, False),
    "in_row_lines": (7, 16, 4, False),
    "coef_size": (7, 20, 8, False),
    "in_line_channels": (7, 28, 3, False),
    "load_act": (7, 31, 1, False),
    "out_group_lines": (8, 0, 15, False),
    "out_row_lines": (8, 16, 4, False),
    "out_line_channels": (8, 20, 3, False),
    "shr_w": (9, 0, 4, False),
    "shr_x": (9, 4, 4, False),
    "arg_w": (9, 8, 24, True),
    "arg_x": (9, 32, 24, True),
    "arg_add": (10, 0, 40, True),
    "send_data_out": (11, 0, 1, False),
    "out_pixels_minus1": (11, 16, 16, False),
    "out_values_minus1": (11, 32, 32, False),
}


@dataclass(frozen=True, slots=True)
class Registers:
    """The descriptor of one KPU layer; names follow Kendryte's SDK, counts are minus one."""

    src_line: int
    dst_line: int
    in_channels_minus1: int
    out_channels_minus1: int
    channels_per_load_minus1: int
    in_width_minus1: int
    in_height_minus1: int
    out_width_minus1: int
    out_height_minus1: int
    kernel: int
    pool: int
    pad_value: int
    loads_minus1: int
    bytes_per_load: int
    in_group_lines: int
    in_row_lines: int
    in_line_channels: int
    out_group_lines: int
    out_row_lines: int
    out_line_channels: int
    shr_w: int
    shr_x: int
    arg_w: int
    arg_x: int
    arg_add: int
    out_pixels_minus1: int
    out_values_minus1: int
    depthwise: int = 0
    int_en: int = 0
    ram_flag: int = 0
    full_add: int = 0
    pad_type: int = 0
    first_stride: int = 0
    bypass_conv: int = 0
    load_para: int = 1
    dma_burst_size: int = 15
    load_coor: int = 1
    coef_size: int = 0
    load_act: int = 1
    send_data_out: int = 0

    def pack(self) -> bytes:
        """Return the 96 bytes of the descriptor.

        Raises:
            ValueError: a field does not fit its bits.
        """
        words = [0] * 12
        for field in fields(self):
            word, low, bits, signed = FIELDS[field.name]
            value = getattr(self, field.name)
            least = -(1 << bits - 1) if signed else 0
            if not least <= value < least + (1 << bits):
                raise ValueError(f"{field.name}={value} does not fit {bits} bits")
            words[word] |= (value & ((1 << bits) - 1)) << low
        return struct.pack("<12Q", *words)

    @classmethod
    def unpack(cls, block: bytes) -> Registers:
        """Read 96 bytes.

        Raises:
            ValueError: bits are set that no known field owns.
        """
        words = struct.unpack("<12Q", block)
        values = {}
        for name, (word, low, bits, signed) in FIELDS.items():
            value = words[word] >> low & ((1 << bits) - 1)
            values[name] = value - (1 << bits) if signed and value >> bits - 1 else value
        registers = cls(**values)
        if registers.pack() != bytes(block):
            raise ValueError("unknown bits are set in the KPU descriptor")
        return registers

    @property
    def in_shape(self) -> tuple[int, int, int]:
        """Input feature map: channels, height, width."""
        return self.in_channels_minus1 + 1, self.in_height_minus1 + 1, self.in_width_minus1 + 1

    @property
    def out_shape(self) -> tuple[int, int, int]:
        """Output feature map: channels, height, width."""
        return self.out_channels_minus1 + 1, self.out_height_minus1 + 1, self.out_width_minus1 + 1

    @property
    def kernel_size(self) -> int:
        """1 or 3."""
        return 3 if self.kernel else 1

    @property
    def weight_count(self) -> int:
        """Number of weights that the layer reads."""
        outputs, inputs = self.out_channels_minus1 + 1, self.in_channels_minus1 + 1
        return self.kernel_size**2 * (outputs if self.depthwise else outputs * inputs)


def weight_loads(
    taps: int, channels: int, outputs: int, *, depthwise: bool
) -> tuple[int, int, int]:
    """Return loads, output channels a load and bytes a load of 8-bit weights.

    More than MAX_LOADS loads cannot be written to the descriptor.
    """
    if depthwise:
        return 1, outputs, taps * outputs
    one = taps * channels
    per_load = min(outputs, LOAD_BYTES // one)
    return -(-outputs // per_load), per_load, one * per_load
