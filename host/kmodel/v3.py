"""The kmodel V3 file: read, check and write.

Layout and layer bodies as nncase 0.1 writes them and MaixPy's KPU library reads them; all integers
little endian. Reading a real file and writing it again gives the same bytes.
"""

from __future__ import annotations

import enum
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from ..errors import UserError
from ..i18n import N_
from .registers import BLOCK_BYTES, Registers

VERSION = 3
EIGHT_BIT_WEIGHTS = 1
"""Header flag: weights are bytes (the only kind that is known from real files)."""
ACT_BYTES = 144
BLOCK_ALIGN = (8, 128, 128, 256)
"""Of a layer's descriptor, weights, batch norm and activation table."""
ALIGNED = 8
"""A body ends at a multiple of this, counted from the start of the file."""
MAX_LAYERS = 1024
"""More layers, or outputs, than any network has that fits the chip."""
MAX_FILE = 6 << 20
"""Stock MaixPy refuses larger files."""


class LayerType(enum.IntEnum):
    """Layer numbers that MaixPy's runtime executes."""

    ADD = 1
    QUANTIZED_ADD = 2
    GLOBAL_AVERAGE_POOL2D = 5
    QUANTIZED_MAX_POOL2D = 8
    AVERAGE_POOL2D = 9
    QUANTIZE = 11
    DEQUANTIZE = 12
    REQUANTIZE = 13
    L2_NORMALIZATION = 14
    SOFTMAX = 15
    CONCAT = 16
    QUANTIZED_CONCAT = 17
    FULLY_CONNECTED = 18
    TENSORFLOW_FLATTEN = 20
    QUANTIZED_TENSORFLOW_FLATTEN = 21
    RESIZE_NEAREST_NEIGHBOR = 22
    QUANTIZED_RESIZE_NEAREST_NEIGHBOR = 23
    CHANNELWISE_DEQUANTIZE = 24
    LOGISTIC = 25
    K210_CONV = 10240
    K210_ADD_PADDING = 10241
    K210_REMOVE_PADDING = 10242
    K210_UPLOAD = 10243


L = LayerType
_POOL = "flags input output in_w in_h in_c out_w out_h out_c kernel_w kernel_h stride_w stride_h"
# Fixed fields of each CPU layer body: names and struct codes. What follows them (tables, weights)
# is read by _tail.
_BODIES: dict[LayerType, tuple[str, str]] = {
    L.ADD: ("flags a b output count", "5I"),
    L.QUANTIZED_ADD: (
        "flags a b output count a_offset a_mul a_shift b_offset b_mul b_shift"
        " out_offset out_mul out_shift",
        "5I9i",
    ),
    L.GLOBAL_AVERAGE_POOL2D: ("flags input output kernel_size channels", "5I"),
    L.QUANTIZED_MAX_POOL2D: (f"{_POOL} pad_w pad_h", "15I"),
    L.AVERAGE_POOL2D: (f"{_POOL} pad_w pad_h activation", "16I"),
    L.QUANTIZE: ("flags input output count scale bias", "4I2f"),
    L.DEQUANTIZE: ("flags input output count scale bias", "4I2f"),
    L.REQUANTIZE: ("flags input output count", "4I"),
    L.L2_NORMALIZATION: ("flags input output channels", "4I"),
    L.SOFTMAX: ("flags input output channels", "4I"),
    L.LOGISTIC: ("flags input output channels", "4I"),
    L.CONCAT: ("flags output inputs", "3I"),
    L.QUANTIZED_CONCAT: ("flags output inputs", "3I"),
    L.FULLY_CONNECTED: ("flags input output in_channels out_channels activation", "6I"),
    L.TENSORFLOW_FLATTEN: ("flags input output width height channels", "6I"),
    L.QUANTIZED_TENSORFLOW_FLATTEN: ("flags input output width height channels", "6I"),
    L.RESIZE_NEAREST_NEIGHBOR: ("flags input output in_w in_h channels out_w out_h align", "9I"),
    L.QUANTIZED_RESIZE_NEAREST_NEIGHBOR: (
        "flags input output in_w in_h channels out_w out_h align",
        "9I",
    ),
    L.CHANNELWISE_DEQUANTIZE: ("flags input output channels channel_size", "5I"),
    L.K210_ADD_PADDING: ("flags input kpu_output channels", "4I"),
    L.K210_REMOVE_PADDING: ("flags input output channels", "4I"),
    L.K210_UPLOAD: ("flags input kpu_output width height channels", "6I"),
}


@dataclass(frozen=True, slots=True)
class CpuLayer:
    """A layer that the CPU runs: its named fields and the table or weights that follow them.

    `table` is None, uint8 (256,) for REQUANTIZE, uint32 (n, 2) of start and bytes for the
    concats, float32 (channels, 2) of scale and bias for CHANNELWISE_DEQUANTIZE, float32
    (out * in + out,) of weights then biases for FULLY_CONNECTED.
    """

    type: LayerType
    values: Mapping[str, int | float]
    table: np.ndarray | None = None

    def __getitem__(self, name: str) -> int:
        return self.values[name]  # type: ignore[return-value]


@dataclass(frozen=True, slots=True)
class Activation:
    """The KPU's activation table: 16 segments.

    Attributes:
        start: int64 (16,), where each segment begins, ascending, 36 bits signed.
        mul: int64 (16,), slope, 16 bits signed.
        shift: int64 (16,), 0..255.
        add: int64 (16,), 0..255.
    """

    start: np.ndarray
    mul: np.ndarray
    shift: np.ndarray
    add: np.ndarray

    def pack(self) -> bytes:
        """Return the 144 bytes of the table."""
        words = [
            int(shift) | (int(mul) & 0xFFFF) << 8 | (int(start) & 0xFFFFFFFFF) << 24
            for start, mul, shift in zip(self.start, self.mul, self.shift, strict=True)
        ]
        return struct.pack("<16Q", *words) + bytes(int(add) for add in self.add)

    @classmethod
    def unpack(cls, block: bytes) -> Activation:
        """Read 144 bytes."""
        words = np.frombuffer(block, "<u8", 16)
        return cls(
            start=(words << np.uint64(4)).view(np.int64) >> 28,
            mul=(words << np.uint64(40)).view(np.int64) >> 48,
            shift=(words & np.uint64(0xFF)).astype(np.int64),
            add=np.frombuffer(block, np.uint8, 16, 128).astype(np.int64),
        )


@dataclass(frozen=True, slots=True)
class ConvLayer:
    """A layer that the KPU runs.

    Attributes:
        flags: bit 0 set: the result is copied to main memory at `main_output`.
        main_output: byte offset in main memory.
        registers: the KPU descriptor.
        weights: uint8 (weight_count,) in the order [out][in][ky][kx].
        bn_mul: int64 (out_channels,), 24 bits signed.
        bn_shift: int64 (out_channels,), 0..15.
        bn_add: int64 (out_channels,), 32 bits signed.
        activation: the 16-segment table.
    """

    flags: int
    main_output: int
    registers: Registers
    weights: np.ndarray
    bn_mul: np.ndarray
    bn_shift: np.ndarray
    bn_add: np.ndarray
    activation: Activation

    type = LayerType.K210_CONV

    def pack_bn(self) -> bytes:
        """Return the batch-norm block, 8 bytes an output channel."""
        mul = (self.bn_mul & 0xFFFFFF).astype(np.uint64)
        add = (self.bn_add & 0xFFFFFFFF).astype(np.uint64)
        shift = self.bn_shift.astype(np.uint64)
        return (mul | add << np.uint64(24) | shift << np.uint64(56)).astype("<u8").tobytes()


Layer = CpuLayer | ConvLayer


@dataclass(frozen=True, slots=True)
class Kmodel:
    """A whole file: header fields and layers.

    `outputs` are pairs of main-memory byte offset and size in bytes.
    """

    layers: tuple[Layer, ...]
    outputs: tuple[tuple[int, int], ...]
    main_memory: int
    max_start_line: int = 0
    flags: int = EIGHT_BIT_WEIGHTS
    trailing_padding: bool = field(default=True, compare=False)

    @property
    def convs(self) -> tuple[ConvLayer, ...]:
        """The layers that the KPU runs, in order."""
        return tuple(layer for layer in self.layers if isinstance(layer, ConvLayer))


def _align(position: int, to: int) -> int:
    return -(-position // to) * to


def write(model: Kmodel) -> bytes:
    """Return the bytes of the file; each layer body ends aligned to 8 bytes of the file."""
    header = 28 + 8 * len(model.outputs) + 8 * len(model.layers)
    out = bytearray(header)
    sizes = []
    for layer in model.layers:
        start = len(out)
        if isinstance(layer, ConvLayer):
            _append_conv(out, layer)
        else:
            names, codes = _BODIES[layer.type]
            out += struct.pack(f"<{codes}", *(layer.values[name] for name in names.split()))
            if layer.table is not None:
                out += layer.table.tobytes()
        out += bytes(_align(len(out), 8) - len(out))
        sizes.append(len(out) - start)
    head = [VERSION, model.flags, 0, len(model.layers), model.max_start_line, model.main_memory]
    table = [value for output in model.outputs for value in output]
    for layer, size in zip(model.layers, sizes, strict=True):
        table += [int(layer.type), size]
    struct.pack_into(f"<{7 + len(table)}I", out, 0, *head, len(model.outputs), *table)
    return bytes(out)


def _append_conv(out: bytearray, layer: ConvLayer) -> None:
    start = len(out)
    out += bytes(24)
    offsets = []
    blocks = (
        layer.registers.pack(),
        layer.weights.tobytes(),
        layer.pack_bn(),
        layer.activation.pack(),
    )
    for to, block in zip(BLOCK_ALIGN, blocks, strict=True):
        out += bytes(_align(len(out), to) - len(out))
        offsets.append(len(out))
        out += block
    struct.pack_into("<6I", out, start, layer.flags, layer.main_output, *offsets)


def read(data: bytes) -> Kmodel:
    """Parse a kmodel V3.

    Raises:
        UserError: not a kmodel V3, larger than `MAX_FILE`, or damaged; the finding says what
            and where.
    """
    _check_magic(data)
    if len(data) > MAX_FILE:
        limit = f"{MAX_FILE:,}"
        raise UserError("kmodel_too_large", found=f"> {limit}", limit=limit)
    head = _unpack("<7I", data, 0, N_("header"))
    _, flags, arch, count, max_start, main_memory, output_count = head
    if arch != 0 or count > MAX_LAYERS or output_count > MAX_LAYERS:
        found = f"arch = {arch}, layers = {count}, outputs = {output_count}"
        raise _damaged(N_("header"), found)
    numbers = _unpack(f"<{2 * (output_count + count)}I", data, 28, N_("layer table"))
    pairs = list(zip(numbers[::2], numbers[1::2], strict=True))
    position = 28 + 8 * len(pairs)
    layers = []
    for index, (kind, size) in enumerate(pairs[output_count:]):
        layers.append(_read_layer(data, position, kind, size, index))
        position += size
    if position - 8 >= len(data):  # some files lack the last padding
        raise _damaged(N_("layer table"), f"{len(data)} of {position} B")
    return Kmodel(
        layers=tuple(layers),
        outputs=tuple(pairs[:output_count]),
        main_memory=main_memory,
        max_start_line=max_start,
        flags=flags,
        trailing_padding=len(data) >= position,
    )


_OTHER_KINDS = {
    b"LDMS": "encrypted smodel",
    b"LDME": "encrypted emodel",
    b"\x13\x27\x00\x00": "encrypted V3 smodel",
    b"KMXB": "encrypted KMX1, sealed by MaixForge",
    b"PK\3\4": "kfpkg or zip",
    b"\x89HDF": "Keras HDF5",
    b"": "0 B",
}


Where = str | int
"""A part of the file, or the number of a layer."""


def _damaged(where: Where, found: str) -> UserError:
    if isinstance(where, int):
        return UserError("kmodel_damaged", where=N_("layer {number}"), number=where, found=found)
    return UserError("kmodel_damaged", where=where, found=found)


def _check_magic(data: bytes) -> None:
    head = bytes(data[:8])
    if head[:4] == struct.pack("<I", VERSION):
        return
    kind = _OTHER_KINDS.get(head[:4])
    version = int.from_bytes(head[4:], "little")
    if head[:4] == b"LDMK" and version > VERSION:  # since nncase 0.2; the version follows
        kind = f"kmodel V{version} (nncase {'0.2' if version == 4 else '1 or later'})"
    elif head[4:] == b"TFL3":
        kind = "TFLite"
    raise UserError("kmodel_wrong_version", found=kind or f"first bytes {head.hex(' ')}")


def _unpack(code: str, data: bytes, offset: int, where: Where) -> tuple[int, ...]:
    end = offset + struct.calcsize(code)
    if end > len(data):
        raise _damaged(where, f"{len(data)} of {end} B")
    return struct.unpack_from(code, data, offset)


def _array(data: bytes, dtype: str, count: int, offset: int, where: Where) -> np.ndarray:
    end = offset + count * np.dtype(dtype).itemsize
    if end > len(data):
        raise _damaged(where, f"{len(data)} of {end} B")
    return np.frombuffer(data, dtype, count, offset)


def _read_layer(data: bytes, start: int, kind: int, size: int, where: Where) -> Layer:
    if (start + size) % ALIGNED:
        raise _damaged(where, f"size = {size}")
    try:
        layer_type = LayerType(kind)
    except ValueError:
        raise _damaged(where, f"type = {kind}") from None
    if layer_type is LayerType.K210_CONV:
        return _read_conv(data, start, size, where)
    names, codes = _BODIES[layer_type]
    fixed = _unpack(f"<{codes}", data, start, where)
    values = dict(zip(names.split(), fixed, strict=True))
    end = start + struct.calcsize(f"<{codes}")
    table = _tail(layer_type, values, data, end, where)
    if end + (table.nbytes if table is not None else 0) > start + size:
        raise _damaged(where, f"size = {size}")
    return CpuLayer(layer_type, values, table)


def _tail(
    kind: LayerType, values: dict[str, int], data: bytes, at: int, where: Where
) -> np.ndarray | None:
    if kind is LayerType.REQUANTIZE:
        return _array(data, "u1", 256, at, where)
    if kind in (LayerType.CONCAT, LayerType.QUANTIZED_CONCAT):
        return _array(data, "<u4", 2 * values["inputs"], at, where).reshape(-1, 2)
    if kind is LayerType.CHANNELWISE_DEQUANTIZE:
        return _array(data, "<f4", 2 * values["channels"], at, where).reshape(-1, 2)
    if kind is LayerType.FULLY_CONNECTED:
        count = (values["in_channels"] + 1) * values["out_channels"]
        return _array(data, "<f4", count, at, where)
    return None


def _read_conv(data: bytes, start: int, size: int, where: Where) -> ConvLayer:
    """Read a K210_CONV. Its blocks lie in its own body, one behind the other."""
    flags, main_output, *places = _unpack("<6I", data, start, where)
    layer_at, weights_at, bn_at, act_at = places
    try:
        registers = Registers.unpack(_array(data, "u1", BLOCK_BYTES, layer_at, where).tobytes())
    except ValueError as error:
        raise _damaged(where, str(error)) from None
    count = registers.out_channels_minus1 + 1
    at = start + 24
    for place, to, length in zip(
        places,
        BLOCK_ALIGN,
        (BLOCK_BYTES, registers.weight_count, 8 * count, ACT_BYTES),
        strict=True,
    ):
        if place < at or place % to or place + length > start + size:
            raise _damaged(where, f"{at} <= {place} + {length} <= {start + size}, {place} % {to}")
        at = place + length
    bn = _array(data, "<u8", count, bn_at, where)
    return ConvLayer(
        flags=flags,
        main_output=main_output,
        registers=registers,
        weights=_array(data, "u1", registers.weight_count, weights_at, where),
        bn_mul=(bn << np.uint64(40)).view(np.int64) >> 40,
        bn_shift=(bn >> np.uint64(56) & np.uint64(15)).astype(np.int64),
        bn_add=(bn << np.uint64(8)).view(np.int64) >> 32,
        activation=Activation.unpack(_array(data, "u1", ACT_BYTES, act_at, where).tobytes()),
    )
