"""Training views of pictures with boxes, whole batches at a time inside TensorFlow's graph.

Every picture is scaled, moved and mirrored by one warp, with its boxes; a mosaic is four such
warps, each in its quarter. All draws are stateless: equal seeds give equal views.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Iterator
from typing import Any

import numpy as np

from .detect_options import DetectOptions
from .detect_pictures import VISIBLE, Pictures

GREY = 114.0
"""What is seen beside a picture, as beside a letterboxed one."""

SMALLEST = 4.0
"""Boxes with a shorter side than this, in pixels of the input, are not taught."""

MOSAIC_ZOOM = (0.6, 1.3)
"""A picture in a mosaic against the scale at which it would just cover its quarter."""

CENTRE = 0.3
"""The four parts of a mosaic meet this far or farther from its border, as a part of the side."""

COLUMNS = 4
"""Pictures that a mosaic is made of."""


class Views:
    """Makes batches of training views of decoded `pictures`."""

    def __init__(self, pictures: Pictures, options: DetectOptions) -> None:
        import tensorflow as tf  # noqa: PLC0415

        self.pictures, self.options = pictures, options
        self.knobs = options.augmentation
        self.size = tf.constant(options.size, tf.float32)
        self.tables = {
            "origin": tf.constant(pictures.origin),
            "extent": tf.constant(pictures.extent),
            "boxes": tf.constant(pictures.boxes - np.tile(pictures.origin, 2)[:, None]),
            "labels": tf.constant(pictures.labels),
        }
        # One graph for all epochs: `map` would trace a plain method again in each, for a second.
        self._batch = tf.function(self.batch, input_signature=[
            tf.TensorSpec((options.batch, COLUMNS), tf.int32),
            tf.TensorSpec((2,), tf.int64),
            tf.TensorSpec((), tf.bool),
        ])  # fmt: skip

    def epoch(self, number: int, share: float) -> Any:
        """Return the batches of one epoch as a `tf.data.Dataset`.

        Args:
            number: of the epoch among all; the views depend on it and the seed only.
            share: part of the batches that are mosaics.

        Yields:
            Pixels 0..255 float32 (n, height, width, 3), boxes float32 (n, m, 4) in pixels of the
            input, and labels int32 (n, m), -1 where there is no box.
        """
        import tensorflow as tf  # noqa: PLC0415

        places, mosaics = plan(self.pictures.labels, self.options, number, share)
        seeds = [[self.options.seed + 7919 * number, place] for place in range(len(places))]
        plans = tf.data.Dataset.from_tensor_slices((places, np.array(seeds, np.int64), mosaics))
        batches = plans.map(self._batch, num_parallel_calls=2, deterministic=True)
        return batches.prefetch(2)

    def batch(self, places: Any, seed: Any, mosaic: Any) -> tuple[Any, Any, Any]:
        """Return one batch of `epoch`; `places` (n, 4) are numbers of pictures."""
        import tensorflow as tf  # noqa: PLC0415

        draw = _Draws(seed, tf.shape(places)[0])
        views = tf.cond(
            mosaic,
            lambda: _compact(*self._mosaic(places, draw)),
            lambda: _compact(*self._single(places[:, 0], draw)),
        )
        pixels, boxes, labels = views
        pixels = self._colours(pixels, draw)
        width, height = self.options.size
        pixels.set_shape((None, height, width, 3))
        boxes.set_shape((None, None, 4))
        return pixels, boxes, labels

    def _single(self, place: Any, draw: _Draws) -> tuple[Any, Any, Any]:
        import tensorflow as tf  # noqa: PLC0415

        knobs = self.knobs
        extent = tf.gather(self.tables["extent"], place)
        ratios = self.size / extent
        reduce = tf.reduce_max if self.options.fit == "crop" else tf.reduce_min
        zoom = reduce(ratios, -1) * draw.factor("zoom", knobs.zoom)
        aspect = tf.sqrt(draw.factor("aspect", knobs.stretch))
        scale = tf.stack([zoom * aspect, zoom / aspect], -1)
        free = self.size - extent * scale
        # A small picture lies anywhere in the view; a large one covers it, or nearly so.
        beyond = tf.where(free > 0, 0.0, knobs.shift * self.size)
        low, high = tf.minimum(free, 0.0) - beyond, tf.maximum(free, 0.0) + beyond
        offset = low + (high - low) * draw.parts("offset", 2)
        return self._warp(place, scale, offset, draw.flips("flip", knobs), (tf.zeros(2), self.size))

    def _mosaic(self, places: Any, draw: _Draws) -> tuple[Any, Any, Any]:
        import tensorflow as tf  # noqa: PLC0415

        centre = (CENTRE + (1 - 2 * CENTRE) * draw.parts("centre", 2)) * self.size
        width, height = self.options.size
        x = tf.range(width, dtype=tf.float32) + 0.5
        y = tf.range(height, dtype=tf.float32)[:, None] + 0.5
        total, boxes, labels = 0.0, [], []
        for quarter in range(COLUMNS):
            after = tf.constant([quarter % 2 > 0, quarter // 2 > 0])
            low = tf.where(after, centre, 0.0)
            high = tf.where(after, self.size, centre)
            extent = tf.gather(self.tables["extent"], places[:, quarter])
            cover = tf.reduce_max((high - low) / extent, -1)
            zoom = cover * draw.between(f"zoom{quarter}", *MOSAIC_ZOOM)
            scale = tf.stack([zoom, zoom], -1)
            free = high - low - extent * scale
            offset = low + free * draw.parts(f"offset{quarter}", 2)
            flips = draw.flips(f"flip{quarter}", self.knobs)
            view = self._warp(places[:, quarter], scale, offset, flips, (low, high))
            edges = [side[:, None, None] for side in (*tf.unstack(low, 2, 1),
                                                      *tf.unstack(high, 2, 1))]  # fmt: skip
            here = (x >= edges[0]) & (y >= edges[1]) & (x < edges[2]) & (y < edges[3])
            total += tf.where(here[..., None], view[0], 0.0)
            boxes.append(view[1])
            labels.append(view[2])
        return total, tf.concat(boxes, 1), tf.concat(labels, 1)

    def _warp(
        self, place: Any, scale: Any, offset: Any, flips: Any, window: tuple[Any, Any]
    ) -> tuple[Any, Any, Any]:
        """Return pictures as float32, boxes cut off at `window` (low, high), and labels.

        A point p of a picture (mirrored where `flips`) is at p * scale + offset of its view.
        """
        import tensorflow as tf  # noqa: PLC0415

        origin, extent = (tf.gather(self.tables[name], place) for name in ("origin", "extent"))
        # Pixel i of the view has its middle at i + 0.5, and so has a pixel of the canvas.
        step = tf.where(flips, -1 / scale, 1 / scale)
        start = tf.where(flips, extent, 0.0) + (0.5 - offset) * step - 0.5 + origin
        nothing = tf.zeros_like(step[:, 0])
        matrix = tf.stack(
            [step[:, 0], nothing, start[:, 0], nothing, step[:, 1], start[:, 1], nothing, nothing],
            -1,
        )
        width, height = self.options.size
        pixels = tf.raw_ops.ImageProjectiveTransformV3(
            images=self.pictures.read(place),
            transforms=matrix,
            output_shape=[height, width],
            fill_value=GREY,
            interpolation="BILINEAR",
            fill_mode="CONSTANT",
        )
        boxes = tf.gather(self.tables["boxes"], place)
        low, high = boxes[..., :2], boxes[..., 2:]
        whole = extent[:, None]
        ends = [tf.where(flips[:, None], whole - b, a) for a, b in ((low, high), (high, low))]
        moved = [end * scale[:, None] + offset[:, None] for end in ends]
        labels = tf.gather(self.tables["labels"], place)
        return tf.cast(pixels, tf.float32), *_cut(moved, labels, window)

    def _colours(self, pixels: Any, draw: _Draws) -> Any:
        import tensorflow as tf  # noqa: PLC0415

        knobs = self.knobs

        def factor(name: str, most: float) -> Any:
            return draw.factor(name, 1 + most)[:, None, None, None]

        x = tf.pow(pixels / 255.0, factor("gamma", knobs.gamma))
        red, blue = (factor(name, knobs.white_balance) for name in ("red", "blue"))
        x *= factor("brightness", knobs.brightness) * tf.concat([red, tf.ones_like(red), blue], -1)
        grey = tf.reduce_mean(x, -1, keepdims=True)
        x = (x - grey) * factor("saturation", knobs.saturation) + grey
        x = (x - 0.5) * factor("contrast", knobs.contrast) + 0.5
        return tf.clip_by_value(x, 0.0, 1.0) * 255.0


class _Draws:
    """Random numbers of a batch, each by its name: (n,) or (n, columns), float32."""

    def __init__(self, seed: Any, count: Any) -> None:
        self.seed, self.count = seed, count

    def parts(self, name: str, columns: int) -> Any:
        """Return numbers 0..1, (n, columns)."""
        import tensorflow as tf  # noqa: PLC0415

        number = zlib.crc32(name.encode()) >> 1
        random: Any = tf.random  # its parts are loaded lazily, which pyright does not see
        seed = random.experimental.stateless_fold_in(self.seed, number)
        return tf.random.stateless_uniform((self.count, columns), seed)

    def between(self, name: str, low: float, high: float) -> Any:
        """Return factors from `low` to `high`, (n,), as often above their middle as below."""
        import tensorflow as tf  # noqa: PLC0415

        return tf.exp(math.log(low) + math.log(high / low) * self.parts(name, 1)[:, 0])

    def factor(self, name: str, most: float) -> Any:
        """Return factors from 1 / most to most, (n,)."""
        return self.between(name, 1 / most, most)

    def flips(self, name: str, knobs: Any) -> Any:
        """Return whether to mirror left to right and upside down, bool (n, 2)."""
        import tensorflow as tf  # noqa: PLC0415

        wanted = tf.constant([knobs.flip_horizontal, knobs.flip_vertical])
        return (self.parts(name, 2) < 0.5) & wanted


def _cut(ends: list[Any], labels: Any, window: tuple[Any, Any]) -> tuple[Any, Any]:
    """Cut boxes, given as [low, high] (n, m, 2), off at the window; -1 is a box that is gone."""
    import tensorflow as tf  # noqa: PLC0415

    low, high = (tf.broadcast_to(edge, tf.shape(ends[0])[::2])[:, None] for edge in window)
    cut = [tf.clip_by_value(end, low, high) for end in ends]
    whole = tf.reduce_prod(ends[1] - ends[0], -1)
    sides = cut[1] - cut[0]
    seen = tf.reduce_prod(sides, -1) >= VISIBLE * whole
    kept = seen & (tf.reduce_min(sides, -1) >= SMALLEST)
    return tf.concat(cut, -1), tf.where(kept, labels, -1)


def _compact(pixels: Any, boxes: Any, labels: Any) -> tuple[Any, Any, Any]:
    """Move boxes that exist to the front and drop the columns that nobody needs but the first."""
    import tensorflow as tf  # noqa: PLC0415

    order = tf.argsort(tf.cast(labels < 0, tf.int32), stable=True)
    needed = tf.maximum(tf.reduce_max(tf.reduce_sum(tf.cast(labels >= 0, tf.int32), 1)), 1)
    boxes, labels = (tf.gather(one, order, batch_dims=1)[:, :needed] for one in (boxes, labels))
    return pixels, boxes, labels


def plan(
    labels: np.ndarray, options: DetectOptions, number: int, share: float
) -> tuple[np.ndarray, np.ndarray]:
    """Return which pictures an epoch shows, int32 (batches, n, 4), and which batches are mosaics.

    The first of the four is the picture itself, the others its partners in a mosaic.
    """
    rng = np.random.default_rng([options.seed, 3, number])
    counts = _counts(labels, options, rng)
    shown = np.repeat(np.arange(len(labels)), counts)
    batches = -(-len(shown) // options.batch)
    total = batches * options.batch
    # The last batch is filled up: every batch has one size, and so one weight.
    first = np.concatenate(list(_orders(shown, total, rng)))[:total]
    partners = rng.choice(shown, (total, COLUMNS - 1))
    places = np.column_stack([first, partners]).astype(np.int32)
    mosaics = rng.random(batches) < share
    return places.reshape(batches, options.batch, COLUMNS), mosaics


def _orders(shown: np.ndarray, total: int, rng: np.random.Generator) -> Iterator[np.ndarray]:
    for _ in range(-(-total // len(shown))):
        yield rng.permutation(shown)


def epoch_pictures(labels: np.ndarray, options: DetectOptions) -> int:
    """Return how many views an epoch shows."""
    return plan(labels, options, 0, 0.0)[0][..., 0].size


def _counts(labels: np.ndarray, options: DetectOptions, rng: np.random.Generator) -> np.ndarray:
    """Return how often each picture is shown in an epoch; their sum is always the same.

    A label with a fair part of the boxes, 1 / labels, counts once; one with a part f of them
    sqrt(fair / f) times (arXiv:1908.03195, section 6). Pictures count as their rarest label.
    """
    boxes = np.bincount(labels[labels >= 0])
    weights = np.ones(len(labels))
    present = boxes[boxes > 0]
    if len(present) > 1:
        with np.errstate(divide="ignore"):
            rarity = np.sqrt(boxes.sum() / len(present) / boxes)
        factors = np.clip(np.append(rarity, 1.0), 1.0, options.balance)  # label -1 is the last
        weights = factors[labels].max(1)
    total = max(options.epoch_least, round(weights.sum()))
    ends = np.floor(np.cumsum(weights) * total / weights.sum() + rng.random())
    ends[-1] = total
    return np.diff(ends, prepend=0.0).astype(int)
