"""A strict virtual K210 board with stock MaixPy v1, on real MicroPython.

`run(script, card={...}, kpu=[...])` runs a board script as boot.py would run and returns what the
board showed, printed and left on its card. See `Scenario` for everything that can be set up.
"""

from .scenario import (
    AMIGO,
    BIT,
    CUBE,
    M5STICKV,
    Board,
    BoardError,
    Frame,
    Result,
    Scenario,
    Text,
    fake_kmodel,
    run,
)

__all__ = [
    "AMIGO",
    "BIT",
    "CUBE",
    "M5STICKV",
    "Board",
    "BoardError",
    "Frame",
    "Result",
    "Scenario",
    "Text",
    "fake_kmodel",
    "run",
]
