"""Render the sample data set: nuts, screws and washers as a board's camera might see them.

    python -m samples.render --out samples/sample_dump --seed 1

The layout is that of a card from the collect scripts: `maixforge/<name>/<class>/<n>.jpg`.
Every picture has its own random numbers, drawn from the seed, its class and its number, so a
data set with fewer pictures holds the same first ones. Needs numpy and Pillow only.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from pathlib import Path

import numpy as np

from .camera import Light, Sensor, View, expose, shade
from .noise import Field, smooth_noise, smoothstep, vector
from .parts import PARTS, coin, metal, place, plastic, stick
from .surfaces import World, table

CLASSES = tuple(PARTS)
NAME = "fasteners"
SIZE = 224
RENDER_SIZE = 300
MAP_SIZE = 560
WIDTH = 400.0
"""What the camera sees of the map, in its pixels."""

TROUBLES = ("", "dark", "bright", "cut_off", "covered", "look_alike", "blurred", "tiny")
"""What can make a picture hard; "" is most common."""
TROUBLE_ODDS = (0.73, 0.04, 0.03, 0.05, 0.04, 0.05, 0.04, 0.02)


def light(rng: np.random.Generator) -> Light:
    """Return a lamp or a window, low or high, warm or cold."""
    warmth = rng.uniform(-1, 1)
    tint = vector(1 + 0.22 * warmth, 1.0, 1 - 0.28 * warmth)
    power = rng.uniform(0.5, 1.6)
    return Light(
        azimuth=rng.uniform(0, 2 * np.pi),
        elevation=rng.uniform(0.45, 1.25),
        colour=tint * power,
        ambient=vector(0.95, 1.0, 1.06) * rng.uniform(0.25, 0.8),
        softness=rng.uniform(0.03, 0.35),
    )


def uneven(rng: np.random.Generator) -> Field:
    """Return what a lamp nearby and somebody's shadow do to the light across the picture."""
    fall = 1 + rng.uniform(0, 0.35) * smooth_noise(rng, RENDER_SIZE, (2, 2))
    if rng.random() < 0.3:
        edge = smooth_noise(rng, RENDER_SIZE, (2, 3)) + rng.uniform(-0.3, 0.3)
        fall *= 1 - rng.uniform(0.3, 0.65) * smoothstep(-0.1, rng.uniform(0.0, 0.3), edge)
    return np.clip(fall, 0.1, 2)[..., None]


def sensor(rng: np.random.Generator, trouble: str, brightness: float) -> Sensor:
    """Return a camera that meters the scene, more or less well."""
    target = {"dark": rng.uniform(0.025, 0.05), "bright": rng.uniform(0.75, 1.1)}
    exposure = target.get(trouble, rng.uniform(0.12, 0.38)) / max(brightness, 0.01)
    low_light = trouble == "dark" or rng.random() < 0.25
    turn, blurred = rng.uniform(0, 2 * np.pi), trouble == "blurred"
    shake = rng.uniform(5, 11) if blurred and rng.random() < 0.6 else rng.uniform(0, 2.2)
    tint = rng.normal(0, 0.07, 2)
    return Sensor(
        exposure=exposure,
        white_balance=(float(1 + tint[0]), 1.0, float(1 + tint[1])),
        vignette=rng.uniform(0.1, 0.75),
        defocus=rng.uniform(1.8, 3.2) if blurred and shake < 5 else rng.uniform(0.2, 0.9),
        motion=(float(shake * np.cos(turn)), float(shake * np.sin(turn))),
        shot_noise=rng.uniform(0.04, 0.1) if low_light else rng.uniform(0.01, 0.045),
        read_noise=rng.uniform(0.006, 0.016) if low_light else rng.uniform(0.001, 0.005),
        sharpen=rng.uniform(0.0, 0.7),
        contrast=rng.uniform(0.85, 1.15),
    )


def around(rng: np.random.Generator, centre: float, distance: float) -> tuple[float, float]:
    """Return a point at a distance from (centre, centre), in any direction."""
    turn = rng.uniform(0, 2 * np.pi)
    return centre + distance * np.cos(turn), centre + distance * np.sin(turn)


def _clutter(
    rng: np.random.Generator, world: World, label: str, trouble: str, scale: float
) -> None:
    """Lay things beside or over the part."""
    middle = world.size / 2
    if trouble == "look_alike":
        other = PARTS[str(rng.choice([name for name in PARTS if name != label]))]
        spot, size = around(rng, middle, scale * rng.uniform(1.7, 2.3)), rng.uniform(0.5, 0.8)
        place(rng, world, other, spot, scale * size, material=metal(rng))
    elif rng.random() < 0.25:
        make, material = (coin, metal) if rng.random() < 0.3 else (stick, plastic)
        spot, size = around(rng, middle, scale * rng.uniform(2.0, 2.6)), rng.uniform(0.6, 1.2)
        place(rng, world, make, spot, scale * size, material=material(rng))
    if trouble == "covered":
        spot, size = around(rng, middle, scale * rng.uniform(0.45, 0.85)), rng.uniform(0.7, 1.1)
        place(rng, world, _raised_stick, spot, scale * size, material=plastic(rng))


def _raised_stick(rng: np.random.Generator, x: Field, y: Field) -> tuple[Field, Field]:
    """A stick that lies over the part, not beside it."""
    height, accent = stick(rng, x, y)
    return np.where(height > 0, height + 0.7, 0).astype(np.float32), accent


def _view(rng: np.random.Generator, middle: float, trouble: str) -> View:
    """Frame the part: near the middle, or half out of the picture."""
    away = rng.uniform(0.32, 0.44) if trouble == "cut_off" else rng.uniform(0, 0.15)
    tilt = min(abs(rng.normal(0, 0.32)), 0.3 if trouble == "cut_off" else 0.85)
    return View(around(rng, middle, away * WIDTH), WIDTH, tilt, rng.uniform(0, 2 * np.pi))


def picture(label: str, number: int, seed: int) -> bytes:
    """Return picture `number` (from 1) of the class `label` as JPEG bytes, 224x224."""
    rng = np.random.default_rng([seed, CLASSES.index(label), number])
    trouble = str(rng.choice(TROUBLES, p=TROUBLE_ODDS))
    world = table(rng, MAP_SIZE)
    share = rng.uniform(0.16, 0.22) if trouble == "tiny" else rng.uniform(0.34, 0.8)
    scale = share * WIDTH / 2.2
    middle = MAP_SIZE / 2
    place(
        rng, world, PARTS[label], (middle, middle), scale, material=metal(rng), second=plastic(rng)
    )
    _clutter(rng, world, label, trouble, scale)
    view, lamp = _view(rng, middle, trouble), light(rng)
    scene = shade(world, view, lamp, RENDER_SIZE) * uneven(rng)
    camera = sensor(rng, trouble, float(np.median(scene)))
    stream = BytesIO()
    expose(rng, scene, camera, SIZE).save(stream, "JPEG", quality=int(rng.integers(60, 91)))
    return stream.getvalue()


def render(
    folder: Path,
    seed: int = 1,
    per_class: int = 60,
    classes: Sequence[str] = CLASSES,
    name: str = NAME,
) -> Path:
    """Write a card's dump below `folder` and return `folder/maixforge/<name>`.

    Another seed gives other pictures of the same kind: a held-back test set.
    """
    root = folder / "maixforge" / name
    wanted = [(label, number) for label in classes for number in range(1, per_class + 1)]
    for label in classes:
        (root / label).mkdir(parents=True, exist_ok=True)
    with ThreadPoolExecutor() as pool:
        drawn = pool.map(lambda which: picture(which[0], which[1], seed), wanted)
        for (label, number), data in zip(wanted, drawn, strict=True):
            (root / label / f"{number}.jpg").write_bytes(data)
    return root


def main() -> None:
    """Read the command line and render."""
    parser = argparse.ArgumentParser(description="Render the sample data set.")
    parser.add_argument("--out", type=Path, required=True, help="folder for the dump")
    parser.add_argument("--seed", type=int, default=1, help="1: the samples; other: a test set")
    parser.add_argument("--per-class", type=int, default=60)
    chosen = parser.parse_args()
    print(render(chosen.out, chosen.seed, chosen.per_class))


if __name__ == "__main__":
    main()
