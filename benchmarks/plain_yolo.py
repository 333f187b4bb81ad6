"""A plain YOLOv2 loop in Keras, as tutorials have it, to compare with: nothing of it is used.

A Python generator decodes, augments and labels picture by picture; Keras' `fit` trains all
weights with YOLOv2's squared errors (arXiv:1612.08242).
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from PIL import Image, ImageEnhance

from host.datasets.dataset import Dataset, Sample
from host.trainer import detect_net
from host.trainer.detect_options import DetectOptions

Anchors = Sequence[tuple[float, float]]


def train(
    dataset: Dataset, anchors: Anchors, options: DetectOptions, epochs: int
) -> tuple[list[float], Any]:
    """Train the network that ours has; return the seconds of each epoch and the model."""
    classes = len(dataset.labels)
    model: Any = detect_net.new_model(options, classes)
    batches = _batches(dataset, anchors, options)
    watch = _Watch()
    model.compile(keras.optimizers.Adam(1e-4), loss=_loss(options, anchors, classes))
    steps = len(dataset.of_split("train")) // options.batch
    model.fit(batches, steps_per_epoch=steps, epochs=epochs, callbacks=[watch], verbose=0)
    return watch.seconds, model


class _Watch(keras.callbacks.Callback):
    """Keeps the seconds of each epoch."""

    def __init__(self) -> None:
        super().__init__()
        self.seconds: list[float] = []
        self._began = 0.0

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """Start the clock."""
        self._began = time.perf_counter()

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Stop it."""
        self.seconds.append(time.perf_counter() - self._began)


def _batches(
    dataset: Dataset, anchors: Anchors, options: DetectOptions
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    rng = np.random.default_rng(options.seed)
    samples = dataset.of_split("train")
    while True:
        order = rng.permutation(len(samples))
        for start in range(0, len(order) - options.batch + 1, options.batch):
            chosen = [samples[place] for place in order[start : start + options.batch]]
            pairs = [_example(dataset, one, anchors, options, rng) for one in chosen]
            pictures, targets = zip(*pairs, strict=True)
            yield np.stack(pictures), np.stack(targets)


def _example(
    dataset: Dataset, sample: Sample, anchors: Anchors, options: DetectOptions,
    rng: np.random.Generator,
) -> tuple[np.ndarray, np.ndarray]:  # fmt: skip
    """Decode a picture, crop, mirror and light it at random; write its boxes into a grid."""
    width, height = options.size
    rows, columns = options.grid
    picture = Image.open(dataset.file(sample)).convert("RGB")
    left, top, right, bottom = rng.uniform(0, 0.2, 4) * (*picture.size, *picture.size)
    right, bottom = picture.width - right, picture.height - bottom
    picture = picture.resize((width, height), Image.Resampling.BILINEAR, (left, top, right, bottom))
    picture = ImageEnhance.Brightness(picture).enhance(rng.uniform(0.7, 1.3))
    mirrored = rng.random() < 0.5
    if mirrored:
        picture = picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    target = np.zeros((rows, columns, 5, 5 + len(dataset.labels)), np.float32)
    for box in sample.boxes:
        x = np.clip((np.array([box.left, box.right]) - left) / (right - left), 0, 1) * columns
        y = np.clip((np.array([box.top, box.bottom]) - top) / (bottom - top), 0, 1) * rows
        if mirrored:
            x = columns - x[::-1]
        w, h = np.ptp(x), np.ptp(y)
        if min(w, h) <= 0:
            continue
        fits = [min(w, a) * min(h, b) / (w * h + a * b - min(w, a) * min(h, b)) for a, b in anchors]
        row, column = min(int(y.mean()), rows - 1), min(int(x.mean()), columns - 1)
        place = target[row, column, int(np.argmax(fits))]
        place[:5] = x.mean(), y.mean(), w, h, 1
        place[5 + box.label] = 1
    return np.asarray(picture, np.float32), target


def _loss(options: DetectOptions, anchors: Anchors, classes: int) -> Any:
    rows, columns = options.grid
    corner = np.stack(np.meshgrid(np.arange(columns), np.arange(rows)), -1)[:, :, None]
    shapes = np.array(anchors, np.float32)

    def loss(wanted: Any, values: Any) -> Any:
        raw: Any = tf.reshape(values, (-1, rows, columns, 5, 5 + classes))
        there = wanted[..., 4]
        middle = tf.sigmoid(raw[..., :2]) + corner.astype(np.float32)
        size = tf.sqrt(tf.exp(raw[..., 2:4]) * shapes)
        placed = tf.reduce_sum((middle - wanted[..., :2]) ** 2, -1)
        placed += tf.reduce_sum((size - tf.sqrt(wanted[..., 2:4])) ** 2, -1)
        sure = (tf.sigmoid(raw[..., 4]) - there) ** 2 * (0.5 + 4.5 * there)
        named = tf.nn.softmax_cross_entropy_with_logits(wanted[..., 5:], raw[..., 5:])
        return tf.reduce_sum(5 * there * placed + sure + there * named, (1, 2, 3))

    return loss
