"""Random fields: the stuff that wood, paper, dust and uneven light are made of."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

Field = NDArray[np.floating[Any]]


def smooth_noise(
    rng: np.random.Generator, size: int, cells: tuple[int, int], octaves: int = 1
) -> Field:
    """Return a (size, size) field around 0, about -1..1, with `cells` blobs along x and y.

    Every octave doubles the cells and halves the strength.
    """
    total = np.zeros((size, size), np.float32)
    for octave in range(octaves):
        shape = (min(cells[1] << octave, size), min(cells[0] << octave, size))
        grid = rng.uniform(-1, 1, shape).astype(np.float32)
        blown = Image.fromarray(grid).resize((size, size), Image.Resampling.BICUBIC)
        total += np.asarray(blown) * 0.5**octave
    return total


def blur(field: Field, radius: float) -> Field:
    """Return a (h, w) field of 0..1 blurred by about `radius` pixels, in 8 bits."""
    picture = Image.fromarray((np.clip(field, 0, 1) * 255).astype(np.uint8))
    softened = picture.filter(ImageFilter.BoxBlur(radius)).filter(ImageFilter.BoxBlur(radius))
    return np.asarray(softened, np.float32) / 255


def coarse(field: Field, cell: int = 28) -> Field:
    """Return a (h, w) field without what is finer than about `cell` pixels."""
    height, width = field.shape
    picture = Image.fromarray(field.astype(np.float32))
    small = picture.resize((width // cell, height // cell), Image.Resampling.BOX)
    return np.asarray(small.resize((width, height), Image.Resampling.BICUBIC))


def vector(*values: float) -> Field:
    """Return `values` as float32, shape (n,)."""
    return np.array(values, np.float32)


def linear(red: float, green: float, blue: float) -> Field:
    """Return an sRGB colour (0..255) as linear light, shape (3,)."""
    return (vector(red, green, blue) / 255) ** 2.2


def mix(first: Field, second: Field, share: Field) -> Field:
    """Blend two colours by a field of 0..1; shape (..., 3)."""
    weight = np.clip(share, 0, 1)[..., None]
    return (first * (1 - weight) + second * weight).astype(np.float32)


def smoothstep(low: float, high: float, value: Field) -> Field:
    """Return 0 below `low`, 1 above `high` and a soft rise between."""
    t = np.clip((value - low) / (high - low), 0, 1)
    return t * t * (3 - 2 * t)
