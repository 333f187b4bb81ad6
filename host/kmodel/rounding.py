"""Round weights so that their errors cancel on real pictures (GPTQ, Frantar et al. 2022).

Nearest rounding treats all weights alike. Here the weights of an output channel are rounded one
after the other, and each one's error is made good by those that are still to come, as well as the
inputs' covariance allows: what counts is the error of the sum over calibration pictures, not that
of the weights. The mean of that error is left to the bias, which is corrected afterwards.
"""

from __future__ import annotations

import numpy as np

from . import taps
from .fold import LEFT_TOP, FloatLayer
from .quantize import QuantizedLayer, source_weights

POSITIONS = 16_384
"""Pixels of all pictures together from which the covariance is taken."""
MAX_INPUTS = 1536
"""Inputs of a sum beyond which nearest rounding stays: the work grows with their third power."""
DAMPING = 0.01
"""Part of the mean variance added to each input's: keeps unseen directions in bounds."""
STRETCHES = np.concatenate([[1.0], np.geomspace(1.15, 0.55, 15)])
"""Factors of a channel's stretch that are tried where a sum has few inputs."""
FEW_INPUTS = 64
HEADROOM = 0.98
"""Of the stretch of copied channels: what a copy owes may lie beyond its own largest weight."""


def round_weights(
    layer: FloatLayer, quantized: QuantizedLayer, bytes_in: np.ndarray, copies: int = 1
) -> QuantizedLayer:
    """Return the layer with weights rounded for the inputs that it gets.

    Args:
        layer: the float layer.
        quantized: its integers with nearest rounding.
        bytes_in: uint8 (n, in channels, h, w), what the quantized layers before make of
            calibration pictures.
        copies: how many times the channels come; in a depthwise layer each copy also makes good
            what the weights of those before it lack.
    """
    weights = source_weights(layer.weights, quantized.source, depthwise=layer.depthwise)
    flat = weights.reshape(len(weights), -1)
    if flat.shape[1] > MAX_INPUTS:
        return quantized
    moments = covariance(layer, bytes_in, quantized.source.zero)
    factors = STRETCHES if flat.shape[1] <= FEW_INPUTS else np.ones(1)
    zero = quantized.weight_zero
    if layer.depthwise:
        integers, stretch = _best_copies(flat, quantized.stretch, factors, moments, zero, copies)
    else:
        integers, stretch = _best(flat, quantized.stretch, factors, moments, zero)
    return quantized.with_weights(integers.reshape(weights.shape), stretch, layer.name)


def covariance(layer: FloatLayer, bytes_in: np.ndarray, zero: int) -> np.ndarray:
    """Return the damped covariance of a sum's inputs, in bytes squared.

    Returns:
        float64 (inputs, inputs), or (channels, taps, taps) for a depthwise layer.
    """
    x = _inputs(layer, bytes_in, zero)
    x -= x.mean(-2, keepdims=True)
    moments = (x.swapaxes(-1, -2) @ x).astype(np.float64) / x.shape[-2]
    power = np.trace(moments, axis1=-2, axis2=-1) / moments.shape[-1]
    return moments + np.eye(moments.shape[-1]) * (DAMPING * power + 1e-6)[..., None, None]


def _inputs(layer: FloatLayer, bytes_in: np.ndarray, zero: int) -> np.ndarray:
    """Return float32 (positions, inputs), or (channels, positions, taps) for a depthwise layer."""
    stride = 2 if layer.pool == LEFT_TOP else 1
    count, channels, height, width = bytes_in.shape
    columns = -(-width // stride)
    spots = -(-height // stride) * columns
    # Evenly spaced pixels; an odd distance hits all columns.
    apart = max(1, spots * count // POSITIONS) | 1
    rows, columns = np.divmod(np.arange(0, spots, apart), columns)
    rows, columns = rows * stride, columns * stride
    if layer.kernel == 1:
        picked = bytes_in[:, :, rows, columns].astype(np.float32)[..., None]
    else:
        bordered = taps.padded(bytes_in, zero, np.uint8)
        shifted = [bordered[:, :, rows + tap // 3, columns + tap % 3] for tap in range(9)]
        picked = np.stack(shifted, -1).astype(np.float32)
    if layer.depthwise:
        return picked.transpose(1, 0, 2, 3).reshape(channels, -1, picked.shape[-1])
    return picked.transpose(0, 2, 1, 3).reshape(-1, channels * picked.shape[-1])


def _best_copies(
    weights: np.ndarray,
    stretch: np.ndarray,
    factors: np.ndarray,
    moments: np.ndarray,
    zero: int,
    copies: int,
) -> tuple[np.ndarray, np.ndarray]:
    """Do `_best` copy after copy, each for its own weights and what is owed to those before it."""
    if copies > 1:
        stretch = stretch * HEADROOM
    channels = len(weights) // copies
    owed = np.zeros((channels, weights.shape[1]))
    found = []
    for first in range(0, len(weights), channels):
        part = slice(first, first + channels)
        made = _best(weights[part] + owed, stretch[part], factors, moments[part], zero)
        owed += weights[part] - (made[0] - float(zero)) / made[1][:, None]
        found.append(made)
    integers, stretches = zip(*found, strict=True)
    return np.concatenate(integers), np.concatenate(stretches)


def _best(
    weights: np.ndarray,
    stretch: np.ndarray,
    factors: np.ndarray,
    moments: np.ndarray,
    zero: int,
) -> tuple[np.ndarray, np.ndarray]:
    """Return the integers and stretch of each channel whose sums have the least error."""
    outputs, inputs = weights.shape
    tried = stretch[:, None] * factors
    targets = (weights[:, None, :] * tried[:, :, None]).reshape(-1, inputs)
    if moments.ndim == 3:
        integers = compensate(targets, np.repeat(moments, len(factors), 0), zero)
    else:
        integers = compensate(targets, moments, zero)
    errors = integers.reshape(outputs, len(factors), inputs) - float(zero)
    errors = errors / tried[:, :, None] - weights[:, None, :]
    spread = (errors @ moments) * errors
    best = spread.sum(-1).argmin(1)
    rows = np.arange(outputs)
    chosen = integers.reshape(outputs, len(factors), inputs)[rows, best]
    return chosen, tried[rows, best]


def compensate(targets: np.ndarray, moments: np.ndarray, zero: int) -> np.ndarray:
    """Round `targets` (rows, inputs) to bytes around `zero`, errors made good by later inputs.

    Args:
        targets: what the bytes minus `zero` should be.
        moments: covariance of the inputs, (inputs, inputs) or one for each row.
        zero: the byte that means 0.

    Returns:
        uint8 (rows, inputs).
    """
    power = np.einsum("...ii->...i", moments)
    order = np.argsort(-(power.mean(0) if moments.ndim == 3 else power), kind="stable")
    inverse = np.linalg.inv(moments[..., order, :][..., order])
    factor = np.linalg.cholesky(inverse).swapaxes(-1, -2).astype(np.float32)
    # Inputs first: a step then works on whole rows of memory.
    rest = np.ascontiguousarray(targets[:, order].T, np.float32)
    factor = np.moveaxis(factor, 0, -1) if moments.ndim == 3 else factor[..., None]
    out = np.empty(rest.shape, np.uint8)
    for i in range(len(rest)):
        rounded = np.clip(np.rint(rest[i]) + zero, 0, 255)
        out[order[i]] = rounded
        error = (rest[i] - (rounded - zero)) / factor[i, i]
        rest[i + 1 :] -= factor[i, i + 1 :] * error
    return out.T
