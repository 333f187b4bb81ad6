"""A small camera: rays over a height field, light and shadow, then a cheap sensor."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PIL import Image

from .noise import Field, blur, smoothstep, vector
from .surfaces import World

MARCH_STEPS = 18
SHADOW_STEPS = 12


@dataclass(frozen=True)
class View:
    """Where the camera stands: it looks at `target` (map pixels, x and y).

    `width` is how many map pixels it sees there, `tilt` the angle from straight down and
    `turn` the angle about the vertical, in radians.
    """

    target: tuple[float, float]
    width: float
    tilt: float
    turn: float


@dataclass(frozen=True)
class Light:
    """One lamp or window and the room around it; colours are linear light (3,)."""

    azimuth: float
    elevation: float
    colour: Field
    ambient: Field
    softness: float


@dataclass(frozen=True)
class Sensor:
    """How the picture is taken. Blurs are pixels, noise is relative to full scale."""

    exposure: float
    white_balance: tuple[float, float, float]
    vignette: float
    defocus: float
    motion: tuple[float, float]
    shot_noise: float
    read_noise: float
    sharpen: float
    contrast: float


def _unit(vector: Field) -> Field:
    return vector / np.maximum(np.linalg.norm(vector, axis=-1, keepdims=True), 1e-6)


def _dot(a: Field, b: Field) -> Field:
    return np.einsum("...i,...i->...", a, b)


def rays(view: View, size: int) -> tuple[Field, Field]:
    """Return where each pixel's ray meets the table (size, size, 2) and its direction (.., 3)."""
    v, u = (np.mgrid[0:size, 0:size].astype(np.float32) + 0.5) / size - 0.5
    field = 0.85  # a lens of about 46 degrees, as on the boards
    local = _unit(np.stack([u * field, v * field, -np.ones_like(u)], -1))
    ct, st, cz, sz = np.cos(view.tilt), np.sin(view.tilt), np.cos(view.turn), np.sin(view.turn)
    lean = np.array([[1, 0, 0], [0, ct, st], [0, -st, ct]], np.float32)
    about = np.array([[cz, -sz, 0], [sz, cz, 0], [0, 0, 1]], np.float32)
    matrix = about @ lean
    direction = local @ matrix.T
    distance = view.width / field
    eye = np.array([*view.target, 0], np.float32) - distance * matrix @ vector(0, 0, -1)
    ground = eye[:2] + direction[..., :2] * (eye[2] / -direction[..., 2:])
    return ground.astype(np.float32), direction.astype(np.float32)


def _index(world: World, x: Field, y: Field) -> np.ndarray:
    """Return flat indices into the maps; beyond the edge the map goes on mirrored."""
    last = world.size - 1
    columns = np.maximum(last - np.abs(last - np.abs(x)), 0).astype(np.intp)
    rows = np.maximum(last - np.abs(last - np.abs(y)), 0).astype(np.intp)
    return rows * world.size + columns


def march(world: World, ground: Field, direction: Field) -> tuple[Field, Field, Field]:
    """Return x, y and z (map pixels) of the first thing each ray meets."""
    heights = world.height.ravel()
    slope = direction[..., :2] / direction[..., 2:]
    top = float(world.height.max()) + 1
    low, high = np.full(ground.shape[:2], -8.0, np.float32), None
    for z in np.linspace(top, -8, MARCH_STEPS, dtype=np.float32):
        x, y = ground[..., 0] + slope[..., 0] * z, ground[..., 1] + slope[..., 1] * z
        hit = (heights.take(_index(world, x, y)) >= z) & (low <= -8.0)
        low = np.where(hit, z, low)
    high = low + (top + 8) / (MARCH_STEPS - 1)
    for _ in range(5):
        z = (low + high) / 2
        x, y = ground[..., 0] + slope[..., 0] * z, ground[..., 1] + slope[..., 1] * z
        inside = heights.take(_index(world, x, y)) >= z
        low, high = np.where(inside, z, low), np.where(inside, high, z)
    return ground[..., 0] + slope[..., 0] * low, ground[..., 1] + slope[..., 1] * low, low


def look_up(world: World, view: View, size: int, field: np.ndarray) -> np.ndarray:
    """Return what each pixel of `shade`'s picture shows of `field`, a map of the world's size."""
    x, y, _ = march(world, *rays(view, size))
    return field.ravel().take(_index(world, x, y))


def _shadow(world: World, point: tuple[Field, Field, Field], light: Light) -> Field:
    """Return how much of the lamp each point sees, 0..1, with a soft edge."""
    heights = world.height.ravel()
    x, y, z = point
    run = vector(np.cos(light.azimuth), np.sin(light.azimuth))
    rise = float(np.tan(light.elevation))
    reach = (float(world.height.max()) + 1) / max(rise, 0.2)
    blocked = np.zeros_like(z)
    for step in range(1, SHADOW_STEPS + 1):
        far = np.float32(reach * (step / SHADOW_STEPS) ** 1.4)
        there = heights.take(_index(world, x + run[0] * far, y + run[1] * far))
        over = (there - z - rise * far - 1.2) / (1 + far * light.softness)
        blocked = np.maximum(blocked, over)
    return 1 - np.clip(blocked, 0, 1)


def _environment(direction: Field, light: Light, toward: Field, rough: Field) -> Field:
    """Return what a mirror would show: a dim room, its ceiling and the lamp as a soft patch."""
    up = direction[..., 2]
    around = np.arctan2(direction[..., 1], direction[..., 0])
    room = 0.35 + 0.75 * smoothstep(-0.2, 1.0, up)
    room = room + 0.35 * np.sin(3 * around + 7 * light.azimuth) * (1 - up**2) * (1 - rough)
    sharpness = 4 + 60 * (1 - np.clip(rough, 0, 1)) ** 2
    patch = np.exp((_dot(direction, toward) - 1) * sharpness) * (0.5 + sharpness / 14)
    return np.maximum(room, 0.05)[..., None] * light.ambient + patch[..., None] * light.colour


def _normals(world: World, flat: np.ndarray) -> Field:
    """Return the surface normals (.., 3) at flat indices, from the heights beside them."""
    heights, last = world.height.ravel(), world.height.size - 1
    gx = heights[np.minimum(flat + 1, last)] - heights[np.maximum(flat - 1, 0)]
    gy = heights[np.minimum(flat + world.size, last)] - heights[np.maximum(flat - world.size, 0)]
    return _unit(np.stack([-gx / 2, -gy / 2, np.ones_like(gx)], -1).clip(-4, 4))


def shade(world: World, view: View, light: Light, size: int) -> Field:
    """Return the scene in linear light, (size, size, 3)."""
    ground, direction = rays(view, size)
    x, y, z = march(world, ground, direction)
    flat = _index(world, x, y)
    normal = _normals(world, flat)
    scale = max(float(world.height.max()), 1.0)
    nearby = blur(world.height / scale, 9).ravel().take(flat)
    open_sky = np.clip(1.05 - 1.5 * np.clip(nearby - z / scale, 0, 1), 0.2, 1)
    e, a = light.elevation, light.azimuth
    toward = vector(np.cos(e) * np.cos(a), np.cos(e) * np.sin(a), np.sin(e))
    lit = np.clip(_dot(normal, toward), 0, 1) * _shadow(world, (x, y, z), light)
    mirror = direction - 2 * _dot(direction, normal)[..., None] * normal
    rough, metal = world.rough.ravel().take(flat), world.metal.ravel().take(flat)[..., None]
    colour = world.colour.reshape(-1, 3).take(flat, axis=0)
    sky = open_sky[..., None]
    seen = _environment(mirror, light, toward, rough) * sky
    matt = colour * (light.ambient * sky + light.colour * lit[..., None]) + 0.03 * seen
    return (matt * (1 - metal) + metal * colour * (0.9 * seen + 0.25 * matt)).astype(np.float32)


def _resize(picture: Field, size: int) -> Field:
    planes = [Image.fromarray(np.ascontiguousarray(picture[..., c])) for c in range(3)]
    small = [p.resize((size, size), Image.Resampling.BOX) for p in planes]
    return np.stack([np.asarray(p) for p in small], -1)


def _gauss(picture: Field, sigma: float) -> Field:
    if sigma < 0.2:
        return picture
    reach = int(3 * sigma) + 1
    taps = np.exp(-0.5 * (np.arange(-reach, reach + 1) / sigma) ** 2)
    for axis in (0, 1):
        pad = [(reach, reach) if a == axis else (0, 0) for a in range(3)]
        wide = np.pad(picture, pad, mode="edge")
        length = picture.shape[axis]
        shifted = (np.take(wide, range(k, k + length), axis) * w for k, w in enumerate(taps))
        picture = sum(shifted, np.zeros_like(picture)) / taps.sum()
    return picture.astype(np.float32)


def _smear(picture: Field, motion: tuple[float, float]) -> Field:
    steps = int(max(abs(motion[0]), abs(motion[1]))) + 1
    if steps < 2:
        return picture
    shifts = [(round(motion[1] * t), round(motion[0] * t)) for t in np.linspace(-0.5, 0.5, steps)]
    reach = steps + 1
    wide = np.pad(picture, ((reach, reach), (reach, reach), (0, 0)), mode="edge")
    moved = [np.roll(wide, shift, (0, 1))[reach:-reach, reach:-reach] for shift in shifts]
    return np.stack(moved).mean(axis=0, dtype=np.float32)


def _bayer(rng: np.random.Generator, picture: Field, sensor: Sensor) -> Field:
    """Add noise under an RGGB filter, then interpolate: noise gets its blotches and colour."""
    size = picture.shape[0]
    row, column = np.mgrid[0:size, 0:size] % 2
    filters = np.stack([(row + column) == 0, (row + column) == 1, (row + column) == 2], -1)
    signal = np.clip((picture * filters).sum(-1), 0, 1)
    sigma = np.sqrt(sensor.read_noise**2 + sensor.shot_noise**2 * signal)
    signal = np.clip(signal + rng.normal(0, 1, signal.shape) * sigma, 0, 1)
    kernel = np.outer(vector(1, 2, 1), vector(1, 2, 1))
    wide = np.pad((signal[..., None] * filters).astype(np.float32), ((1, 1), (1, 1), (0, 0)))
    share = np.pad(filters.astype(np.float32), ((1, 1), (1, 1), (0, 0)))
    spots = [(i, j) for i in range(3) for j in range(3)]
    total = sum(wide[i : i + size, j : j + size] * kernel[i, j] for i, j in spots)
    weight = sum(share[i : i + size, j : j + size] * kernel[i, j] for i, j in spots)
    return np.asarray(total / weight, np.float32)


def expose(rng: np.random.Generator, scene: Field, sensor: Sensor, size: int) -> Image.Image:
    """Return the picture that the camera would save, before JPEG: RGB, `size` x `size`."""
    picture = _smear(_gauss(_resize(scene, size), sensor.defocus), sensor.motion)
    v, u = (np.mgrid[0:size, 0:size] + 0.5) / size - 0.5
    fall = 1 - sensor.vignette * (u * u + v * v) * 2
    picture = picture * (fall[..., None] * sensor.exposure * vector(*sensor.white_balance))
    picture = _bayer(rng, picture.astype(np.float32), sensor)
    picture = np.clip(picture, 0, 1) ** (1 / 2.2)
    picture = picture + sensor.sharpen * (picture - _gauss(picture.astype(np.float32), 1.0))
    picture = (picture - 0.5) * sensor.contrast + 0.5
    return Image.fromarray((np.clip(picture, 0, 1) * 255 + 0.5).astype(np.uint8))
