"""The detector: MobileNetV1, a light neck, and a linear 1x1 convolution as YOLOv2 has it.

Neck and head are 1x1, depthwise 3x3, 1x1 and 1x1: what the KPU computes fastest. A backbone whose
last map is larger than the wanted grid is halved by the neck's depthwise layer.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from . import backbone
from .anchors import COUNT
from .detect_options import DetectOptions

if TYPE_CHECKING:
    import keras

NECK = ("neck_1", "neck_2", "neck_3")
HEAD = "head"
BOX = 5
"""Values of a box before its classes: x, y, width, height, objectness."""

MOMENTUM = 0.95
"""Of the neck's batch statistics: few pictures make few steps, so they must settle quickly."""

FIRST_OBJECTNESS = -4.0
"""Where objectness begins: hardly any cell has an object (sigmoid of -4 is 0.018)."""


def build(options: DetectOptions, classes: int) -> keras.Model:
    """Return the detector with random weights: pixels 0..255 in, raw region values out.

    Input (n, height, width, 3) float32 RGB with values 0..255, output (n, rows, columns,
    5 * (5 + classes)): for each anchor x, y, width, height, objectness and classes, all linear.
    Every layer is one that the KPU runs; nothing comes after the last convolution.
    """
    import keras  # noqa: PLC0415

    choice, neck = options.network(), options.neck
    pixels, x = backbone.trunk(choice, options.size, options.stride)
    halve = 2 if choice.stride() < options.stride else 1
    x = backbone.convolution(x, NECK[0], neck, kernel=1, momentum=MOMENTUM)
    x = backbone.convolution(x, NECK[1], None, stride=halve, momentum=MOMENTUM)
    x = backbone.convolution(x, NECK[2], neck, kernel=1, momentum=MOMENTUM)
    x = keras.layers.Conv2D(COUNT * (BOX + classes), 1, name=HEAD)(x)
    name = f"detector_{choice.name}_{options.stride}".replace(".", "_")
    return keras.Model(pixels, x, name=name)


def new_model(options: DetectOptions, classes: int) -> keras.Model:
    """Return the detector as a training starts: ImageNet's backbone, no objects anywhere.

    Raises:
        UserError: `weights_missing` or `weights_damaged`.
    """
    model = build(options, classes)
    backbone.load_imagenet(model, options.network())
    kernel, bias = model.get_layer(HEAD).get_weights()
    bias = bias.reshape(COUNT, BOX + classes)
    bias[:, 4] = FIRST_OBJECTNESS
    model.get_layer(HEAD).set_weights([kernel * np.float32(0.3), bias.reshape(-1)])
    return model


def trained_layers(model: keras.Model, first_block: int | None) -> list[keras.Layer]:
    """Return the layers that are trained from a block of the backbone on.

    0 is all of the backbone, None neck and head only.
    """
    names = [layer.name for layer in model.layers]
    first = "conv1" if first_block == 0 else f"conv_dw_{first_block}"
    # A first block beyond the backbone's last one leaves neck and head.
    start = names.index(first if first_block is not None and first in names else NECK[0])
    return [layer for layer in model.layers[start:] if layer.weights]
