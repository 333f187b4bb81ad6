"""What each Keras layer, and each operation of `keras.ops`, is on the chip."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..errors import UserError
from .activation import NAMES
from .advice import instead_of
from .file_op import FileOp, choice, div, extreme, greater, mul, sum_of
from .normalise import Builder
from .values import Value, refuse, reshape, squeeze, transpose

LEAKY_SLOPE = 0.2
"""What Keras' activation "leaky_relu" has."""


@dataclass(frozen=True, slots=True)
class KerasOp(FileOp):
    """One call of a layer, or of an operation of `keras.ops`."""

    layer: Any

    @property
    def config(self) -> dict[str, Any]:
        """The layer's configuration; an operation keeps its numbers as attributes."""
        if hasattr(self.layer, "get_weights"):
            return self.layer.get_config()
        return dict(vars(self.layer))

    @property
    def weights(self) -> list[np.ndarray]:
        """The layer's weights, in Keras' order."""
        return self.layer.get_weights()


def unknown(name: str, kind: str) -> UserError:
    """Return the refusal of a layer that has no reader."""
    return refuse(name, kind, instead_of(kind, HANDLERS))


def read_activation(build: Builder, name: str, value: Value, function: Any) -> Value:
    """Add what a layer names as its activation: a function, a layer, or "linear"."""
    if hasattr(function, "get_weights"):  # activation=LeakyReLU(0.1)
        kind = type(function).__name__
        if kind not in HANDLERS:
            raise unknown(name, kind)
        return HANDLERS[kind](build, KerasOp(name, kind, (value,), function))
    kind = function if isinstance(function, str) else getattr(function, "__name__", str(function))
    if kind == "softmax":
        return build.softmax(name, value)
    if kind == "leaky_relu":
        return build.activation(name, value, "leaky", LEAKY_SLOPE)
    if kind not in NAMES:
        known = ", ".join(sorted({*NAMES, "softmax"}))
        raise refuse(name, f"activation {kind}", f"one of: {known}")
    return build.activation(name, value, kind)


def _nothing(build: Builder, op: KerasOp) -> Value:
    return op.value


def _same_size(build: Builder, op: KerasOp) -> Value:
    """Resizing and crops: nothing to do where the picture has that size already."""
    config, sizes = op.config, op.value.sizes[:2]
    if (config["height"], config["width"]) != sizes:
        found = f"{op.kind} from {sizes[1]}x{sizes[0]} to {config['width']}x{config['height']}"
        raise refuse(op.name, found, "an input of that size; MaixForge and the camera bring "
                     "pictures to it")  # fmt: skip
    return op.value


def _crop(build: Builder, op: KerasOp) -> Value:
    if np.any(op.config["cropping"]):
        raise unknown(op.name, op.kind)
    return op.value


def _rescaling(build: Builder, op: KerasOp) -> Value:
    return build.scale_shift(op.name, op.value, *map(np.asarray, (op.layer.scale, op.layer.offset)))


def _normalization(build: Builder, op: KerasOp) -> Value:
    mean, variance = (np.asarray(one, np.float64) for one in (op.layer.mean, op.layer.variance))
    deviation = np.maximum(np.sqrt(variance), 1e-7)  # Keras' epsilon
    if op.config.get("invert"):
        return build.scale_shift(op.name, op.value, deviation, mean)
    return build.scale_shift(op.name, op.value, 1 / deviation, -mean / deviation)


def _zero_padding(build: Builder, op: KerasOp) -> Value:
    rows, columns = op.config["padding"]
    return build.pad(op.name, op.value, [(0, 0), rows, columns, (0, 0)])


def _convolve(build: Builder, op: KerasOp, name: str, w: Any, b: Any, *, depthwise: bool) -> Value:
    config = op.config
    padding = config["padding"]
    return build.conv(
        name,
        _map(op),
        w,
        b,
        depthwise=depthwise,
        stride=config["strides"],
        dilation=config.get("dilation_rate", (1, 1)),
        pads="same" if padding == "same" else (0, 0, 0, 0),
    )


def _conv(build: Builder, op: KerasOp) -> Value:
    """Conv2D and DepthwiseConv2D."""
    config, (w, *rest) = op.config, op.weights
    bias, groups = (rest[0] if config["use_bias"] else None), config.get("groups", 1)
    depthwise = op.kind == "DepthwiseConv2D"
    if groups > 1:
        if not groups == w.shape[3] == op.value.sizes[2]:
            raise refuse(op.name, f"{groups} groups", instead_of("groups", HANDLERS))
        w, depthwise = w.transpose(0, 1, 3, 2), True
    _one_filter(op)
    return _convolve(build, op, op.name, w, bias, depthwise=depthwise)


def _one_filter(op: KerasOp) -> None:
    factor = op.config.get("depth_multiplier", 1)
    if factor != 1:
        raise refuse(op.name, f"depth multiplier {factor}", instead_of("multiplier", HANDLERS))


def _separable(build: Builder, op: KerasOp) -> Value:
    """Two layers: each channel for itself, then a 1x1 convolution."""
    first, second, *rest = op.weights
    _one_filter(op)
    value = _convolve(build, op, f"{op.name}/depthwise", first, None, depthwise=True)
    return build.conv(op.name, value, second, rest[0] if rest else None)


def _map(op: KerasOp) -> Value:
    if op.value.axes not in ("1hwc", "111c"):
        raise refuse(op.name, f"{op.kind} behind a vector", "a feature map before it")
    return op.value


def _batch_norm(build: Builder, op: KerasOp) -> Value:
    config, rest = op.config, [np.asarray(one, np.float64) for one in op.weights]
    axis = config["axis"] if isinstance(config["axis"], int) else config["axis"][0]
    if axis not in (-1, len(op.value.axes) - 1):
        raise refuse(op.name, f"batch norm along axis {axis}", "axis=-1")
    gamma = rest.pop(0) if config["scale"] else np.ones_like(rest[-1])
    beta = rest.pop(0) if config["center"] else np.zeros_like(rest[-1])
    mean, variance = rest
    scale = gamma / np.sqrt(variance + config["epsilon"])
    return build.scale_shift(op.name, op.value, scale, beta - mean * scale)


def _relu(build: Builder, op: KerasOp) -> Value:
    config = op.config
    top, slope = config.get("max_value"), float(config.get("negative_slope") or 0)
    if config.get("threshold"):
        raise refuse(op.name, f"a ReLU with threshold {config['threshold']:g}", "threshold=0")
    if slope:
        if top is not None:
            raise refuse(op.name, "a leaky ReLU with a maximum", "max_value=None")
        return build.activation(op.name, op.value, "leaky", slope)
    return build.clip(op.name, op.value, 0.0, math.inf if top is None else float(top))


def _prelu(build: Builder, op: KerasOp) -> Value:
    return build.prelu(op.name, op.value, op.weights[0])


def _elu(kind: str) -> Callable[[Builder, KerasOp], Value]:
    return lambda build, op: build.activation(
        op.name, op.value, kind, float(op.config.get("alpha", 1.0))
    )


def _gelu(build: Builder, op: KerasOp) -> Value:
    tanh = op.config.get("approximate")
    return build.activation(op.name, op.value, "gelu_tanh" if tanh else "gelu")


def _activation(kind: str) -> Callable[[Builder, KerasOp], Value]:
    return lambda build, op: build.activation(op.name, op.value, kind)


def _negative(build: Builder, op: KerasOp) -> Value:
    return build.scale_shift(op.name, op.value, -1.0)


def _power(build: Builder, op: KerasOp) -> Value:
    return build.activation(op.name, op.value, "power", float(np.reshape(op.constant(1), ())))


def _average(build: Builder, op: KerasOp) -> Value:
    total = sum_of(1.0)(build, op)
    return build.scale_shift(f"{op.name}:mean", total, 1 / len(op.inputs))


def _clip(build: Builder, op: KerasOp) -> Value:
    low, high = (float(np.asarray(op.config[key])) for key in ("x_min", "x_max"))
    return build.clip(op.name, op.value, low, high)


def _softmax(build: Builder, op: KerasOp) -> Value:
    axis = op.config.get("axis", -1)
    return build.softmax(op.name, op.value, axis if isinstance(axis, int) else axis[0])


def _pool(kind: str) -> Callable[[Builder, KerasOp], Value]:
    def read(build: Builder, op: KerasOp) -> Value:
        config = op.config
        window, stride = config["pool_size"], config["strides"] or config["pool_size"]
        up = config["padding"] == "same"
        return build.pool(op.name, _map(op), kind, window, stride, round_up=up)

    return read


def _global_mean(build: Builder, op: KerasOp) -> Value:
    made = build.global_mean(op.name, _map(op))
    return made if op.config.get("keepdims") else squeeze(op.name, made, (1, 2))


def _mean(build: Builder, op: KerasOp) -> Value:
    axis = op.config["axis"]
    axes = range(len(op.value.axes)) if axis is None else np.atleast_1d(axis)
    keep = bool(op.config.get("keepdims"))
    return build.mean(op.name, op.value, [int(one) for one in axes], keep=keep)


def _concat(build: Builder, op: KerasOp) -> Value:
    values = [op.at(index) for index in range(len(op.inputs))]
    return build.join(op.name, "concat", values, op.config["axis"])


def _resize(build: Builder, op: KerasOp) -> Value:
    config, value = op.config, _map(op)
    if config["interpolation"] != "nearest":
        found = f"{config['interpolation']} interpolation"
        raise refuse(op.name, found, "interpolation='nearest'")
    factors = config["size"] if isinstance(config["size"], list | tuple) else (config["size"],) * 2
    sizes = [side * int(factor) for side, factor in zip(value.sizes[:2], factors, strict=True)]
    return build.resize(op.name, value, sizes)


def _flatten(build: Builder, op: KerasOp) -> Value:
    return reshape(op.name, op.value, (1, -1))


def _reshape(build: Builder, op: KerasOp) -> Value:
    config = op.config  # the layer's shape is without the batch, the operation's with it
    whole = (
        (1, *config["target_shape"]) if "target_shape" in config else (1, *config["newshape"][1:])
    )
    return reshape(op.name, op.value, whole)


def _permute(build: Builder, op: KerasOp) -> Value:
    return transpose(op.value, (0, *op.config["dims"]))


def _dense(build: Builder, op: KerasOp) -> Value:
    w, *rest = op.weights
    return build.dense(op.name, op.value, w, rest[0] if rest else None)


HANDLERS: dict[str, Callable[[Builder, KerasOp], Value]] = {
    **dict.fromkeys((
        "ActivityRegularization", "AlphaDropout", "Dropout", "GaussianDropout", "GaussianNoise",
        "Identity", "SpatialDropout2D", "Activation", "Cast",
        # They change pictures in training only.
        "RandomBrightness", "RandomColorDegeneration", "RandomColorJitter", "RandomContrast",
        "RandomErasing", "RandomFlip", "RandomGaussianBlur", "RandomGrayscale", "RandomHue",
        "RandomInvert", "RandomPerspective", "RandomPosterization", "RandomRotation",
        "RandomSaturation", "RandomSharpness", "RandomShear", "RandomTranslation", "RandomZoom",
        "AugMix", "CutMix", "MixUp", "RandAugment",
    ), _nothing),
    **dict.fromkeys(("CenterCrop", "RandomCrop", "Resizing"), _same_size),
    "Absolute": _activation("abs"),
    "Add": sum_of(1.0),
    "Average": _average,
    "AveragePooling2D": _pool("mean_pool"),
    "BatchNormalization": _batch_norm,
    "Celu": _elu("celu"),
    "Clip": _clip,
    "Concatenate": _concat,
    "Conv2D": _conv,
    "Cos": _activation("cos"),
    "Cropping2D": _crop,
    "Dense": _dense,
    "DepthwiseConv2D": _conv,
    "Divide": div,
    "ELU": _elu("elu"),
    "Elu": _elu("elu"),
    "Exp": _activation("exp"),
    "Flatten": _flatten,
    "Gelu": _gelu,
    "GlobalAveragePooling2D": _global_mean,
    "Greater": greater,
    "HardSigmoid": _activation("hard_sigmoid"),
    "HardSilu": _activation("hard_swish"),
    "HardTanh": _activation("hard_tanh"),
    "LeakyReLU": _relu,
    "LeakyRelu": _relu,
    "Log": lambda build, op: build.logarithm(op.name, op.value),
    "LogSigmoid": _activation("log_sigmoid"),
    "MaxPooling2D": _pool("max_pool"),
    "Maximum": extreme("max"),
    "Mean": _mean,
    "Minimum": extreme("min"),
    "Multiply": mul,
    "Negative": _negative,
    "Normalization": _normalization,
    "PReLU": _prelu,
    "Permute": _permute,
    "Power": _power,
    "ReLU": _relu,
    "Relu": _activation("relu"),
    "Relu6": _activation("relu6"),
    "Rescaling": _rescaling,
    "Reshape": _reshape,
    "Selu": _activation("selu"),
    "SeparableConv2D": _separable,
    "Sigmoid": _activation("sigmoid"),
    "Silu": _activation("silu"),
    "Sin": _activation("sin"),
    "Softmax": _softmax,
    "Softplus": _activation("softplus"),
    "Softsign": _activation("softsign"),
    "Sqrt": _activation("sqrt"),
    "Square": _activation("square"),
    "Subtract": sum_of(-1.0),
    "Tanh": _activation("tanh"),
    "TrueDivide": div,
    "UpSampling2D": _resize,
    "Where": choice,
    "ZeroPadding2D": _zero_padding,
}  # fmt: skip
