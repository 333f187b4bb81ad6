"""Random K210_CONV layers: shapes, constants and activation tables of every kind."""

import math

import numpy as np

from host.kmodel.registers import Registers
from host.kmodel.v3 import Activation, ConvLayer

STRIDE = {0: 1, 1: 2, 2: 2, 3: 4, 4: 4, 5: 2, 6: 2, 7: 4, 8: 1, 9: 1}
LEAST = -(1 << 35)


def group(width):
    """Return channels a line and lines a row (facts: widths up to 16, up to 32, wider)."""
    if width <= 16:
        return 4, 1
    return (2, 1) if width <= 32 else (1, math.ceil(width / 64))


def lines(channels, height, width):
    per_line, row_lines = group(width)
    return row_lines * height * math.ceil(channels / min(channels, per_line))


def descriptor(
    shape, outputs, *, kernel=3, depthwise=False, pool=0, source=None, target=0, **extra
):
    """Return the registers of a layer whose input is `shape` (channels, height, width)."""
    channels, height, width = shape
    stride = STRIDE[pool]
    out_height, out_width = height // stride, width // stride
    per_line, row_lines = group(width)
    out_per_line, out_row_lines = group(out_width)
    one = kernel * kernel * (1 if depthwise else channels)
    per_load = outputs if depthwise else min(outputs, 30 * 1024 // one)
    values = {
        "src_line": 32768 - lines(*shape) if source is None else source,
        "dst_line": target,
        "in_channels_minus1": channels - 1,
        "out_channels_minus1": outputs - 1,
        "channels_per_load_minus1": per_load - 1,
        "in_width_minus1": width - 1,
        "in_height_minus1": height - 1,
        "out_width_minus1": out_width - 1,
        "out_height_minus1": out_height - 1,
        "depthwise": int(depthwise),
        "kernel": int(kernel == 3),
        "pool": pool,
        "pad_value": 0,
        "loads_minus1": math.ceil(outputs / per_load) - 1,
        "bytes_per_load": one * per_load,
        "in_group_lines": row_lines * height,
        "in_row_lines": row_lines,
        "in_line_channels": per_line,
        "out_group_lines": out_row_lines * out_height,
        "out_row_lines": out_row_lines,
        "out_line_channels": out_per_line,
        "shr_w": 15,
        "shr_x": 15,
        "arg_w": 0,
        "arg_x": 0,
        "arg_add": 0,
        "out_pixels_minus1": out_height * out_width - 1,
        "out_values_minus1": outputs * out_height * out_width - 1,
    }
    return Registers(**(values | extra))


def table(start, mul, shift, add):
    parts = [np.resize(np.array(part, np.int64), 16) for part in (mul, shift, add)]
    start = [LEAST, *start]
    start += [(1 << 35) - 20 + i for i in range(16 - len(start))]
    return Activation(np.array(start, np.int64), *parts)


def relu_table():
    """The one that nncase 0.1 writes for linear, ReLU and ReLU6."""
    start = [*(-(1 << 30) + (i << 20) for i in range(9)), 0]
    mul, shift = np.zeros(16, int), np.zeros(16, int)
    mul[10], shift[10] = 1024, 20
    return table(start, mul, shift, [0] * 11 + [255] * 5)


def leaky_table(zero=40):
    """Fourteen pieces of one slope, then the identity, as nncase 0.1 does it."""
    start = [(i - 13) * zero * 1024 // 13 * 5 for i in range(13)] + [zero * 1024]
    values = [max(0, round(zero + (s / 1024 - zero) * 0.1)) for s in start]
    return table(start, [0] + [102] * 13 + [1024] * 2, 20, [0, *values, 255])


def random_table(rng, reach):
    """Sixteen pieces of any slope and offset between -reach and reach."""
    start = np.sort(rng.integers(-reach, reach, 15)).tolist()
    steep = 256 * 2**18 // reach + 2
    mul = rng.integers(-steep, steep, 16).clip(-(1 << 15), (1 << 15) - 1)
    shift = np.where(rng.random(16) < 0.9, rng.integers(14, 22, 16), rng.integers(0, 40, 16))
    return table(start, mul, shift, rng.integers(0, 256, 16))


def random_layer(rng, shape, outputs, *, args="exact", activation="random", flags=1, **options):
    """Return a ConvLayer.

    `args` is "exact" (zero points shifted by 15, as compilers write them) or "any";
    `activation` is "relu", "leaky", "random" or "ties" (small numbers, so that half of all
    products lie on a rounding tie or on a segment's start).
    """
    registers = descriptor(shape, outputs, **options)
    pad, zero = rng.integers(0, 256, 2).tolist()
    extra = {"pad_value": pad, "arg_x": -zero << 15, "arg_w": -pad << 15}
    extra["arg_add"] = int(zero * pad * registers.kernel_size**2)
    taps = registers.kernel_size**2 * (1 if registers.depthwise else shape[0])
    if args == "any":
        extra["shr_x"], extra["shr_w"] = rng.integers(8, 16, 2).tolist()
        for name in ("x", "w"):  # what the KPU cannot hold in 36 bits is nobody's business
            most = min(1 << 23, (1 << 24 + extra[f"shr_{name}"]) // (255 * taps))
            extra[f"arg_{name}"] = int(rng.integers(-most, most))
        extra["arg_add"] = int(rng.integers(-(1 << 20), 1 << 20) // taps)
    weights = rng.integers(0, 256, registers.weight_count, dtype=np.uint8)
    reach = max(1 << 16, 255 * 255 * taps) if args == "exact" else (1 << 26) + 255 * 255 * taps
    least = min(max(3, reach.bit_length() + 12 - 31), 15)
    mul = rng.integers(-(1 << 11), 1 << 12, outputs)
    shift = rng.integers(least, 16, outputs)
    add = rng.integers(-(1 << 18), 1 << 18, outputs)
    if activation == "ties":
        weights = rng.integers(zero - 8, zero + 8, registers.weight_count).clip(0, 255)
        weights = weights.astype(np.uint8)
        mul, shift = rng.integers(1, 3, outputs), np.full(outputs, 6)
        add = rng.integers(-50, 50, outputs)
    final = descriptor(shape, outputs, **options, **extra)
    # Centre the values behind the batch norm, or most layers would give nothing but 0 or 255.
    add = (add - (_typical_sum(final, weights) * mul >> shift)).clip(-(1 << 31), (1 << 31) - 1)
    tables = {
        "relu": relu_table,
        "leaky": leaky_table,
        "random": lambda: random_table(rng, int(2 ** rng.uniform(12, 22))),
        "ties": lambda: table(
            np.sort(rng.integers(-400, 400, 15)).tolist(),
            rng.integers(-20, 20, 16),
            rng.integers(0, 5, 16),
            rng.integers(0, 256, 16),
        ),
    }
    return ConvLayer(
        flags=flags,
        main_output=0,
        registers=final,
        weights=weights,
        bn_mul=mul.astype(np.int64),
        bn_shift=shift.astype(np.int64),
        bn_add=add.astype(np.int64),
        activation=tables[activation](),
    )


def _typical_sum(registers, weights):
    """Return the sums (outputs,) of a picture that is grey, without its border."""
    outputs = registers.out_shape[0]
    sums = weights.reshape(outputs, -1).sum(1, dtype=np.int64)
    taps = len(weights) // outputs
    channels = 1 if registers.depthwise else registers.in_shape[0]
    return (
        128 * sums
        + (registers.arg_x * 128 * taps >> registers.shr_x)
        + (registers.arg_w * sums >> registers.shr_w)
        + registers.arg_add * channels
    )


def pictures(rng, layer, count=2):
    return rng.integers(0, 256, (count, *layer.registers.in_shape), dtype=np.uint8)
