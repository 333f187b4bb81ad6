"""Every knob of a detector's training, with its unit; three presets.

Nothing here needs TensorFlow, so pages and commands may read it at once.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from ..errors import UserError
from .backbone import LARGEST, SMALLEST, Backbone, backbone
from .options import (
    FITS,
    MOST,
    PART,
    Fit,
    check_choice,
    check_ranges,
    input_size,
    split_knobs,
    typed,
)

STEP = 16
"""Width and height of the input are multiples of this (240 is not one of 32)."""

STRIDES = (16, 32)
"""Input pixels per cell of the grid of predictions."""


@dataclass(frozen=True, slots=True)
class DetectAugmentation:
    """How far a training view may lie from its picture; every draw is random up to the limit."""

    zoom: float = 1.6
    """Largest magnification and reduction (1 is off)."""
    stretch: float = 1.2
    """Largest factor of width against height (1 is off)."""
    shift: float = 0.1
    """How far a picture may leave the view, as a part of its side."""
    flip_horizontal: bool = True
    """Mirror half of the views left to right; off where objects differ by it, as arrows do."""
    flip_vertical: bool = False
    """Mirror half of the views upside down."""
    mosaic: float = 0.5
    """Part of the batches whose views are put together from four pictures (0 is off)."""
    brightness: float = 0.35
    """Largest change of exposure as a part (0.3: from 1/1.3 to 1.3 times; 0 is off)."""
    contrast: float = 0.28
    """Largest change of contrast about the middle grey, as a part (0 is off)."""
    gamma: float = 0.28
    """Largest change of the tone curve's exponent, as a part (0 is off)."""
    saturation: float = 0.5
    """Largest change of saturation, as a part (0 is off)."""
    white_balance: float = 0.1
    """Largest change of red and blue against green, as a part (0 is off)."""

    def check(self) -> None:
        """Check that every limit makes sense.

        Raises:
            UserError: `train_option_invalid`.
        """
        check_ranges(self, KNOB_RANGES, PART)


KNOB_RANGES: dict[str, tuple[float, float]] = {
    "zoom": (1, 2),
    "stretch": (1, 1.5),
    "shift": (0, 0.3),
}
"""Least and largest value of the knobs that are no `PART`."""


@dataclass(frozen=True, slots=True)
class DetectOptions:
    """All settings of a detector's training. The defaults are the preset `balanced`."""

    size: tuple[int, int] = (224, 224)
    """Input width and height in pixels (multiples of 16, 128x128 to 320x240)."""
    fit: Fit = "letterbox"
    """How a picture is brought to the input size."""
    backbone: str = "mobilenet_1.0_cut12"
    """A name of `backbone.BACKBONES`."""
    stride: int = 32
    """Input pixels per cell of the grid: 32, or 16 for objects smaller than about 40 pixels."""
    neck: int = 256
    """Channels between backbone and predictions."""
    seed: int = 0
    """Equal seeds give equal weights on the same machine."""
    augmentation: DetectAugmentation = field(default_factory=DetectAugmentation)
    """Limits of the random changes of training views."""
    head_epochs: int = 6
    """Passes over the training pictures while the backbone is frozen."""
    head_rate: float = 2e-3
    """Highest learning rate of that stage (AdamW, warm-up, cosine)."""
    tune_from: int = 4
    """First block of the backbone that the second stage trains; 0 is all of it."""
    tune_epochs: int = 44
    """Passes over the training pictures in the second stage (0: none)."""
    tune_total: int = 20_000
    """Most pictures shown in the second stage: many pictures need fewer passes (at least 5)."""
    tune_rate: float = 1e-3
    """Highest learning rate of the second stage (AdamW, warm-up, cosine)."""
    batch: int = 16
    """Pictures per step."""
    epoch_least: int = 128
    """Views in an epoch, at least: few pictures are shown several times."""
    weight_decay: float = 2e-2
    """AdamW's decay of kernels; batch normalisation and biases do not decay."""
    average: float = 0.99
    """Momentum per step of the average of the weights that is judged and kept (0: off)."""
    patience: int = 20
    """Epochs of the second stage without a better validation before it stops."""
    balance: float = 4.0
    """Pictures with rare labels are shown up to so many times as often (1: off)."""
    plain_epochs: float = 0.15
    """Last part of the second stage without mosaic, with pictures as they will be seen."""
    box_weight: float = 2.0
    """Weight of the boxes' loss; those of objectness and labels are 1."""
    value_limit: float = 6.0
    """Raw values beyond this cost: all share one byte range in the kmodel (0: off)."""

    def network(self) -> Backbone:
        """Return the chosen backbone."""
        return backbone(self.backbone)

    @property
    def grid(self) -> tuple[int, int]:
        """Rows and columns of the last map."""
        return self.size[1] // self.stride, self.size[0] // self.stride

    def check(self) -> None:
        """Check what a person may have set.

        Raises:
            UserError: `detect_size_impossible`, `detect_memory`, `backbone_unknown`,
                `train_option_invalid`.
        """
        check_size(self.size)
        check_memory(self.network(), self.size)
        check_choice("fit", self.fit, FITS)
        check_choice("stride", self.stride, STRIDES)
        check_ranges(self, RANGES)
        self.augmentation.check()

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {**asdict(self), "size": list(self.size)}


RANGES: dict[str, tuple[float, float]] = {
    "neck": (32, 512),
    "seed": (0, 2**31 - 1),
    **dict.fromkeys(("head_epochs", "tune_total", "epoch_least", "patience"), (1, MOST)),
    **dict.fromkeys(("tune_from", "tune_epochs"), (0, MOST)),
    **dict.fromkeys(("head_rate", "tune_rate", "weight_decay", "box_weight"), (0, MOST)),
    "batch": (2, 256),
    "average": (0, 0.9999),
    "balance": (1, 100),
    "plain_epochs": (0, 1),
    "value_limit": (0, 100),
}
"""Least and largest value of the numbers."""

PRESETS: dict[str, dict[str, Any]] = {
    "fast": {"head_epochs": 4, "tune_from": 6, "tune_epochs": 16, "tune_total": 8_000},
    "balanced": {},
    "best": {"head_epochs": 8, "tune_from": 2, "tune_epochs": 110, "tune_total": 60_000,
             "patience": 40},
}  # fmt: skip
"""What each preset changes in the defaults."""


def check_size(size: tuple[int, int]) -> None:
    """Check an input size (width, height) in pixels.

    Raises:
        UserError: `detect_size_impossible`.
    """
    for side, largest in zip(size, LARGEST, strict=True):
        if not SMALLEST <= side <= largest or side % STEP:
            raise UserError("detect_size_impossible", width=size[0], height=size[1])


def check_memory(network: Backbone, size: tuple[int, int]) -> None:
    """Check that what the first blocks read and write fits into the KPU's memory together.

    The largest pair of maps is around the depthwise convolution of block 2. A row of a map takes
    whole lines of 64 bytes.

    Raises:
        UserError: `detect_memory`.
    """
    row = -(-(size[0] // 2) // LINE) * LINE
    found = 2 * network.channels(1) * (size[1] // 2) * row
    if found > KPU_BYTES:
        raise UserError(
            "detect_memory",
            network.name,
            width=size[0],
            height=size[1],
            found=f"{found:,}",
            needed=f"{KPU_BYTES:,}",
        )


LINE, KPU_BYTES = 64, 2 << 20
"""The KPU's memory in bytes, and the line in which it is read."""


def detect_options_for(preset: str = "balanced", **overrides: Any) -> DetectOptions:
    """Return the options of a preset with some changed.

    An override is a field of `DetectOptions` or of `DetectAugmentation`; `size` may be one number.

    Raises:
        UserError: `preset_unknown`, or what `DetectOptions.check` raises.
    """
    if preset not in PRESETS:
        raise UserError("preset_unknown", preset, known=", ".join(PRESETS))
    return from_dict({**PRESETS[preset], **overrides})


def from_dict(values: Mapping[str, Any]) -> DetectOptions:
    """Return options from plain values, as `as_dict` gives them; missing ones are defaults.

    Raises:
        UserError: `train_option_invalid` (also for unknown names), or as `DetectOptions.check`.
    """
    values, knobs = split_knobs(values, DetectAugmentation)
    values["size"] = input_size(values.get("size", DetectOptions().size))
    options = DetectOptions(
        **typed(DetectOptions(), values),
        augmentation=DetectAugmentation(**typed(DetectAugmentation(), knobs)),
    )
    options.check()
    return options
