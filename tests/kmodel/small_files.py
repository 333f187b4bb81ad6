"""Small kmodels made by hand: every layer type, and one whole classifier."""

from dataclasses import replace

import numpy as np
from random_layers import random_layer

from host.kmodel import CpuLayer, Kmodel
from host.kmodel.v3 import _BODIES, LayerType


def cpu(kind, table=None, **values):
    """A CPU layer; fields that are not named are 0."""
    names = _BODIES[kind][0].split()
    assert values.keys() <= set(names)
    return CpuLayer(kind, dict.fromkeys(names, 0) | {"flags": 1} | values, table)


def classifier(seed=0):
    """Two convolutions, then dequantize, global mean, dense and softmax; 8x8 pixels, 3 classes."""
    rng = np.random.default_rng(seed)
    first = random_layer(rng, (3, 8, 8), 5, flags=0, activation="leaky")
    second = random_layer(rng, (5, 8, 8), 4, source=0, target=16384, activation="relu", kernel=1)
    weights = rng.normal(size=4 * 3 + 3).astype("<f4")
    scores = {"input": 16, "channels": 3}
    layers = (
        first,
        replace(second, main_output=0),
        cpu(LayerType.DEQUANTIZE, input=0, output=256, count=256, scale=0.02, bias=-0.6),
        cpu(LayerType.GLOBAL_AVERAGE_POOL2D, input=256, output=0, kernel_size=64, channels=4),
        cpu(LayerType.FULLY_CONNECTED, weights, input=0, output=16, in_channels=4, out_channels=3),
        cpu(LayerType.SOFTMAX, output=32, **scores),
    )
    return Kmodel(layers, ((32, 12),), 256 + 1024)


READS_FLOATS = {
    LayerType.ADD,
    LayerType.GLOBAL_AVERAGE_POOL2D,
    LayerType.AVERAGE_POOL2D,
    LayerType.QUANTIZE,
    LayerType.L2_NORMALIZATION,
    LayerType.SOFTMAX,
    LayerType.LOGISTIC,
    LayerType.CONCAT,
    LayerType.FULLY_CONNECTED,
    LayerType.TENSORFLOW_FLATTEN,
    LayerType.RESIZE_NEAREST_NEIGHBOR,
}


def one_of_each():
    """A file with every layer type: a convolution leaves 256 bytes, then 64 floats of them, and
    each other layer reads the start of one of these and writes to a place of its own."""
    plane = {"width": 4, "height": 3, "channels": 2}
    resize = {"in_w": 2, "in_h": 2, "out_w": 4, "out_h": 6, "channels": 2}
    pools = dict.fromkeys(["kernel_w", "kernel_h", "stride_w", "stride_h", "out_w", "out_h"], 2)
    pools |= {"in_w": 4, "in_h": 4, "in_c": 3, "out_c": 3}
    parts = np.array([[0, 8], [16, 4]], "<u4")
    floats = parts + np.array([256, 0], "<u4")
    tables = {
        LayerType.REQUANTIZE: np.arange(256, dtype=np.uint8)[::-1],
        LayerType.CONCAT: floats,
        LayerType.QUANTIZED_CONCAT: parts,
        LayerType.FULLY_CONNECTED: np.arange(8, dtype="<f4"),
        LayerType.CHANNELWISE_DEQUANTIZE: np.array([[0.5, -1], [2, 3], [1, 0]], "<f4"),
    }
    fields = {
        LayerType.ADD: {"count": 5},
        LayerType.QUANTIZED_ADD: {"count": 5, "a_offset": -3, "out_shift": 7},
        LayerType.GLOBAL_AVERAGE_POOL2D: {"kernel_size": 6, "channels": 2},
        LayerType.QUANTIZED_MAX_POOL2D: pools,
        LayerType.AVERAGE_POOL2D: pools,
        LayerType.QUANTIZE: {"count": 5, "scale": 0.5, "bias": 1.0},
        LayerType.DEQUANTIZE: {"count": 64, "scale": 0.5, "bias": 1.0},
        LayerType.REQUANTIZE: {"count": 5},
        LayerType.CONCAT: {"inputs": 2},
        LayerType.QUANTIZED_CONCAT: {"inputs": 2},
        LayerType.FULLY_CONNECTED: {"in_channels": 3, "out_channels": 2, "activation": 1},
        LayerType.TENSORFLOW_FLATTEN: plane,
        LayerType.QUANTIZED_TENSORFLOW_FLATTEN: plane,
        LayerType.K210_UPLOAD: plane,
        LayerType.RESIZE_NEAREST_NEIGHBOR: resize,
        LayerType.QUANTIZED_RESIZE_NEAREST_NEIGHBOR: resize,
        LayerType.CHANNELWISE_DEQUANTIZE: {"channels": 3, "channel_size": 2},
    }
    layers = [random_layer(np.random.default_rng(1), (3, 8, 8), 4)]
    kinds = [kind for kind in LayerType if kind is not LayerType.K210_CONV]
    kinds.sort(key=lambda kind: kind is not LayerType.DEQUANTIZE)
    for number, kind in enumerate(kinds):
        values = fields.get(kind, {"channels": 3})
        source = 256 if kind in READS_FLOATS else 0
        names = set(_BODIES[kind][0].split())
        values = values | dict.fromkeys(names & {"input", "a", "b"}, source)
        if "output" in names:
            values["output"] = 256 + 256 * number
        layers.append(cpu(kind, tables.get(kind), **values))
    return Kmodel(tuple(layers), ((0, 20), (64, 8)), 8192, max_start_line=77)
