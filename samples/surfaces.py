"""Table tops: wood, paper, cloth, cutting mat, concrete, cardboard, sheet metal."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from .noise import Field, coarse, linear, mix, smooth_noise


@dataclass
class World:
    """What the camera looks down on, as square maps of one size.

    `height` and `floor` (the table's folds alone) in map pixels, `colour` linear light (h, w, 3),
    `metal` and `rough` 0..1.
    """

    height: Field
    floor: Field
    colour: Field
    metal: Field
    rough: Field

    @property
    def size(self) -> int:
        """The side of the maps in pixels."""
        return self.height.shape[0]


def _grid(size: int) -> tuple[Field, Field]:
    y, x = np.mgrid[0:size, 0:size].astype(np.float32)
    return x, y


def _lines(position: Field, spacing: float, width: float) -> Field:
    distance = np.abs((position / spacing) % 1 - 0.5) * spacing
    return np.clip(width - distance, 0, 1)


def _pick(rng: np.random.Generator, colours: list[tuple[int, int, int]]) -> Field:
    chosen = np.array(colours[rng.integers(len(colours))]) + rng.normal(0, 7, 3)
    return linear(*np.clip(chosen, 4, 250))


def wood(rng: np.random.Generator, size: int) -> tuple[Field, Field]:
    """Return boards with growth rings, pores and now and then a seam."""
    _, y = _grid(size)
    light = _pick(rng, [(200, 160, 112), (170, 120, 78), (222, 192, 150), (128, 88, 60)])
    warp = smooth_noise(rng, size, (2, 4), 2)
    rings = 0.5 + 0.5 * np.sin(y / rng.uniform(6, 15) + warp * rng.uniform(3, 9))
    pores = smooth_noise(rng, size, (14, size // 3))
    share = 0.45 * rings + 0.35 * np.clip(pores, -1, 1) + 0.25 * smooth_noise(rng, size, (4, 9))
    colour = mix(light, light * 0.5, share)
    seam = _lines(y + 2 * warp, rng.uniform(150, 330), 1.6) * (rng.random() < 0.5)
    return colour * (1 - 0.7 * seam[..., None]), 0.25 * pores - 2 * seam


def paper(rng: np.random.Generator, size: int) -> tuple[Field, Field]:
    """Return white, cream or coloured paper: plain, ruled or squared."""
    x, y = _grid(size)
    sheet = _pick(rng, [(236, 234, 228), (228, 220, 198), (205, 216, 226), (240, 236, 180)])
    fibres = smooth_noise(rng, size, (size // 4, size // 4))
    waves = smooth_noise(rng, size, (3, 3), 2)
    colour = mix(sheet, sheet * 0.86, 0.5 + 0.3 * fibres + 0.3 * waves)
    spacing, kind = rng.uniform(22, 44), rng.random()
    ink = _lines(y, spacing, 1.6) if kind < 0.6 else np.zeros_like(y)
    if kind < 0.35:
        ink = np.maximum(ink, _lines(x, spacing, 1.6))
    return mix(colour, linear(110, 140, 190), 0.55 * ink), 0.12 * fibres + 5 * waves


def cloth(rng: np.random.Generator, size: int) -> tuple[Field, Field]:
    """Return woven cloth with soft folds, sometimes checked."""
    x, y = _grid(size)
    base = _pick(rng, [(60, 84, 122), (150, 60, 58), (196, 190, 178), (78, 92, 76), (62, 60, 66)])
    step = rng.uniform(1.7, 2.6)
    weave = np.sin(x * np.pi / step) * np.sin(y * np.pi / step)
    folds = smooth_noise(rng, size, (3, 2), 2)
    colour = mix(base, base * 0.6, 0.5 + 0.3 * weave + 0.2 * smooth_noise(rng, size, (90, 90)))
    if rng.random() < 0.4:
        spacing = rng.uniform(60, 120)
        check = _lines(x, spacing, spacing / 5) * 0.35 + _lines(y, spacing, spacing / 5) * 0.35
        colour = mix(colour, _pick(rng, [(225, 220, 205), (30, 34, 48), (170, 50, 46)]), check)
    return colour, 0.5 * weave + 7 * folds


def cutting_mat(rng: np.random.Generator, size: int) -> tuple[Field, Field]:
    """Return a self-healing mat with its printed grid and old cuts."""
    x, y = _grid(size)
    base = _pick(rng, [(34, 92, 78), (38, 70, 104), (50, 54, 58), (118, 60, 92)])
    speck = smooth_noise(rng, size, (size // 3, size // 3))
    spacing = rng.uniform(34, 60)
    ink = np.maximum(_lines(x, spacing, 1.7), _lines(y, spacing, 1.7)) * 0.7
    ink = np.maximum(ink, 0.3 * _lines(x, spacing / 5, 0.7) * (rng.random() < 0.5))
    tilted = x * np.float32(rng.uniform(-1, 1)) + y
    cut = _lines(tilted + 3 * smooth_noise(rng, size, (3, 3)), rng.uniform(160, 400), 0.9)
    colour = mix(base, base * 0.75, 0.5 + 0.5 * speck)
    colour = mix(colour, linear(205, 205, 150), ink)
    return mix(colour, base * 1.8, 0.5 * cut), 0.2 * speck - cut


def concrete(rng: np.random.Generator, size: int) -> tuple[Field, Field]:
    """Return stone, concrete or a speckled worktop."""
    base = _pick(rng, [(150, 148, 142), (98, 98, 100), (180, 172, 160), (60, 62, 68)])
    large = smooth_noise(rng, size, (5, 5), 4)
    grain = smooth_noise(rng, size, (size // 2, size // 2))
    specks = smooth_noise(rng, size, (size // 5, size // 5))
    colour = mix(base, base * 0.6, 0.45 + 0.35 * large + 0.25 * grain)
    return mix(colour, base * rng.uniform(0.25, 1.7), 4 * (specks - 0.75)), 0.5 * grain + large


def cardboard(rng: np.random.Generator, size: int) -> tuple[Field, Field]:
    """Return brown board whose flutes show through."""
    x, _ = _grid(size)
    base = _pick(rng, [(178, 140, 98), (158, 122, 84), (192, 164, 128)])
    flutes = np.sin(x * 2 * np.pi / rng.uniform(14, 22))
    fibres = smooth_noise(rng, size, (size // 3, size // 6))
    large = smooth_noise(rng, size, (4, 4), 3)
    return mix(base, base * 0.75, 0.4 + 0.3 * fibres + 0.3 * large), 0.5 * flutes + 0.2 * fibres


def sheet_metal(rng: np.random.Generator, size: int) -> tuple[Field, Field]:
    """Return a brushed or painted tray with scratches: the hardest table for metal parts."""
    base = _pick(rng, [(150, 152, 156), (120, 124, 130), (86, 104, 128), (92, 96, 94)])
    brush = smooth_noise(rng, size, (6, size // 2))
    stains = smooth_noise(rng, size, (4, 4), 3)
    return mix(base, base * 0.62, 0.45 + 0.22 * brush + 0.25 * stains), 0.1 * brush + 2 * stains


SURFACES: tuple[tuple[Callable[..., tuple[Field, Field]], float, float], ...] = (
    # the maker of a surface, how metallic, how rough
    (wood, 0.0, 0.6),
    (paper, 0.0, 0.9),
    (cloth, 0.0, 1.0),
    (cutting_mat, 0.0, 0.7),
    (concrete, 0.0, 0.8),
    (cardboard, 0.0, 0.9),
    (sheet_metal, 0.25, 0.5),
)


def table(rng: np.random.Generator, size: int) -> World:
    """Return a random table top with `size` x `size` pixel maps and nothing on it."""
    make, metal, rough = SURFACES[rng.integers(len(SURFACES))]
    colour, bump = make(rng, size)
    flat = np.ones((size, size), np.float32)
    colour = np.clip(colour, 0.002, 0.95)
    return World(bump.astype(np.float32), coarse(bump), colour, flat * metal, flat * rough)
