"""What the tests of collect_classify.py share: keys of the boards, a card, how a run is read."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
from hands import Hands
from PIL import Image

from host.emulator import board as virtual

PINS = {
    "bit": {"enter": 16},
    "dock": {"enter": 16},
    "go": {"enter": 16},
    "maixduino": {"enter": 16},
    "cube": {"enter": 10, "back": 11, "next": 16},
    "amigo_tft": {"enter": 23, "back": 31, "next": 20},
    "amigo_ips": {"enter": 23, "back": 31, "next": 20},
    "m5stickv": {"enter": 36, "next": 37},
}
ONE = PINS["bit"]
CARD = {"classes.txt": b"# name: pets\ncat\ndog\nguinea pig\n"}
HOME = "maixforge/pets/"
LONG, LONGER = 1000, 2200


def collect(script: bytes, hands: Hands | None = None, **setup: Any) -> virtual.Result:
    """Run a collector until the hands are done."""
    if hands:
        setup = {"keys": hands.keys, "until_ms": hands.now + 400, **setup}
    return virtual.run(script, **{"card": CARD, **setup})


def pictures(result: virtual.Result) -> list[str]:
    return sorted(name.removeprefix(HOME) for name in result.files if name.endswith(".jpg"))


def saved(result: virtual.Result) -> list[str]:
    """Return what the serial port says was saved, below the data set's folder."""
    home = "/sd/" + HOME
    return [line["saved"].removeprefix(home) for line in result.json_lines() if "saved" in line]


def noise(seed: int = 0, size: tuple[int, int] = (320, 240)) -> Image.Image:
    """Return a picture without any pattern, always the same for a seed."""
    small = np.random.default_rng(seed).integers(0, 256, (size[1] // 2, size[0] // 2), np.uint8)
    return Image.fromarray(small).convert("RGB").resize(size)


def jpeg() -> bytes:
    """Return a picture as another program might have left it on the card."""
    buffer = io.BytesIO()
    noise(99, (224, 224)).save(buffer, "JPEG")
    return buffer.getvalue()
