"""A strict virtual K210 board with stock MaixPy v1, on real MicroPython.

`run(script, card={...}, kpu="card")` runs a board script as boot.py would run and returns what the
board showed, printed and left on its card. See `Scenario` for everything that can be set up.
"""

from ..boards import (
    AMIGO,
    AMIGO_IPS,
    AMIGO_TFT,
    BIT,
    BOARDS,
    BUILDS,
    CUBE,
    DOCK,
    GO,
    M5STICKV,
    MAIXDUINO,
    Board,
)
from .fat import FAT32_BYTES, Contents, FatError
from .fat import read as read_card
from .result import Frame, Result, Text, Write
from .scenario import BoardError, Scenario, available, fake_kmodel, run

__all__ = [
    "AMIGO",
    "AMIGO_IPS",
    "AMIGO_TFT",
    "BIT",
    "BOARDS",
    "BUILDS",
    "CUBE",
    "DOCK",
    "FAT32_BYTES",
    "GO",
    "M5STICKV",
    "MAIXDUINO",
    "Board",
    "BoardError",
    "Contents",
    "FatError",
    "Frame",
    "Result",
    "Scenario",
    "Text",
    "Write",
    "available",
    "fake_kmodel",
    "read_card",
    "run",
]
