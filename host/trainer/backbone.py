"""MobileNetV1 as the K210 can run it: symmetric padding, ReLU6, cut after a chosen block.

The KPU computes stride 2 with one pixel of padding on every side. TensorFlow's SAME (and Keras'
own MobileNet) pads the right and the bottom only, which the KPU would have to do in software,
so every stride-2 layer here is `ZeroPadding2D(1)` and "valid". Layer names are Keras' own, so
that both the shipped weights and Keras' files find their layers.
"""

from __future__ import annotations

import hashlib
import os
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import UserError

if TYPE_CHECKING:
    import keras

WEIGHTS_FOLDER = Path(__file__).parent / "weights"
SHIPPED = WEIGHTS_FOLDER / "mobilenet_v1_1.0_cut12.npz"

BLOCKS = (
    (64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2),
    (512, 1), (512, 1), (512, 1), (512, 1), (512, 1), (1024, 2), (1024, 1),
)  # fmt: skip
"""(output channels at width 1.0, stride) of blocks 1 to 13 (arXiv:1704.04861, table 1)."""

SCALE, OFFSET = 1 / 127.5, -1.0
"""Pixels 0..255 become -1..1, as in Google's training of MobileNetV1."""

STEP = 32
SMALLEST = 128
LARGEST = (320, 240)
"""Input sizes in pixels: a multiple of 32, at least 128 (the last map is then 4x4, the KPU's
smallest) and at most what the KPU takes (nncase 0.2 FAQ: 320x240)."""

KERAS_FILES = {
    0.25: (
        "mobilenet_2_5_224_tf_no_top.h5",
        "30d7dcbd91daa46f7f88ac52a1b1527a8d61c796c5e861c781675fa0e27f3fe1",
    ),
    0.5: ("mobilenet_5_0_224_tf_no_top.h5", None),
    0.75: (
        "mobilenet_7_5_224_tf_no_top.h5",
        "18f83b209b444c87f900cd1b36500951d2d436f043fc8105e72b44347cdfd731",
    ),
}
"""Keras' files of ImageNet weights by width, with sha256 where one is known."""

KERAS_URL = "https://storage.googleapis.com/tensorflow/keras-applications/mobilenet/"


@dataclass(frozen=True, slots=True)
class Backbone:
    """A choice of network: `width` multiplies the channels, `cut` is the last block kept."""

    width: float = 1.0
    cut: int = 12

    @property
    def name(self) -> str:
        """The name in settings and reports, e.g. `mobilenet_1.0_cut12`."""
        return f"mobilenet_{self.width}_cut{self.cut}"

    def channels(self, block: int) -> int:
        """Return the output channels of a block (0 is the first convolution)."""
        return int((BLOCKS[block - 1][0] if block else 32) * self.width)

    def stride(self) -> int:
        """Return input pixels per pixel of the last map: 16 or 32."""
        return 2 * int(np.prod([stride for _, stride in BLOCKS[: self.cut]]))


BACKBONES = {
    choice.name: choice
    for choice in (
        *(Backbone(1.0, cut) for cut in (12, 11, 8, 6)),
        *(Backbone(width, cut) for width in (0.75, 0.5, 0.25) for cut in (13, 12, 11, 8, 6)),
    )
}
"""Every network that can be trained; the first is the default, 1.0 needs no download."""


def backbone(name: str) -> Backbone:
    """Return the network of that name.

    Raises:
        UserError: `backbone_unknown`.
    """
    if name not in BACKBONES:
        raise UserError("backbone_unknown", name, known=", ".join(BACKBONES))
    return BACKBONES[name]


def check_size(size: tuple[int, int]) -> None:
    """Check an input size (width, height) in pixels.

    Raises:
        UserError: `input_size_impossible`.
    """
    fits = all(
        SMALLEST <= side <= largest and side % STEP == 0
        for side, largest in zip(size, LARGEST, strict=True)
    )
    if not fits:
        raise UserError("input_size_impossible", width=size[0], height=size[1])


def build(
    choice: Backbone, size: tuple[int, int], classes: int, dropout: float = 0.2
) -> keras.Model:
    """Return the classifier with random weights: pixels 0..255 in, probabilities out.

    Input (n, height, width, 3) float32 RGB with values 0..255, output (n, classes). One flat
    functional model of InputLayer, Rescaling, ZeroPadding2D, Conv2D, DepthwiseConv2D,
    BatchNormalization, ReLU, GlobalAveragePooling2D, Dropout, Dense and Softmax.

    Raises:
        UserError: `input_size_impossible`.
    """
    import keras  # noqa: PLC0415

    check_size(size)
    pixels, x = trunk(choice, size)
    x = keras.layers.GlobalAveragePooling2D(name="pool")(x)
    x = keras.layers.Dropout(dropout, name="dropout")(x)
    x = keras.layers.Dense(classes, name="logits")(x)
    x = keras.layers.Softmax(name="probabilities")(x)
    return keras.Model(pixels, x, name=choice.name.replace(".", "_"))


def trunk(choice: Backbone, size: tuple[int, int], stride: int = 32) -> tuple[Any, Any]:
    """Return the input, float32 (n, height, width, 3) with values 0..255, and the last map.

    With `stride` 16 blocks 12 and 13 keep the size of their maps.
    """
    import keras  # noqa: PLC0415

    pixels = keras.Input((size[1], size[0], 3), name="pixels")
    x = keras.layers.Rescaling(SCALE, offset=OFFSET, name="rescaling")(pixels)
    x = convolution(x, "conv1", choice.channels(0), stride=2)
    reached = 2
    for block in range(1, choice.cut + 1):
        step = min(BLOCKS[block - 1][1], stride // reached)
        reached *= step
        x = convolution(x, f"conv_dw_{block}", None, stride=step)
        x = convolution(x, f"conv_pw_{block}", choice.channels(block), kernel=1)
    return pixels, x


def convolution(
    x: Any,
    name: str,
    filters: int | None,
    kernel: int = 3,
    stride: int = 1,
    momentum: float = 0.99,
) -> Any:
    """Add convolution (depthwise when `filters` is None), batch normalisation and ReLU6.

    Stride 2 keeps pixels 0, 2, 4... as the KPU does; of an odd side that is the half rounded
    down, so nothing is padded after it. `momentum` is that of the batch statistics.
    """
    from keras import layers  # noqa: PLC0415

    padding = "same"
    if stride == 2:
        after = [1 - side % 2 for side in x.shape[1:3]]
        x = layers.ZeroPadding2D(((1, after[0]), (1, after[1])), name=f"{name}_pad")(x)
        padding = "valid"
    if filters is None:
        x = layers.DepthwiseConv2D(kernel, stride, padding, use_bias=False, name=name)(x)
    else:
        x = layers.Conv2D(filters, kernel, stride, padding, use_bias=False, name=name)(x)
    x = layers.BatchNormalization(momentum=momentum, epsilon=1e-3, name=f"{name}_bn")(x)
    return layers.ReLU(6.0, name=f"{name}_relu")(x)


def load_imagenet(model: keras.Model, choice: Backbone) -> None:
    """Give `model` (of `build`) its ImageNet weights; the head keeps its own.

    Raises:
        UserError: `weights_missing` or `weights_damaged`.
    """
    weights = shipped_weights() if choice.width == 1.0 else keras_weights(choice.width)
    set_weights(model, weights)


def set_weights(model: keras.Model, weights: dict[str, np.ndarray]) -> None:
    """Set every convolution and batch normalisation of `model` from `<layer>.<variable>`."""
    for layer in model.layers:
        if not layer.name.startswith("conv"):
            continue
        for variable in layer.weights:
            variable.assign(weights[f"{layer.name}.{variable.name}"].astype(np.float32))


def shipped_weights(path: Path = SHIPPED) -> dict[str, np.ndarray]:
    """Return the float16 weights that come with MaixForge (width 1.0, blocks 1 to 12).

    Raises:
        UserError: `weights_missing` or `weights_damaged`.
    """
    if not path.is_file():
        raise UserError("weights_missing", path.name, folder=str(path.parent))
    try:
        with np.load(path, allow_pickle=False) as archive:
            return {name: archive[name] for name in archive.files}
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise UserError("weights_damaged", path.name, folder=str(path.parent)) from error


def keras_weights(width: float) -> dict[str, np.ndarray]:
    """Return Keras' ImageNet weights for `width` from its cache, or download them into it.

    The cache is `$KERAS_HOME/models`, by default `~/.keras/models`.

    Raises:
        UserError: `weights_missing` (not in the cache and no way to download it) or
            `weights_damaged`.
    """
    import keras  # noqa: PLC0415

    name, sha256 = KERAS_FILES[width]
    home = Path(os.environ.get("KERAS_HOME", Path.home() / ".keras"))
    path = home / "models" / name
    if not path.is_file():
        try:
            path = Path(keras.utils.get_file(name, KERAS_URL + name, cache_dir=str(home),
                                             cache_subdir="models", file_hash=sha256))  # fmt: skip
        except Exception as error:  # urllib, ssl, proxies and keras raise many kinds here
            raise UserError("weights_missing", name, folder=str(home / "models")) from error
    if sha256 and hashlib.sha256(path.read_bytes()).hexdigest() != sha256:
        raise UserError("weights_damaged", name, folder=str(path.parent))
    return _read_keras_file(path, width)


def _read_keras_file(path: Path, width: float) -> dict[str, np.ndarray]:
    import keras  # noqa: PLC0415

    try:
        original = keras.applications.MobileNet(
            (224, 224, 3), alpha=width, include_top=False, weights=str(path)
        )
    except (OSError, ValueError, KeyError) as error:
        raise UserError("weights_damaged", path.name, folder=str(path.parent)) from error
    return {
        f"{layer.name}.{variable.name}": variable.value.numpy()
        for layer in original.layers
        for variable in layer.weights
    }
