"""What the frozen part of the network says about every view, computed once and kept on disk.

The frozen trunk is the costly part: with its maps cached, the second stage trains only the last
blocks. Maps are kept as bytes, 0..6 in 255 steps, because ReLU6 bounds them; that is also about
what the KPU makes of them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..datasets.dataset import Dataset, Sample
from .checkpoint import Checkpoints, open_array
from .options import TrainOptions
from .pictures import in_batches, views_of

if TYPE_CHECKING:
    import keras

LEVEL = 6.0 / 255
"""ReLU6 output of one step of the stored bytes."""

BATCH = 32


@dataclass(frozen=True, slots=True)
class Features:
    """Features of one split: (views, pictures, ...) of the pictures `paths`.

    `pooled` float32 (views, n, channels) is the network's last map averaged; `maps` uint8
    (views, n, height, width, channels) is what enters the first tuned block, in units of
    `LEVEL`, a memory map of a file (None when no block is tuned); `truth` int (n,).
    """

    paths: tuple[str, ...]
    truth: np.ndarray
    pooled: np.ndarray
    maps: np.ndarray | None


def last_frozen(options: TrainOptions) -> int:
    """Return the last block that is never trained."""
    return options.network().cut - options.blocks_tuned()


def map_bytes(options: TrainOptions) -> int:
    """Return the bytes of one cached view (0 when no block is tuned)."""
    if not options.blocks_tuned():
        return 0
    network = options.network()
    frozen = type(network)(network.width, last_frozen(options))
    area = options.size[0] * options.size[1] // frozen.stride() ** 2
    return area * network.channels(last_frozen(options))


def view_count(pictures: int, options: TrainOptions) -> int:
    """Return how many views each of `pictures` training pictures gets (at least 1)."""
    count = min(options.views, options.views_total // max(pictures, 1))
    if room := map_bytes(options) * pictures:
        count = min(count, options.cache_mib * 2**20 // room)
    return max(1, count)


def extract(
    model: keras.Model,
    dataset: Dataset,
    samples: Sequence[Sample],
    views: int,
    options: TrainOptions,
    store: Checkpoints,
    name: str,
    tick: Callable[[int], None],
) -> Features:
    """Return the features of `samples`; those that an earlier run has finished are in `store`.

    `tick(n)` is called after each n views. `views` 1 means the pictures as they are.

    Raises:
        UserError: a picture cannot be read.
    """
    paths = tuple(sample.path for sample in samples)
    truth = np.array([sample.label for sample in samples], np.int64)
    files = {"pooled": store.maps(f"{name}-pooled")}
    if options.blocks_tuned():
        files["maps"] = store.maps(name)
    found = store.load(f"{name}-features")
    done = found[1] if found and all(path.is_file() for path in files.values()) else 0
    if done:
        tick(views * done)
    if done < len(samples):
        _compute(model, dataset, samples, views, options, files, store, name, tick, done)
    maps = np.load(files["maps"], mmap_mode="r") if options.blocks_tuned() else None
    return Features(paths, truth, np.load(files["pooled"]), maps)


def _compute(
    model: keras.Model,
    dataset: Dataset,
    samples: Sequence[Sample],
    views: int,
    options: TrainOptions,
    files: Mapping[str, Path],
    store: Checkpoints,
    name: str,
    tick: Callable[[int], None],
    done: int,
) -> None:
    """Write maps and pooled features of all views to `files`, after the first `done` samples.

    After each batch, when both are on the disk, `store` is told how many samples are done.
    """
    trunk = _trunk(model, options)
    layers = {"pooled": ("pool", np.float32), "maps": (boundary(options), np.uint8)}
    arrays = {}
    for kind, path in files.items():
        layer, dtype = layers[kind]
        shape = (views, len(samples), *model.get_layer(layer).output.shape[1:])
        arrays[kind] = open_array(path, dtype, shape, new=not done)
    for batch, pictures in in_batches(dataset, samples[done:], options, BATCH):
        place = slice(done + batch.start, done + batch.stop)
        names = [sample.path for sample in samples[place]]
        for number in range(views):
            seen = views_of(pictures, names, number, options.augmentation, options.seed)
            for kind, value in zip(("maps", "pooled"), trunk(seen), strict=True):
                if kind in arrays:
                    arrays[kind][number, place] = value.numpy()
            tick(len(pictures))
        for array in arrays.values():
            array.flush()
        store.save(f"{name}-features", {}, place.stop)


def boundary(options: TrainOptions) -> str:
    """Return the name of the layer whose output is cached."""
    return f"conv_pw_{last_frozen(options)}_relu"


def _trunk(model: keras.Model, options: TrainOptions) -> Callable[[np.ndarray], Any]:
    """Return the function pictures uint8 -> (bytes of the boundary map, pooled features)."""
    import keras  # noqa: PLC0415
    import tensorflow as tf  # noqa: PLC0415

    inner = model.get_layer(boundary(options)).output
    network = keras.Model(model.input, [inner, model.get_layer("pool").output])

    def run(pictures: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        found, means = network(tf.cast(pictures, tf.float32), training=False)
        return tf.cast(found / LEVEL + 0.5, tf.uint8), means

    signature = tf.TensorSpec((None, *model.input_shape[1:]), tf.uint8)
    return tf.function(run, input_signature=[signature])
