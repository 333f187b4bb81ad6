"""Pictures of a data set as arrays of the model's input size, and their training views."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from ..datasets.dataset import Dataset, Sample
from ..datasets.prepare import load_image
from .augment import view
from .detect_options import DetectOptions
from .options import Augmentation, Fit, TrainOptions

THREADS = 2
"""Decoding and augmenting release Python's lock in Pillow and numpy."""


def read_pictures(
    dataset: Dataset, samples: Sequence[Sample], size: tuple[int, int], fit: Fit
) -> np.ndarray:
    """Return the pictures as uint8 (n, height, width, 3) RGB; `size` is (width, height).

    Raises:
        UserError: a picture cannot be read.
    """
    pictures = np.empty((len(samples), size[1], size[0], 3), np.uint8)

    def read(place: int) -> None:
        sample = samples[place]
        pictures[place] = load_image(dataset.file(sample), size, fit, name=sample.path)

    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(read, range(len(samples))))
    return pictures


def in_batches(
    dataset: Dataset,
    samples: Sequence[Sample],
    options: TrainOptions | DetectOptions,
    batch: int = 32,
) -> Iterator[tuple[slice, np.ndarray]]:
    """Yield (places in `samples`, pictures uint8 (n, height, width, 3)), in order."""
    for start in range(0, len(samples), batch):
        place = slice(start, min(start + batch, len(samples)))
        yield place, read_pictures(dataset, samples[place], options.size, options.fit)


def views_of(
    pictures: np.ndarray, names: Sequence[str], number: int, knobs: Augmentation, seed: int
) -> np.ndarray:
    """Return view `number` of each picture, same shape; view 0 is the picture itself.

    What a view looks like depends on the seed, its number and the picture's name only.
    """
    if number == 0:
        return pictures

    def one(place: int) -> np.ndarray:
        name = int.from_bytes(hashlib.sha256(names[place].encode()).digest()[:8])
        return view(pictures[place], knobs, np.random.default_rng([seed, number, name]))

    with ThreadPoolExecutor(THREADS) as pool:
        return np.stack(list(pool.map(one, range(len(pictures)))))
