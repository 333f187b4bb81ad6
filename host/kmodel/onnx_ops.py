"""What each ONNX operation is on the chip."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from .advice import instead_of
from .file_op import FileOp, Tensor, choice, div, extreme, greater, mul, sum_of
from .normalise import Builder
from .values import NO_PADS, Pads, Value, refuse, reshape, squeeze, transpose


@dataclass(frozen=True, slots=True)
class Op(FileOp):
    """One node of the file."""

    attrs: dict[str, Any]


def _text(value: Any, default: str) -> str:
    return default if value is None else bytes(value).decode()


def _map(op: Op, value: Value) -> Value:
    """Return a map or vector that has its channels where ONNX expects them."""
    if len(value.axes) < 2 or value.axes[1] != "c" or value.axes[2:] not in ("hw", "11"):
        raise refuse(op.name, f"{op.kind} of axes {value.axes}", "batch, channels, rows, columns")
    return value


def _pads(op: Op) -> Pads | str:
    way = _text(op.attrs.get("auto_pad"), "NOTSET")
    if way in ("SAME_UPPER", "SAME_LOWER"):
        return "same" if way == "SAME_UPPER" else "same_lower"
    top, left, bottom, right = op.attrs.get("pads", NO_PADS) if way == "NOTSET" else NO_PADS
    return int(top), int(left), int(bottom), int(right)


def _conv(build: Builder, op: Op) -> Value:
    value, w, group = _map(op, op.value), op.constant(1), op.attrs.get("group", 1)
    channels = value.sizes[2]
    depthwise = group == channels == w.shape[0] and group > 1
    if w.ndim != 4 or not (depthwise or group == 1) or w.shape[1] * group != channels:
        raise refuse(op.name, f"{group} groups", instead_of("groups", ()))
    return build.conv(
        op.name,
        value,
        w.transpose(2, 3, 0, 1) if depthwise else w.transpose(2, 3, 1, 0),
        op.constant(2),
        depthwise=depthwise,
        stride=op.attrs.get("strides", (1, 1)),
        dilation=op.attrs.get("dilations", (1, 1)),
        pads=_pads(op),
    )


def _gemm(build: Builder, op: Op) -> Value:
    w, b, value = op.constant(1), op.constant(2), op.value
    if op.attrs.get("transA", 0):
        raise refuse(op.name, "Gemm of a transposed value", "transA=0")
    w = (w.T if op.attrs.get("transB", 0) else w) * op.attrs.get("alpha", 1.0)
    return build.dense(op.name, value, w, None if b is None else b * op.attrs.get("beta", 1.0))


def _matmul(build: Builder, op: Op) -> Value:
    w = op.constant(1)
    if w.ndim != 2:
        raise refuse(op.name, f"weights of shape {w.shape}", "a matrix")
    return build.dense(op.name, op.value, w, None)


def _batch_norm(build: Builder, op: Op) -> Value:
    value = _map(op, op.value)
    gamma, beta, mean, variance = (op.constant(i).astype(np.float64) for i in range(1, 5))
    scale = gamma / np.sqrt(variance + op.attrs.get("epsilon", 1e-5))
    rest = (1,) * (len(value.axes) - 2)
    arrays = (one.reshape(-1, *rest) for one in (scale, beta - mean * scale))
    return build.scale_shift(op.name, value, *arrays)


def _clip(build: Builder, op: Op) -> Value:
    low = op.constant(1, op.attrs.get("min", -math.inf))
    high = op.constant(2, op.attrs.get("max", math.inf))
    return build.clip(op.name, op.value, float(low), float(high))


def _prelu(build: Builder, op: Op) -> Value:
    return build.prelu(op.name, op.value, op.constant(1))


def _hard_sigmoid(build: Builder, op: Op) -> Value:
    alpha, beta = op.attrs.get("alpha", 0.2), op.attrs.get("beta", 0.5)
    if not (math.isclose(alpha, 1 / 6, rel_tol=1e-4) and beta == 0.5):
        raise refuse(op.name, f"HardSigmoid {alpha:g}, {beta:g}", "alpha 1/6, beta 1/2")
    return build.activation(op.name, op.value, "hard_sigmoid")


def _activation(kind: str) -> Callable[[Builder, Op], Value]:
    return lambda build, op: build.activation(op.name, op.value, kind)


def _elu(kind: str) -> Callable[[Builder, Op], Value]:
    return lambda build, op: build.activation(
        op.name, op.value, kind, float(op.attrs.get("alpha", 1.0))
    )


def _selu(build: Builder, op: Op) -> Value:
    alpha, gamma = op.attrs.get("alpha", 1.67326), op.attrs.get("gamma", 1.0507)
    if abs(alpha - 1.67326) > 1e-3 or abs(gamma - 1.0507) > 1e-3:
        raise refuse(op.name, f"Selu {alpha:g}, {gamma:g}", "alpha 1.67326, gamma 1.0507")
    return build.activation(op.name, op.value, "selu")


def _gelu(build: Builder, op: Op) -> Value:
    tanh = _text(op.attrs.get("approximate"), "none") == "tanh"
    return build.activation(op.name, op.value, "gelu_tanh" if tanh else "gelu")


def _pool(kind: str) -> Callable[[Builder, Op], Value]:
    def read(build: Builder, op: Op) -> Value:
        value, window = _map(op, op.value), op.attrs["kernel_shape"]
        stride, pads = op.attrs.get("strides", (1, 1)), _pads(op)
        if tuple(op.attrs.get("dilations", (1, 1))) != (1, 1):
            raise refuse(op.name, "dilation", "no dilation")
        whole = tuple(stride) != (1, 1)  # else rounding up adds nothing
        up = (bool(op.attrs.get("ceil_mode", 0)) and whole) or pads == "same"
        pads = NO_PADS if pads == "same" else pads
        return build.pool(op.name, value, kind, window, stride, pads, round_up=up)  # type: ignore[arg-type]

    return read


def _reduce_mean(build: Builder, op: Op) -> Value:
    axes = op.constant(1, op.attrs.get("axes"))
    if axes is None:
        raise refuse(op.name, "a mean over everything", "a mean over height and width")
    keep = bool(op.attrs.get("keepdims", 1))
    return build.mean(op.name, op.value, [int(axis) for axis in axes], keep=keep)


def _global_mean(build: Builder, op: Op) -> Value:
    return build.global_mean(op.name, _map(op, op.value))


def _concat(build: Builder, op: Op) -> Value:
    values = [op.at(index) for index in range(len(op.inputs))]
    return build.join(op.name, "concat", values, op.attrs["axis"])


SOFTPLUS_IS_LINEAR = 8.0
"""From here on softplus differs from its argument by less than 1/2000."""

COORDINATES = {
    "asymmetric": (0.0, 0.0),
    "half_pixel": (0.5, 0.5),
    "pytorch_half_pixel": (0.5, 0.5),
    "tf_half_pixel_for_nn": (0.5, 0.0),
}


def _resize(build: Builder, op: Op) -> Value:
    """Resize, and Upsample of old files."""
    value, old = op.value, op.kind == "Upsample"
    if _text(op.attrs.get("mode"), "nearest") != "nearest":
        raise refuse(
            op.name,
            f"{_text(op.attrs['mode'], '')} interpolation",
            instead_of("RESIZE_BILINEAR", ()),
        )
    way = _text(op.attrs.get("coordinate_transformation_mode"), "half_pixel")
    way = "asymmetric" if old or len(op.inputs) == 2 else way
    if way not in COORDINATES:
        raise refuse(op.name, f"coordinates {way}", ", ".join(COORDINATES))
    scales = op.constant(1 if len(op.inputs) == 2 else 2, op.attrs.get("scales", ()))
    sizes = op.constant(3, ()) if len(op.inputs) > 3 else ()
    if len(sizes) != 4:
        sizes = [int(n * s) for n, s in zip(value.shape, scales, strict=True)]
    known = dict(zip(value.axes, (int(size) for size in sizes), strict=True))
    if known.get("c") != value.sizes[2] or not {"h", "w"} <= set(known):
        raise refuse(op.name, f"resize to {tuple(sizes)}", "a resize of height and width")
    half, back = COORDINATES[way]
    rounding = (
        "floor"
        if old or len(op.inputs) == 2
        else _text(op.attrs.get("nearest_mode"), "round_prefer_floor")
    )
    shape = (known["h"], known["w"])
    return build.resize(op.name, value, shape, half=half, back=back, way=rounding)


def _flatten(build: Builder, op: Op) -> Value:
    axis = op.attrs.get("axis", 1)
    shape = op.value.shape
    return reshape(op.name, op.value, (math.prod(shape[:axis]), math.prod(shape[axis:])))


def _reshape(build: Builder, op: Op) -> Value:
    wanted = [int(size) for size in op.constant(1)]
    if not op.attrs.get("allowzero", 0):
        shape = op.value.shape
        wanted = [shape[place] if size == 0 else size for place, size in enumerate(wanted)]
    return reshape(op.name, op.value, wanted)


def _transpose(build: Builder, op: Op) -> Value:
    order = op.attrs.get("perm") or range(len(op.value.axes))[::-1]
    return transpose(op.value, order)


def _squeeze(build: Builder, op: Op) -> Value:
    axes = op.constant(1, op.attrs.get("axes"))
    return squeeze(op.name, op.value, None if axes is None else [int(axis) for axis in axes])


def _unsqueeze(build: Builder, op: Op) -> Value:
    axes = [int(axis) for axis in op.constant(1, op.attrs.get("axes"))]
    shape, rank = list(op.value.shape), len(op.value.axes) + len(axes)
    for axis in sorted(axis % rank for axis in axes):
        shape.insert(axis, 1)
    return reshape(op.name, op.value, shape)


def _softmax(build: Builder, op: Op) -> Value:
    return build.softmax(op.name, op.value, op.attrs.get("axis", -1))


def _pad(build: Builder, op: Op) -> Value:
    mode, zero = _text(op.attrs.get("mode"), "constant"), op.constant(2, op.attrs.get("value", 0))
    if mode != "constant" or np.any(zero):
        raise refuse(op.name, f"padding with {mode} {np.asarray(zero)}", "zeros")
    flat = [int(one) for one in op.constant(1, op.attrs.get("pads"))]
    axes = [int(axis) for axis in op.constant(3, range(len(op.value.axes)))]
    pads = [[0, 0] for _ in op.value.axes]
    for place, axis in enumerate(axes):
        pads[axis] = [flat[place], flat[place + len(axes)]]
    return build.pad(op.name, op.value, pads)


def _shape(build: Builder, op: Op) -> Tensor:
    whole = slice(op.attrs.get("start"), op.attrs.get("end"))
    return np.array(op.value.shape, np.int64)[whole]


def _negative(build: Builder, op: Op) -> Value:
    return build.scale_shift(op.name, op.value, -1.0)


def _power(build: Builder, op: Op) -> Value:
    return build.activation(op.name, op.value, "power", float(np.reshape(op.constant(1), ())))


def _nothing(build: Builder, op: Op) -> Value:
    return op.value


def _where(build: Builder, op: Op) -> Value:
    """What PyTorch makes of softplus: the argument itself where that is above 20."""
    test, x, y = (op.at(index) for index in range(3))
    asked, made = build.nodes.get(test.node), build.nodes.get(y.node)
    fine = asked and made and asked.op == "greater" and asked.attrs["than"] >= SOFTPLUS_IS_LINEAR
    if not (fine and made and asked and made.attrs.get("kind") == "softplus"
            and asked.inputs == made.inputs == (x.node,)):  # fmt: skip
        return choice(build, op)
    return y


HANDLERS: dict[str, Callable[[Builder, Op], Tensor]] = {
    "Abs": _activation("abs"),
    "Add": sum_of(1.0),
    "AveragePool": _pool("mean_pool"),
    "BatchNormalization": _batch_norm,
    "Cast": _nothing,
    "Celu": _elu("celu"),
    "Clip": _clip,
    "Concat": _concat,
    "Conv": _conv,
    "Cos": _activation("cos"),
    "Div": div,
    "Dropout": _nothing,
    "Elu": _elu("elu"),
    "Erf": _activation("erf"),
    "Exp": _activation("exp"),
    "Flatten": _flatten,
    "Gelu": _gelu,
    "Gemm": _gemm,
    "GlobalAveragePool": _global_mean,
    "Greater": greater,
    "HardSigmoid": _hard_sigmoid,
    "HardSwish": _activation("hard_swish"),
    "Identity": _nothing,
    "LeakyRelu": lambda build, op: build.activation(
        op.name, op.value, "leaky", op.attrs.get("alpha", 0.01)
    ),
    "Log": lambda build, op: build.logarithm(op.name, op.value),
    "MatMul": _matmul,
    "MaxPool": _pool("max_pool"),
    "Max": extreme("max"),
    "Mish": _activation("mish"),
    "Min": extreme("min"),
    "Mul": mul,
    "Neg": _negative,
    "PRelu": _prelu,
    "Pad": _pad,
    "Pow": _power,
    "ReduceMean": _reduce_mean,
    "Relu": _activation("relu"),
    "Reshape": _reshape,
    "Resize": _resize,
    "Selu": _selu,
    "Shape": _shape,
    "Sigmoid": _activation("sigmoid"),
    "Sin": _activation("sin"),
    "Softmax": _softmax,
    "Softplus": _activation("softplus"),
    "Softsign": _activation("softsign"),
    "Sqrt": _activation("sqrt"),
    "Squeeze": _squeeze,
    "Sub": sum_of(-1.0),
    "Sum": sum_of(1.0),
    "Tanh": _activation("tanh"),
    "Transpose": _transpose,
    "Unsqueeze": _unsqueeze,
    "Upsample": _resize,
    "Where": _where,
}
