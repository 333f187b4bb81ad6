"""The network as the compiler sees it: named operations, read from a Keras model.

Only duck typing is used (`layers`, `get_config`, `get_weights`), so TensorFlow is not imported.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from ..errors import UserError
from .activation import NAMES


@dataclass(frozen=True, slots=True)
class Node:
    """One operation.

    `op` is one of: affine, pad, conv, depthwise, batch_norm, activation, max_pool, mean_pool,
    global_mean, dense, softmax, add, concat, resize, flatten. `attrs` hold its numbers, `arrays`
    its float32 weights: conv (kh, kw, in, out), depthwise (kh, kw, channels, 1), dense (in, out),
    bias (out,), batch_norm scale and shift (channels,). `inputs` names the nodes that it reads,
    "" is the picture; empty means the node before it (the picture for the first one).
    """

    name: str
    op: str
    attrs: dict[str, Any] = field(default_factory=dict)
    arrays: dict[str, np.ndarray] = field(default_factory=dict)
    inputs: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Graph:
    """Operations on one picture, in order; `input_shape` is height, width, channels."""

    nodes: tuple[Node, ...]
    input_shape: tuple[int, int, int]


def from_keras(model: Any) -> Graph:
    """Read a Keras model with one picture as its input.

    Args:
        model: a built Keras `Model` or `Sequential` whose input holds pixel values 0..255
            (a first `Rescaling` layer tells what the network makes of them).

    Raises:
        UserError: `kmodel_operation_unsupported`, naming the layer and what to use instead.
    """
    nodes: list[Node] = []
    names: dict[str, str] = {}  # of a layer: the node that gives its result
    for layer in model.layers:
        kind = type(layer).__name__
        if kind not in _READERS:
            raise _unsupported(layer.name, kind)
        sources = [names[source] for source in _sources(layer, names)]
        made = _READERS[kind](layer.name, layer.get_config(), layer.get_weights())
        if not made:  # it changes nothing: its readers read what it reads
            names[layer.name] = sources[0] if sources else ""
            continue
        if sources != [nodes[-1].name if nodes else ""]:
            made[0] = replace(made[0], inputs=tuple(sources))
        nodes += made
        names[layer.name] = layer.name
    _, height, width, channels = model.input_shape
    return Graph(tuple(nodes), (height, width, channels))


def _sources(layer: Any, before: dict[str, str]) -> list[str]:
    """Return the names of the layers whose results `layer` reads."""
    if type(layer).__name__ == "InputLayer":
        return []
    if not before:  # a Sequential does not list its input
        before[""] = ""
        return [""]
    inputs = layer.input if isinstance(layer.input, list | tuple) else [layer.input]
    found = [tensor._keras_history.operation.name for tensor in inputs]
    # Inside a Sequential the first layer's input has a name of its own.
    return [name if name in before else next(iter(before)) for name in found]


def _unsupported(name: str, found: str, needed: str = "") -> UserError:
    return UserError(
        "kmodel_operation_unsupported",
        name,
        found=found,
        needed=needed or ", ".join(sorted(_READERS)),
    )


def _activation(name: str, kind: str | None) -> list[Node]:
    if kind in (None, "linear"):
        return []
    if kind == "softmax":
        return [Node(name, "softmax")]
    if kind == "leaky_relu":
        return [Node(name, "activation", {"kind": "leaky", "slope": 0.2})]
    if kind not in NAMES:
        raise _unsupported(name, f"activation {kind}", ", ".join(sorted({*NAMES, "softmax"})))
    return [Node(name, "activation", {"kind": kind})]


def _nothing(name: str, config: dict[str, Any], weights: list[np.ndarray]) -> list[Node]:
    return []


def _rescaling(name: str, config: dict[str, Any], weights: list[np.ndarray]) -> list[Node]:
    scale, offset = config["scale"], config["offset"]
    if np.ndim(scale) or np.ndim(offset):
        raise _unsupported(name, "Rescaling by channel", "one scale and one offset")
    return [Node(name, "affine", {"scale": float(scale), "offset": float(offset)})]


def _zero_padding(name: str, config: dict[str, Any], weights: list[np.ndarray]) -> list[Node]:
    (top, bottom), (left, right) = config["padding"]
    if {top, bottom, left, right} != {1}:
        raise _unsupported(name, f"padding {config['padding']}", "padding ((1, 1), (1, 1))")
    return [Node(name, "pad")]


def _conv(name: str, config: dict[str, Any], weights: list[np.ndarray]) -> list[Node]:
    """Conv2D and DepthwiseConv2D."""
    depthwise = "depth_multiplier" in config
    kernel, strides = tuple(config["kernel_size"]), tuple(config["strides"])
    if kernel not in ((1, 1), (3, 3)) or strides not in ((1, 1), (2, 2)):
        raise _unsupported(name, f"kernel {kernel} stride {strides}", "1x1 or 3x3, stride 1 or 2")
    if config.get("groups", 1) != 1 or config.get("depth_multiplier", 1) != 1:
        raise _unsupported(name, "grouped convolution", "ordinary or depthwise convolution")
    if tuple(config.get("dilation_rate", (1, 1))) != (1, 1):
        raise _unsupported(name, "dilation", "no dilation")
    outputs = weights[0].shape[2] if depthwise else weights[0].shape[3]
    bias = weights[1] if config["use_bias"] else np.zeros(outputs, np.float32)
    attrs = {"kernel": kernel[0], "stride": strides[0], "padding": config["padding"]}
    node = Node(name, "depthwise" if depthwise else "conv", attrs, {"w": weights[0], "b": bias})
    return [node, *_activation(name, config["activation"])]


def _batch_norm(name: str, config: dict[str, Any], weights: list[np.ndarray]) -> list[Node]:
    rest = list(weights)
    gamma = rest.pop(0) if config["scale"] else np.ones_like(rest[-1])
    beta = rest.pop(0) if config["center"] else np.zeros_like(rest[-1])
    mean, variance = rest
    scale = gamma / np.sqrt(variance + config["epsilon"])
    arrays = {"scale": scale, "shift": beta - mean * scale}
    return [Node(name, "batch_norm", {}, arrays)]


def _relu(name: str, config: dict[str, Any], weights: list[np.ndarray]) -> list[Node]:
    top, slope = config.get("max_value"), config.get("negative_slope") or 0.0
    if config.get("threshold"):
        raise _unsupported(name, "a ReLU with a threshold", "a threshold of 0")
    if slope:
        if top is not None:
            raise _unsupported(name, "a leaky ReLU with a maximum", "no maximum")
        return [Node(name, "activation", {"kind": "leaky", "slope": float(slope)})]
    if top not in (None, 6.0):
        return [Node(name, "activation", {"kind": "relu_max", "slope": float(top)})]
    return [Node(name, "activation", {"kind": "relu6" if top else "relu"})]


def _elu(name: str, config: dict[str, Any], weights: list[np.ndarray]) -> list[Node]:
    return [Node(name, "activation", {"kind": "elu", "slope": float(config["alpha"])})]


def _pool(op: str) -> Callable[..., list[Node]]:
    def read(name: str, config: dict[str, Any], weights: list[np.ndarray]) -> list[Node]:
        window, strides = tuple(config["pool_size"]), tuple(config["strides"])
        if window != strides or window not in ((2, 2), (4, 4)):
            raise _unsupported(name, f"pool {window} stride {strides}", "2x2 or 4x4, same stride")
        return [Node(name, op, {"window": window[0], "padding": config["padding"]})]

    return read


def _global_mean(name: str, config: dict[str, Any], weights: list[np.ndarray]) -> list[Node]:
    return [Node(name, "global_mean")]


def _dense(name: str, config: dict[str, Any], weights: list[np.ndarray]) -> list[Node]:
    bias = weights[1] if config["use_bias"] else np.zeros(weights[0].shape[1], np.float32)
    node = Node(name, "dense", {}, {"w": weights[0], "b": bias})
    return [node, *_activation(name, config["activation"])]


def _join(op: str) -> Callable[..., list[Node]]:
    def read(name: str, config: dict[str, Any], weights: list[np.ndarray]) -> list[Node]:
        if config.get("axis", -1) not in (-1, 3):
            raise _unsupported(name, f"{op} along axis {config['axis']}", "the last axis")
        return [Node(name, op)]

    return read


def _resize(name: str, config: dict[str, Any], weights: list[np.ndarray]) -> list[Node]:
    if config["interpolation"] != "nearest":
        raise _unsupported(name, f"{config['interpolation']} interpolation", "nearest")
    rows, columns = config["size"]
    return [Node(name, "resize", {"scale": (int(rows), int(columns))})]


def _flatten(name: str, config: dict[str, Any], weights: list[np.ndarray]) -> list[Node]:
    return [Node(name, "flatten")]


def _activation_layer(name: str, config: dict[str, Any], weights: list[np.ndarray]) -> list[Node]:
    return _activation(name, config["activation"])


def _softmax(name: str, config: dict[str, Any], weights: list[np.ndarray]) -> list[Node]:
    return [Node(name, "softmax")]


_READERS: dict[str, Callable[[str, dict[str, Any], list[np.ndarray]], list[Node]]] = {
    "InputLayer": _nothing,
    "Dropout": _nothing,
    "SpatialDropout2D": _nothing,
    "Rescaling": _rescaling,
    "ZeroPadding2D": _zero_padding,
    "Conv2D": _conv,
    "DepthwiseConv2D": _conv,
    "BatchNormalization": _batch_norm,
    "ReLU": _relu,
    "LeakyReLU": _relu,
    "ELU": _elu,
    "Activation": _activation_layer,
    "MaxPooling2D": _pool("max_pool"),
    "AveragePooling2D": _pool("mean_pool"),
    "GlobalAveragePooling2D": _global_mean,
    "Add": _join("add"),
    "Concatenate": _join("concat"),
    "UpSampling2D": _resize,
    "Flatten": _flatten,
    "Dense": _dense,
    "Softmax": _softmax,
}
