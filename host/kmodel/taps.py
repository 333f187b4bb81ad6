"""Convolution sums in float32 or float64, shared by the float reference and the simulator.

All maps are (pictures, channels, height, width). Stride-2 sums are the KPU's: the full-resolution
sum at pixels (0, 0), (0, 2), (2, 0) ...
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import cache

import numpy as np
from threadpoolctl import ThreadpoolController

BLOCK_VALUES = 1 << 16
"""Values that one thread works on at a time: a float32 block stays in a core's cache."""


@cache
def _pool() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(min(4, os.cpu_count() or 1), "kmodel")


@cache
def _blas() -> ThreadpoolController:
    return ThreadpoolController()


def blocks(shape: tuple[int, ...]) -> Iterator[tuple[int, slice]]:
    """Cut (pictures, channels, height, width) into (picture, channels) blocks of useful size."""
    count, channels, height, width = shape
    step = max(1, BLOCK_VALUES // (height * width))
    for picture in range(count):
        for first in range(0, channels, step):
            yield picture, slice(first, min(first + step, channels))


def for_blocks(shape: tuple[int, ...], work: Callable[[int, slice], None]) -> None:
    """Call `work(picture, channels)` for every block, on all cores; numpy frees the lock."""
    jobs = list(blocks(shape))
    if len(jobs) < 2:
        for job in jobs:
            work(*job)
        return
    for future in [_pool().submit(work, *job) for job in jobs]:
        future.result()


def for_pictures(count: int, work: Callable[[int], object]) -> None:
    """Call `work(picture)`, mostly BLAS, for every picture, on all cores.

    Each picture keeps to one thread: BLAS's own threads wait for each other in busy loops, and a
    core that other work takes half of then stops them all.
    """
    if count < 2:
        for picture in range(count):
            work(picture)
        return
    with _blas().limit(limits=1, user_api="blas"):
        for future in [_pool().submit(work, picture) for picture in range(count)]:
            future.result()


def pointwise(x: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Sum over channels: x (n, in, h, w), weights (out, in) of one float dtype."""
    count, channels, height, width = x.shape
    flat = x.reshape(count, channels, height * width)
    out = np.empty((count, len(weights), height * width), np.result_type(x, weights))
    for_pictures(count, lambda picture: np.matmul(weights, flat[picture], out=out[picture]))
    return out.reshape(count, len(weights), height, width)


def padded(x: np.ndarray, value: float, dtype: type = np.float32) -> np.ndarray:
    """Return x with a border of one pixel of `value` on all sides, as `dtype`."""
    count, channels, height, width = x.shape
    out = np.full((count, channels, height + 2, width + 2), value, dtype)
    out[:, :, 1:-1, 1:-1] = x
    return out


def full3x3(x: np.ndarray, weights: np.ndarray, stride: int) -> np.ndarray:
    """3x3 sum over all channels: x bordered (n, in, h+2, w+2), weights (out, in, 3, 3)."""
    count, channels = x.shape[:2]
    height, width = ((side - 2 + stride - 1) // stride for side in x.shape[2:])
    out = np.empty((count, len(weights), height * width), x.dtype)
    matrix = weights.reshape(len(weights), -1)

    def work(picture: int) -> None:
        columns = np.empty((channels, 9, height, width), x.dtype)
        for tap in range(9):
            columns[:, tap] = _shifted(x[picture], tap, height, width, stride)
        np.matmul(matrix, columns.reshape(channels * 9, -1), out=out[picture])

    for_pictures(count, work)
    return out.reshape(count, len(weights), height, width)


def depthwise3x3(
    source: Callable[[int, slice], np.ndarray],
    weights: np.ndarray,
    shape: tuple[int, int, int, int],
    stride: int,
    finish: Callable[[int, slice, np.ndarray], None],
) -> None:
    """3x3 sum of each channel by itself, block by block so that blocks stay in the cache.

    Args:
        source: gives the bordered block (channels, h+2, w+2) of a picture and channels.
        weights: (channels, 9).
        shape: of the result, (n, channels, out height, out width).
        stride: 1 or 2.
        finish: takes the sums (channels, out height, out width) of each block.
    """
    height, width = shape[2:]

    def work(picture: int, channels: slice) -> None:
        block = source(picture, channels)
        total = np.empty((len(block), height, width), block.dtype)
        part = np.empty_like(total)
        for tap in range(9):
            factor = weights[channels, tap, None, None]
            view = _shifted(block, tap, height, width, stride)
            np.multiply(view, factor, out=part if tap else total)
            if tap:
                total += part
        finish(picture, channels, total)

    for_blocks(shape, work)


def _shifted(x: np.ndarray, tap: int, height: int, width: int, stride: int) -> np.ndarray:
    row, column = divmod(tap, 3)
    return x[..., row : row + height * stride : stride, column : column + width * stride : stride][
        ..., :height, :width
    ]
