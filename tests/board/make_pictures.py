"""Draw the pictures of docs/collecting.md: the screens of a whole collecting run on every board.

    python tests/board/make_pictures.py [folder]

Writes collect-<board>.png to docs/pictures (or the folder). The camera sees our own rendered
samples; the same project files give the same bytes.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from collecting import PINS
from hands import Hands
from PIL import Image

from host.deploy.board import render
from host.emulator import board as virtual

PROJECT = Path(__file__).resolve().parents[2]
SAMPLES = PROJECT / "samples/sample_dump/maixforge/fasteners"
CARD = {"classes.txt": b"# name: fasteners\nnut\nscrew\nwasher\n"}
SHOWN = (("nut", 3, 20), ("nut", 4, 18), ("nut", 1, 30), ("screw", 5, 1))
"""Class and number of a sample, and for how many camera pictures it lies there."""
PAPER, GAP = (214, 218, 224), 8
BOARDS = ("bit", "cube", "amigo_ips", "m5stickv")
"""One board of each screen; Dock, Go and Maixduino look as the Bit, both Amigos alike."""


@dataclass
class Story:
    """What the hands do, and when the screen is worth a picture."""

    hands: Hands
    moments: list[int] = field(default_factory=list)

    def look(self, ago: int = 0) -> None:
        """Keep the screen as it is now, or as it was `ago` ms ago."""
        self.moments.append(self.hands.now - ago)


def scene(label: str, number: int) -> Image.Image:
    """Return a camera frame of 320 x 240 with a sample in its middle."""
    picture = np.asarray(Image.open(SAMPLES / label / f"{number}.jpg").convert("RGB"))
    return Image.fromarray(np.pad(picture, ((8, 8), (48, 48), (0, 0)), mode="reflect"))


def story(pins: dict[str, int]) -> Story:
    """Return a run of two classes, the menu and the end, for a board with these keys."""
    one = len(pins) == 1
    told = Story(Hands(pins, 1300))
    hands = told.hands
    told.look()
    hands.tap()
    told.look()
    hands.wait(900).tap(2).wait(700)
    told.look()
    if one:
        hands.hold(1100)
        told.look(400)
    else:
        hands.tap(1, "next")
    hands.wait(150)
    told.look()
    hands.wait(900).tap()
    told.look()
    hands.hold(2200, "enter" if one else "next").tap(2, "enter" if one else "next")
    told.look()
    hands.hold(1000 if one else 100).wait(200)
    told.look()
    hands.hold(1000 if one else 100).wait(300)
    hands.hold(2200, "enter" if one else "next").tap(5, "enter" if one else "next")
    hands.hold(1000 if one else 100).wait(300)
    told.look()
    return told


def montage(frames: list[Image.Image]) -> Image.Image:
    """Return the screens side by side, in rows of three or four."""
    width, height = frames[0].size
    columns = 4 if len(frames) == 8 else 3
    rows = -(-len(frames) // columns)
    size = columns * (width + GAP) + GAP, rows * (height + GAP) + GAP
    sheet = Image.new("RGB", size, PAPER)
    for number, frame in enumerate(frames):
        row, column = divmod(number, columns)
        sheet.paste(frame, (GAP + column * (width + GAP), GAP + row * (height + GAP)))
    return sheet


def main() -> None:
    """Write a picture for every kind of screen."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else PROJECT / "docs/pictures"
    folder.mkdir(parents=True, exist_ok=True)
    camera = [scene(label, number) for label, number, times in SHOWN for _ in range(times)]
    script = render("collect_classify", {})
    for name in BOARDS:
        told = story(PINS[name])
        until = told.hands.now + 200
        setup = {"board": virtual.BOARDS[name], "keys": told.hands.keys, "until_ms": until}
        result = virtual.run(script, card=CARD, camera=camera, **setup)
        frames = [
            [frame for frame in result.frames if frame.ms <= moment][-1].image
            for moment in told.moments
        ]
        path = folder / f"collect-{name}.png"
        montage(frames).quantize(160).save(path, optimize=True)
        print(path.name, path.stat().st_size)


if __name__ == "__main__":
    main()
