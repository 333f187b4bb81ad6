"""Activations: what they compute, and the 16-segment table that makes the KPU compute it.

Linear, ReLU with any maximum and leaky ReLU are exact: the batch norm delivers 1024ths of an
output byte and the table only bends. Every other function is fitted (see `piecewise`): the batch
norm delivers the function's argument, scaled, and the table maps it to the byte of its value.

Each function has at most one number: the slope of "leaky" (and of "hard_sigmoid", 0 for 1/6), the
maximum of "relu_max" and "below", the alpha of "elu" and "celu" (0 for 1), the power of "power",
where the shrinking ones and "threshold" begin. `pointwise` makes names of functions in pieces.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from ..errors import UserError
from .piecewise import FAR, LEAST_START, Function, fit
from .pointwise import spelled
from .v3 import Activation

if TYPE_CHECKING:
    from .quantize import Range

FRACTION_BITS = 10
"""Bits between batch norm and activation; 10 is what all real files use."""
ONE = 1 << FRACTION_BITS
# Where nncase 0.1 puts the ten unused segments below 0; any ascending values serve.
_BELOW = [-(1 << 35), *(-(1 << 30) + (i << 20) for i in range(9))]
_SELU_ALPHA, _SELU_SCALE = 1.6732632423543772, 1.0507009873554805

# --- The functions ------------------------------------------------------------------------------


def _sigmoid(x: np.ndarray) -> np.ndarray:
    return 0.5 * np.tanh(0.5 * x) + 0.5


def _gelu(x: np.ndarray) -> np.ndarray:
    return 0.5 * x * (1 + _erf(x * 0.7071067811865476))


def _erf(x: np.ndarray) -> np.ndarray:
    """Abramowitz and Stegun 7.1.26: within 1.5e-7, far below a byte."""
    t = 1 / (1 + 0.3275911 * np.abs(x))
    series = 1.061405429
    for factor in (-1.453152027, 1.421413741, -0.284496736, 0.254829592):
        series = series * t + factor
    return np.sign(x) * (1 - series * t * np.exp(-(x * x)))


def _gelu_tanh(x: np.ndarray) -> np.ndarray:
    return 0.5 * x * (1 + np.tanh(0.7978845608028654 * x * (1 + 0.044715 * x * x)))


def _elu(x: np.ndarray, alpha: float) -> np.ndarray:
    return np.where(x < 0, alpha * np.expm1(np.minimum(x, 0)), x)


def _celu(x: np.ndarray, alpha: float) -> np.ndarray:
    return np.where(x < 0, alpha * np.expm1(np.minimum(x, 0) / alpha), x)


def _power(x: np.ndarray, exponent: float) -> np.ndarray:
    """Raise to a power; what has no real one is taken for the nearest that has."""
    if not float(exponent).is_integer():
        x = np.maximum(x, 0)
    if exponent < 0:
        x = np.where(np.abs(x) < 1e-3, np.copysign(1e-3, x), x)
    return x**exponent


def _softplus(x: np.ndarray) -> np.ndarray:
    return np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x)))


_FUNCTIONS: dict[str, Callable[[np.ndarray, float], np.ndarray]] = {
    "linear": lambda x, _: x,
    "relu": lambda x, _: np.maximum(x, 0),
    "relu6": lambda x, _: np.clip(x, 0, 6),
    "relu_max": lambda x, top: np.clip(x, 0, top),
    "leaky": lambda x, slope: np.where(x < 0, x * slope, x),
    "sigmoid": lambda x, _: _sigmoid(x),
    "log_sigmoid": lambda x, _: -_softplus(-x),
    "tanh": lambda x, _: np.tanh(x),
    "hard_sigmoid": lambda x, slope: np.clip(x * (slope or 1 / 6) + 0.5, 0, 1),
    "hard_tanh": lambda x, _: np.clip(x, -1, 1),
    "hard_swish": lambda x, _: x * np.clip(x / 6 + 0.5, 0, 1),
    "silu": lambda x, _: x * _sigmoid(x),
    "gelu": lambda x, _: _gelu(x),
    "gelu_tanh": lambda x, _: _gelu_tanh(x),
    "elu": lambda x, alpha: _elu(x, alpha or 1.0),
    "celu": lambda x, alpha: _celu(x, alpha or 1.0),
    "selu": lambda x, _: _SELU_SCALE * _elu(x, _SELU_ALPHA),
    "softplus": lambda x, _: _softplus(x),
    "softsign": lambda x, _: x / (1 + np.abs(x)),
    "mish": lambda x, _: x * np.tanh(_softplus(x)),
    "exp": lambda x, _: np.exp(np.minimum(x, 80)),  # float32 ends at e**88
    "abs": lambda x, _: np.abs(x),
    "below": np.minimum,
    "above": np.maximum,
    "neg": lambda x, _: -x,
    "square": lambda x, _: x * x,
    "power": _power,
    "sqrt": lambda x, _: np.sqrt(np.maximum(x, 0)),
    "log": lambda x, _: np.log(np.maximum(x, 1e-6)),
    "sin": lambda x, _: np.sin(x),
    "cos": lambda x, _: np.cos(x),
    "erf": lambda x, _: _erf(x),
    "squareplus": lambda x, b: 0.5 * (x + np.sqrt(x * x + (b or 4.0))),
    "tanh_shrink": lambda x, _: x - np.tanh(x),
    "soft_shrink": lambda x, edge: x - np.clip(x, -(edge or 0.5), edge or 0.5),
    "hard_shrink": lambda x, edge: np.where(np.abs(x) > (edge or 0.5), x, 0),
    "threshold": lambda x, edge: np.where(x > edge, x, 0),
    "sparse_plus": lambda x, _: np.where(x < 1, 0.25 * np.square(np.maximum(x, -1) + 1), x),
    "sparse_sigmoid": lambda x, _: np.clip(0.5 * (x + 1), 0, 1),
}
_OTHER_NAMES = {
    "swish": "silu",
    "hard_silu": "hard_swish",
    "exponential": "exp",
    "leaky_relu": "leaky",
}
_FALL = ("hard_swish", "silu", "gelu", "gelu_tanh", "mish", "abs", "neg", "square", "power", "sin",
         "cos", "threshold")  # fmt: skip
"""They fall somewhere, so the largest argument need not give the largest value."""

NAMES = (*_FUNCTIONS, *_OTHER_NAMES)
EXACT = ("linear", "relu", "relu6", "relu_max", "leaky")


def function(name: str, number: float = 0.0) -> Function:
    """Return an activation by name: float32 or float64 in, the same type and shape out.

    Raises:
        UserError: `kmodel_operation_unsupported`, there is no such activation.
    """
    if name.startswith("="):
        return spelled(name, function)
    plain = _FUNCTIONS.get(_OTHER_NAMES.get(name, name))
    if plain is None:
        needed = ", ".join(sorted(NAMES))
        raise UserError("kmodel_operation_unsupported", found=f"activation {name}", needed=needed)
    return lambda x: plain(x, number)


def never_falls(name: str, number: float = 0.0) -> bool:
    """Return whether maximum pooling before the activation equals pooling behind it."""
    if name in ("leaky", "leaky_relu", "hard_sigmoid", "elu", "celu"):
        return number >= 0
    return not name.startswith("=") and _OTHER_NAMES.get(name, name) not in _FALL


# --- The tables ---------------------------------------------------------------------------------


def table_for(
    name: str, number: float, low: float, high: float, result: Range
) -> tuple[Activation, float | None]:
    """Return the table of an activation.

    Args:
        name, number: as for `function`.
        low, high: extremes of its argument on calibration pictures (exact tables ignore them).
        result: what the output bytes mean.

    Returns:
        The table, and by what the batch norm must multiply the argument; None: it must deliver
        1024 * (argument / step + zero).
    """
    if name in ("leaky", "leaky_relu") and 2**-12 < number < 16:
        return _leaky(number, result.zero), None
    top = {"relu6": 6.0, "relu_max": number}.get(name, np.inf)
    if name == "linear":
        return _clamp(0, 255), None
    if name in ("relu", "relu6", "relu_max"):
        return _clamp(result.zero, min(255, result.zero + round(min(top / result.step, 255)))), None
    return fit(function(name, number), low, high, result)


def _clamp(least: int, most: int) -> Activation:
    """Return the identity between two bytes. From 0 to 255 it is the table of all real files."""
    start = [*_BELOW, least * ONE, *(FAR + i for i in range(5))]
    add = [least] * 11 + [255] * 5
    if most < 255:
        start[11], add[11:] = most * ONE, [most] * 5
    mul, shift = [0] * 16, [0] * 16
    mul[10], shift[10] = ONE, 2 * FRACTION_BITS
    # The far segments are never reached; their byte keeps the table ascending all the same.
    return _table(start, mul, shift, add)


def _leaky(slope: float, zero: int) -> Activation:
    """Below the byte of 0 a slope that begins where the byte is 0, above it the identity."""
    shift = 2 * FRACTION_BITS
    while round(slope * 2.0 ** (shift - FRACTION_BITS + 1)) < 1 << 14 and shift < 35:
        shift += 1
    mul = round(slope * 2.0 ** (shift - FRACTION_BITS))
    begin = zero * ONE - round(zero * ONE / slope)
    start = [LEAST_START, begin, zero * ONE, *(FAR + i for i in range(13))]
    return _table(
        start,
        [0, mul, ONE, *([0] * 13)],
        [0, shift, 2 * FRACTION_BITS, *([0] * 13)],
        [0, 0, zero, *([255] * 13)],
    )


def _table(start: list[int], mul: list[int], shift: list[int], add: list[int]) -> Activation:
    return Activation(*(np.array(part, np.int64) for part in (start, mul, shift, add)))
