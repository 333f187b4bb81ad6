"""Copies of a map's channels, rounded at different offsets: finer steps than a byte has.

The first maps of a network lose most by being bytes: they have few channels, and whatever is lost
there goes through all layers. Two copies of a channel whose bytes are rounded a quarter step up
and a quarter step down have, together, steps half as wide. A depthwise layer treats both copies
alike and makes two copies of its own; the ordinary convolution behind it takes each with half
of the weight. Four copies go on in the same way. It costs time and KPU RAM, so it is done from the
first map on as long as both allow.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

import numpy as np

from ..errors import UserError
from .calibrate import QuantizedNetwork
from .cost import CLOCK_HZ, conv_cycles
from .emit import Emitter
from .equalize import gain_power
from .fold import MAX_CHANNELS, FloatLayer
from .registers import MAX_LOADS, weight_loads
from .steps import CpuOp, Lowered, Step

COPIES = (2, 4)
"""All maps that can be have two copies before the first ones have four."""
MOST_MS = 2.0
"""Milliseconds that copies may cost where nobody says otherwise."""


def choose_copies(lowered: Lowered, most_time: float, most_ms: float = MOST_MS) -> dict[int, int]:
    """Return how many copies the results of which steps shall have; the rest have one.

    Args:
        lowered: the network.
        most_time: part of the KPU layers' estimated time that the copies may add.
        most_ms: milliseconds that they may add, whatever part of the time that is.
    """
    chosen: dict[int, int] = {}
    alone = kpu_cycles(lowered)
    limit = alone + min(alone * most_time, most_ms * 1e-3 * CLOCK_HZ)
    groups = list(_groups(lowered))
    for count in COPIES:
        done = 0
        for group in groups:
            tried = chosen | dict.fromkeys(group, count)
            copied = with_copies(lowered, tried)
            whole = all(_is_whole(copied.steps[one].op) for one in group)
            if not whole or kpu_cycles(copied) > limit or not _fits(copied):
                break
            chosen, done = tried, done + 1
        groups = groups[:done]
    return chosen


def _groups(lowered: Lowered) -> Iterator[tuple[int, ...]]:
    """Give sets of steps whose results can only be copied together, first maps first.

    A group is an ordinary convolution and all depthwise layers that depend on it alone; it ends
    at the first convolution whose map has a reader that cannot read copies.
    """
    for number, step in enumerate(lowered.steps):
        if not isinstance(step.op, FloatLayer):
            return
        if step.op.depthwise:
            continue
        group = [number]
        for one in group:  # grows while it is walked
            group += [reader for reader in _readers(lowered, one) if _is_depthwise(lowered, reader)]
        if not all(_copyable(lowered, one) for one in group):
            return
        yield tuple(group)


def _readers(lowered: Lowered, number: int) -> list[int]:
    return [one for one, step in enumerate(lowered.steps) if number in step.inputs]


def _is_depthwise(lowered: Lowered, number: int) -> bool:
    op = lowered.steps[number].op
    return isinstance(op, FloatLayer) and op.depthwise


def _copyable(lowered: Lowered, number: int) -> bool:
    """Tell whether only KPU layers read the map, and its activation serves any offset."""
    op = lowered.steps[number].op
    if not isinstance(op, FloatLayer) or number in lowered.outputs:
        return False
    readers = [lowered.steps[one].op for one in _readers(lowered, number)]
    return gain_power(op, readers) > 0


def _is_whole(op: FloatLayer | CpuOp) -> bool:
    """Tell whether a layer needs no cut into several K210_CONVs, for `sqnr` counts on that."""
    if not isinstance(op, FloatLayer) or op.out_shape[0] > MAX_CHANNELS:
        return False
    sizes = op.kernel**2, op.in_shape[0], op.out_shape[0]
    return weight_loads(*sizes, depthwise=op.depthwise)[0] <= MAX_LOADS


def _fits(lowered: Lowered) -> bool:
    """Tell whether all maps find a place in KPU RAM."""
    emitter = Emitter(lowered, QuantizedNetwork({}, {}))
    try:
        for number, step in enumerate(lowered.steps):
            if isinstance(step.op, FloatLayer):
                source = emitter.kpu.live[step.inputs[0]][0]
                emitter.map_place(number, step.op.out_shape, step.op.name, source)
            elif number in emitter.last_kpu:
                emitter.map_place(number, _uploaded(step.op), step.op.name, 1)
            emitter.release(number)
    except UserError:
        return False
    return True


def _uploaded(op: CpuOp) -> tuple[int, int, int]:
    channels, *size = op.out_shape
    height, width = size or (4, 4)
    return channels, height, width


def kpu_cycles(lowered: Lowered) -> float:
    """Return the estimated cycles of all KPU layers."""
    return sum(
        conv_cycles(
            one.in_shape[0],
            one.out_shape[0],
            one.in_shape[1:],
            kernel_bytes=one.kernel**2,
            depthwise=one.depthwise,
        )
        for one in lowered.layers
    )


def with_copies(lowered: Lowered, copies: Mapping[int, int]) -> Lowered:
    """Return the network with several copies of some steps' channels; it computes the same.

    All channels come once, then all of them again. `copies` must have, for a depthwise layer, what
    it has for the map that it reads.
    """
    steps = []
    for number, step in enumerate(lowered.steps):
        before, count = copies.get(step.inputs[0], 1), copies.get(number, 1)
        op = _copied(step.op, before, count) if isinstance(step.op, FloatLayer) else step.op
        steps.append(Step(op, step.inputs))
    return replace(lowered, steps=tuple(steps))


def _copied(layer: FloatLayer, before: int, count: int) -> FloatLayer:
    if before == count == 1:
        return layer
    weights = layer.weights
    if not layer.depthwise:
        weights = np.tile(weights / np.float32(before), (1, before, 1))
    channels, *inside = layer.in_shape
    outputs, *outside = layer.out_shape
    return replace(
        layer,
        weights=np.tile(weights, (count, 1, 1)),
        bias=np.tile(layer.bias, count),
        in_shape=(channels * before, *inside),
        out_shape=(outputs * count, *outside),
    )
