"""The KPU's integer arithmetic for one convolution layer, bit by bit.

Per output pixel, with unsigned bytes x and w over all taps (a tap outside the picture reads
pad_value) and input channels (depthwise: one):

    acc = sum(x*w) + ((arg_x * sum(x)) >> shr_x) + ((arg_w * sum(w)) >> shr_w) + arg_add * channels
    v   = ((acc * bn_mul) >> bn_shift) + bn_add
    q   = clamp(round((v - start[i]) * mul[i] >> shift[i]) + add[i], 0, 255)

where i is the last segment whose start is below v; pooling follows on the bytes. The formula
was checked against Kendryte's own simulator (see docs/kmodel.md). The sums run in float32 or
float64 only where every partial sum is provably an integer that the type holds exactly.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from . import taps
from .v3 import Activation, ConvLayer

FLOAT32_EXACT = 1 << 24
FLOAT64_EXACT = 1 << 53
FARTHEST = 1 << 35
"""The KPU keeps the activation's input in 36 bits signed."""
MAX_TABLE = 1 << 21
"""Largest look-up table for an activation, bytes; wider ones are computed segment by segment."""
TABLE_PART = 1 << 16
"""Entries of a table that are computed at a time."""

# pool code -> (window, stride, kind)
POOLS = {
    0: (1, 1, "none"),
    1: (2, 2, "max"),
    2: (2, 2, "mean"),
    3: (4, 4, "max"),
    4: (4, 4, "mean"),
    5: (2, 2, "left_top"),
    6: (2, 2, "right_top"),
    7: (4, 4, "left_top"),
    8: (2, 1, "mean"),
    9: (2, 1, "max"),
}


def activate(v: np.ndarray, table: Activation, half_up: bool = False) -> np.ndarray:
    """Apply the 16-segment table to int64 `v`; returns uint8 of the same shape.

    A segment begins behind its start; the first has no beginning. Ties round to even, as the
    vendor's simulators since nncase 0.2 do; `half_up` rounds them up as nncase 0.1 and the SDK's
    C code do. Both round a negative product down once too often (-45.3 gives -47, -45.7 gives
    -46). Which of this the silicon does is not known; our own tables make negative products only
    where a function falls (see `piecewise`).
    """
    index = np.clip(np.searchsorted(table.start, v, side="left") - 1, 0, 15)
    product = (v - table.start[index]) * table.mul[index]
    shift = np.minimum(table.shift[index], 62)  # more gives 0 all the same
    floor = product >> shift
    rest = product - (floor << shift)
    half = np.where(shift > 0, np.int64(1) << np.maximum(shift - 1, 0), np.int64(1) << 62)
    up = (rest > half) | ((rest == half) & (half_up | (floor & 1 == 1)))
    rounded = floor + np.where(product < 0, -1, 1) * up
    return np.clip(rounded + table.add[index], 0, 255).astype(np.uint8)


def pool(values: np.ndarray, code: int, out_height: int, out_width: int) -> np.ndarray:
    """Pool uint8 (n, c, h, w) as the KPU does; mean truncates, missing neighbours are ignored."""
    window, stride, kind = POOLS[code]
    if kind == "none":
        return values
    height, width = out_height * stride, out_width * stride
    if kind in ("left_top", "right_top"):
        return values[:, :, :height:stride, (kind == "right_top") : width : stride]
    border = ((0, 0), (0, 0), (0, window - stride), (0, window - stride))
    whole = np.pad(values, border, "constant" if kind == "max" else "edge")
    parts = [
        whole[:, :, row : row + height : stride, column : column + width : stride]
        for row in range(window)
        for column in range(window)
    ]
    if kind == "max":
        return np.maximum.reduce(parts)
    return (np.add.reduce([part.astype(np.uint16) for part in parts]) // window**2).astype(np.uint8)


@dataclass(frozen=True, slots=True)
class _Table:
    """The activation as one look-up: byte = table[clamp(v - low, 0, size - 1)]."""

    low: int
    values: np.ndarray


def _tabulate(table: Activation, reach: int, half_up: bool, most: int) -> _Table | None:
    """Tabulate the activation between the points outside of which it is constant.

    `reach` bounds |v|; None when the table would be larger than `most` bytes.
    """
    inside = [
        (max(low, -reach), min(high, reach))
        for low, high in _changes(table, half_up)
        if low <= reach and high >= -reach
    ] or [(0, 0)]
    low, high = min(low for low, _ in inside) - 1, max(high for _, high in inside) + 1
    if high - low >= most:
        return None
    values = np.empty(high + 1 - low, np.uint8)
    for at in range(0, len(values), TABLE_PART):
        part = values[at : at + TABLE_PART]
        part[:] = activate(np.arange(low + at, low + at + len(part)), table, half_up)
    return _Table(low, values)


def _changes(table: Activation, half_up: bool) -> list[tuple[int, int]]:
    """Return intervals, both ends included, outside of which the byte does not change."""
    starts = [int(start) for start in table.start]
    borders = table.start[1:]
    steps = activate(borders, table, half_up) != activate(borders + 1, table, half_up)
    intervals = [(int(border), int(border) + 1) for border in borders[steps]]
    begins, ends = [-FARTHEST, *starts[1:]], [*starts[1:], FARTHEST]
    for i, (begin, end) in enumerate(zip(begins, ends, strict=True)):
        mul, shift, add = int(table.mul[i]), int(table.shift[i]), int(table.add[i])
        if mul:  # the byte can be between 0 and 255 only here
            first, last = sorted(((-add - 3 << shift) // mul, (258 - add << shift) // mul))
            low, high = max(begin, starts[i] + first), min(end, starts[i] + last + 1)
            intervals += [(low, high)] if low <= high else []
    return intervals


class ConvPlan:
    """One K210_CONV made ready to run on many pictures.

    Args:
        layer: the layer as read from the file.
        half_up: how ties of the activation round (see `activate`).
        most_table: bytes that the look-up table of the activation may take.
    """

    def __init__(
        self, layer: ConvLayer, half_up: bool = False, most_table: int = MAX_TABLE
    ) -> None:
        registers = layer.registers
        self.layer, self.registers, self.half_up = layer, registers, half_up
        self.most_table = most_table
        outputs = registers.out_channels_minus1 + 1
        inputs = 1 if registers.depthwise else registers.in_channels_minus1 + 1
        self.weights = layer.weights.reshape(outputs, inputs, -1).astype(np.int64)
        self.stride, self.pool = (2, 0) if registers.pool == 5 else (1, registers.pool)
        self.shift_is_exact = registers.arg_x % (1 << registers.shr_x) == 0
        sum_w = self.weights.sum((1, 2))
        self.constant = (registers.arg_w * sum_w >> registers.shr_w) + registers.arg_add * inputs
        self._prepare_sums()

    def _prepare_sums(self) -> None:
        """Choose the float type whose partial sums are provably exact integers."""
        registers = self.registers
        offset = registers.arg_x >> registers.shr_x if self.shift_is_exact else 0
        effective = self.weights + offset
        # Bytes are centred on 0 by subtracting 128: halves the largest partial sum.
        largest = np.abs(effective).sum((1, 2)) * 128
        self.centre = 128 if self.shift_is_exact else 0
        self.dtype = np.float32 if self.centre and largest.max() < FLOAT32_EXACT else np.float64
        self.effective = effective.astype(self.dtype)
        self.bias = self.constant + self.centre * effective.sum((1, 2))
        rest = (1 << 36) * (not self.shift_is_exact)
        bound = np.abs(self.bias) + largest * 2 + rest
        layer = self.layer
        product = bound.astype(object) * np.abs(layer.bn_mul)
        v_bound = (product >> layer.bn_shift.astype(object)) + np.abs(layer.bn_add) + 1
        self.table = _tabulate(layer.activation, int(v_bound.max()), self.half_up, self.most_table)
        low = abs(self.table.low) if self.table else 0
        # In units of 2**-15 all of it must fit the 53 bits of a float64.
        self.float_bn = int(product.max()) + (int(v_bound.max()) + low << 15) < FLOAT64_EXACT
        scale = 2.0 ** -self.layer.bn_shift.astype(np.float64)
        self.slope = self.layer.bn_mul * scale
        self.offset = self.bias * self.slope + self.layer.bn_add

    def run(self, x: np.ndarray) -> np.ndarray:
        """Return the layer's bytes: x uint8 (n, c, h, w) -> uint8 (n, out c, out h, out w)."""
        channels, height, width = self.registers.out_shape
        full = (
            len(x),
            channels,
            *((height, width) if self.stride == 2 else self.registers.in_shape[1:]),
        )
        out = np.empty(full, np.uint8)

        def finish(picture: int, block: slice, sums: np.ndarray) -> None:
            out[picture, block] = self._finish(sums, block)

        self._sums(x, full, finish)
        return pool(out, self.pool, height, width)

    def sums(self, x: np.ndarray) -> np.ndarray:
        """Return acc as int64 (n, out channels, h, w), before batch norm (for calibration)."""
        channels, height, width = self.registers.out_shape
        size = (height, width) if self.stride == 2 else self.registers.in_shape[1:]
        out = np.empty((len(x), channels, *size), np.int64)

        def finish(picture: int, block: slice, sums: np.ndarray) -> None:
            out[picture, block] = sums.astype(np.int64) + self.bias[block, None, None]

        self._sums(x, out.shape, finish)
        return out

    def _sums(
        self,
        x: np.ndarray,
        shape: tuple[int, int, int, int],
        finish: Callable[[int, slice, np.ndarray], None],
    ) -> None:
        if self.registers.depthwise:
            self._depthwise(x, shape, finish)
            return
        if self.registers.kernel:
            bordered = taps.padded(x, self.registers.pad_value, self.dtype)
            bordered -= self.centre
            weights = self.effective.reshape(len(self.effective), -1, 3, 3)
            total = taps.full3x3(bordered, weights, self.stride)[:, :, : shape[2], : shape[3]]
        else:
            bordered = None
            x = x[:, :, :: self.stride, :: self.stride][:, :, : shape[2], : shape[3]]
            values = x.astype(self.dtype)
            values -= self.centre
            total = taps.pointwise(values, self.effective[:, :, 0])
        if not self.shift_is_exact:
            source = bordered if bordered is not None else x
            total += self._shifted_sum(source, shape)
        taps.for_blocks(shape, lambda p, block: finish(p, block, total[p, block]))

    def _depthwise(
        self,
        x: np.ndarray,
        shape: tuple[int, int, int, int],
        finish: Callable[[int, slice, np.ndarray], None],
    ) -> None:
        kernel = self.registers.kernel_size
        weights = self.effective[:, 0]

        def source(picture: int, block: slice) -> np.ndarray:
            bordered = taps.padded(x[picture : picture + 1, block], self.registers.pad_value)[0]
            bordered = bordered.astype(self.dtype, copy=False)
            bordered -= self.centre
            return bordered

        def finish_general(picture: int, block: slice, sums: np.ndarray) -> None:
            bordered = source(picture, block)
            ones = np.zeros((len(bordered), 9), self.dtype)
            ones[:, 4 if kernel == 1 else slice(None)] = 1
            plain: list[np.ndarray] = []
            taps.depthwise3x3(
                lambda *_: bordered,
                ones,
                (1, *sums.shape),
                self.stride,
                lambda _p, _c, total: plain.append(total),
            )
            count = np.concatenate(plain).astype(np.int64)
            finish(picture, block, sums + (count * self.registers.arg_x >> self.registers.shr_x))

        if kernel == 1:  # one tap: the middle of a 3x3
            weights = np.zeros((len(weights), 9), self.dtype)
            weights[:, 4] = self.effective[:, 0, 0]
        done = finish if self.shift_is_exact else finish_general
        taps.depthwise3x3(source, weights, shape, self.stride, done)

    def _shifted_sum(self, x: np.ndarray, shape: tuple[int, int, int, int]) -> np.ndarray:
        """Return (arg_x * sum(x)) >> shr_x for one output channel, (n, 1, h, w)."""
        registers = self.registers
        values = x.astype(np.float64)
        if registers.kernel:
            ones = np.ones((1, values.shape[1], 3, 3))
            total = taps.full3x3(values, ones, self.stride)[:, :, : shape[2], : shape[3]]
        else:
            total = values.sum(1, keepdims=True)  # x was cut to the stride already
        return (total.astype(np.int64) * registers.arg_x >> registers.shr_x).astype(np.float64)

    def _finish(self, sums: np.ndarray, block: slice) -> np.ndarray:
        """Batch norm and activation of sums (channels, h, w) -> uint8."""
        layer = self.layer
        if self.float_bn and self.table is not None:
            v = np.multiply(sums, self.slope[block, None, None], dtype=np.float64)
            v += (self.offset[block] - self.table.low)[:, None, None]
            np.clip(v, 0, len(self.table.values) - 1, out=v)
            return self.table.values.take(v.astype(np.intp))
        acc = sums.astype(np.int64) + self.bias[block, None, None]
        v = (acc * layer.bn_mul[block, None, None]) >> layer.bn_shift[block, None, None]
        v += layer.bn_add[block, None, None]
        return activate(v, layer.activation, self.half_up)
