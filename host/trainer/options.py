"""Every knob of a training, with its unit; three presets.

Nothing here needs TensorFlow, so pages and commands may read it at once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Literal, get_args

from ..errors import UserError
from ..i18n import N_
from .backbone import Backbone, backbone, check_size

Fit = Literal["crop", "letterbox"]
FITS: tuple[Fit, ...] = get_args(Fit)


@dataclass(frozen=True, slots=True)
class Augmentation:
    """How far a training view may lie from its picture; every draw is random up to the limit.

    The limits are those of a camera on a desk: it stands a little nearer or farther, a little
    turned, in other light. Mirrored views are off because arrows, letters and digits exist.
    """

    zoom_in: float = 1.35
    """Largest magnification (1 is off)."""
    zoom_out: float = 1.15
    """Largest reduction; what is then missing at the border is mirrored (1 is off)."""
    stretch: float = 1.08
    """Largest ratio by which width and height are scaled differently (1 is off)."""
    shift: float = 0.08
    """Largest shift as a part of the side (0 is off)."""
    rotate: float = 12.0
    """Largest turn to either side in degrees (0 is off)."""
    flip_horizontal: bool = False
    """Mirror half of the views left to right."""
    flip_vertical: bool = False
    """Mirror half of the views upside down."""
    brightness: float = 0.3
    """Largest change of exposure as a part (0.3: from 1/1.3 to 1.3 times; 0 is off)."""
    contrast: float = 0.25
    """Largest change of contrast about the middle grey, as a part (0 is off)."""
    gamma: float = 0.25
    """Largest change of the tone curve's exponent, as a part (0 is off)."""
    white_balance: float = 0.12
    """Largest change of red and blue against green, as a part (0 is off)."""
    blur: float = 1.2
    """Largest Gaussian blur in pixels (standard deviation), in half of the views (0 is off)."""
    noise: float = 8.0
    """Largest standard deviation of the sensor noise in levels of 0..255 (0 is off)."""
    jpeg: int = 60
    """Lowest JPEG quality, in half of the views (100 is off)."""

    def check(self) -> None:
        """Check that every limit makes sense.

        Raises:
            UserError: `train_option_invalid`.
        """
        check_ranges(self, KNOB_RANGES, PART)


PART = (0, 1)
KNOB_RANGES: dict[str, tuple[float, float]] = {
    **dict.fromkeys(("zoom_in", "zoom_out"), (1, 2)),
    "stretch": (1, 1.5),
    "shift": (0, 0.3),
    "rotate": (0, 180),
    "blur": (0, 10),
    "noise": (0, 64),
    "jpeg": (1, 100),
}
"""Least and largest value of the knobs that are no `PART`."""


@dataclass(frozen=True, slots=True)
class TrainOptions:
    """All settings of a training. The defaults are the preset `balanced`."""

    size: tuple[int, int] = (224, 224)
    """Input width and height in pixels (multiples of 32, 128x128 to 320x224)."""
    fit: Fit = "crop"
    """How a picture is brought to the input size."""
    backbone: str = "mobilenet_1.0_cut12"
    """A name of `backbone.BACKBONES`."""
    seed: int = 0
    """Equal seeds give equal weights on the same machine."""
    augmentation: Augmentation = field(default_factory=Augmentation)
    """Limits of the random changes of training views."""
    views: int = 12
    """Views per training picture; the first is the unchanged picture."""
    views_total: int = 12_000
    """Most views of all pictures together: many pictures need fewer views of each."""
    cache_mib: int = 2048
    """Room on disk for cached features in MiB; it too limits the views, never the pictures."""
    head_epochs: int = 40
    """Passes over all views while only the head is trained."""
    head_rate: float = 3e-3
    """Learning rate of the head at the start (AdamW, cosine to zero)."""
    tune_blocks: int = 6
    """How many of the last blocks are trained in the second stage (0: none)."""
    tune_epochs: int = 16
    """Passes over the training pictures in the second stage, each with other views."""
    tune_total: int = 24_000
    """Most pictures shown in the second stage: many pictures need fewer passes (at least 3)."""
    tune_rate: float = 4e-4
    """Highest learning rate of the second stage (AdamW, one epoch up, cosine to zero)."""
    batch: int = 32
    """Pictures per step of the second stage."""
    weight_decay: float = 1e-2
    """AdamW's decay of kernels; batch normalisation and biases do not decay."""
    dropout: float = 0.2
    """Part of the features that is dropped before the head while training."""
    label_smoothing: float = 0.1
    """Part of each label that is spread over all classes."""
    mixup: float = 0.1
    """Parameter of the beta distribution by which two pictures' features are mixed (0: off)."""
    average: float = 0.95
    """Momentum per step of the average of the weights that is judged and kept (0: off)."""
    patience: int = 8
    """Epochs of the second stage without a better validation before it stops."""

    def network(self) -> Backbone:
        """Return the chosen network."""
        return backbone(self.backbone)

    def blocks_tuned(self) -> int:
        """Return how many of the last blocks the second stage trains; two always stay frozen."""
        return max(0, min(self.tune_blocks, self.network().cut - 2))

    def check(self) -> None:
        """Check what a person may have set.

        Raises:
            UserError: `input_size_impossible`, `backbone_unknown`, `train_option_invalid`.
        """
        check_size(self.size)
        self.network()
        check_choice("fit", self.fit, FITS)
        check_ranges(self, RANGES)
        self.augmentation.check()

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {**asdict(self), "size": list(self.size)}


MOST = 10**9
"""What has this as its largest value has none that makes sense."""

RANGES: dict[str, tuple[float, float]] = {
    **dict.fromkeys(("views", "views_total", "cache_mib", "head_epochs", "patience"), (1, MOST)),
    **dict.fromkeys(("tune_epochs", "tune_total"), (1, MOST)),
    **dict.fromkeys(("seed", "tune_blocks", "tune_rate", "head_rate", "mixup"), (0, MOST)),
    **dict.fromkeys(("average", "dropout", "label_smoothing"), (0, 0.9999)),
    "weight_decay": (0, MOST),
    "batch": (2, 1024),
}
"""Least and largest value of the numbers."""

PRESETS: dict[str, dict[str, Any]] = {
    "fast": {"views": 6, "head_epochs": 30, "tune_blocks": 4, "tune_epochs": 8},
    "balanced": {},
    "best": {"views": 24, "views_total": 40_000, "head_epochs": 60, "tune_blocks": 8,
             "tune_epochs": 36, "tune_total": 80_000, "patience": 16},
}  # fmt: skip
"""What each preset changes in the defaults."""


def options_for(preset: str = "balanced", **overrides: Any) -> TrainOptions:
    """Return the options of a preset with some changed.

    An override is a field of `TrainOptions` or of `Augmentation`; `size` may be one number.

    Raises:
        UserError: `preset_unknown`, or what `TrainOptions.check` raises.
    """
    if preset not in PRESETS:
        raise UserError("preset_unknown", preset, known=", ".join(PRESETS))
    return from_dict({**PRESETS[preset], **overrides})


def from_dict(values: Mapping[str, Any]) -> TrainOptions:
    """Return options from plain values, as `as_dict` gives them; missing ones are defaults.

    Raises:
        UserError: `train_option_invalid` (also for unknown names), or as `TrainOptions.check`.
    """
    values, knobs = split_knobs(values, Augmentation)
    values["size"] = input_size(values.get("size", TrainOptions().size))
    options = TrainOptions(
        **typed(TrainOptions(), values), augmentation=Augmentation(**typed(Augmentation(), knobs))
    )
    options.check()
    return options


def check_ranges(
    settings: Any,
    ranges: Mapping[str, tuple[float, float]],
    others: tuple[float, float] | None = None,
) -> None:
    """Check the fields of a data class; those that `ranges` does not name against `others`.

    Raises:
        UserError: `train_option_invalid`.
    """
    for each in fields(settings):
        least, most = ranges.get(each.name) or others or (None, None)
        value = getattr(settings, each.name)
        if least is not None and most is not None and not least <= value <= most:
            raise invalid(each.name, value, range_text(least, most))


def check_choice(name: str, value: Any, known: Sequence[Any]) -> None:
    """Check a setting that is one of a few.

    Raises:
        UserError: `train_option_invalid`.
    """
    if value not in known:
        raise invalid(name, value, ", ".join(map(str, known)))


def invalid(name: str, value: Any, needed: str) -> UserError:
    """Return the error of a setting; `needed` may be a text of ours (marked with N_)."""
    return UserError("train_option_invalid", name, value=str(value)[:80], needed=needed)


def range_text(least: float, most: float) -> str:
    """Return a range as people read it in any language."""
    return f"{least:g} … {most:g}" if most < MOST else f"≥ {least:g}"


def split_knobs(values: Mapping[str, Any], kind: type) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the settings, and those of the augmentation: nested, or named among the others."""
    values = dict(values)
    given: Any = values.pop("augmentation", None) or {}
    knobs = asdict(given) if isinstance(given, kind) else dict(given)
    for name in {each.name for each in fields(kind)} & values.keys():
        knobs[name] = values.pop(name)
    return values, knobs


def input_size(size: Any) -> tuple[int, int]:
    """Return width and height of a pair, or of one number for both.

    Raises:
        UserError: `train_option_invalid`.
    """
    pair = (size, size) if isinstance(size, int) else tuple(size)
    if len(pair) != 2 or not all(isinstance(side, int) for side in pair):
        raise invalid("size", size, "224, 320x240 ...")
    return pair


def typed(defaults: Any, values: Mapping[str, Any]) -> dict[str, Any]:
    """Return `values`, all known to the data class of `defaults` and of the same kind there.

    Raises:
        UserError: `train_option_invalid`.
    """
    known = {each.name for each in fields(defaults)}
    for name, value in values.items():
        if name not in known:
            raise UserError("train_option_unknown", name)
        default = getattr(defaults, name)
        kinds = (int, float) if isinstance(default, float) else type(default)
        wrong = isinstance(value, bool) is not isinstance(default, bool)
        if wrong or not isinstance(value, kinds):
            raise invalid(name, value, KINDS[type(default)])
    return dict(values)


KINDS: dict[type, str] = {
    bool: "true, false",
    int: N_("a whole number"),
    float: N_("a number"),
    str: N_("a name"),
    tuple: "224, 320x240 ...",
}
"""What the values of a setting are, by the kind of its default."""
