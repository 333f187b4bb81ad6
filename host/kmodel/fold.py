"""The KPU's layer before quantization: convolution, activation, pool; and what it computes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..errors import UserError
from . import taps
from .activation import function

LEFT_TOP = 5
MAX_BY_ONE = 9
POOL_CODES = {
    ("max_pool", 2, 2): 1,
    ("mean_pool", 2, 2): 2,
    ("max_pool", 4, 4): 3,
    ("mean_pool", 4, 4): 4,
    ("max_pool", 2, 1): MAX_BY_ONE,
}
"""The KPU's code of a pool by operation, window and stride."""
MEAN_POOLS = (2, 4)
POOL_STRIDE = {0: 1, 1: 2, 2: 2, 3: 4, 4: 4, LEFT_TOP: 2, MAX_BY_ONE: 1}
MAX_CHANNELS, MAX_HEIGHT, MAX_WIDTH, MIN_SIDE = 1024, 256, 512, 4
"""What nncase 1.9 gives to the KPU; its registers could say 512x960, which nobody has seen run."""

Shape = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class FloatLayer:
    """One KPU layer before quantization.

    Attributes:
        weights: float32 (out, in, kernel*kernel); depthwise (channels, 1, kernel*kernel).
        bias: float32 (out,).
        activation, slope: a name of `activation.function` and its number.
        pool: the KPU's pool code; LEFT_TOP is a stride of 2.
        in_shape, out_shape: channels, height, width.
    """

    name: str
    depthwise: bool
    kernel: int
    weights: np.ndarray
    bias: np.ndarray
    activation: str
    slope: float
    pool: int
    in_shape: Shape
    out_shape: Shape


def refuse(name: str, found: str, needed: str) -> UserError:
    """Return the error for a layer that the chip cannot run as it is."""
    return UserError("kmodel_operation_unsupported", name, found=found, needed=needed)


def pooled(shape: Shape, pool: int) -> Shape:
    """Return the shape of a map after a pool code."""
    stride = POOL_STRIDE[pool]
    return shape[0], shape[1] // stride, shape[2] // stride


def check_limits(layer: FloatLayer) -> None:
    """Refuse what the KPU's registers cannot say (facts: docs/kmodel.md)."""
    for channels, height, width in (layer.in_shape, layer.out_shape):
        if channels > MAX_CHANNELS or height > MAX_HEIGHT or width > MAX_WIDTH:
            raise refuse(
                layer.name,
                f"a feature map of {width}x{height} with {channels} channels",
                f"at most {MAX_WIDTH}x{MAX_HEIGHT} and {MAX_CHANNELS} channels",
            )
        if min(height, width) < MIN_SIDE:
            raise refuse(
                layer.name, f"a feature map of {width}x{height}", "feature maps of 4x4 or larger"
            )


def run_float(layer: FloatLayer, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Run one layer in float32.

    Args:
        layer: the layer.
        x: (n, in channels, h, w).

    Returns:
        Sums with bias before the activation, and values after the activation, both
        (n, out channels, h, w) before a real pool (a stride of 2 is already taken).
    """
    sums = float_sums(layer, x)
    sums += layer.bias[None, :, None, None]
    return sums, activate(layer, sums)


def float_sums(layer: FloatLayer, x: np.ndarray) -> np.ndarray:
    """Return the plain convolution of x without bias; the half of an odd side is rounded down."""
    stride = 2 if layer.pool == LEFT_TOP else 1
    height, width = (side // stride for side in x.shape[2:])
    if layer.kernel == 1 and not layer.depthwise:
        view = x[:, :, ::stride, ::stride][:, :, :height, :width]
        return taps.pointwise(np.ascontiguousarray(view), layer.weights[:, :, 0])
    if not layer.depthwise:
        weights = layer.weights.reshape(*layer.weights.shape[:2], 3, 3)
        whole = taps.full3x3(taps.padded(x, 0), weights, stride)
        return np.ascontiguousarray(whole[:, :, :height, :width])
    weights = layer.weights[:, 0]
    if layer.kernel == 1:
        return x * weights[None, :, :, None]
    count, channels = x.shape[:2]
    out = np.empty(x.shape, np.float32)

    def finish(picture: int, block: slice, total: np.ndarray) -> None:
        out[picture, block] = total

    taps.depthwise3x3(
        lambda picture, block: taps.padded(x[picture : picture + 1, block], 0)[0],
        weights,
        (count, channels, height, width),
        1,
        finish,
    )
    return out


def activate(layer: FloatLayer, sums: np.ndarray) -> np.ndarray:
    """Apply the float activation."""
    return function(layer.activation, layer.slope)(sums)


def pool_float(layer: FloatLayer, values: np.ndarray) -> np.ndarray:
    """Apply a real pool to float values; a stride has been taken by `run_float`."""
    if layer.pool in (0, LEFT_TOP):
        return values
    if layer.pool == MAX_BY_ONE:  # the last row and column count again
        down = np.maximum(values, np.concatenate([values[:, :, 1:], values[:, :, -1:]], 2))
        return np.maximum(down, np.concatenate([down[..., 1:], down[..., -1:]], 3))
    window = POOL_STRIDE[layer.pool]
    channels, height, width = layer.out_shape
    cut = values[:, :, : height * window, : width * window]
    parts = cut.reshape(len(values), channels, height, window, width, window)
    return parts.max((3, 5)) if layer.pool in (1, 3) else parts.mean((3, 5))
