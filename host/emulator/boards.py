"""The boards that can be run: screens, config.json, cameras and the firmware usually on them.

Sources: MaixPy-v1_scripts/board/config_maix_*.py, MaixPy-v1/projects/maixpy_*/builtin_py and
wiki.sipeed.com. A Bit as it is sold has no config.json.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

MINIMUM = "minimum_with_ide_support"
BUILDS = (
    "maixpy",
    "with_lvgl",
    "minimum",
    MINIMUM,
    "minimum_with_kmodel_v4_support",
    "openmv_kmodel_v4_with_ide_support",
    "minimum_speech_with_ide_support",
    "amigo",
    "amigo_minimum",
    "m5stickv",
)
"""Builds of MaixPy whose modules the virtual board knows."""


@dataclass(frozen=True)
class Board:
    """One kind of board.

    panel: width and height of the screen as the firmware's default rotation has it.
    config: its config.json; `in_config` says that it has the "lcd" entry. lcd_keywords: what
    lcd.init() needs where it has not. cameras: in the order in which sensor.reset() looks.
    """

    name: str
    panel: tuple[int, int]
    config: Mapping[str, Any] = field(default_factory=dict)
    in_config: bool = False
    lcd_keywords: Mapping[str, int] = field(default_factory=dict)
    cameras: tuple[str, ...] = ("ov2640",)
    build: str = MINIMUM


def _config(kind: str, **keys: int) -> dict[str, Any]:
    return {"type": kind, "board_info": keys}


_AMIGO_KEYS = {"BOOT_KEY": 23, "ENTER": 23, "BACK": 31, "NEXT": 20}
_CUBE_KEYS = {"BOOT_KEY": 16, "ENTER": 10, "BACK": 11, "NEXT": 16}

BIT = Board("bit", (320, 240))
DOCK = Board("dock", (320, 240), _config("dock", BOOT_KEY=16), cameras=("gc0328",))
GO = Board("go", (320, 240), _config("Go", BOOT_KEY=16))
MAIXDUINO = Board("maixduino", (320, 240), _config("duino", BOOT_KEY=16), cameras=("gc0328",))
CUBE = Board(
    "cube",
    (240, 240),
    _config("cube", **_CUBE_KEYS),
    in_config=True,
    lcd_keywords={"invert": 1},
    cameras=("ov7740",),
)
AMIGO_TFT = Board(
    "amigo_tft",
    (480, 320),
    _config("amigo", **_AMIGO_KEYS),
    in_config=True,
    lcd_keywords={"lcd_type": 1},
    cameras=("ov7740", "gc0328"),
    build="amigo",
)
AMIGO_IPS = Board(
    "amigo_ips",
    (480, 320),
    _config("amigo_ips", **_AMIGO_KEYS),
    in_config=True,
    lcd_keywords={"lcd_type": 2},
    cameras=("ov7740", "gc0328"),
    build="amigo",
)
AMIGO = AMIGO_TFT
M5STICKV = Board("m5stickv", (240, 135), cameras=("ov7740",), build="m5stickv")
BOARDS = {one.name: one for one in (BIT, DOCK, GO, MAIXDUINO, CUBE, AMIGO_TFT, AMIGO_IPS, M5STICKV)}
