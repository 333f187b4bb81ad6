"""Render the sample set for detection: nuts, screws and washers scattered on a table.

    python -m samples.scatter --out samples/sample_boxes --seed 1

The layout is that of a card from the collector of boxes: `maixforge/<name>/images/<n>.jpg`, `xml/`
and `labels.txt`. Nobody drew the boxes: which pixels show which part is known, so each box is the
smallest one around what is seen of its part. Needs numpy and Pillow only.
"""

from __future__ import annotations

import argparse
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from pathlib import Path

import numpy as np

from board.kit.voc import voc_xml

from .camera import View, expose, look_up, shade
from .parts import PARTS, coin, metal, place, plastic, stick
from .render import CLASSES, MAP_SIZE, RENDER_SIZE, SIZE, WIDTH, light, sensor, uneven
from .surfaces import World, table

NAME = "scattered"
PICTURES = 84
MOST_PARTS = 7
EMPTY_ODDS = 0.06
"""Part of the pictures that show no part at all, only the table and perhaps clutter."""
LEAST_PIXELS = 120
"""Of the rendered picture (300x300) that a part must show to get its box: no more is seen of one
that lies beyond the edge."""

Object = tuple[str, int, int, int, int]
"""Label, xmin, ymin, xmax, ymax as Pascal VOC counts them: from 1, the last one included."""


def _spots(rng: np.random.Generator, count: int) -> list[tuple[float, float, float]]:
    """Return places (x, y) in the view and the size of what lies there, none over another."""
    spots: list[tuple[float, float, float]] = []
    for _ in range(40 * count):
        scale = WIDTH * rng.uniform(0.055, 0.13)
        x, y = MAP_SIZE / 2 + WIDTH * rng.uniform(-0.43, 0.43, 2)
        apart = (np.hypot(x - a, y - b) > 1.15 * (scale + size) for a, b, size in spots)
        if len(spots) < count and all(apart):
            spots.append((float(x), float(y), float(scale)))
    return spots


def _scatter(rng: np.random.Generator, world: World) -> tuple[list[str], np.ndarray]:
    """Lay parts and clutter on the table.

    Returns:
        The parts' labels, and a map of what lies where: parts from 1, the table 0, clutter -1.
    """
    owners = np.zeros(world.height.shape, np.int16)
    count = 0 if rng.random() < EMPTY_ODDS else int(rng.integers(2, MOST_PARTS + 1))
    clutter = int(rng.choice(3, p=[0.6, 0.3, 0.1]))
    labels: list[str] = []
    for number, (x, y, scale) in enumerate(_spots(rng, count + clutter)):
        before = world.height.copy()
        if number < count:
            labels.append(str(rng.choice(CLASSES)))
            make, material, owner = PARTS[labels[-1]], metal(rng), len(labels)
        else:
            is_coin = rng.random() < 0.3
            make, material = (coin, metal(rng)) if is_coin else (stick, plastic(rng))
            owner = -1
        place(rng, world, make, (x, y), scale, material=material, second=plastic(rng))
        owners[world.height != before] = owner
    return labels, owners


def boxes_of(labels: list[str], shown: np.ndarray) -> list[Object]:
    """Return the box around the pixels of each part, in pixels of the finished picture.

    `shown` (300, 300) says which part each pixel of the rendered picture shows, from 1.
    """
    found: list[Object] = []
    unit = SIZE / RENDER_SIZE
    for owner, label in enumerate(labels, 1):
        rows, columns = np.nonzero(shown == owner)
        if len(rows) >= LEAST_PIXELS:
            left, top = (int(part.min() * unit) + 1 for part in (columns, rows))
            right, bottom = (int(np.ceil((part.max() + 1) * unit)) for part in (columns, rows))
            found.append((label, left, top, right, bottom))
    return found


def picture(number: int, seed: int) -> tuple[bytes, list[Object]]:
    """Return picture `number` (from 1) as JPEG bytes, 224x224, and the boxes of its parts."""
    rng = np.random.default_rng([seed, len(CLASSES), number])
    world = table(rng, MAP_SIZE)
    labels, owners = _scatter(rng, world)
    tilt, turn = min(abs(rng.normal(0, 0.25)), 0.6), rng.uniform(0, 2 * np.pi)
    view = View((MAP_SIZE / 2, MAP_SIZE / 2), WIDTH, tilt, turn)
    scene = shade(world, view, light(rng), RENDER_SIZE) * uneven(rng)
    trouble = str(rng.choice(["", "dark", "bright", "blurred"], p=[0.88, 0.04, 0.04, 0.04]))
    camera = sensor(rng, trouble, float(np.median(scene)))
    stream = BytesIO()
    expose(rng, scene, camera, SIZE).save(stream, "JPEG", quality=int(rng.integers(60, 86)))
    return stream.getvalue(), boxes_of(labels, look_up(world, view, RENDER_SIZE, owners))


def render(folder: Path, seed: int = 1, pictures: int = PICTURES, name: str = NAME) -> Path:
    """Write a card's dump below `folder` and return `folder/maixforge/<name>`.

    Every picture has its own random numbers, so a set with fewer holds the same first ones.
    """
    root = folder / "maixforge" / name
    for part in ("images", "xml"):
        (root / part).mkdir(parents=True, exist_ok=True)
    (root / "labels.txt").write_text("".join(f"{label}\n" for label in CLASSES), "ascii")
    numbers = range(1, pictures + 1)
    with ThreadPoolExecutor() as pool:
        drawn = pool.map(lambda number: picture(number, seed), numbers)
        for number, (data, objects) in zip(numbers, drawn, strict=True):
            (root / "images" / f"{number}.jpg").write_bytes(data)
            text = voc_xml(f"{number}.jpg", SIZE, SIZE, objects)
            (root / "xml" / f"{number}.xml").write_text(text, "ascii")
    return root


def main() -> None:
    """Read the command line and render."""
    parser = argparse.ArgumentParser(description="Render the sample set for detection.")
    parser.add_argument("--out", type=Path, required=True, help="folder for the dump")
    parser.add_argument("--seed", type=int, default=1, help="1: the samples; other: a test set")
    parser.add_argument("--pictures", type=int, default=PICTURES)
    chosen = parser.parse_args()
    print(render(chosen.out, chosen.seed, chosen.pictures))


if __name__ == "__main__":
    main()
