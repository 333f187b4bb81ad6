"""What can be chosen for a job: presets, fits, backbones and firmware, as the rooms know them."""

from __future__ import annotations

from dataclasses import dataclass

from ..deploy import firmware
from ..trainer.backbone import BACKBONES
from ..trainer.detect_options import STRIDES
from ..trainer.options import PRESETS, TrainOptions

FITS = {"classify": ("crop", "letterbox"), "detect": ("letterbox", "crop")}
"""How pictures can be brought to the input size, what is usual for the task first."""
DETECT_SIZES = ((224, 224), (240, 240), (320, 240))
"""Input width and height of a detector; the last is the camera's whole picture."""
CLASSIFY_SIDES = (224, 192, 160, 128)
"""Input sides of a classifier; smaller ones are faster."""
WIDE = 0.5
"""Networks of more than this width do not fit into the KPU's memory at 320x240."""
DEFAULT_BACKBONE = TrainOptions().backbone
SHIPPED_WIDTH = 1.0
"""Weights of this width are part of MaixForge; others are fetched once over the network."""


@dataclass(frozen=True, slots=True)
class BackboneChoice:
    """One network. `width` multiplies its channels, `cut` is the last of its 13 blocks kept."""

    name: str
    width: float
    cut: int
    shipped: bool


def presets() -> list[str]:
    """Return the names of the presets, the quickest first."""
    return list(PRESETS)


def strides() -> list[int]:
    """Return how many input pixels a cell of a detector's grid may have, the usual first."""
    return sorted(STRIDES, reverse=True)


def backbones() -> list[BackboneChoice]:
    """Return the networks, the standard one first."""
    found = [
        BackboneChoice(name, one.width, one.cut, one.width == SHIPPED_WIDTH)
        for name, one in BACKBONES.items()
    ]
    return sorted(found, key=lambda one: (one.name != DEFAULT_BACKBONE, -one.width, -one.cut))


def firmwares() -> list[tuple[str, str]]:
    """Return id and name of every known MaixPy build, the default one first."""
    return [(one.id, one.name) for one in firmware.known()]
