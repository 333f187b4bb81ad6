"""Writes docs/pictures/detect-<board>.png: the screens of a whole run of collect_detect.py.

Run by hand from the project's folder: `PYTHONPATH=tests/board python -m make_detect_pictures`.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from hands import Hands
from PIL import Image, ImageDraw, ImageFilter

from host.deploy.board import render
from host.emulator import board as virtual

DOCS = Path(__file__).resolve().parents[2] / "docs/pictures"
CARD = {"classes.txt": b"# name: kitchen\nmug\napple\n"}
GAP = 6
MUG = (1390, 1650, 1700, 1390)  # ms of the holds: left, top, right, bottom
APPLE = (2000, 1890, 1280, 1370)


def scene() -> Image.Image:
    """Return a drawn kitchen table with a mug and an apple, 320 x 240."""
    big = Image.new("RGB", (1280, 960), (196, 206, 200))
    draw = ImageDraw.Draw(big)
    for x in range(0, 1280, 160):
        draw.line((x, 0, x, 640), fill=(180, 192, 188), width=6)
    for y in range(0, 640, 160):
        draw.line((0, y, 1280, y), fill=(180, 192, 188), width=6)
    draw.rectangle((0, 600, 1280, 960), fill=(150, 108, 72))
    for y in range(620, 960, 48):
        draw.line((0, y, 1280, y + 10), fill=(136, 96, 62), width=8)
    draw.ellipse((360, 690, 700, 770), fill=(112, 80, 52))
    draw.ellipse((720, 720, 960, 780), fill=(112, 80, 52))
    draw.ellipse((590, 440, 740, 640), outline=(40, 84, 150), width=34)
    draw.rounded_rectangle((380, 380, 640, 740), 46, fill=(48, 98, 172))
    draw.ellipse((380, 350, 640, 430), fill=(70, 126, 200))
    draw.ellipse((404, 364, 616, 416), fill=(60, 38, 26))
    draw.ellipse((730, 540, 940, 750), fill=(196, 40, 44))
    draw.ellipse((770, 570, 830, 630), fill=(226, 96, 92))
    draw.line((836, 552, 850, 500), fill=(84, 60, 36), width=12)
    draw.ellipse((850, 496, 916, 532), fill=(84, 140, 60))
    return big.filter(ImageFilter.GaussianBlur(3)).resize((320, 240))


def one_key(pins: dict[str, int]) -> Hands:
    """Draw a box round the mug with one key, add one round the apple, save both."""
    hands = Hands(pins).tap()
    for ms in MUG:
        hands.hold(ms).tap()
    hands.tap(2).hold(900)
    for ms in APPLE:
        hands.hold(ms).tap()
    return hands.hold(400).tap().hold(1000)


def more_keys(pins: dict[str, int], inwards: Sequence[str]) -> Hands:
    """Do the same with keys of their own for the two directions."""
    hands = Hands(pins).tap()
    for role, ms in zip(inwards, MUG, strict=True):
        hands.hold(ms, role).tap()
    hands.tap(2).hold(900)
    for role, ms in zip(inwards, APPLE, strict=True):
        hands.hold(ms, role).tap()
    hands.hold(400, "next" if "back" in pins else "enter")
    return hands.tap().hold(1000)


def touch_run(board: virtual.Board) -> list[tuple[int, int | None, int | None]]:
    """Take a picture and drag two boxes with a finger."""
    top = (board.panel[1] - 224) // 2
    now, touches = 1500, []
    drags = (
        [(100, 100)],
        [(46, 78), (80, 130), (136, 178)],
        [(132, 115), (160, 150), (188, 180)],
    )
    for points in drags:
        for x, y in points:
            touches.append((now, x + 16, y + top))
            now += 200
        touches.append((now, None, None))
        now += 600
    for row in (4, 2):  # CLASS, SAVE: buttons from the bottom upwards
        touches += [
            (now, board.panel[0] - 40, board.panel[1] - 40 * row + 20),
            (now + 100, None, None),
        ]
        now += 900
    return touches


RUNS = {
    "bit": (virtual.BIT, one_key({"enter": 16})),
    "cube": (
        virtual.CUBE,
        more_keys({"enter": 10, "back": 11, "next": 16}, ("next", "next", "back", "back")),
    ),
    "amigo": (
        virtual.AMIGO_TFT,
        more_keys({"enter": 23, "back": 31, "next": 20}, ("next", "next", "back", "back")),
    ),
    "m5stickv": (virtual.M5STICKV, more_keys({"enter": 36, "next": 37}, ("enter",) * 4)),
}


def moments(result: virtual.Result, times: Sequence[int]) -> list[virtual.Frame]:
    """Return what the person saw just before each of these moments, without repeats, and last."""
    seen = [[frame for frame in result.frames if frame.ms <= ms][-1] for ms in times]
    return list({id(frame): frame for frame in [*seen, result.last]}.values())


def montage(frames: Sequence[virtual.Frame], columns: int = 4) -> Image.Image:
    """Return the screens side by side."""
    width, height = frames[0].image.size
    rows = (len(frames) + columns - 1) // columns
    sheet = Image.new(
        "RGB", (columns * (width + GAP) - GAP, rows * (height + GAP) - GAP), (90, 96, 104)
    )
    for number, frame in enumerate(frames):
        at = number % columns * (width + GAP), number // columns * (height + GAP)
        sheet.paste(frame.image, at)
    return sheet


def main() -> None:
    """Write one sheet a board."""
    script = render("collect_detect", {})
    for name, (board, hands) in RUNS.items():
        result = virtual.run(
            script, card=CARD, board=board, keys=hands.keys, until_ms=hands.now + 700,
            camera=[scene()],
        )  # fmt: skip
        save(name, result, [ms for ms, _, level in hands.keys if level == 0])
    for name, board in (("touch", virtual.AMIGO_TFT),):
        touches = touch_run(board)
        result = virtual.run(
            script, card=CARD, board=board, touches=touches, until_ms=touches[-1][0] + 900,
            camera=[scene()], build="maixpy",
        )  # fmt: skip
        save(name, result, [ms - 60 for ms, x, _ in touches if x is None])


def save(name: str, result: virtual.Result, times: Sequence[int]) -> None:
    """Write the sheet of one run and say what is in it."""
    frames = moments(result, times)
    sheet = montage(frames, 3 if frames[0].image.width > 320 else 4)
    path = DOCS / f"detect-{name}.png"
    sheet.quantize(256).save(path, optimize=True)
    sys.stdout.write(f"{path.name}: {len(frames)} screens, {path.stat().st_size >> 10} KiB\n")


if __name__ == "__main__":
    main()
