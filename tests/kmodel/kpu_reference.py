"""The KPU's arithmetic once more, slowly, in Python's own integers, written from the facts."""

import math

import numpy as np


def convolve(layer, picture):
    """Return the sums (channels, height, width) as nested lists; picture is uint8 (c, h, w)."""
    registers = layer.registers
    (channels, height, width), outputs = registers.in_shape, registers.out_shape[0]
    size = 3 if registers.kernel == 1 else 1
    depthwise = registers.depthwise == 1
    per_output = 1 if depthwise else channels
    x, w = picture.tolist(), layer.weights.tolist()

    def pixel(channel, row, column):
        if 0 <= row < height and 0 <= column < width:
            return x[channel][row][column]
        return registers.pad_value

    def one(output, row, column):
        products = sum_x = sum_w = 0
        for number in range(per_output):
            channel = output if depthwise else number
            for dy in range(size):
                for dx in range(size):
                    a = pixel(channel, row + dy - size // 2, column + dx - size // 2)
                    b = w[((output * per_output + number) * size + dy) * size + dx]
                    products, sum_x, sum_w = products + a * b, sum_x + a, sum_w + b
        return (
            products
            + (registers.arg_x * sum_x >> registers.shr_x)
            + (registers.arg_w * sum_w >> registers.shr_w)
            + registers.arg_add * per_output
        )

    return [
        [[one(output, row, column) for column in range(width)] for row in range(height)]
        for output in range(outputs)
    ]


def rounded(product, shift, half_up):
    """Round product / 2**shift as the vendor's simulators do, their fault included."""
    if shift == 0:
        return product
    whole, rest = divmod(product, 1 << shift)
    half = 1 << shift - 1
    if rest < half or (rest == half and not half_up and whole % 2 == 0):
        return whole
    return whole - 1 if product < 0 else whole + 1


def activated(value, table, half_up=False):
    """Apply the table to one value behind the batch norm."""
    start, mul, shift, add = (
        part.tolist() for part in (table.start, table.mul, table.shift, table.add)
    )
    segment = max([i for i in range(16) if start[i] < value], default=0)
    product = (value - start[segment]) * mul[segment]
    return min(max(rounded(product, shift[segment], half_up) + add[segment], 0), 255)


def pooled(plane, code, out_height, out_width):
    """Pool one plane (list of rows) by a pool code."""
    window, stride, kind = {
        0: (1, 1, max),
        1: (2, 2, max),
        2: (2, 2, "mean"),
        3: (4, 4, max),
        4: (4, 4, "mean"),
        5: (2, 2, "left"),
        6: (2, 2, "right"),
        7: (4, 4, "left"),
        8: (2, 1, "mean"),
        9: (2, 1, max),
    }[code]
    height, width = len(plane), len(plane[0])

    def one(row, column):
        top, left = row * stride, column * stride
        if kind == "left":
            return plane[top][left]
        if kind == "right":
            return plane[top][left + 1]
        # Behind the right and the bottom edge the last pixel counts again.
        values = [
            plane[min(top + dy, height - 1)][min(left + dx, width - 1)]
            for dy in range(window)
            for dx in range(window)
        ]
        return max(values) if kind is max else math.floor(sum(values) / window**2)

    return [[one(row, column) for column in range(out_width)] for row in range(out_height)]


def run(layer, pictures, half_up=False):
    """Return uint8 (n, channels, out height, out width) of uint8 pictures (n, c, h, w)."""
    registers = layer.registers
    _, out_height, out_width = registers.out_shape
    results = []
    for picture in pictures:
        maps = []
        for output, sums in enumerate(convolve(layer, picture)):
            mul, shift, add = (
                int(part[output]) for part in (layer.bn_mul, layer.bn_shift, layer.bn_add)
            )
            plane = [
                [activated((acc * mul >> shift) + add, layer.activation, half_up) for acc in row]
                for row in sums
            ]
            maps.append(pooled(plane, registers.pool, out_height, out_width))
        results.append(maps)
    return np.array(results, np.uint8)
