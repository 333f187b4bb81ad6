"""Views of a picture as a camera on a desk might have seen it; fast, seeded, plain Pillow."""

from __future__ import annotations

import io
import math

import numpy as np
from PIL import Image, ImageFilter

from .options import Augmentation


def view(picture: np.ndarray, knobs: Augmentation, rng: np.random.Generator) -> np.ndarray:
    """Return one random view of `picture`, uint8 (height, width, 3), of the same shape.

    The order is that of a camera: where it stands, lens, light, sensor, compression. Every
    knob draws its random numbers whether it is on or not, so that one knob does not change
    what the others do.
    """
    image = _geometry(picture, knobs, rng)
    image = _blur(image, knobs.blur, rng)
    image = image.point(_tone_curves(knobs, rng))
    image = _noise(image, knobs.noise, rng)
    return np.asarray(_jpeg(image, knobs.jpeg, rng))


def _geometry(picture: np.ndarray, knobs: Augmentation, rng: np.random.Generator) -> Image.Image:
    """Zoom, stretch, shift, turn and mirror; what lies outside is mirrored at the border."""
    height, width = picture.shape[:2]
    zoom = math.exp(rng.uniform(-math.log(knobs.zoom_out), math.log(knobs.zoom_in)))
    stretch = math.exp(rng.uniform(-0.5, 0.5) * math.log(knobs.stretch))
    angle = math.radians(rng.uniform(-1, 1) * knobs.rotate)
    right, down = rng.uniform(-1, 1, 2) * knobs.shift * (width, height)
    flips = rng.random(2) < 0.5
    margin = min(height, width) // 2
    padded = np.pad(picture, ((margin, margin), (margin, margin), (0, 0)), "reflect")
    # Pillow asks for the way back: from a pixel of the view to its place in the picture.
    a, b = math.cos(angle) / (zoom * stretch), math.sin(angle) / (zoom * stretch)
    d, e = -math.sin(angle) / zoom * stretch, math.cos(angle) / zoom * stretch
    if knobs.flip_horizontal and flips[0]:
        a, d = -a, -d
    if knobs.flip_vertical and flips[1]:
        b, e = -b, -e
    middle_x, middle_y = width / 2, height / 2
    c = middle_x + margin + right - a * middle_x - b * middle_y
    f = middle_y + margin + down - d * middle_x - e * middle_y
    return Image.fromarray(padded).transform(
        (width, height), Image.Transform.AFFINE, (a, b, c, d, e, f), Image.Resampling.BILINEAR
    )


def _blur(image: Image.Image, largest: float, rng: np.random.Generator) -> Image.Image:
    on, radius = rng.random() < 0.5, rng.uniform(0, largest)
    return image.filter(ImageFilter.GaussianBlur(radius)) if on and radius > 0.2 else image


def _tone_curves(knobs: Augmentation, rng: np.random.Generator) -> list[int]:
    """Return 3 x 256 levels: exposure, white balance, contrast and gamma in one table."""
    gain = math.exp(rng.uniform(-1, 1) * math.log1p(knobs.brightness))
    contrast = math.exp(rng.uniform(-1, 1) * math.log1p(knobs.contrast))
    gamma = math.exp(rng.uniform(-1, 1) * math.log1p(knobs.gamma))
    red, blue = np.exp(rng.uniform(-1, 1, 2) * math.log1p(knobs.white_balance))
    levels = np.linspace(0, 1, 256) ** gamma * gain
    curves = np.outer([red, 1.0, blue], levels)
    curves = (curves - 0.5) * contrast + 0.5
    return np.clip(np.rint(curves * 255), 0, 255).astype(int).ravel().tolist()


def _noise(image: Image.Image, largest: float, rng: np.random.Generator) -> Image.Image:
    """Add noise of equal strength to all channels and pixels, as a sensor in dim light does."""
    deviation = rng.uniform(0, largest)
    pixels = np.asarray(image)
    noise = rng.standard_normal(pixels.shape, dtype=np.float32) * np.float32(deviation)
    return Image.fromarray(np.clip(pixels + noise + 0.5, 0, 255).astype(np.uint8))


def _jpeg(image: Image.Image, lowest: int, rng: np.random.Generator) -> Image.Image:
    on, quality = rng.random() < 0.5, int(rng.integers(min(lowest, 100), 101))
    if not on or quality == 100:
        return image
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=quality)
    return Image.open(buffer).convert("RGB")
