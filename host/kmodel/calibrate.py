"""What the network's values look like on real pictures: ranges, and the quantized prefix's bias."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from .bytes_ops import run_on_chip
from .equalize import gain_power, with_gains, with_shifts
from .fold import FloatLayer, pool_float, run_float
from .kpu import ConvPlan
from .quantize import (
    QuantizedLayer,
    Range,
    choose_range,
    quantize_layer,
    sample,
    shifted_sums,
    with_bias,
)
from .rounding import round_weights
from .steps import PICTURE, Lowered, Step, run_cpu_op
from .v3 import ConvLayer

BATCH = 8
SAMPLE = 2048
"""Values kept of each picture and layer for the choice of the range."""

Build = Callable[[FloatLayer, QuantizedLayer], ConvLayer]


@dataclass
class Statistics:
    """Extremes and a sample of one layer's outputs.

    `lows` and `highs` are the extremes of each channel, with 0 among them; `before` are the
    extremes before the activation.
    """

    lows: np.ndarray = field(default_factory=lambda: np.zeros(1))
    highs: np.ndarray = field(default_factory=lambda: np.zeros(1))
    before: tuple[float, float] = (np.inf, -np.inf)
    parts: list[np.ndarray] = field(default_factory=list)

    def add(self, values: np.ndarray) -> None:
        """Take in values (n, c, h, w), or (n, c) of a dense layer."""
        others = (0, *range(2, values.ndim))
        self.lows = np.minimum(self.lows, values.min(others))
        self.highs = np.maximum(self.highs, values.max(others))
        self.parts.append(sample(values, SAMPLE * len(values)))

    def add_before(self, sums: np.ndarray) -> None:
        """Take in the activation's arguments."""
        low, high = self.before
        self.before = min(low, float(sums.min())), max(high, float(sums.max()))

    def range(self, *, search: bool, power: float = 0.0) -> Range:
        """Return the range of least squared error, or the extremes, with gains to a `power`."""
        low, high = float(self.lows.min()), float(self.highs.max())
        chosen = Range.of(low, high)
        if search:
            chosen = choose_range(np.concatenate(self.parts), low, high)
        return with_gains(chosen, self.lows, self.highs, power)


def input_range(lowered: Lowered) -> Range:
    """Return what an input byte means to the first layer, up to `input_residue`."""
    zero = int(np.clip(round(-lowered.offset / lowered.scale), 0, 255))
    return Range(lowered.scale, zero)


def input_residue(lowered: Lowered) -> float:
    """Return the constant by which the byte meaning misses the network's input.

    A byte's zero must be an integer; x / 127.5 - 1 has it at 127.5. The missing half level goes
    into the first layer's bias.
    """
    return lowered.offset + lowered.scale * input_range(lowered).zero


def to_float(lowered: Lowered, images: np.ndarray) -> np.ndarray:
    """Return float32 (n, c, h, w) network input of uint8 images (n, h, w, c)."""
    planar = np.ascontiguousarray(images.transpose(0, 3, 1, 2), np.float32)
    planar *= np.float32(lowered.scale)
    planar += np.float32(lowered.offset)
    return planar


def measure(lowered: Lowered, images: np.ndarray) -> dict[int, Statistics]:
    """Run the float network over uint8 images (n, h, w, c), a few at a time.

    Returns:
        Statistics of every step whose result the chip holds as bytes with a range of its own,
        taken behind the activation and before a pool.
    """
    statistics = {
        number: Statistics()
        for number, step in enumerate(lowered.steps)
        if isinstance(step.op, FloatLayer) or step.op.kind in ("add", "to_map")
    }
    last = lowered.last_use()
    for first in range(0, len(images), BATCH):
        values = {PICTURE: to_float(lowered, images[first : first + BATCH])}
        for number, step in enumerate(lowered.steps):
            inputs = [values[source] for source in step.inputs]
            if isinstance(step.op, FloatLayer):
                sums, result = run_float(step.op, inputs[0])
                statistics[number].add_before(sums)
                statistics[number].add(result)
                values[number] = pool_float(step.op, result)
            else:
                values[number] = run_cpu_op(step.op, inputs)
                if number in statistics:
                    seen = inputs[0] if step.op.kind == "to_map" else values[number]
                    statistics[number].add(seen)
            _forget(values, step, number, last)
    return statistics


def _forget(values: dict, step: Step, number: int, last: Mapping[int, int]) -> None:
    for source in set(step.inputs):
        if last[source] == number:
            del values[source]


@dataclass(frozen=True, slots=True)
class QuantizedNetwork:
    """What was chosen: integers of each KPU layer, and what each step's bytes mean."""

    layers: dict[int, QuantizedLayer]
    ranges: dict[int, Range]


def quantize_network(
    lowered: Lowered,
    statistics: Mapping[int, Statistics],
    images: np.ndarray,
    build: Build,
    *,
    zero_search: bool,
    range_search: bool,
    channel_steps: bool,
    correct_bias: bool,
    adapt_weights: bool,
    copies: Mapping[int, int] | None = None,
) -> QuantizedNetwork:
    """Quantize step after step.

    With `correct_bias` the float and the quantized network run side by side on `images`, and each
    layer's bias is moved, channel by channel, by the mean difference that it sees: so it also
    corrects what the steps before it did wrong. `adapt_weights` also rounds the weights for what
    they see there, `channel_steps` gives channels steps of their own (see `equalize`). `copies`
    are those that `lowered` has (see `copies`); `statistics` are of the network without them.
    """
    copies = copies or {}
    network = QuantizedNetwork({}, {PICTURE: input_range(lowered)})
    ranges, last = network.ranges, lowered.last_use()
    floats = {PICTURE: to_float(lowered, images)}
    chip = {PICTURE: np.ascontiguousarray(images.transpose(0, 3, 1, 2))}
    for number, step in enumerate(lowered.steps):
        op, source = step.op, step.inputs[0]
        if number in statistics:
            power = _gain_power(lowered, number) if channel_steps else 0.0
            # Of an answer the rare large values are what counts: a detector's surest boxes.
            search = range_search and not _is_answer(lowered, number)
            ranges[number] = statistics[number].range(search=search, power=power)
            if copies.get(number, 1) > 1:
                channels = len(statistics[number].lows)
                ranges[number] = with_shifts(ranges[number], channels, copies[number])
        elif step.op_kind() == "concat":
            ranges[number] = joint_range([ranges[one] for one in step.inputs])
        elif source in ranges:
            ranges[number] = ranges[source]
        if isinstance(op, FloatLayer):
            bias = op.bias
            if source == PICTURE:
                bias = bias + input_residue(lowered) * op.weights.sum((1, 2))
            bias = bias - shifted_sums(op.weights, ranges[source], depthwise=op.depthwise)
            quantized = quantize_layer(
                op,
                ranges[source],
                ranges[number],
                search=zero_search,
                seen=statistics[number].before,
            )
            quantized = with_bias(quantized, bias, op.name)
            if correct_bias and adapt_weights:
                quantized = round_weights(op, quantized, chip[source], copies=copies.get(number, 1))
            if correct_bias:
                quantized, floats[number], chip[number] = _correct(
                    op, quantized, bias, floats[source], chip[source], build
                )
            network.layers[number] = quantized
        elif correct_bias:
            floats[number] = run_cpu_op(op, [floats[one] for one in step.inputs])
            chip[number] = run_on_chip(step, number, chip, ranges)
        if correct_bias:
            _forget(floats, step, number, last)
            _forget(chip, step, number, last)
    return network


def _is_answer(lowered: Lowered, number: int) -> bool:
    """Return whether a step's values are what `KPU.forward` returns, as floats."""
    ends = [lowered.steps[one] for one in lowered.outputs]
    return any(one.op_kind() == "dequantize" and number in one.inputs for one in ends)


def _gain_power(lowered: Lowered, number: int) -> float:
    """Return to what power the gains of a step's result may be taken."""
    op = lowered.steps[number].op
    if not isinstance(op, FloatLayer) or number in lowered.outputs:
        return 0.0
    return gain_power(op, [step.op for step in lowered.steps if number in step.inputs])


def joint_range(ranges: Sequence[Range]) -> Range:
    """Return the range that covers all of `ranges`; itself when all are equal."""
    if len(set(ranges)) == 1:
        return ranges[0]
    low = min(-one.zero * one.step for one in ranges)
    return Range.of(low, max((255 - one.zero) * one.step for one in ranges))


def _correct(
    layer: FloatLayer,
    quantized: QuantizedLayer,
    bias: np.ndarray,
    x: np.ndarray,
    bytes_in: np.ndarray,
    build: Build,
) -> tuple[QuantizedLayer, np.ndarray, np.ndarray]:
    """Return the layer with its bias corrected, and the outputs of both networks."""
    wanted, after = run_float(layer, x)
    sums = quantized.sums_to_float(ConvPlan(build(layer, quantized)).sums(bytes_in))
    error = wanted.mean((0, 2, 3), dtype=np.float64) - sums.mean((0, 2, 3)) - bias
    corrected = with_bias(quantized, bias + error, layer.name)
    result = ConvPlan(build(layer, corrected)).run(bytes_in)
    return corrected, pool_float(layer, after), result
