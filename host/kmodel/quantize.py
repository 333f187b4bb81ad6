"""Choose the integers of a KPU layer: weights, batch norm, activation table.

What nncase 0.1 does is kept (each output channel is stretched to the layer's range and the batch
norm undoes it, which is per-channel quantization for free) and improved on: the zero point of the
weights is searched for, ranges minimise the squared error over many pictures instead of taking the
first one's extremes, the bias of each channel is corrected for the mean error that it has in the
quantized network, channels get steps of their own where the chip allows it (`equalize`), and
weights are rounded so that their errors cancel (`rounding`). docs/quantization.md says what each
of these gains.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ..errors import UserError
from .activation import ONE, table_for
from .fold import FloatLayer
from .v3 import Activation

MUL_LIMIT = 1 << 22
SHIFT_LIMIT = 15
V_LIMIT = 1 << 35
ENOUGH = 1 << 17
"""Values that are enough to choose a range."""
ARG_SHIFT = 15
"""arg_x and arg_w are stored as value << 15 and shifted back: exact."""


@dataclass(frozen=True, slots=True)
class Range:
    """Affine meaning of a byte: value = (byte - zero) * step; zero is a byte itself.

    With `gains`, one for each channel and 1 or more, a channel's step is `step / gain`: only KPU
    layers can read such a map (see `equalize`). With `shifts`, parts of a step for each channel,
    value = (byte - zero - shift) * step (see `copies`).
    """

    step: float
    zero: int
    gains: tuple[float, ...] | None = None
    shifts: tuple[float, ...] | None = None

    @property
    def steps(self) -> float | np.ndarray:
        """The step, or the step of each channel, float64 (channels,)."""
        return self.step if self.gains is None else self.step / np.array(self.gains)

    @classmethod
    def of(cls, low: float, high: float) -> Range:
        """Return the range that covers [low, high], widened so that it contains 0."""
        low, high = min(low, 0.0), max(high, 0.0)
        if high - low < 1e-9:
            high = low + 1.0
        step = (high - low) / 255
        return cls(step, int(np.clip(round(-low / step), 0, 255)))

    def quantize(self, values: np.ndarray) -> np.ndarray:
        """Return the uint8 of float values."""
        return np.clip(np.rint(values / self.step) + self.zero, 0, 255).astype(np.uint8)

    def dequantize(self, values: np.ndarray) -> np.ndarray:
        """Return the float32 of uint8 values."""
        return (values.astype(np.float32) - np.float32(self.zero)) * np.float32(self.step)


@dataclass(frozen=True, slots=True)
class QuantizedLayer:
    """The integers of one layer.

    Attributes:
        weights: uint8 (out, in, taps); `weight_zero` is the byte that means 0.
        stretch: float64 (out,), bytes per unit of `source_weights` in each output channel.
        source, result: what the bytes of the input and output map mean.
        bn_mul, bn_shift, bn_add: int64 (out,).
        v_scale, v_zero: the batch norm delivers v = sums and bias * v_scale + v_zero; both are
            float64 (out,).
    """

    weights: np.ndarray
    weight_zero: int
    stretch: np.ndarray
    source: Range
    result: Range
    bn_mul: np.ndarray
    bn_shift: np.ndarray
    bn_add: np.ndarray
    activation: Activation
    v_scale: np.ndarray
    v_zero: np.ndarray

    def sums_to_float(self, sums: np.ndarray) -> np.ndarray:
        """Return what integer sums (n, out, h, w) mean, without bias, as float64."""
        return sums / self.stretch[None, :, None, None]

    def with_weights(self, weights: np.ndarray, stretch: np.ndarray, name: str) -> QuantizedLayer:
        """Return the layer with other integers (out, in, taps) and their stretch (out,)."""
        mul, shift = _mul_shift(self.v_scale / stretch, name)
        changed = replace(self, weights=weights, stretch=stretch, bn_mul=mul, bn_shift=shift)
        _check_width(changed, name)
        return changed


def source_weights(weights: np.ndarray, source: Range, *, depthwise: bool) -> np.ndarray:
    """Return weights (out, in, taps) by which input bytes, less their zero, are multiplied."""
    steps = np.broadcast_to(source.steps, weights.shape[0 if depthwise else 1])
    return weights * (steps[:, None, None] if depthwise else steps[None, :, None])


def shifted_sums(weights: np.ndarray, source: Range, *, depthwise: bool) -> np.ndarray:
    """Return by how much sums with float weights (out, in, taps) are too large for the shifts.

    Returns:
        float64 (out,), what (byte - zero) * step exceeds the byte's meaning by, summed up.
    """
    if source.shifts is None:
        return np.zeros(len(weights))
    excess = np.array(source.shifts) * source.steps
    sums = weights.sum(2, dtype=np.float64)
    return sums[:, 0] * excess if depthwise else sums @ excess


def sample(values: np.ndarray, count: int) -> np.ndarray:
    """Return all `values` as float32 (n,), or some `count` of them from everywhere, if more.

    The same ones each time, and drawn: every so-manieth value would be, of maps 7 wide, those of
    one column.
    """
    flat = values.reshape(-1)
    if flat.size > count:
        flat = flat[np.random.default_rng(0).integers(0, flat.size, count)]
    return flat.astype(np.float32)


def choose_range(values: np.ndarray, low: float, high: float, steps: int = 14) -> Range:
    """Return the range within [low, high] with the least squared error over `values`.

    Args:
        values: float32 (n,), a sample of the layer's outputs.
        low, high: the extremes that were seen; the range never exceeds them.
        steps: how many shrunk ranges are tried, 5 % apart.
    """
    values = sample(values, ENOUGH)
    best, least = Range.of(low, high), np.inf
    for index in range(steps):
        candidate = Range.of(low * (1 - 0.05 * index), high * (1 - 0.05 * index))
        error = candidate.dequantize(candidate.quantize(values)) - values
        loss = float(np.mean(np.square(error, dtype=np.float64)))
        if loss < least:
            best, least = candidate, loss
    return best


def quantize_weights(
    weights: np.ndarray, *, search: bool = True
) -> tuple[np.ndarray, int, np.ndarray]:
    """Quantize weights with one zero point for the layer and a stretch for each output channel.

    Args:
        weights: float32 (out, in, taps).
        search: try zero points and keep the one with the least summed relative error; without
            it the zero point follows from the layer's extremes, as in nncase 0.1.

    Returns:
        uint8 weights, the zero point and the stretch, float64 (out,).
    """
    low = np.minimum(weights.min((1, 2)), 0).astype(np.float64)
    high = np.maximum(weights.max((1, 2)), 0).astype(np.float64)
    power = np.square(weights, dtype=np.float64).mean((1, 2))
    # A channel of zeros is right with any zero point.
    power = np.where(power > 1e-18 * power.max(), power, np.inf)
    if search:
        zeros = range(8, 248)
        errors = [np.mean(1 / (_stretch(low, high, zero) ** 2 * power)) for zero in zeros]
        zero = zeros[int(np.argmin(errors))]
    else:
        zero = int(np.clip(round(255 * -low.min() / max(high.max() - low.min(), 1e-30)), 0, 255))
    stretch = _stretch(low, high, zero)
    integers = np.rint(weights * stretch[:, None, None]) + zero
    return np.clip(integers, 0, 255).astype(np.uint8), zero, stretch


def _stretch(low: np.ndarray, high: np.ndarray, zero: int) -> np.ndarray:
    """Return bytes per unit so that each channel just touches 0 or 255."""
    tiny = 1e-12
    down, up = zero / np.maximum(-low, tiny), (255 - zero) / np.maximum(high, tiny)
    return np.maximum(np.minimum(down, up), 1e-6)


def quantize_layer(
    layer: FloatLayer,
    source: Range,
    result: Range,
    *,
    search: bool = True,
    seen: tuple[float, float] = (-8.0, 8.0),
) -> QuantizedLayer:
    """Choose all integers of `layer` for given meanings of its input and output bytes.

    `seen` are the extremes of the activation's argument on calibration pictures: a function that
    the table only approximates is fitted there.
    """
    effective = source_weights(layer.weights, source, depthwise=layer.depthwise)
    weights, zero, stretch = quantize_weights(effective, search=search)
    table, scale = table_for(layer.activation, layer.slope, *seen, result)
    shifts = np.zeros(1) if result.shifts is None else np.array(result.shifts)
    exact = (ONE / result.steps, ONE * (result.zero + shifts)) if scale is None else (scale, 0)
    v_scale, v_zero = (np.broadcast_to(np.asarray(one, np.float64), len(weights)) for one in exact)
    mul, shift = _mul_shift(v_scale / stretch, layer.name)
    quantized = QuantizedLayer(
        weights=weights,
        weight_zero=zero,
        stretch=stretch,
        source=source,
        result=result,
        bn_mul=mul,
        bn_shift=shift,
        bn_add=np.zeros(len(mul), np.int64),
        activation=table,
        v_scale=v_scale,
        v_zero=v_zero,
    )
    return with_bias(quantized, layer.bias, layer.name)


def with_bias(quantized: QuantizedLayer, bias: np.ndarray, name: str) -> QuantizedLayer:
    """Return the layer with another float bias (out,)."""
    add = np.rint(bias.astype(np.float64) * quantized.v_scale + quantized.v_zero)
    if np.abs(add).max() >= 1 << 31:
        raise UserError("kmodel_range", name, found=f"bias {np.abs(bias).max():.3g}")
    result = replace(quantized, bn_add=add.astype(np.int64))
    _check_width(result, name)
    return result


def _mul_shift(factor: np.ndarray, name: str) -> tuple[np.ndarray, np.ndarray]:
    """Return mul and shift with mul / 2**shift nearest to factor, mul below 22 bits."""
    shift = np.full(len(factor), SHIFT_LIMIT)
    while (over := np.rint(factor * 2.0**shift) >= MUL_LIMIT).any():
        if (shift[over] == 0).any():
            raise UserError("kmodel_range", name, found=f"scale {factor.max():.3g}")
        shift[over] -= 1
    return np.rint(factor * 2.0**shift).astype(np.int64), shift


def _check_width(layer: QuantizedLayer, name: str) -> None:
    """Prove that no picture can overflow the KPU's 36 bits behind the batch norm."""
    reach = np.abs(layer.weights.astype(np.int64) - layer.weight_zero).sum((1, 2)) * 255
    if reach.max() >= V_LIMIT or _v_bound(layer, reach) >= V_LIMIT:
        raise UserError("kmodel_range", name, found="sums beyond 36 bits")


def _v_bound(layer: QuantizedLayer, reach: np.ndarray) -> int:
    product = reach.astype(np.float64) * np.abs(layer.bn_mul) / 2.0**layer.bn_shift
    return int((product + np.abs(layer.bn_add)).max())
