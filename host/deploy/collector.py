"""The collector card: the files that turn a board with an SD card into a labelling camera.

boot.py holds the settings and starts the collector, which lies beside it, compiled (collect.mpy);
where this computer cannot compile it, boot.py is the collector itself. classes.txt holds the data
set's name and the class names; README.txt says which key does what.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from ..files import write_zip
from . import compiled
from .board import render, settings
from .collector_readme import readme

Task = Literal["classify", "detect"]

SCRIPTS: dict[Task, str] = {"classify": "collect_classify", "detect": "collect_detect"}
MODULE = "collect"
"""What boot.py imports: collect.mpy."""
WANTED: dict[Task, str] = {"classify": "minimum", "detect": "boxes_wanted"}
"""The setting that says up to how many pictures or boxes of a class the screen counts."""

BOARDS: dict[str, str] = {
    "": "found by the script",
    "bit": "Maix Bit",
    "dock": "Maix Dock",
    "go": "Maix Go",
    "maixduino": "Maixduino",
    "cube": "Maix Cube",
    "amigo_tft": "Maix Amigo (TFT)",
    "amigo_ips": "Maix Amigo (IPS)",
    "m5stickv": "M5StickV",
}
"""The boards to choose from, and their names; "" is for a card that goes into several."""


@dataclass(frozen=True, slots=True)
class Collector:
    """What a collector card is made for. `name` and `classes` are checked ASCII texts; `wanted` is
    the number of pictures (classify) or boxes (detect) of each class to reach; `rotation` of the
    screen is None (as usual for the board) or 0..3; `mirror` and `flip` turn the camera's picture
    left-right and upside-down."""

    task: Task
    name: str
    classes: tuple[str, ...]
    wanted: int
    board: str = ""
    rotation: int | None = None
    mirror: bool = False
    flip: bool = False


def build(collector: Collector, out: Path) -> Path:
    """Write the zip for the card's root to `out` (whole or not at all) and return `out`.

    Equal collectors give equal bytes on computers that have mpy-cross, and on those that have not.
    """
    write_zip(out, dict(files(collector)))
    return out


def files(collector: Collector) -> dict[str, bytes]:
    """Return every file of the card by name."""
    return {
        **compiled.files(script(collector), MODULE),
        "classes.txt": classes_text(collector),
        "README.txt": readme(collector, BOARDS[collector.board]),
    }


def script(collector: Collector) -> bytes:
    """Return the collector: ASCII, self-contained, its settings as plain data."""
    values: dict[str, Any] = {
        "board": collector.board,
        "rotation": collector.rotation,
        "mirror": collector.mirror,
        "flip": collector.flip,
        WANTED[collector.task]: collector.wanted,
    }
    return render(SCRIPTS[collector.task], values)


def readable(boot: bytes, module: bytes) -> bytes:
    """Return the script that the boot.py and the collect.mpy of a card stand for.

    Raises:
        ValueError: it is not what this version of MaixForge compiles, or it cannot compile here.
        SyntaxError: boot.py is no Python.
    """
    given = compiled.settings(boot)
    for name in SCRIPTS.values():
        if settings(name).keys() == given.keys():
            text = render(name, given)
            if compiled.files(text, MODULE).get(f"{MODULE}.mpy") == module:
                return text
    raise ValueError("another version made this card")


def classes_text(collector: Collector) -> bytes:
    """Return classes.txt: the data set's name as a comment, then one class a line."""
    rows = [f"# name: {collector.name}", *collector.classes]
    return "".join(f"{row}\n" for row in rows).encode("ascii")
