"""Nuts, screws, washers and desk clutter as height fields.

Every shape takes x and y of one size in units of the part (it lies within about -1.6..1.6) and
returns its height above the table in the same unit, 0 where it is not, and a field of 0..1
that says where its second material shows.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from .noise import Field, linear, smooth_noise
from .surfaces import World

Shape = tuple[Field, Field]
Maker = Callable[[np.random.Generator, Field, Field], Shape]

REACH = 1.6
"""How far from its centre a part may reach, in units of the part."""


@dataclass(frozen=True)
class Material:
    """A surface: linear colour (3,), how metallic and how rough (0..1), how dirty (0..1)."""

    colour: Field
    metal: float
    rough: float
    dirt: float = 0.0


def _hexagon(x: Field, y: Field) -> Field:
    """Return the hexagonal distance from the centre: 1 on the flats of an inradius of 1."""
    return np.maximum(np.abs(x), np.abs(x) / 2 + np.abs(y) * np.float32(np.sqrt(3) / 2))


def nut(rng: np.random.Generator, x: Field, y: Field) -> Shape:
    """Return a hexagonal nut; some are square, flanged or have a nylon ring."""
    kind = rng.random()
    rho, r = np.hypot(x, y), 0.82
    hole, top = r * rng.uniform(0.5, 0.62), r * rng.uniform(0.55, 0.9)
    outline = _hexagon(x, y) if kind > 0.1 else np.maximum(np.abs(x), np.abs(y))
    height = top - 0.55 * np.maximum(rho - r * 0.97, 0)
    height -= 0.9 * np.maximum(hole * 1.16 - rho, 0)
    height = np.where(outline < r, height, 0)
    accent = np.zeros_like(rho)
    if kind > 0.84:  # flange
        height = np.maximum(height, np.where(rho < r * 1.4, 0.25 - 0.12 * rho, 0))
    elif kind > 0.66:  # nylon ring above the thread
        collar = np.abs(rho - hole * 1.22) < hole * 0.3
        height = np.where(collar, top * 1.12, height)
        accent = (np.abs(rho - hole * 1.12) < hole * 0.2).astype(np.float32)
    return np.where(rho < hole, 0, height), accent


def washer(rng: np.random.Generator, x: Field, y: Field) -> Shape:
    """Return a flat ring; some are wide, split like a spring or toothed."""
    kind = rng.random()
    rho, turn = np.hypot(x, y), np.arctan2(y, x)
    outer = np.full_like(rho, 1.0)
    hole = rng.uniform(0.42, 0.6)
    thick = rng.uniform(0.09, 0.17)
    if kind > 0.86:
        outer -= 0.14 * (np.sin(turn * rng.integers(9, 15)) > 0)
    elif kind > 0.7:
        hole = rng.uniform(0.22, 0.34)
    elif kind > 0.56:
        hole, thick = rng.uniform(0.6, 0.68), 0.24
    edge = np.minimum(outer - rho, rho - hole)
    height = np.where(edge > 0, thick * np.minimum(1, 0.6 + edge * 9), 0)
    if 0.56 < kind <= 0.7:
        height = np.where(np.abs(turn + 0.4 * (rho - 0.8)) < 0.1, 0, height + 0.025 * turn)
        height = np.where(edge > 0, np.maximum(height, 0), 0)
    elif kind < 0.2:  # stamped: slightly dished
        height = np.where(edge > 0, height + 0.1 * (1 - rho), 0)
    return height, np.zeros_like(rho)


def _recess(kind: int, x: Field, y: Field, r: float) -> Field:
    """Return where a driver fits: cross, slot, hexagon or six-pointed star."""
    rho = np.hypot(x, y)
    if kind == 0:
        arm = np.minimum(np.abs(x), np.abs(y)) < 0.13 * r
        return (arm & (rho < 0.62 * r)).astype(np.float32)
    if kind == 1:
        return (np.abs(y) < 0.13 * r).astype(np.float32)
    if kind == 2:
        return (_hexagon(x, y) < 0.48 * r).astype(np.float32)
    star = 0.45 + 0.08 * np.cos(6 * np.arctan2(y, x))
    return (rho < star * r).astype(np.float32)


def _driven_screw(rng: np.random.Generator, x: Field, y: Field) -> Shape:
    """Return the head of a screw seen from above, its shaft in the table."""
    rho = np.hypot(x, y)
    r, kind = 0.9, int(rng.integers(4))
    dome = rng.uniform(0.15, 0.5) * np.sqrt(np.clip(1 - (rho / r) ** 2, 0, 1))
    height = np.where(rho < r, rng.uniform(0.12, 0.3) + dome, 0)
    cut = _recess(kind, x, y, r)
    return np.maximum(height - 0.3 * cut, 0.02 * (rho < r)), cut * 0.6


def _thread(x: Field, y: Field, radius: Field, pitch: float, depth: float) -> Field:
    """Return the radius with a helix of ridges: the phase runs around with the angle."""
    around = np.arcsin(np.clip(y / np.maximum(radius, 1e-3), -1, 1)) / (2 * np.pi)
    phase = (x / pitch + around) % 1
    return radius * (1 - depth * np.abs(2 * phase - 1) ** 1.5)


def _shaft(rng: np.random.Generator, x: Field, y: Field, r: float, start: float) -> Field:
    """Return the radius of a threaded shaft along x from `start` to about 1.45."""
    end = rng.uniform(0.75, 1.45)
    tip = rng.uniform(1.5, 3.5) * r if rng.random() < 0.55 else 0.2 * r
    radius = r * np.clip((end - x) / tip, 0, 1).astype(np.float32)
    plain = rng.random() < 0.35
    ridged = _thread(x, y, radius, r * rng.uniform(0.45, 0.8), rng.uniform(0.16, 0.34))
    along = start + (0.4 if plain else 0.06) * (end - start)
    radius = np.where(x < along, radius * 0.88, ridged)
    return np.where(x > start, radius, 0)


def _head(rng: np.random.Generator, x: Field, r: float, left: float) -> tuple[Field, float]:
    """Return the radius of a round head along x, and where it ends."""
    kind, big = rng.integers(3), r * rng.uniform(1.75, 2.15)
    if kind == 0:  # countersunk
        end = left + big * 0.95
        radius = np.clip(big - (x - left - 0.08) * 1.0, 0, big)
    elif kind == 1:  # pan
        end = left + big * 0.8
        radius = big * np.sqrt(np.clip(1 - ((end - x) / (big * 0.8)) ** 2, 0, 1))
    else:  # cylinder for a hexagon key
        end = left + big * 1.15
        radius = np.full_like(x, big * 0.92)
    return np.where((x > left) & (x < end), radius, 0), end


def _lying_screw(rng: np.random.Generator, x: Field, y: Field) -> Shape:
    """Return a screw or a hexagon bolt on its side, the head to the left."""
    r, left = rng.uniform(0.13, 0.22), -1.2
    if rng.random() < 0.3:
        big, end = r * 1.9, left + r * rng.uniform(1.3, 1.7)
        inside = (x > left) & (x < end)
        flank = np.minimum(big * 0.87, 1.73 * (big - np.abs(y)))
        head = np.where(inside & (np.abs(y) < big), np.maximum(flank, 0.05), 0)
    else:
        radius, end = _head(rng, x, r, left)
        head = np.sqrt(np.clip(radius**2 - y**2, 0, None))
        head = np.where(np.abs(y) < radius, head, 0)
    radius = _shaft(rng, x, y, r, end - 0.01)
    shaft = np.sqrt(np.clip(radius**2 - y**2, 0, None))
    body = np.maximum(head, shaft)
    return np.where(body > 0, body + 0.75 * r, 0), np.zeros_like(x)


def screw(rng: np.random.Generator, x: Field, y: Field) -> Shape:
    """Return a screw: most lie on their side, some are driven in and show only the head."""
    make = _driven_screw if rng.random() < 0.05 else _lying_screw
    return make(rng, x, y)


def coin(rng: np.random.Generator, x: Field, y: Field) -> Shape:
    """Return a worn coin: round like a washer, with no hole."""
    rho = np.hypot(x, y)
    relief = 0.02 * smooth_noise(rng, x.shape[0], (9, 9), 2)[: x.shape[0], : x.shape[1]]
    rim = 0.03 * (np.abs(rho - 0.93) < 0.05)
    return np.where(rho < 1, 0.13 + rim + relief * (rho < 0.8), 0), np.zeros_like(rho)


def stick(rng: np.random.Generator, x: Field, y: Field) -> Shape:
    """Return a pencil, a cable or a finger: a round bar that bends a little."""
    r, bend = rng.uniform(0.06, 0.2), rng.uniform(-0.15, 0.15)
    offset = y - bend * x * x
    height = np.sqrt(np.clip(r * r - offset**2, 0, None))
    return np.where(x < rng.uniform(0.4, 1.6), 1.7 * height, 0), np.zeros_like(x)


PARTS: dict[str, Maker] = {"nut": nut, "screw": screw, "washer": washer}
"""The classes by label, in the order of the labels."""

METALS = (
    ((196, 199, 204), 0.30),  # zinc
    ((208, 206, 200), 0.18),  # stainless steel
    ((214, 178, 104), 0.28),  # brass, yellow chromate
    ((66, 66, 70), 0.45),  # black oxide
    ((150, 150, 152), 0.60),  # galvanized, matt
    ((196, 132, 96), 0.35),  # copper
)
PLASTICS = ((40, 76, 160), (226, 226, 220), (176, 44, 40), (38, 38, 40), (230, 170, 40))


def metal(rng: np.random.Generator) -> Material:
    """Return a random metal, clean or rusty."""
    index = int(rng.choice(len(METALS), p=[0.32, 0.2, 0.18, 0.14, 0.1, 0.06]))
    colour, rough = METALS[index]
    tone = np.clip(np.array(colour) * rng.uniform(0.85, 1.08), 10, 250)
    dirt = rng.uniform(0, 0.25) if rng.random() < 0.8 else rng.uniform(0.4, 0.9)
    return Material(linear(*tone), 1.0, rough * rng.uniform(0.7, 1.3), float(dirt))


def plastic(rng: np.random.Generator) -> Material:
    """Return a random coloured plastic."""
    return Material(linear(*PLASTICS[rng.integers(len(PLASTICS))]), 0.0, 0.5)


def _machined(rng: np.random.Generator, x: Field, y: Field, rust: Field) -> Field:
    """Return the fine relief of worked metal: turning marks, brush marks and dents."""
    marks = np.hypot(x, y) if rng.random() < 0.5 else x
    grooves = np.sin(marks * rng.uniform(60, 140) + 3 * rust)
    return rng.uniform(0.0005, 0.0025) * grooves + rng.uniform(0.002, 0.008) * rust


def place(
    rng: np.random.Generator,
    world: World,
    make: Maker,
    centre: tuple[float, float],
    scale: float,
    *,
    material: Material,
    second: Material | None = None,
) -> None:
    """Lay a part on the world at `centre` (x, y in map pixels), one unit `scale` pixels long."""
    reach = int(scale * REACH)
    left, top = int(centre[0]) - reach, int(centre[1]) - reach
    rows = slice(max(top, 0), min(top + 2 * reach, world.size))
    columns = slice(max(left, 0), min(left + 2 * reach, world.size))
    y, x = np.mgrid[0 : 2 * reach, 0 : 2 * reach].astype(np.float32)
    x, y = (x - reach) / scale, (y - reach) / scale
    turn = rng.uniform(0, 2 * np.pi)
    cos, sin = np.float32(np.cos(turn)), np.float32(np.sin(turn))
    height, accent = make(rng, cos * x + sin * y, cos * y - sin * x)
    rust = smooth_noise(rng, 2 * reach, (7, 7), 4)
    height = np.where(height > 0, height + _machined(rng, x, y, rust), 0)
    window = (
        slice(rows.start - top, rows.stop - top),
        slice(columns.start - left, columns.stop - left),
    )
    if height[window].size:
        _paint(
            world,
            (rows, columns),
            [f[window] * s for f, s in ((height, scale), (accent, 1), (rust, 1))],
            (material, second or material),
        )


def _paint(
    world: World,
    area: tuple[slice, slice],
    fields: list[Field],
    materials: tuple[Material, Material],
) -> None:
    """Write a part's height and materials into the maps where it is higher than what lies there."""
    height, accent, rust = fields
    first, second = materials
    level = world.floor[area] + height  # things lie on the table and follow its folds
    over = (height > 0.3) & (level > world.height[area])
    worn = np.clip((rust - 0.9 + first.dirt * 1.2) * 2, 0, 1) * (first.dirt > 0.05)
    share = accent[..., None]
    colour = first.colour * (1 - worn[..., None]) + linear(104, 62, 38) * worn[..., None]
    colour = colour * (1 - share) + second.colour * share
    shine = first.metal * (1 - 0.85 * worn) * (1 - accent) + second.metal * accent
    rough = np.clip(first.rough + 0.5 * worn, 0.05, 1) * (1 - accent) + second.rough * accent
    for target, value in ((world.height, level), (world.metal, shine), (world.rough, rough)):
        target[area] = np.where(over, value, target[area])
    world.colour[area] = np.where(over[..., None], colour, world.colour[area])
