"""Fit the KPU's activation table to any function: sixteen straight pieces, chosen together.

A segment {start, mul, shift, add} is a line through the whole byte `add` at `start`; the first one
is a constant. So the places where a piece can begin well are those where the function is near a
whole byte, and dynamic programming over them finds the pieces of least squared error.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from .kpu import activate
from .v3 import Activation

if TYPE_CHECKING:
    from .quantize import Range

Function = Callable[[np.ndarray], np.ndarray]

SEGMENTS = 16
PEAK = 1 << 18
"""Largest |v| of the fitted part: as wide as bytes in 1024ths, which leaves 17 bits to spare."""
FARTHEST_SEEN = 1 << 24
"""Largest |v| that calibration pictures reach when the fitted part is only its middle."""
LEAST_START, FAR = -(1 << 35), (1 << 35) - 16
MUL_BITS, MOST_SHIFT = 15, 35
GRID = 1024
LEVELS = (-1 / 3, 0.0, 1 / 3)
"""A piece may begin where the function is off a whole byte by this much."""
PLACES = 1000
MARGIN = 0.5
"""How far beyond the seen values, in spans of them, the fit still cares, with weight UNSEEN."""
UNSEEN = 0.02
ROUNDING, FALLING = 1 / 12, 10 / 12
"""Squared error of rounding. Vendor simulators round negative products oddly (kpu.activate): one
too low on the average, which `add` makes good, and up to one to either side of that."""


@dataclass(frozen=True, slots=True)
class _Places:
    """Where segments can begin: v (a whole number), and the byte there."""

    v: np.ndarray
    byte: np.ndarray


def fit(
    function: Function, low: float, high: float, result: Range, weights: np.ndarray | None = None
) -> tuple[Activation, float]:
    """Fit a table to `function` for values in [low, high].

    Args:
        function: elementwise, float64 (n,) -> float64 (n,), defined everywhere.
        low, high: extremes of its argument on calibration pictures. Beyond them the outermost
            pieces go on: constant on the left, constant or clamped on the right.
        result: what the output bytes mean.
        weights: counts in equally wide bins over [low, high]: where precision matters most.
            Half of the weight stays spread evenly.

    Returns:
        The table and the scale: the batch norm must bring an argument x to v = x * scale.
    """
    if high - low <= 1e-6 * max(abs(low), abs(high)):
        low, high = low - 1, high + 1

    def target(x: np.ndarray) -> np.ndarray:
        return np.clip(function(x) / result.step + result.zero, 0, 255)

    begin, end = _active_part(target, low, high)
    largest = max(abs(begin), abs(end), 1e-9)
    scale = min(PEAK / largest, FARTHEST_SEEN / max(abs(low), abs(high)))
    x = np.linspace(begin, end, GRID)
    density = _density(x, target(x), low, high, weights)
    beyond = float(target(np.array([high + 100 * (high - low)]))[0])
    v, y = x * scale, target(x)
    places = _places(v, y)
    return _table(*_best_pieces(v, y, density, places, beyond)), scale


def fit_error(
    table: Activation, scale: float, function: Function, low: float, high: float, result: Range
) -> tuple[float, float]:
    """Return the largest and the mean |error| over [low, high], in bytes.

    The error is that of the KPU's byte against the exact function clamped to 0..255, so it
    includes the half that rounding costs in any case.
    """
    v = np.arange(round(low * scale), round(high * scale) + 1, max(1, PEAK >> 16))
    wanted = np.clip(function(v / scale) / result.step + result.zero, 0, 255)
    error = np.abs(activate(v, table) - wanted)
    return float(error.max()), float(error.mean())


def _active_part(target: Function, low: float, high: float) -> tuple[float, float]:
    """Return the part of [low, high] and its margins outside of which the byte is constant."""
    span = high - low
    x = np.linspace(low - MARGIN * span, high + MARGIN * span, 4 * GRID)
    y = target(x)
    changes = np.flatnonzero(np.abs(y - y[0]) > 0.25)
    first = max(0, changes[0] - 1) if len(changes) else 0
    changes = np.flatnonzero(np.abs(y - y[-1]) > 0.25)
    last = min(len(x) - 1, changes[-1] + 1) if len(changes) else len(x) - 1
    return float(x[first]), float(x[last])


def _density(
    x: np.ndarray, y: np.ndarray, low: float, high: float, weights: np.ndarray | None
) -> np.ndarray:
    """Return the weight of each point: half of it spread over x, half over the bytes or as seen.

    What was seen left of the first point and right of the last counts as lying there.
    """
    seen = (x >= low) & (x <= high)
    if weights is not None and weights.sum() > 0:
        index = np.clip((x - low) / (high - low) * len(weights), 0, len(weights) - 1).astype(int)
        often = weights[index]
    else:
        often = np.abs(np.gradient(y))
    density = 0.5 + 0.5 * often / max(float(often.mean()), 1e-9)
    density = np.where(seen, density, UNSEEN)
    step = x[1] - x[0]
    density[0] += max(0.0, 0.5 * (x[0] - low) / step)
    density[-1] += max(0.0, 0.5 * (high - x[-1]) / step)
    return density


def _places(v: np.ndarray, y: np.ndarray) -> _Places:
    """Return where the function is near a whole byte, and some places spread evenly."""
    levels = (np.arange(256)[:, None] + LEVELS).ravel()
    levels = levels[(levels >= y.min()) & (levels <= y.max())]
    before, after = y[:-1, None], y[1:, None]
    at, which = np.nonzero(
        (np.minimum(before, after) <= levels) & (levels < np.maximum(before, after))
    )
    part = (levels[which] - y[at]) / (y[at + 1] - y[at])
    crossing = v[at] + part * (v[at + 1] - v[at])
    thin = max(1, -(-len(crossing) // PLACES))
    even = slice(0, None, len(v) // 64)
    where = np.concatenate([crossing[::thin], v[even]])
    byte = np.concatenate([np.rint(levels[which][::thin]), np.rint(y[even])])
    order = np.argsort(where, kind="stable")
    return _Places(np.rint(where[order]), np.clip(byte[order], 0, 255))


@dataclass(frozen=True, slots=True)
class _Costs:
    """Of a piece from place i up to place j (the last j: up to the end), (n, n + 1) each.

    `slope` is in bytes per v; 0 where a constant is as good.
    """

    cost: np.ndarray
    slope: np.ndarray


def _piece_costs(v: np.ndarray, y: np.ndarray, w: np.ndarray, places: _Places) -> _Costs:
    """Fit a line through its beginning to every possible piece, by sums of powers."""
    unit = max(float(np.abs(v).max()), 1.0)  # keeps the sums well conditioned
    p, s, a = v / unit, places.v[:, None] / unit, places.byte[:, None]
    edges = np.append(np.searchsorted(v, places.v, side="right"), len(v))

    def between(values: np.ndarray) -> np.ndarray:
        total = np.concatenate([[0.0], np.cumsum(values)])[edges]
        return total[None, :] - total[:-1, None]

    one, first, second = between(w), between(w * p), between(w * p * p)
    value, mixed, square = between(w * y), between(w * y * p), between(w * y * y)
    width = second - 2 * s * first + s * s * one
    along = mixed - a * first - s * value + s * a * one
    flat = square - 2 * a * value + a * a * one
    slope = along / np.maximum(width, 1e-12)
    noise = np.where(slope < 0, FALLING, ROUNDING) * one
    sloped = flat - slope * along + noise
    useful = (sloped < flat) & ~((slope < 0) & (a > 254))
    cost = np.maximum(np.where(useful, sloped, flat), 0)
    later = np.append(places.v, np.inf)[None, :] > places.v[:, None]
    return _Costs(np.where(later, cost, np.inf), np.where(useful, slope / unit, 0.0))


def _best_pieces(
    v: np.ndarray, y: np.ndarray, w: np.ndarray, places: _Places, beyond: float
) -> tuple[list[int], list[float], list[int]]:
    """Return start, slope and byte of up to sixteen segments (the first constant)."""
    costs = _piece_costs(v, y, w, places)
    first_byte, reached = _first_costs(v, y, w, places)
    last_slope, ending = _last_costs(v, y, w, places, costs, beyond)
    history, best = [], (np.inf, 0, 0)
    for count in range(1, SEGMENTS):
        finished = reached + ending
        index = int(finished.argmin())
        if finished[index] < best[0] * (1 - 1e-9):
            best = (float(finished[index]), count, index)
        through = reached[:, None] + costs.cost[:, :-1]
        origin = through.argmin(0)
        history.append(origin)
        reached = through[origin, np.arange(len(origin))]
    _, count, index = best
    chosen = [index]
    for origin in reversed(history[: count - 1]):
        chosen.insert(0, int(origin[chosen[0]]))
    slopes = [float(costs.slope[i, j]) for i, j in pairwise(chosen)]
    slopes.append(float(last_slope[index]))
    return (
        [LEAST_START, *(int(places.v[i]) for i in chosen)],
        [0.0, *slopes],
        [int(first_byte[chosen[0]]), *(int(places.byte[i]) for i in chosen)],
    )


def _first_costs(
    v: np.ndarray, y: np.ndarray, w: np.ndarray, places: _Places
) -> tuple[np.ndarray, np.ndarray]:
    """Return the best constant left of each place, and its cost."""
    edges = np.searchsorted(v, places.v, side="right")

    def before(values: np.ndarray) -> np.ndarray:
        return np.concatenate([[0.0], np.cumsum(values)])[edges]

    one, value, square = before(w), before(w * y), before(w * y * y)
    byte = np.where(one > 0, np.rint(value / np.maximum(one, 1e-30)), np.rint(y[0]))
    return byte, np.maximum(square - 2 * byte * value + byte * byte * one, 0)


def _last_costs(
    v: np.ndarray,
    y: np.ndarray,
    w: np.ndarray,
    places: _Places,
    costs: _Costs,
    beyond: float,
) -> tuple[np.ndarray, np.ndarray]:
    """Return slope and cost of the last piece, which must also end where the function ends.

    A line that rises ends at 255, one that falls at 0: no good for a function that levels off.
    """
    tail = 0.1 * w.sum()
    slope, cost = costs.slope[:, -1], costs.cost[:, -1]
    end = np.where(slope > 0, 255.0, np.where(slope < 0, 0.0, places.byte))
    sloped = cost + tail * (end - beyond) ** 2
    edges = np.searchsorted(v, places.v, side="right")

    def rest(values: np.ndarray) -> np.ndarray:
        total = np.concatenate([[0.0], np.cumsum(values)])
        return total[-1] - total[edges]

    a = places.byte
    flat = rest(w * y * y) - 2 * a * rest(w * y) + a * a * rest(w) + tail * (a - beyond) ** 2
    return np.where(sloped <= flat, slope, 0.0), np.maximum(np.minimum(sloped, flat), 0)


def _table(start: list[int], slopes: list[float], byte: list[int]) -> Activation:
    """Write the segments as integers; the rest begin where no value comes."""
    mul, shift = [], []
    for slope in slopes:
        bits = 0
        while bits < MOST_SHIFT and round(abs(slope) * 2.0 ** (bits + 1)) < 1 << MUL_BITS and slope:
            bits += 1
        limit = (1 << MUL_BITS) - 1
        mul.append(int(np.clip(round(slope * 2.0**bits), -limit, limit)))
        shift.append(bits)
    add = [min(b + (m < 0), 255) for b, m in zip(byte, mul, strict=True)]
    rest = SEGMENTS - len(start)
    parts = (
        [*start, *(FAR + i for i in range(rest))],
        [*mul, *([0] * rest)],
        [*shift, *([0] * rest)],
        [*add, *([255] * rest)],
    )
    return Activation(*(np.array(part, np.int64) for part in parts))
