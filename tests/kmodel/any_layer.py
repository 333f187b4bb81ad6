"""Layers drawn from everything that a KPU layer can be, at its limits as often as inside them."""

from dataclasses import replace

import numpy as np
from random_layers import (
    LEAST,
    STRIDE,
    leaky_table,
    lines,
    random_layer,
    random_table,
    relu_table,
    table,
)

from host.kmodel.activation import function
from host.kmodel.piecewise import fit
from host.kmodel.quantize import Range

RAM_LINES = 32768
KINDS = [(kernel, False, code) for kernel in (1, 3) for code in STRIDE]
KINDS += [(1, True, 0), (3, True, 0)]
"""Kernel, depthwise, pool code."""


def _fitted(name, low, high, least, most):
    step = (most - least) / 255
    return fit(function(name), low, high, Range(step, round(-least / step)))[0]


def _identity():
    """All sixteen segments lie on one line."""
    start = [(i - 1) * 16 * 1024 for i in range(1, 16)]
    return table(start, [0, *[1024] * 15], 20, [0, *[(i - 1) * 16 for i in range(1, 16)]])


def _falling():
    start = [i * 16 * 1024 for i in range(15)]
    return table(start, [0, *[-1024] * 15], 20, [255, *[255 - 16 * i for i in range(15)]])


def _saturating():
    """Steep to both ends: most values are 0 or 255."""
    return table([127 << 10, 129 << 10], [0, 1 << 14, 0], 17, [0, 0, 255])


def _steps():
    start = np.linspace(0, 256 << 10, 15).astype(int).tolist()
    return table(start, 0, 0, [i * 17 for i in range(16)])


def _constant():
    return table([0], 0, 0, 77)


def _far():
    """Starts, slopes and shifts at the ends of their bits."""
    start = [LEAST + 1, -(1 << 34), -1, 0, 1, 1 << 34]
    return table(start, [-(1 << 15), (1 << 15) - 1], [0, 62, 20, 35, 14, 255, 1], [0, 255, 128])


TABLES = {
    "identity": lambda rng: _identity(),
    "relu": lambda rng: relu_table(),
    "leaky": lambda rng: leaky_table(int(rng.integers(1, 200))),
    "sigmoid": lambda rng: _fitted("sigmoid", -8, 8, 0.0, 1.0),
    "tanh": lambda rng: _fitted("tanh", -4, 4, -1.0, 1.0),
    "hard_swish": lambda rng: _fitted("hard_swish", -6, 6, -0.4, 6.0),
    "falling": lambda rng: _falling(),
    "saturating": lambda rng: _saturating(),
    "steps": lambda rng: _steps(),
    "constant": lambda rng: _constant(),
    "far": lambda rng: _far(),
    "random": lambda rng: random_table(rng, int(2 ** rng.uniform(12, 22))),
}
BYTES = ("any", "zero", "full", "ends")
"""How weights and pictures are filled."""


def fill(rng, kind, size):
    if kind == "any":
        return rng.integers(0, 256, size, dtype=np.uint8)
    choices = {"zero": [0], "full": [255], "ends": [0, 255]}[kind]
    return rng.choice(np.array(choices, np.uint8), size)


def draw_shape(rng, kernel, depthwise, code, work):
    """Channels 1..1024 both ways and maps up to 320 wide, of at most `work` multiplications.

    A pool divides the sides: nncase pads others on the CPU.
    """
    stride = STRIDE[code]
    while True:
        channels, outputs = (
            int(1024 if rng.random() < 0.05 else round(2 ** rng.uniform(0, 10))) for _ in "io"
        )
        outputs = channels if depthwise else outputs
        width = int(320 if rng.random() < 0.05 else round(4 * 2 ** rng.uniform(0, 6.35)))
        height = round(4 * 2 ** rng.uniform(0, 6))
        width, height = (max(4 * stride, side // stride * stride) for side in (width, height))
        taps = kernel**2 * (1 if depthwise else channels)
        pixels = height // stride * (width // stride)
        small = taps * outputs * height * width <= work and width <= 320 and pixels <= 1 << 16
        fits = (
            lines(channels, height, width) + lines(outputs, height // stride, width // stride)
            <= RAM_LINES
        )
        loads = depthwise or -(-outputs // min(outputs, 30720 // taps)) <= 64
        alone = channels == outputs == 1 and not depthwise  # depthwise for nncase
        if small and fits and loads and not alone:
            return (channels, height, width), outputs


def extreme(rng, layer):
    """Return the layer with zero points, batch norm and padding at the ends of their bits."""
    registers = layer.registers
    taps = registers.kernel_size**2 * (1 if registers.depthwise else registers.in_shape[0])
    changes = {"pad_value": int(rng.choice([0, 255]))}
    for name in ("x", "w"):
        shift = int(rng.integers(0, 16))
        most = min((1 << 23) - 1, ((1 << 33) << shift) // (255 * taps))
        changes[f"arg_{name}"] = int(rng.choice([-most, most, 0]))
        changes[f"shr_{name}"] = shift
    channels = 1 if registers.depthwise else registers.in_shape[0]
    changes["arg_add"] = int(rng.choice([-1, 1])) * ((1 << 33) // channels)
    outputs = registers.out_shape[0]
    # The accumulator stays below 2**35, the factor below 2**shift: v fits the KPU's 36 bits.
    shift = rng.integers(0, 16, outputs)
    mul = np.where(rng.random(outputs) < 0.5, 1 << np.maximum(shift - 1, 0), -(1 << shift) + 1)
    return replace(
        layer,
        registers=replace(registers, **changes),
        bn_mul=np.asarray(mul, np.int64),
        bn_shift=shift.astype(np.int64),
        bn_add=rng.choice([-(1 << 31), (1 << 31) - 1, 0], outputs).astype(np.int64),
    )


def any_layer(rng, number, work=4_000_000):
    """Return the `number`-th layer of a series and one picture for it, and what they are.

    Kinds, tables and fillings go round, so that every series of a few hundred has them all.
    """
    kernel, depthwise, code = KINDS[number % len(KINDS)]
    name = list(TABLES)[number // len(KINDS) % len(TABLES)]
    shape, outputs = draw_shape(rng, kernel, depthwise, code, work)
    args = str(rng.choice(["exact", "any", "extreme"], p=[0.5, 0.3, 0.2]))
    options = {"kernel": kernel, "depthwise": depthwise, "pool": code}
    layer = random_layer(
        rng, shape, outputs, args="exact" if args == "extreme" else args, **options
    )
    weights, pixels = (str(rng.choice(BYTES, p=[0.7, 0.1, 0.1, 0.1])) for _ in "wx")
    if weights != "any":
        layer = replace(layer, weights=fill(rng, weights, layer.weights.size))
    layer = replace(layer, activation=TABLES[name](rng))
    if args == "extreme":
        layer = extreme(rng, layer)
    facts = {"kernel": kernel, "depthwise": depthwise, "pool": code, "table": name, "args": args}
    facts |= {"shape": shape, "outputs": outputs, "weights": weights, "pixels": pixels}
    return layer, fill(rng, pixels, (1, *shape)), facts
