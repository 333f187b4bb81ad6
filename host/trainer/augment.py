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
    zoom = math.exp(rng.uniform(-math.log(knobs.zoom_out), math.log(knobs.zoom_in)))
    stretch = math.exp(rng.uniform(-0.5, 0.5) * math.log(knobs.stretch))
    angle = math.radians(rng.uniform(-1, 1) * knobs.rotate)
    shift = rng.uniform(-1, 1, 2) * knobs.shift
    mirror = (rng.random(2) < 0.5) & (knobs.flip_horizontal, knobs.flip_vertical)
    cosine, sine = math.cos(angle), math.sin(angle)
    # Pillow asks for the way back: from a pixel of the view to its place in the picture.
    back = np.array([[cosine, sine], [-sine, cosine]]) / [[zoom * stretch], [zoom / stretch]]
    back *= np.where(mirror, -1, 1)
    size = np.array(picture.shape[1::-1])
    offset = size / 2 - back @ (size / 2) + shift * size
    outside = np.abs(back) @ (size / 2) + np.abs(shift * size) - size / 2
    margin = max(0, math.ceil(outside.max())) + 2
    padded = np.pad(picture, ((margin, margin), (margin, margin), (0, 0)), "symmetric")
    (a, b), (d, e), (c, f) = *back.tolist(), (offset + margin).tolist()
    return Image.fromarray(padded).transform(
        picture.shape[1::-1], Image.Transform.AFFINE, (a, b, c, d, e, f), Image.Resampling.BILINEAR
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
